"""Domain values: checked once in their constructors, frozen, and the same after a trip between processes."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from medseg.domain import (
    Finding,
    Grid,
    Image,
    Label,
    LabelTable,
    Measurement,
    Quantity,
    Region,
    Segmentation,
    Status,
    Target,
    digest_of,
)
from medseg.domain.values import same_values
from medseg.errors import InputError, LabelError

GRID = Grid((4, 5, 6), np.diag([1.0, 2.0, 3.0, 1.0]))
REFUSED_GRIDS = [
    ((0, 5, 6), np.eye(4), "three positive extents"),
    ((4, 5), np.eye(4), "three positive extents"),
    ((4, 5, 6), np.eye(3), "4×4"),
    ((4, 5, 6), np.full((4, 4), np.nan), "finite"),
    ((4, 5, 6), np.diag([1.0, 1.0, 0.0, 1.0]), "singular"),
    ((4, 5, 6), np.diag([1.0, 1.0, 1.0, 2.0]), "last row"),
]


@pytest.mark.parametrize(("shape", "affine", "reason"), REFUSED_GRIDS)
def test_a_grid_refuses_nonsense(shape: Any, affine: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Grid(shape, affine)


def test_a_grid_derives_its_geometry() -> None:
    assert GRID.spacing == (1.0, 2.0, 3.0)
    assert GRID.voxel_volume == pytest.approx(6.0)
    assert GRID.orientation == "RAS"
    assert not GRID.is_oblique
    assert not GRID.is_sheared
    assert GRID.corners.max(axis=0).tolist() == [3, 8, 15]


def test_a_sheared_grid_knows_it_and_keeps_its_volume() -> None:
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    affine[1, 2] = 1.25
    grid = Grid((4, 4, 4), affine)
    assert grid.is_sheared
    assert grid.voxel_volume == pytest.approx(5.0)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_arrays_stay_read_only(clone: Any) -> None:
    image = clone(Image(np.zeros((4, 5, 6), np.float32), GRID))
    segmentation = clone(Segmentation(np.zeros((4, 5, 6), np.uint8), GRID, LabelTable(())))
    for array in (image.array, image.grid.affine, segmentation.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_an_image_is_not_changed_from_outside() -> None:
    values = np.zeros((4, 5, 6), np.float32)
    image = Image(values, GRID)
    values[:] = 7
    assert image.array.max() == 0


def test_the_digest_ignores_memory_order_and_not_values() -> None:
    values = np.random.default_rng(0).normal(size=(7, 8, 9)).astype(np.float32)
    assert digest_of(values) == digest_of(np.asfortranarray(values))
    assert digest_of(values) == digest_of(values.astype(">f4"))
    changed = values.copy()
    changed[3, 3, 3] += 1
    assert digest_of(values) != digest_of(changed)


def test_labels_are_kept_in_the_smallest_type() -> None:
    table = LabelTable((Label(1, "one"), Label(300, "many")))
    wide = np.zeros((4, 5, 6), np.uint32)
    wide[0, 0, 0] = 300
    assert Segmentation(wide, GRID, table).labels.dtype == np.uint16
    assert Segmentation(np.minimum(wide, 1), GRID, table).labels.dtype == np.uint8


def test_every_label_of_a_mask_stands_in_its_table() -> None:
    with pytest.raises(LabelError, match="occur in the mask"):
        Segmentation(np.full((4, 5, 6), 3, np.uint8), GRID, LabelTable((Label(1, "one"),)))


@pytest.mark.parametrize(
    ("labels", "regions", "reason"),
    [
        ((Label(1, "a"), Label(1, "b")), (), "occur twice"),
        ((Label(1, "a"), Label(2, "a")), (), "must differ"),
        ((Label(1, "a"),), (Region("all", (1, 2)),), "the table lacks"),
    ],
)
def test_a_table_refuses_nonsense(labels: Any, regions: Any, reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        LabelTable(labels, regions)


@pytest.mark.parametrize(
    ("value", "status", "reason", "fault"),
    [
        (None, Status.OK, None, "does not fit"),
        (0.0, Status.NOT_COMPUTED, "no", "does not fit"),
        (float("nan"), Status.OK, None, "not a number"),
        (float("inf"), Status.OK, None, "not a number"),
        (1.0, Status.TRUNCATED_LOWER_BOUND, None, "needs a reason"),
    ],
)
def test_a_measurement_is_a_number_or_null_with_a_reason(
    value: float | None, status: Status, reason: str | None, fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        Measurement(Target("label", "a", (1,)), Quantity.VOLUME, value, "ml", status, reason)


def test_unknown_keys_are_refused_at_the_edge() -> None:
    adapter = TypeAdapter(Finding)
    plain = adapter.dump_python(Finding("a.b", "info", "text"), mode="json")
    assert adapter.validate_python(plain) == Finding("a.b", "info", "text")
    with pytest.raises(ValidationError):
        adapter.validate_python({**plain, "surprise": 1})


def test_integers_stay_integers_at_the_edge() -> None:
    adapter = TypeAdapter(Measurement)
    count = Measurement(Target("label", "a", (1,)), Quantity.VOXEL_COUNT, 523, "1")
    again = adapter.validate_json(adapter.dump_json(count))
    assert again.value == 523
    assert isinstance(again.value, int)


def test_labels_that_may_change_are_counted_anew_and_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import medseg.domain.segmentation as counting

    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 2
    view = labels[:, :, 1:]
    view.setflags(write=False)
    assert counting.count_labels(labels).tolist() == [119, 0, 1]
    assert counting.count_labels(view).tolist() == [99, 0, 1]
    labels[0, 0, 1] = 3
    assert counting.count_labels(labels).tolist() == [118, 0, 1, 1]
    assert counting.count_labels(view).tolist() == [98, 0, 1, 1]  # somebody can write to what it is a view of
    labels.setflags(write=False)
    first = counting.count_labels(labels)
    monkeypatch.setattr(counting, "_counted", None)
    assert counting.count_labels(labels) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1
    gone = id(labels)
    del view, labels
    assert gone not in counting._COUNTS


LIKE = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (LIKE, LIKE.copy(), True),
        (LIKE, np.asfortranarray(LIKE), True),
        (LIKE, LIKE.astype(np.uint8), True),
        (LIKE, LIKE + 1, False),
        (LIKE, LIKE[:1], False),
        (LIKE[:, ::-1], LIKE[:, ::-1].copy(), True),
        (LIKE[:, ::-1], LIKE, False),
        (np.full((2, 2), np.nan), np.full((2, 2), np.nan), True),
        (np.array([1.0, np.nan]), np.array([1.0, np.nan]), True),
        (np.zeros((0, 3)), np.zeros((0, 3)), True),
    ],
)
def test_arrays_are_compared_whatever_their_memory(one: Any, other: Any, same: bool) -> None:
    assert same_values(one, other) is same
