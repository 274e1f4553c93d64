"""A crop, a flip or another axis order finds its place on the whole grid; anything else is no placement."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.geometry import Agreement, AxisOrder
from medseg.geometry.place import match_order, place_on

WHOLE = Grid((12, 10, 8), np.array([[-0.8, 0, 0, 40.0], [0, 0.9, 0, -30], [0, 0, 2.5, -100], [0, 0, 0, 1]]))
LABELS = np.zeros(WHOLE.shape, np.uint8)
LABELS[3:7, 2:5, 4:6] = 1
LABELS[3, 2, 4] = 2


def crop(low: tuple[int, int, int], high: tuple[int, int, int]) -> tuple[np.ndarray, Grid]:
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    affine = np.array(WHOLE.affine)
    affine[:3, 3] = WHOLE.to_position(np.array(low))
    array = LABELS[box]
    return array, Grid(array.shape, affine)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)))
def test_every_axis_order_of_a_crop(order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> None:
    array, grid = crop((2, 1, 3), (9, 8, 7))
    turn = AxisOrder(order, flips)
    placed = place_on(turn.apply(array), turn.grid(grid), WHOLE)
    assert placed is not None
    assert np.array_equal(placed, LABELS)


def test_a_crop_of_a_header_with_rounding_lands_on_its_voxels() -> None:
    array, grid = crop((2, 1, 3), (9, 8, 7))
    affine = np.array(grid.affine)
    affine[:3, 3] += WHOLE.affine[:3, :3] @ np.full(3, -1e-7)
    placed = place_on(array, replace(grid, affine=affine), WHOLE)
    assert placed is not None
    assert np.array_equal(placed, LABELS)


def test_a_larger_grid_with_nothing_outside_is_cut() -> None:
    array = np.pad(LABELS, 2)
    affine = np.array(WHOLE.affine)
    affine[:3, 3] = WHOLE.to_position(np.array([-2, -2, -2]))
    placed = place_on(array, Grid(array.shape, affine), WHOLE)
    assert placed is not None
    assert np.array_equal(placed, LABELS)
    array[0, 0, 0] = 1
    assert place_on(array, Grid(array.shape, affine), WHOLE) is None


def moved(voxels: float) -> Grid:
    move = np.eye(4)
    move[0, 3] = 0.8 * voxels
    return replace(WHOLE, affine=move @ WHOLE.affine)


def test_what_a_header_rounds_is_still_the_same_voxel() -> None:
    placed = place_on(LABELS, moved(0.049), WHOLE)
    assert placed is not None
    assert np.array_equal(placed, LABELS)


def test_a_piece_beside_the_whole_is_empty_or_has_no_place() -> None:
    affine = np.array(WHOLE.affine)
    affine[:3, 3] = WHOLE.to_position(np.array([20, 0, 0]))
    beside = Grid((2, 2, 2), affine)
    empty = place_on(np.zeros((2, 2, 2), np.uint8), beside, WHOLE)
    assert empty is not None
    assert empty.shape == WHOLE.shape
    assert not empty.any()
    assert place_on(np.ones((2, 2, 2), np.uint8), beside, WHOLE) is None


def test_a_flipped_copy_is_matched_by_its_order_alone() -> None:
    turn = AxisOrder((2, 0, 1), (False, True, True))
    order, comparison = match_order(turn.grid(WHOLE), WHOLE)
    assert comparison.agreement is Agreement.SAME
    assert np.array_equal(order.apply(turn.apply(LABELS)), LABELS)


def test_axes_that_are_not_parallel_stay_as_they_are() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    order, comparison = match_order(replace(WHOLE, affine=turn @ WHOLE.affine), WHOLE)
    assert order.source == (0, 1, 2)
    assert order.flipped == (False, False, False)
    assert comparison.agreement is Agreement.OTHER


NO_PLACE = [
    ("half a voxel off", moved(0.5)),
    ("a little more than a header rounds", moved(0.051)),
    ("other spacing", replace(WHOLE, affine=WHOLE.affine @ np.diag([1, 1, 2, 1.0]))),
    ("px", replace(WHOLE, unit="px")),
]


@pytest.mark.parametrize(("name", "grid"), NO_PLACE, ids=[name for name, _ in NO_PLACE])
def test_other_voxels_have_no_place(name: str, grid: Grid) -> None:
    assert place_on(LABELS, grid, WHOLE) is None
