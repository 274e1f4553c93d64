"""Properties: what may not depend on how a file stores its axes or where the patient lay."""

from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from medseg.domain import Grid, Image, Label, LabelTable, Measurement, Quantity, Region, Segmentation
from medseg.domain.plan import LesionPlan
from medseg.geometry import AxisOrder, affine_orientation
from medseg.masks import components, plane_diameters
from medseg.measuring import measure, measure_lesions
from medseg.metrics import evaluate
from medseg.testing import random_turn
from tests.geometry.test_orientation import ALL_48

SHAPE = (6, 7, 5)
GRID = Grid(SHAPE, np.diag([1.0, 1.5, 4.0, 1.0]))
TABLE = LabelTable((Label(1, "a"), Label(2, "b")), (Region("both", (1, 2)),))
#: Named after an array axis: they follow the axis when it moves.
FOLLOWING = ("box_min_", "box_max_", "extent_", "maximum_diameter_across_")
#: PyRadiomics' marching cubes leave a gap where voxels touch by an edge alone, so what hangs on the volume of
#: the mesh follows the axes there; these too are compared on the lopsided mask and on solids.
ACROSS_GAPS = {
    Quantity.MESH_VOLUME,
    Quantity.VOLUME_DIFFERENCE,
    Quantity.SURFACE_AREA,
    Quantity.SURFACE_TO_VOLUME,
    Quantity.SPHERICITY,
}

masks = hnp.arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 1, 2]))
orders = st.builds(
    lambda axes, flips: AxisOrder((axes[0], axes[1], axes[2]), flips),
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
)


def _placed(
    letters: str, spacing: tuple[float, float, float], origin: tuple[float, float, float]
) -> np.ndarray:
    affine = affine_orientation(spacing, letters)
    affine[:3, 3] = origin
    return affine


affines = st.builds(
    _placed,
    st.sampled_from(ALL_48),
    st.tuples(*[st.floats(0.3, 5)] * 3),
    st.tuples(*[st.floats(-100, 100)] * 3),
)


def segmentation(labels: np.ndarray, grid: Grid) -> Segmentation:
    """With probabilities that go with the labels, so that their volume is tested too."""
    kept = np.stack([0.2 + 0.6 * (labels == value) for value in range(3)])
    return Segmentation(labels, grid, TABLE, probabilities=kept / kept.sum(axis=0))


def keyed(rows: tuple[Measurement, ...]) -> dict[tuple[str | None, ...], Measurement]:
    """Rows by structure, quantity and channel or, of comparisons, what they are of beside the pair."""
    found: dict[tuple[str | None, ...], Measurement] = {
        (row.target.name, row.quantity.value, row.channel or row.target.detail): row for row in rows
    }
    assert len(found) == len(rows)
    return found


def expected_name(quantity: Quantity, order: AxisOrder) -> str:
    """Name in the turned array of what an axis was called before."""
    name = quantity.value
    if not name.startswith(FOLLOWING):
        return name
    new = order.source.index("ijk".index(name[-1]))
    if name.startswith("box_") and order.flipped[new]:
        name = name.replace("min", "?").replace("max", "min").replace("?", "max")
    return name[:-1] + "ijk"[new]


def expected_value(row: Measurement, order: AxisOrder) -> float | None:
    if row.value is None or not row.quantity.value.startswith("box_"):
        return row.value
    old = "ijk".index(row.quantity.value[-1])
    return SHAPE[old] - 1 - row.value if order.flipped[order.source.index(old)] else row.value


def assert_same_measures(labels: np.ndarray, order: AxisOrder, without: set[Quantity]) -> None:
    values = np.random.default_rng(0).normal(size=labels.shape)
    stored = order.grid(GRID)
    one = measure(segmentation(labels, GRID), {"mr": Image(values, GRID)})
    two = keyed(
        measure(segmentation(order.apply(labels), stored), {"mr": Image(order.apply(values), stored)})
    )
    assert len(one) == len(two)
    for row in one:
        other = two[row.target.name, expected_name(row.quantity, order), row.channel]
        assert other.unit == row.unit
        if row.quantity in without:
            continue
        value = expected_value(row, order)
        assert other.status is row.status, row
        assert other.value == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), row


@given(affines, hnp.arrays(np.float64, (5, 3), elements=st.floats(-50, 50)))
def test_index_to_position_and_back(affine: np.ndarray, index: np.ndarray) -> None:
    grid = Grid((10, 10, 10), affine)
    assert np.allclose(grid.to_index(grid.to_position(index)), index, atol=1e-6)


