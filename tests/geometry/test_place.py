"""A crop, a flip or another axis order finds its place on the whole grid; anything else is no placement."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.geometry import AxisOrder
from medseg.geometry.place import place_on

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


MOVED = np.eye(4)
MOVED[0, 3] = 0.4
NO_PLACE = [
    ("half a voxel off", replace(WHOLE, affine=MOVED @ WHOLE.affine)),
    ("other spacing", replace(WHOLE, affine=WHOLE.affine @ np.diag([1, 1, 2, 1.0]))),
    ("px", replace(WHOLE, unit="px")),
]


@pytest.mark.parametrize(("name", "grid"), NO_PLACE, ids=[name for name, _ in NO_PLACE])
def test_other_voxels_have_no_place(name: str, grid: Grid) -> None:
    assert place_on(LABELS, grid, WHOLE) is None
