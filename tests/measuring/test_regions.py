"""The engine: tallies against brute force, instances, what is asked for, and what is left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medseg.domain import Grid, Image, Label, LabelTable, Quantity, Segmentation, Status, Target
from medseg.masks import border_mask
from medseg.measuring.field import find_field
from medseg.measuring.measure import measure
from medseg.measuring.regions import measure_regions
from medseg.measuring.tally import tally

GRID = Grid((20, 20, 20), np.diag([1.0, 1.0, 2.0, 1.0]))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.integers(0, 300)),
    st.sampled_from("CF"),
    st.booleans(),
)
def test_tallies_are_those_of_brute_force(labels: np.ndarray, order: str, padded: bool) -> None:
    labels = np.asarray(labels % 4, order=order)  # type: ignore[call-overload]
    outside = None
    if padded:
        outside = np.random.default_rng(0).random(labels.shape) < 0.1
    border = border_mask(labels.shape, outside)  # type: ignore[arg-type]
    found = tally(labels, outside)
    for values in ((1,), (2, 3), (1, 2, 3), (77,)):
        part, mask = found.part(values), np.isin(labels, values)
        index = np.argwhere(mask)
        assert part.count == len(index)
        assert part.on_border == int((mask & border).sum())
        if not len(index):
            assert part.box is None
            continue
        assert part.centroid == pytest.approx(index.mean(axis=0))
        assert part.covariance == pytest.approx(np.cov(index.T, ddof=0).reshape(3, 3), abs=1e-9)
        assert part.box == tuple(
            slice(low, high + 1) for low, high in zip(index.min(axis=0), index.max(axis=0), strict=True)
        )


def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (11, 12, 13)).astype(np.uint8)
    whole = tally(labels)
    monkeypatch.setattr("medseg.measuring.tally._BLOCK", 100)
    for name in ("count", "border", "low", "high", "first", "second"):
        assert np.array_equal(getattr(tally(labels), name), getattr(whole, name))


def test_instances_are_measured_by_their_ids() -> None:
    ids = np.zeros((20, 20, 20), np.uint32)
    ids[2:5, 2:5, 2:5], ids[10:16, 10:16, 10:16] = 70_000, 7
    values = np.where(ids == 7, 50.0, 20.0).astype(np.float32)
    lesions = [
        (Target("lesion", "tumour", (3,), 1), (7,)),
        (Target("lesion", "tumour", (3,), 2), (70_000,)),
    ]
    found = measure_regions(ids, GRID, lesions, {"ct": Image(values, GRID)})
    number = {(item.target.lesion, item.quantity): item.value for item in found}
    assert number[1, Quantity.VOXEL_COUNT] == 216
    assert number[2, Quantity.VOLUME] == pytest.approx(27 * 2 / 1000)
    assert number[1, Quantity.MEAN] == 50
    assert number[2, Quantity.MEAN] == 20


def test_only_what_is_asked_for() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[3:9, 3:9, 3:9] = 1
    table = LabelTable((Label(1, "a"), Label(2, "missing")))
    only = (Quantity.VOLUME, Quantity.MAJOR_AXIS, Quantity.MEAN, Quantity.SD)
    values = np.random.default_rng(0).normal(size=labels.shape).astype(np.float32)
    segmentation, images = Segmentation(labels, GRID, table), {"mr": Image(values, GRID)}
    some = measure(segmentation, images, only=only)
    assert {item.quantity for item in some} == set(only)
    for item in some:
        whole = next(
            other
            for other in measure(segmentation, images)
            if (other.target, other.quantity) == (item.target, item.quantity)
        )
        assert item.value == (None if whole.value is None else pytest.approx(whole.value, rel=1e-9))


def test_the_circle_of_a_ct_is_border_and_stays_out_of_statistics() -> None:
    grid = Grid((64, 64, 6), np.eye(4))
    steps = np.arange(64) - 31.5
    radius = np.hypot(steps[:, None], steps)[..., None]
    values = np.random.default_rng(0).normal(-950, 10, grid.shape).astype(np.float32)
    values = np.where(radius > 32, np.float32(-2000), values)
    labels = np.zeros(grid.shape, np.uint8)
    labels[4:14, 4:14, 2:4] = 1  # across the rim
    labels[28:36, 28:36, 2:4] = 2  # in the middle
    table = LabelTable((Label(1, "rim"), Label(2, "middle")))
    image = Image(values, grid, value_unit="[hnsf'U]")
    (finding,) = find_field(image).findings
    assert finding.code == "image.circular_field"
    assert find_field(Image(values, grid)).outside is None
    found = measure(Segmentation(labels, grid, table), {"ct": image})
    by = {(item.target.name, item.quantity): item for item in found}
    assert by["rim", Quantity.VOLUME].status is Status.TRUNCATED_LOWER_BOUND
    assert by["middle", Quantity.VOLUME].status is Status.OK
    minimum = by["rim", Quantity.MINIMUM].value
    assert minimum is not None
    assert minimum > -1100
    assert (by["rim", Quantity.BORDER_SHARE].value or 0) > 0.1
    assert by["middle", Quantity.BORDER_SHARE].value == 0


def test_units_of_variance_and_energy_are_squares() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[3:9, 3:9, 3:9] = 1
    values = np.random.default_rng(0).normal(10, 50, labels.shape).astype(np.float32)
    image = Image(values, GRID, value_unit="g/ml{SUVbw}")
    found = measure(Segmentation(labels, GRID, LabelTable((Label(1, "a"),))), {"pet": image})
    units = {item.quantity: item.unit for item in found if item.channel == "pet"}
    assert units[Quantity.VARIANCE] == units[Quantity.ENERGY] == "g2/ml2{SUVbw}"
    assert units[Quantity.MEAN] == units[Quantity.SD] == "g/ml{SUVbw}"
    assert units[Quantity.SKEWNESS] == units[Quantity.ENTROPY] == "1"