@settings(deadline=None)
@given(
    affines,
    st.integers(0, 2**32 - 1),
    st.floats(-30, 30),
    hnp.arrays(np.float64, (5, 3), elements=st.floats(-50, 50)),
)
def test_index_to_position_and_back_where_axes_are_tilted(
    affine: np.ndarray, seed: int, tilt: float, index: np.ndarray
) -> None:
    affine = affine.copy()
    affine[:3, 2] += np.tan(np.deg2rad(tilt)) * affine[:3, 1]
    affine[:3, :3] = random_turn(np.random.default_rng(seed)) @ affine[:3, :3]
    grid = Grid((10, 10, 10), affine)
    assert np.allclose(grid.to_index(grid.to_position(index)), index, atol=1e-6)
    assert np.allclose(grid.to_position(grid.to_index(index)), index, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(masks, orders)
def test_measures_do_not_depend_on_axis_order(labels: np.ndarray, order: AxisOrder) -> None:
    assert_same_measures(labels, order, ACROSS_GAPS)


@settings(max_examples=20, deadline=None)
@given(masks, orders)
def test_lesions_do_not_depend_on_axis_order(labels: np.ndarray, order: AxisOrder) -> None:
    """Numbers and axes of lesions too."""
    plan = LesionPlan(names=("both",), rule="recist-1.1")
    stored = order.grid(GRID)
    one = measure_lesions(segmentation(labels, GRID), None, plan)
    two = measure_lesions(segmentation(order.apply(labels), stored), None, plan)
    assert len(one) == len(two)
    for row, other in zip(one, two, strict=True):
        assert (other.target, other.quantity, other.status) == (row.target, row.quantity, row.status)
        assert other.value == (None if row.value is None else pytest.approx(row.value, rel=1e-9, abs=1e-9)), (
            row
        )


def lopsided() -> np.ndarray:
    """A mask without symmetry, whose longest diameter is alone in its slice."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:5, 1:3, 1:4] = 1
    labels[1, 3, 2] = 1
    labels[4, 1:6, 2] = 1
    labels[5, 5, 2] = 1
    labels[0, 5:7, 0:2] = 2
    labels[1, 6, 1] = 2
    return labels


@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)), ids=str)
def test_a_lone_longest_diameter(flips: tuple[bool, bool, bool]) -> None:
    for axes in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        assert_same_measures(lopsided(), AxisOrder(axes, flips), set())


@settings(max_examples=20, deadline=None)
@given(masks, masks, orders)
def test_comparisons_do_not_depend_on_axis_order(
    ours: np.ndarray, theirs: np.ndarray, order: AxisOrder
) -> None:
    stored = order.grid(GRID)
    one = evaluate(prediction=Segmentation(ours, GRID, TABLE), reference=Segmentation(theirs, GRID, TABLE))
    two = keyed(
        evaluate(
            prediction=Segmentation(order.apply(ours), stored, TABLE),
            reference=Segmentation(order.apply(theirs), stored, TABLE),
        )
    )
    assert len(one) == len(two)
    for row in one:
        other = two[row.target.name, row.quantity.value, row.target.detail]
        assert other.status is row.status
        assert other.value == (None if row.value is None else pytest.approx(row.value, rel=1e-9)), row


@settings(max_examples=20, deadline=None)
@given(masks, st.tuples(*[st.floats(-500, 500)] * 3))
def test_measures_do_not_depend_on_where_the_patient_lay(
    labels: np.ndarray, origin: tuple[float, float, float]
) -> None:
    affine = np.array(GRID.affine)
    affine[:3, 3] = origin
    moved = Grid(SHAPE, affine)
    one = measure(segmentation(labels, GRID))
    for row, other in zip(one, measure(segmentation(labels, moved)), strict=True):
        value = row.value
        if value is not None and row.quantity.value.startswith("centroid_"):
            value += origin["xyz".index(row.quantity.value[-1])]
        assert other.value == (None if value is None else pytest.approx(value, rel=1e-6, abs=1e-6)), row


@settings(max_examples=20, deadline=None)
@given(masks, st.integers(0, 2**32 - 1))
def test_measures_do_not_depend_on_how_the_patient_lay(labels: np.ndarray, seed: int) -> None:
    affine = np.array(GRID.affine)
    affine[:3, :3] = random_turn(np.random.default_rng(seed)) @ affine[:3, :3]
    one = measure(segmentation(labels, GRID))
    for row, other in zip(one, measure(segmentation(labels, Grid(SHAPE, affine))), strict=True):
        if row.quantity.value.startswith("centroid_"):
            continue
        assert other.value == (None if row.value is None else pytest.approx(row.value, rel=1e-6)), row


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.bool_, st.tuples(*[st.integers(1, 7)] * 3), elements=st.booleans()),
    st.sampled_from([(6, 1), (18, 2), (26, 3)]),
)
def test_components_are_those_of_another_library_whatever_the_shape(
    mask: np.ndarray, kind: tuple[Literal[6, 18, 26], int]
) -> None:
    """Single rows and slices of odd extents too: connected-components-3d 4.1.1 fails on some of them."""
    connectivity, rank = kind
    found = components(mask, connectivity)
    expected, count = ndimage.label(mask, ndimage.generate_binary_structure(3, rank))
    assert found.max() == count
    assert np.array_equal(found > 0, mask)
    assert len(np.unique(np.stack([found[mask], expected[mask]]), axis=1).T) == count


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, st.tuples(*[st.integers(1, 9)] * 2), elements=st.booleans()))
def test_no_diameter_joins_two_components_of_a_slice(pixels: np.ndarray) -> None:
    """The longest diameter of a slice is the largest over its 8-connected components, each alone."""
    grid = Grid((*pixels.shape, 1), np.eye(4))
    ids, count = ndimage.label(pixels, np.ones((3, 3)))
    alone = [plane_diameters((ids == n)[:, :, None], grid, 2) for n in range(1, count + 1)]
    together = plane_diameters(pixels[:, :, None], grid, 2)
    longest = max((one.long for one in alone if one is not None), default=None)
    assert (None if together is None else together.long) == (
        None if longest is None else pytest.approx(longest)
    )


GROWING = (
    Quantity.VOXEL_COUNT,
    Quantity.VOLUME,
    Quantity.EXTENT_I,
    Quantity.EXTENT_J,
    Quantity.EXTENT_K,
    Quantity.BORDER_VOXELS,
    Quantity.LONGEST_DIAMETER,
    Quantity.MAXIMUM_3D_DIAMETER,
    Quantity.MAXIMUM,
)


@settings(max_examples=25, deadline=None)
@given(masks, masks)
def test_more_voxels_are_never_smaller(labels: np.ndarray, more: np.ndarray) -> None:
    small = np.where(labels == 1, 1, 0).astype(np.uint8)
    large = np.maximum(small, np.where(more == 1, 1, 0)).astype(np.uint8)
    image = {"mr": Image(np.random.default_rng(0).normal(size=SHAPE), GRID)}
    table = LabelTable((Label(1, "a"),))
    one = keyed(measure(Segmentation(small, GRID, table), image))
    two = keyed(measure(Segmentation(large, GRID, table), image))
    for quantity in GROWING:
        channel = "mr" if quantity is Quantity.MAXIMUM else None
        before, after = (rows["a", quantity.value, channel].value for rows in (one, two))
        assert before is None or (after is not None and after >= before - 1e-9), quantity


@settings(max_examples=25, deadline=None)
@given(masks, masks)
def test_comparisons_that_have_no_direction_have_none(ours: np.ndarray, theirs: np.ndarray) -> None:
    one, two = Segmentation(ours, GRID, TABLE), Segmentation(theirs, GRID, TABLE)
    there = keyed(evaluate(prediction=one, reference=two))
    back = keyed(evaluate(prediction=two, reference=one))
    for quantity in (Quantity.DICE, Quantity.SURFACE_DICE, Quantity.HD, Quantity.HD95, Quantity.ASSD):
        for name in ("a", "b", "both"):
            first, second = (rows[name, quantity.value, None].value for rows in (there, back))
            assert first == (None if second is None else pytest.approx(second)), quantity


@settings(max_examples=25, deadline=None)
@given(masks, masks, st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_wider_tolerance_never_lowers_surface_dice(
    ours: np.ndarray, theirs: np.ndarray, first: float, second: float
) -> None:
    one, two = Segmentation(ours, GRID, TABLE), Segmentation(theirs, GRID, TABLE)
    low, high = (
        keyed(evaluate(prediction=one, reference=two, tolerance_mm=mm))["a", "surface_dice", None].value
        for mm in sorted((first, second))
    )
    assert low is not None
    assert high is not None
    assert low <= high + 1e-12


@settings(max_examples=25, deadline=None)
@given(masks)
def test_the_longest_diameter_of_a_union_is_at_least_that_of_its_parts(labels: np.ndarray) -> None:
    rows = keyed(measure(segmentation(labels, GRID)))
    for name, quantity in product(("a", "b"), (Quantity.MAXIMUM_3D_DIAMETER, Quantity.LONGEST_DIAMETER)):
        part, whole = (rows[which, quantity.value, None].value for which in (name, "both"))
        assert part is None or (whole is not None and whole >= part - 1e-9)
