"""Split objects: touching ones get ids of their own."""

from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Run
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods import child
from medseg.methods.split_objects import SPLIT_OBJECTS
from medseg.workflows import segment
from tests.methods.balls import ball, dumbbell


def ids(image: Image, **params: Any) -> np.ndarray:
    found = segment(SPLIT_OBJECTS, image, params=params).instances
    assert found is not None
    return found


@pytest.mark.parametrize("thickness", [1, 5])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int) -> None:
    scan = ball(thickness)
    assert scan.dice(ids(scan.image) == 1) >= min(0.95, scan.ceiling - 0.005)


@pytest.mark.parametrize(("depth", "count"), [(1, 2), (5, 2), (20, 1)])
def test_a_neck_splits_when_it_is_deep_enough(depth: float, count: int) -> None:
    answer = segment(SPLIT_OBJECTS, dumbbell(), params={"depth_mm": depth})
    assert answer.instances is not None
    assert int(answer.instances.max()) == count == dict(answer.made_by.parameters)["objects"]
    np.testing.assert_array_equal(answer.instances > 0, dumbbell().array == 100)
    np.testing.assert_array_equal(answer.labels > 0, dumbbell().array == 100)


def test_depth_is_mm() -> None:
    # The same voxels at half the size have necks half as deep.
    small = Image(dumbbell().array, Grid(dumbbell().grid.shape, np.diag([0.5, 0.5, 0.5, 1])))
    assert ids(dumbbell(), depth_mm=6).max() == 2
    assert ids(small, depth_mm=6).max() == 1


def test_small_objects_are_left_out_by_the_diameter_of_a_ball_or_disc() -> None:
    array = np.zeros((40, 40, 40), np.uint8)
    array[4:14, 4:14, 4:14] = 9
    array[20:23, 20:23, 20:23] = 9
    image = Image(array, Grid(array.shape, np.eye(4)))
    # 27 mm³ is a ball of 3.72 mm.
    assert [int(ids(image, smallest_diameter_mm=size).max()) for size in (0, 3.6, 3.8)] == [2, 2, 1]
    slice_ = Image(array[:, :, 21:22], Grid((40, 40, 1), np.eye(4), unit="px"))
    # 9 px² is a disc of 3.39 px.
    assert [int(ids(slice_, smallest_diameter_mm=size).max()) for size in (3.3, 3.5)] == [1, 0]


def test_dark_objects_and_a_given_threshold() -> None:
    scan = ball()
    dark = Image(120 - scan.image.array, scan.image.grid)
    assert scan.dice(ids(dark, side="below") == 1) > 0.99
    assert scan.dice(ids(scan.image, threshold=60) == 1) > 0.99


def test_nothing_lies_outside_within() -> None:
    within = np.zeros(dumbbell().grid.shape, np.bool_)
    within[:35] = True
    found = segment(SPLIT_OBJECTS, dumbbell(), within=within, params={"threshold": 50})
    assert found.labels[:35].any()
    assert not found.labels[35:].any()


def test_another_process_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    here = ids(dumbbell())
    monkeypatch.setattr(child, "_QUICK", 0)
    np.testing.assert_array_equal(ids(dumbbell()), here)
    with pytest.raises(Cancelled):
        segment(SPLIT_OBJECTS, dumbbell(), run=Run(cancel=lambda: True))


@pytest.mark.parametrize(
    ("affine", "params", "error", "words"),
    [
        (np.eye(4), {}, InputError, "split-objects needs different values"),
        (
            np.eye(4) + np.eye(4, k=1) * 0.3 * np.eye(4)[0][:, None],
            {"threshold": 0},
            InputError,
            "right angles",
        ),
        (np.eye(4), {"depth_mm": 0}, ConfigError, "depth_mm"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    affine: np.ndarray, params: dict[str, Any], error: type[Exception], words: str
) -> None:
    array = np.ones((9, 9, 9), np.float32)
    with pytest.raises(error, match=words):
        segment(SPLIT_OBJECTS, Image(array, Grid(array.shape, affine)), params=params)
