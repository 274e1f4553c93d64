"""Splitting touching objects at their necks."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import AxisOrder
from medseg.masks.split import split_touching

GRID = Grid((52, 32, 22), np.diag([1.0, 1.0, 1.5, 1.0]))


def ball(centre: tuple[float, float, float], radius: float, grid: Grid = GRID) -> NDArray[np.bool_]:
    points = grid.to_position(np.stack(np.indices(grid.shape), axis=-1))
    return np.asarray(np.linalg.norm(points - centre, axis=-1) <= radius)


#: Two balls of radius 10 whose centres are 16 apart: the neck's inscribed radius is 6, so 4 less.
TWO = ball((17, 16, 16), 10) | ball((33, 16, 16), 10)


@pytest.mark.parametrize(("depth", "count"), [(0.5, 2), (1.0, 2), (2.0, 2), (3.0, 2), (5.0, 1), (8.0, 1)])
def test_a_neck_splits_when_it_is_deep_enough(depth: float, count: int) -> None:
    assert split_touching(TWO, GRID, depth).max() == count


def test_each_half_gets_its_own_side_and_no_voxel_is_lost() -> None:
    found = split_touching(TWO, GRID, 1.0)
    assert ((found > 0) == TWO).all()
    first, second = (np.argwhere(found == number)[:, 0] for number in (1, 2))
    low, high = sorted((first.mean(), second.mean()))
    assert low == pytest.approx(17, abs=0.6)
    assert high == pytest.approx(33, abs=0.6)
    assert abs(len(first) - len(second)) < 0.05 * len(first)


@pytest.mark.parametrize("radius", [5.3, 9.0, 13.2])
def test_a_ball_stays_whole(radius: float) -> None:
    assert split_touching(ball((25.2, 15.8, 16.1), radius), GRID, 1.0).max() == 1


def test_apart_objects_are_apart_without_splitting() -> None:
    apart = ball((12, 16, 16), 7) | ball((36, 16, 16), 9)
    found = split_touching(apart, GRID, 4.0)
    assert found.max() == 2
    assert found[36, 16, 11] == 1


@pytest.mark.parametrize("filled", [False, True])
def test_nothing_and_everything(filled: bool) -> None:
    assert split_touching(np.full(GRID.shape, filled), GRID, 1.0).max() == int(filled)


def test_an_object_is_not_split_by_the_edge_of_the_array() -> None:
    cut = ball((25, 16, 0), 12)
    assert split_touching(cut, GRID, 1.0).max() == 1


def test_a_single_slice_splits_in_its_plane() -> None:
    grid = Grid((41, 21, 1), np.eye(4))
    i, j, _ = np.indices(grid.shape)
    two = (np.hypot(i - 12, j - 10) <= 9) | (np.hypot(i - 27, j - 10) <= 9)
    assert split_touching(two, grid, 1.0).max() == 2


def test_the_split_does_not_depend_on_how_axes_are_stored() -> None:
    mask = TWO | ball((25, 26, 20), 6)
    expected = split_touching(mask, GRID, 1.0)
    for order in itertools.permutations(range(3)):
        for flips in ((False, False, False), (True, False, True), (True, True, True)):
            axes = AxisOrder(order, flips)
            found = split_touching(np.ascontiguousarray(axes.apply(mask)), axes.grid(GRID), 1.0)
            assert (axes.undo(found) == expected).all()


def test_what_can_not_be_split_is_refused() -> None:
    affine = np.eye(4)
    affine[1, 2] = 0.3
    with pytest.raises(InputError, match="sheared"):
        split_touching(TWO, Grid(GRID.shape, affine), 1.0)
    with pytest.raises(InputError, match="positive"):
        split_touching(TWO, GRID, 0.0)
