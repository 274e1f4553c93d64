"""Known changes of space: what a swelling does to volumes is known, and images follow it."""

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry.deform import Swelling, warp

OBLIQUE = np.array([[1.4, -0.3, 0.0, 5.0], [0.3, 1.4, 0.2, -7.0], [0.0, -0.2, 2.0, 3.0], [0, 0, 0, 1.0]])
CENTRE = (6.0, -4.0, 10.0)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_the_jacobian_is_that_of_the_map(factor: float) -> None:
    """Within the ball the factor; everywhere the determinant of differences of the inverse map, at its other end."""
    swelling = Swelling(CENTRE, 5.0, factor, 14.0)
    after = np.array(CENTRE) + np.random.default_rng(0).uniform(-12, 12, (200, 3))
    step = 1e-5 * np.eye(3)
    columns = [(swelling.source(after + h) - swelling.source(after - h)) / 2e-5 for h in step]
    numeric = np.linalg.det(np.stack(columns, axis=-1))
    assert 1 / numeric == pytest.approx(swelling.jacobian(swelling.source(after)), rel=1e-3)
    inside = np.array(CENTRE) + np.array([[0.0, 0, 0], [4.9, 0, 0], [0, 3, -3]])
    assert swelling.jacobian(inside) == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_nothing_is_lost_between_the_ball_and_where_tissue_stays(factor: float) -> None:
    """What the ball gains the shell around it gives: the mean Jacobian of the whole ball `outer` is 1."""
    swelling = Swelling((0.0, 0.0, 0.0), 5.0, factor, 12.0)
    r = np.linspace(0, 12, 20001)[1:]
    points = np.stack([r, 0 * r, 0 * r], axis=-1)
    mean = np.trapezoid(swelling.jacobian(points) * r**2, r) * 3 / 12**3
    assert mean == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("affine", [np.diag([1.0, 1.0, 1.0, 1.0]), OBLIQUE], ids=["plain", "oblique"])
@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_ball_in_an_image_takes_the_volume_it_was_told(affine: np.ndarray, factor: float) -> None:
    """A ball with exact partial volumes, thresholded at one half before and after."""
    grid = Grid((48, 48, 40), affine)
    centre = grid.to_position((np.array(grid.shape) - 1) / 2)
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    distance = np.linalg.norm(grid.to_position(index) - centre, axis=-1)
    image = 100 / (1 + np.exp((distance - 10.0) / 1.2))
    after = warp(image, grid, Swelling(tuple(centre), 13.0, factor, 26.0).source)
    grown = np.linalg.norm(grid.to_position(index) - centre, axis=-1) <= 10.0 * factor ** (1 / 3)
    assert (after > 50).sum() == pytest.approx(grown.sum(), rel=0.01)
    assert ((after > 50) != grown).sum() < 0.02 * grown.sum()


def test_outside_a_box_nothing_changes_and_inside_it_is_as_without_a_box() -> None:
    grid = Grid((40, 36, 32), np.diag([1.0, 1.0, 1.0, 1.0]))
    image = np.random.default_rng(1).normal(size=grid.shape).astype(np.float32)
    swelling = Swelling((20.0, 18.0, 16.0), 3.0, 1.25, 7.0)
    box = (slice(12, 29), slice(10, 27), slice(8, 25))
    whole, part = (warp(image, grid, swelling.source, box=given) for given in (None, box))
    assert np.abs(whole - part).max() < 1e-4
    left = np.ones(grid.shape, bool)
    left[box] = False
    assert np.array_equal(part[left], image[left])


def test_a_shift_by_a_whole_voxel_moves_values_by_one() -> None:
    grid = Grid((12, 10, 8), np.diag([2.0, 1.0, 3.0, 1.0]))
    image = np.random.default_rng(2).normal(size=grid.shape)
    moved = warp(image, grid, lambda position: position - np.array([2.0, 0.0, 0.0]))
    assert moved[1:] == pytest.approx(image[:-1], abs=1e-5)


@pytest.mark.parametrize("values", [(0.0, 1.25, 9.0), (5.0, 0.0, 9.0), (5.0, 1.25, 5.0), (5.0, 0.1, 5.5)])
def test_what_would_fold_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match=r"needs a radius|would fold"):
        Swelling(CENTRE, *values)
