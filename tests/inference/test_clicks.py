"""Clicks as maps in mm, and the window around them: closed forms on even, thick and oblique voxels."""

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.inference.clicks import click_map, window_grid

TURN = np.deg2rad(20)
OBLIQUE = np.array(
    [
        [np.cos(TURN), -np.sin(TURN), 0, 11.0],
        [np.sin(TURN), np.cos(TURN), 0, -7.0],
        [0, 0, 1, 3.5],
        [0, 0, 0, 1],
    ]
)
GRIDS = {
    "even": Grid((15, 14, 13), np.eye(4)),
    "thick": Grid((20, 18, 7), np.diag([0.7, 0.9, 3.0, 1.0])),
    "flipped": Grid((15, 14, 13), np.diag([-1.0, 1.5, -2.0, 1.0])),
    "oblique": Grid((16, 15, 6), OBLIQUE @ np.diag([0.8, 0.8, 2.5, 1.0])),
}
RADIUS_MM = 2.5


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_a_map_is_the_gaussian_of_the_distance_to_the_nearest_click(grid: Grid) -> None:
    clicks = grid.to_position(np.array([[4.2, 5.7, 2.1], [10.0, 9.0, 4.0]]))
    cells = np.moveaxis(np.indices(grid.shape), 0, -1).astype(np.float64)
    away = np.linalg.norm(grid.to_position(cells)[..., None, :] - clicks, axis=-1).min(axis=-1)
    found = click_map(grid, clicks, RADIUS_MM)
    # Beyond four radii along an axis it is 0, and by then no more than exp(−8).
    np.testing.assert_allclose(found, np.exp(-(away**2) / (2 * RADIUS_MM**2)), atol=np.exp(-8.0))


def test_no_click_is_nothing_and_one_beside_the_window_reaches_in() -> None:
    grid = GRIDS["even"]
    assert not click_map(grid, np.zeros((0, 3)), RADIUS_MM).any()
    beside = click_map(grid, np.array([[-2.0, 5, 5]]), RADIUS_MM)
    assert beside.max() == beside[0, 5, 5] == pytest.approx(np.exp(-(4.0) / (2 * RADIUS_MM**2)))
    assert not click_map(grid, np.array([[-200.0, 5, 5]]), RADIUS_MM).any()


def test_many_clicks_in_one_voxel_are_one() -> None:
    grid = GRIDS["even"]
    one = click_map(grid, np.array([[5.0, 5, 5]]), RADIUS_MM)
    np.testing.assert_array_equal(click_map(grid, np.array([[5.0, 5, 5]] * 9), RADIUS_MM), one)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize(
    "box", [(slice(2, 12), slice(3, 9), slice(1, 4)), (slice(0, 3), slice(0, 3), slice(0, 3))]
)
def test_a_window_is_cubic_centred_and_covers_its_box(grid: Grid, box: tuple[slice, slice, slice]) -> None:
    window = window_grid(grid, box, (8, 8, 8))
    assert window.spacing == pytest.approx((window.spacing[0],) * 3)
    assert window.spacing[0] >= min(grid.spacing) - 1e-9
    np.testing.assert_allclose(window.direction, grid.direction, atol=1e-12)
    middle = grid.to_position(np.array([(side.start + side.stop - 1) / 2 for side in box]))
    np.testing.assert_allclose(window.to_position(np.full(3, 3.5)), middle, atol=1e-9)
    extents = [(side.stop - side.start) * step for side, step in zip(box, grid.spacing, strict=True)]
    assert 8 * window.spacing[0] >= max(extents) - 1e-9
