"""Shapes between slices, planes, boxes, sets."""

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.masks.between import fill_between
from medseg.masks.boolean import combine
from medseg.masks.plane import beyond_plane, inside_box
from medseg.testing.grids import ORIENTATIONS, grid_around, random_turn
from medseg.testing.phantoms import rasterise_solid
from medseg.testing.solids import ball

GRID = grid_around(np.array([[-18.0] * 3, [18.0] * 3]), (1.0, 1.0, 2.0))


def every(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """A mask of which only every n-th slice was drawn, its first and last included."""
    drawn = np.flatnonzero(mask.any(axis=(0, 1)))
    kept = sorted({*drawn[::step], drawn[-1]})
    found = np.zeros_like(mask)
    found[..., kept] = mask[..., kept]
    return found


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize(("step", "least"), [(2, 0.97), (3, 0.94), (4, 0.88)])
def test_a_ball_drawn_on_every_nth_slice_comes_back(step: int, least: float) -> None:
    mask = rasterise_solid(ball(15.0), GRID)
    drawn = every(mask, step)
    found = fill_between(drawn, GRID)
    assert dice(found, mask) > least > dice(drawn, mask)
    used = drawn.any(axis=(0, 1))
    assert (found[..., used] == drawn[..., used]).all()


def test_a_cone_is_linear_between_two_circles() -> None:
    grid = Grid((61, 61, 9), np.eye(4))
    i, j, k = np.indices(grid.shape)
    cone = np.hypot(i - 30, j - 30) <= 10 + k
    drawn = np.zeros_like(cone)
    drawn[..., [0, 8]] = cone[..., [0, 8]]
    assert dice(fill_between(drawn, grid, axis=2), cone) > 0.985


def test_a_slanting_rod_slants() -> None:
    grid = Grid((60, 30, 13), np.eye(4))
    i, j, k = np.indices(grid.shape)
    rod = np.hypot(i - 15 - k, j - 15) <= 9
    assert dice(fill_between(every(rod, 3), grid, axis=2), rod) > 0.95


def test_nothing_is_added_outside_the_drawn_slices_or_over_wide_gaps() -> None:
    mask = rasterise_solid(ball(15.0), GRID)
    drawn = every(mask, 3)
    found = fill_between(drawn, GRID)
    assert not found[..., ~mask.any(axis=(0, 1))].any()
    assert (fill_between(drawn, GRID, largest_gap_mm=5.9) == drawn).sum() == drawn.size - _one_slice_gap(
        drawn
    )
    assert (fill_between(drawn, GRID, largest_gap_mm=6.0) == found).all()


def _one_slice_gap(drawn: NDArray[np.bool_]) -> int:
    # The last drawn slice may follow after a shorter gap than the others.
    found = fill_between(drawn, GRID, largest_gap_mm=5.9)
    used = np.flatnonzero(drawn.any(axis=(0, 1)))
    assert (np.flatnonzero((found & ~drawn).any(axis=(0, 1))) > used[-2]).all()
    return int((found & ~drawn).sum())


def test_filling_does_not_depend_on_how_axes_are_stored() -> None:
    mask = every(rasterise_solid(ball(13.0, (1.0, 2.0, 0.5)), GRID), 3)
    expected = fill_between(mask, GRID)
    for letters in ORIENTATIONS:
        order = order_to(GRID, letters)
        found = fill_between(np.ascontiguousarray(order.apply(mask)), order.grid(GRID))
        assert (order.undo(found) == expected).all()


@pytest.mark.parametrize("drawn", [0, 1])
def test_with_fewer_than_two_slices_there_is_nothing_between(drawn: int) -> None:
    mask = np.zeros(GRID.shape, np.bool_)
    mask[4:9, 4:9, :drawn] = True
    assert (fill_between(mask, GRID) == mask).all()


def test_full_slices_stay_full() -> None:
    grid = Grid((5, 5, 5), np.eye(4))
    mask = np.zeros(grid.shape, np.bool_)
    mask[..., [0, 4]] = True
    assert fill_between(mask, grid, axis=2).all()


@pytest.mark.parametrize("tilt", [0.0, 12.0])
def test_a_plane_through_the_middle_halves_a_ball_on_any_grid(tilt: float) -> None:
    turn = random_turn(np.random.default_rng(1))
    grid = grid_around(np.array([[-12.0] * 3, [12.0] * 3]), (0.9, 1.3, 2.1), turn=turn, tilt_degrees=tilt)
    mask = rasterise_solid(ball(10.0), grid)
    normal = (1.0, 2.0, -2.0)
    beyond = beyond_plane(mask, grid, (0, 0, 0), normal)
    assert beyond.sum() == pytest.approx(mask.sum() / 2, rel=0.03)
    assert (grid.to_position(np.argwhere(beyond)) @ normal > 0).all()
    assert (grid.to_position(np.argwhere(mask & ~beyond)) @ normal <= 1e-5).all()


def test_the_two_sides_of_a_plane_are_the_mask_and_share_nothing_but_it() -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    mask = np.ones(grid.shape, np.bool_)
    one, other = (beyond_plane(mask, grid, (1, 0, 0), (sign, 0, 0)) for sign in (1, -1))
    assert not (one & other).any()
    assert np.flatnonzero(~(one | other).any(axis=(1, 2))).tolist() == [1]


def test_a_box_in_the_world_is_a_box_on_any_grid() -> None:
    grid = grid_around(
        np.array([[-9.0] * 3, [9.0] * 3]), (1.0, 1.0, 1.0), turn=random_turn(np.random.default_rng(4))
    )
    found = inside_box(np.ones(grid.shape, np.bool_), grid, (-4, -6, -8), (4, 6, 8))
    assert found.sum() == pytest.approx(8 * 12 * 16, rel=0.03)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("union", [1, 1, 1, 0]), ("intersect", [0, 1, 0, 0]), ("subtract", [1, 0, 0, 0]), ("xor", [1, 0, 1, 0])],
)
def test_sets(how, expected: list[int]) -> None:
    one, two = np.array([1, 1, 0, 0], np.bool_), np.array([0, 1, 1, 0], np.bool_)
    assert combine(one, two, how).astype(int).tolist() == expected


def test_what_makes_no_sense_is_refused() -> None:
    mask, grid = np.ones((3, 3, 3), np.bool_), Grid((3, 3, 3), np.eye(4))
    lost = Grid((3, 3, 3), np.eye(4), orientation_known=False)
    for message, call in (
        ("direction", lambda: beyond_plane(mask, grid, (0, 0, 0), (0, 0, 0))),
        ("three numbers", lambda: beyond_plane(mask, grid, (0, 0), (0, 0, 1))),
        ("lowest", lambda: inside_box(mask, grid, (1, 0, 0), (0, 1, 1))),
        ("--orientation", lambda: inside_box(mask, lost, (0, 0, 0), (1, 1, 1))),
        ("positive", lambda: fill_between(mask, grid, largest_gap_mm=0)),
    ):
        with pytest.raises(InputError, match=message):
            call()
