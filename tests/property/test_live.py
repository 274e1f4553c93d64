"""Property: after any sequence of changes, numbers that follow them are, bit for bit, those of a fresh measurement."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Label, LabelTable, Quantity, Record, Region, Run, Segmentation
from medseg.domain.plan import LesionPlan, MeasurePlan, NormalPlan, PetPlan, TissuePlan
from medseg.errors import Cancelled
from medseg.geometry import affine_orientation
from medseg.masks.border import beside, border_mask
from medseg.measuring.tally import tally
from medseg.testing import random_turn
from medseg.workflows import measure
from medseg.workflows.live import LiveNumbers, measure_again, start_measuring, take_change

SHAPE = (9, 7, 6)
TABLE = LabelTable((Label(1, "a"), Label(2, "b"), Label(3, "c")), (Region("both", (1, 2)),))
TURNED = affine_orientation((0.5, 0.9, 3.0), "PIR")
TURNED[:3, :3] = random_turn(np.random.default_rng(5)) @ TURNED[:3, :3]
GRIDS = {
    "anisotropic": Grid(SHAPE, np.diag([0.7, 0.7, 5.0, 1.0])),
    "oblique": Grid(SHAPE, TURNED),
    "pixels": Grid(SHAPE, np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px", orientation_known=False),
}
#: A box and what is painted there: the label, and on which of its voxels.
strokes = st.tuples(
    st.tuples(*[st.integers(0, n - 1) for n in SHAPE]),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.integers(0, 4),
    st.integers(0, 2**16),
)


def images(grid: Grid, *, outside: bool) -> dict[str, Image]:
    rng = np.random.default_rng(3)
    values = rng.normal(40, 30, SHAPE)
    marked = rng.random(SHAPE) < 0.08 if outside else None
    return {"ct": Image(values, grid, value_unit="[hnsf'U]" if outside else "[arb'U]", outside=marked)}


def paint(labels: NDArray[Any], stroke: tuple[Any, ...]) -> tuple[tuple[slice, slice, slice], NDArray[Any]]:
    """Change the labels in place; the box and its values before."""
    corner, extent, value, seed = stroke
    box = tuple(slice(a, min(a + n, top)) for a, n, top in zip(corner, extent, SHAPE, strict=True))
    before = labels[box].copy()
    labels[box][np.random.default_rng(seed).random(before.shape) < 0.7] = value
    return (box[0], box[1], box[2]), before


def mask(labels: NDArray[Any], grid: Grid) -> Segmentation:
    present = tuple(int(value) for value in np.unique(labels) if value)
    return Segmentation(labels.astype(np.uint8), grid, TABLE.completed(present))


def followed(numbers: LiveNumbers, record: Record) -> tuple[list[Any], list[Any]]:
    """Rows that are not stale, and those of the same name that the record has."""
    scratch = {(item.target, item.quantity, item.channel): item for item in record.measurements}
    fresh = [row.item for row in numbers.rows if not row.is_stale]
    return fresh, [scratch[item.target, item.quantity, item.channel] for item in fresh]


@settings(max_examples=12, deadline=None)
@given(
    labels=hnp.arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 0, 1, 2, 3])),
    changes=st.lists(strokes, min_size=1, max_size=4),
    grid=st.sampled_from(sorted(GRIDS)),
    outside=st.booleans(),
    measured_between=st.booleans(),
)
def test_rows_that_follow_are_those_from_scratch(
    labels: NDArray[Any], changes: list[Any], grid: str, *, outside: bool, measured_between: bool
) -> None:
    """After each change no row is wrong: it is stale, or equal in every part; measured again, all are equal."""
    own = GRIDS[grid]
    channels = images(own, outside=outside)
    numbers = start_measuring(mask(labels, own), channels)
    labels = labels.copy()
    for stroke in changes:
        box, before = paint(labels, stroke)
        numbers = take_change(numbers, labels, box, before, TABLE)
        scratch = measure(mask(labels, own), channels)
        fresh, expected = followed(numbers, scratch)
        assert fresh == expected
        assert numbers.agrees_with(labels)
        follow = {row.item.quantity for row in numbers.rows if not row.is_stale}
        assert follow >= {Quantity.VOXEL_COUNT, Quantity.VOLUME}, "what sums give follows at once"
        there = {item.target for item in scratch.measurements}
        counts = [row for row in numbers.rows if row.item.quantity is Quantity.VOXEL_COUNT]
        # Of a label that the last stroke took away nothing is left to count.
        assert all(not row.is_stale for row in counts if row.item.target in there)
        if measured_between:
            numbers = measure_again(numbers, mask(labels, own))
            assert numbers.record.measurements == scratch.measurements
            assert numbers.is_fresh
    numbers = measure_again(numbers, mask(labels, own))
    assert numbers.record.measurements == scratch.measurements
    assert numbers.record.result_digest == scratch.result_digest


PLANS = {
    "lesions": MeasurePlan(lesions=LesionPlan(rule="recist-1.1")),
    "uptake of every lesion": MeasurePlan(lesions=LesionPlan(names=("a",)), pet=PetPlan(channel="pt")),
    "tissue": MeasurePlan(tissue=TissuePlan(channel="ct", compartment="a")),
    "by body size": MeasurePlan(normal=NormalPlan(intracranial="b", height_m=1.8, weight_kg=80.0)),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_followed_too(name: str) -> None:
    """Lesions, uptake and tissue of a changed mask are stale, and measured again they are right."""
    grid = GRIDS["anisotropic"]
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 0, 0, 1, 2], SHAPE).astype(np.uint8)
    channels = {
        "ct": Image(rng.normal(-50, 60, SHAPE), grid, value_unit="[hnsf'U]", modality="CT"),
        "pt": Image(rng.random(SHAPE) * 9, grid, value_unit="g/ml{SUVbw}", modality="PT"),
    }
    numbers = start_measuring(mask(labels, grid), channels, plan=PLANS[name])
    for seed in range(4):
        box, before = paint(labels, ((2, 1, 1), (4, 3, 3), seed % 3, seed))
        numbers = take_change(numbers, labels, box, before, TABLE)
        scratch = measure(mask(labels, grid), channels, plan=PLANS[name])
        known = {(i.target, i.quantity, i.channel) for i in scratch.measurements}
        shown = replace(
            numbers,
            rows=tuple(r for r in numbers.rows if (r.item.target, r.item.quantity, r.item.channel) in known),
        )
        fresh, expected = followed(shown, scratch)
        assert fresh == expected
        numbers = measure_again(numbers, mask(labels, grid))
        assert numbers.record.measurements == scratch.measurements


def test_a_change_that_nobody_told_of_is_noticed() -> None:
    grid = GRIDS["anisotropic"]
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 2:5, 2:4] = 1
    numbers = start_measuring(mask(labels, grid))
    labels[3, 3, 3] = 0
    assert not numbers.agrees_with(labels)


def test_a_stray_voxel_that_goes_takes_the_box_back() -> None:
    """The box of a label shrinks over many empty slices to the next voxel, along each axis and from both ends."""
    labels = np.zeros((40, 50, 60), np.uint8)
    labels[20:22, 20:22, 20:22] = 1
    sums = tally(labels)
    for axis in range(3):
        for place in (1, labels.shape[axis] - 2):
            spot = [21, 21, 21]
            spot[axis] = place
            box = tuple(slice(at, at + 1) for at in spot)
            for value in (1, 0):
                before = labels[box].copy()
                labels[box] = value
                sums = sums.updated(before, (box[0], box[1], box[2]), labels)
                fresh = tally(labels)
                assert sums.part((1,)).box == fresh.part((1,)).box


def test_the_border_of_a_box_is_that_of_the_whole() -> None:
    outside = np.random.default_rng(1).random(SHAPE) < 0.1
    whole = border_mask(SHAPE, outside)
    assert (whole >= beside(outside)).all()
    labels = np.ones(SHAPE, np.uint8)
    sums = tally(np.zeros(SHAPE, np.uint8), outside).updated(
        np.zeros(SHAPE, np.uint8), (slice(0, 9), slice(0, 7), slice(0, 6)), labels, outside
    )
    assert int(sums.border[1]) == int(whole.sum())


@pytest.mark.parametrize("plan", [None, PLANS["lesions"]], ids=["structures", "lesions"])
def test_measuring_stops_at_every_check(plan: MeasurePlan | None) -> None:
    """Whenever it is told to stop, it stops: at the first check, or at any later one."""
    grid = GRIDS["anisotropic"]
    labels = np.random.default_rng(0).choice([0, 1, 2], SHAPE).astype(np.uint8)
    checks = 0

    def stop_after(allowed: int) -> Callable[[], bool]:
        left = [allowed]

        def stop() -> bool:
            nonlocal checks
            checks += 1
            left[0] -= 1
            return left[0] < 0

        return stop

    told: list[str] = []
    measure(
        mask(labels, grid),
        plan=plan,
        run=Run(cancel=stop_after(10**6), progress=lambda *a: told.append(a[2])),
    )
    assert "measuring a" in told
    total = checks
    assert total > 3 * len(TABLE.labels)
    for allowed in range(0, total, 11):
        with pytest.raises(Cancelled):
            measure(mask(labels, grid), plan=plan, run=Run(cancel=stop_after(allowed)))


def test_only_what_was_touched_is_measured_again() -> None:
    grid = GRIDS["anisotropic"]
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:3, 1:3, 1:3], labels[5:8, 2:5, 2:5] = 1, 2
    numbers = start_measuring(mask(labels, grid))
    box, before = paint(labels, ((1, 1, 1), (1, 1, 1), 0, 0))
    numbers = take_change(numbers, labels, box, before, TABLE)
    told: list[str] = []
    measure_again(numbers, mask(labels, grid), run=Run(progress=lambda *a: told.append(a[2])))
    assert [text for text in told if text.startswith("measuring ")] == ["measuring a", "measuring both"]
    assert {row.item.quantity for row in numbers.rows if row.is_stale} >= {Quantity.MESH_VOLUME}
