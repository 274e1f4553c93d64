"""Axis order: flips and permutations there and back, for all 48."""

from itertools import permutations, product

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import affine_orientation, flip_affine, flip_positions, order_to, same_grid

ALL_48 = sorted(
    "".join(letters[axis][side] for axis, side in zip(order, sides, strict=True))
    for order in permutations(range(3))
    for sides in product((0, 1), repeat=3)
    for letters in (("RL", "AP", "SI"),)
)


def test_there_are_48() -> None:
    assert len(set(ALL_48)) == 48


@pytest.mark.parametrize("orientation", ALL_48)
def test_every_orientation_comes_to_ras_and_back(orientation: str) -> None:
    affine = affine_orientation((1.0, 2.0, 3.0), orientation)
    affine[:3, 3] = (5, -7, 11)
    grid = Grid((3, 4, 5), affine)
    array = np.arange(60).reshape(3, 4, 5)
    order = order_to(grid)
    ras, moved = order.grid(grid), order.apply(array)
    assert grid.orientation == orientation
    assert ras.orientation == "RAS"
    assert np.array_equal(order.undo(moved), array)
    for index in ((0, 0, 0), (2, 1, 4), (1, 3, 2)):
        there = np.rint(ras.to_index(grid.to_position(np.array(index)))).astype(int)
        assert moved[tuple(there)] == array[index]
    assert same_grid(order.inverse.grid(ras), grid)


@pytest.mark.parametrize("word", ["RAR", "XYZ", "XAS", "RXS", "RAX", "RA", "", "ras"])
def test_words_that_are_no_orientation(word: str) -> None:
    with pytest.raises(InputError, match="each direction once"):
        order_to(Grid((2, 2, 2), np.eye(4)), word)
    with pytest.raises(InputError, match="each direction once"):
        affine_orientation((1.0, 1.0, 1.0), word)


def test_another_orientation_than_ras_can_be_asked_for() -> None:
    grid = Grid((3, 4, 5), affine_orientation((1.0, 2.0, 3.0), "PSR"))
    order = order_to(grid, "LPI")
    assert order.grid(grid).orientation == "LPI"
    assert order.grid(grid).shape == (5, 3, 4)
    assert order.apply(np.zeros((2, *grid.shape))).shape == (2, 5, 3, 4)


def test_the_flip_between_ras_and_lps_is_its_own_inverse() -> None:
    affine = affine_orientation((1.0, 2.0, 3.0), "PSR")
    affine[:3, 3] = (1, 2, 3)
    assert flip_affine(affine)[:3, 3].tolist() == [-1, -2, 3]
    assert np.array_equal(flip_affine(flip_affine(affine)), affine)
    assert flip_positions(np.array([1.0, 2.0, 3.0])).tolist() == [-1, -2, 3]


def test_whole_numbers_are_flipped_as_well() -> None:
    assert flip_affine(np.eye(4, dtype=np.int64)).dtype == np.float64
    assert flip_positions(np.array([[1, 2, 3], [4, 5, 6]])).tolist() == [[-1, -2, 3], [-4, -5, 6]]
