"""The judge judged: solids, grids and shares of voxels against other ways to get the same numbers."""

import math

import numpy as np
import pytest

from medseg.errors import InputError
from medseg.testing import (
    Box,
    Ellipsoid,
    Shell,
    Solid,
    Torus,
    ball,
    grid_around,
    partial_volumes,
    random_turn,
    rasterise_solid,
    slab,
)
from medseg.testing.grids import ORIENTATIONS, SPACINGS
from medseg.testing.overlap import ball_overlaps, box_overlaps
from tests.phantoms.conftest import grid_of

TURN = random_turn(np.random.default_rng(7))
SOLIDS: dict[str, Solid] = {
    "ball": ball(6.3, (1.0, -2.0, 3.0)),
    "ellipsoid": Ellipsoid((9.0, 4.0, 6.0), TURN, (0.3, 0.1, 7.0)),
    "needle": Ellipsoid((14.0, 1.5, 1.0), TURN),
    "shell": Shell(8.0, 5.0),
    "box": Box((7.0, 3.0, 5.0), TURN),
    "straight plate": slab(4.0, 20.0),
    "tilted plate": slab(3.3, 20.0, turn=TURN),
}


def test_grids_are_of_every_kind() -> None:
    assert len(set(SPACINGS)) == 8
    assert len(set(ORIENTATIONS)) == 48
    for letters in ORIENTATIONS:
        grid = grid_around(ball(3.0).bounds_mm, (1.0, 1.5, 4.0), orientation=letters)
        assert grid.orientation == letters
        assert grid.spacing == pytest.approx((1.0, 1.5, 4.0))
    tilted = grid_around(ball(3.0).bounds_mm, (1.0, 1.5, 4.0), turn=TURN, tilt_degrees=15)
    assert tilted.is_oblique
    assert tilted.is_sheared
    assert tilted.voxel_volume == pytest.approx(1.0 * 1.5 * 4.0)


@pytest.mark.parametrize("kind", ["straight", "oblique", "sheared"])
@pytest.mark.parametrize("name", SOLIDS)
def test_the_shares_of_all_voxels_are_the_volume(name: str, kind: str, rng: np.random.Generator) -> None:
    for spacing in SPACINGS:
        grid = grid_of(kind, SOLIDS[name], spacing, rng)
        shares = partial_volumes(SOLIDS[name], grid)
        assert shares.sum() * grid.voxel_volume == pytest.approx(SOLIDS[name].volume_mm3, rel=1e-11)
        assert shares.min() >= 0
        assert shares.max() <= 1


@pytest.mark.parametrize("kind", ["straight", "oblique", "sheared"])
@pytest.mark.parametrize("name", SOLIDS)
def test_the_share_of_each_voxel_is_that_of_its_points(
    name: str, kind: str, rng: np.random.Generator
) -> None:
    grid = grid_of(kind, SOLIDS[name], (1.0, 1.4, 3.0), rng)
    shares = partial_volumes(SOLIDS[name], grid)
    # One point at random in each of 24³ cells of a voxel: an error of 1e-3 or less.
    cells = np.stack(np.indices((24, 24, 24)), axis=-1).reshape(-1, 3)
    points = (cells + rng.random(cells.shape)) / 24 - 0.5
    cut = np.argwhere((shares > 0) & (shares < 1))
    for index in rng.choice(cut, min(60, len(cut)), replace=False):
        inside = SOLIDS[name].contains(grid.to_position(index + points)).mean()
        assert shares[tuple(index)] == pytest.approx(inside, abs=4e-3)


def test_a_cap_and_an_octant_and_a_wedge_of_the_ball() -> None:
    edges = 4 * np.eye(3)
    for height in (-0.9, -0.2, 0.0, 0.5, 0.99):
        cap = ball_overlaps(np.array([[height, -2.0, -2.0]]), edges)[0]
        assert cap == pytest.approx(math.pi * (1 - height) ** 2 * (2 + height) / 3, rel=1e-12)
    assert ball_overlaps(np.zeros((1, 3)), edges)[0] == pytest.approx(math.pi / 6)
    sheared = np.array([[4.0, 0, 0], [4.0, 4.0, 0], [0, 0, 4.0]])
    assert ball_overlaps(np.array([[0.0, 0, -2]]), sheared)[0] == pytest.approx(math.pi / 6)
    assert ball_overlaps(np.array([[1.2, 0, 0]]), edges)[0] == pytest.approx(0, abs=1e-15)


def test_a_cube_cut_by_a_corner() -> None:
    turn = 2 * np.array([[1.0, 1, 0], [-1, 1, 0], [0, 0, 1]])
    assert box_overlaps(np.array([[-1.0, -1, -1]]), turn)[0] == pytest.approx(2.0 * 2.0)
    assert box_overlaps(np.array([[1.5, 0, 0]]), np.eye(3))[0] == 0


@pytest.mark.parametrize("name", [*SOLIDS, "torus"])
def test_bounds_hold_the_solid_and_touch_it(name: str, rng: np.random.Generator) -> None:
    solid = SOLIDS.get(name) or Torus(10.0, 3.0, TURN, (1.0, 2.0, 3.0))
    grid = grid_around(solid.bounds_mm, (0.25, 0.25, 0.25))
    positions = grid.to_position(np.argwhere(rasterise_solid(solid, grid)))
    low, high = solid.bounds_mm
    assert (positions >= low - 1e-9).all()
    assert (positions <= high + 1e-9).all()
    assert np.abs(positions.min(axis=0) - low).max() < 0.75
    assert np.abs(positions.max(axis=0) - high).max() < 0.75


def test_areas_against_known_ones() -> None:
    assert ball(2.0).area_mm2 == pytest.approx(16 * math.pi)
    a, c = 3.0, 2.0  # an oblate spheroid, by its elementary formula
    e = math.sqrt(1 - c**2 / a**2)
    oblate = 2 * math.pi * a**2 + math.pi * c**2 / e * math.log((1 + e) / (1 - e))
    assert Ellipsoid((a, a, c)).area_mm2 == pytest.approx(oblate)
    assert slab(2.0, 10.0).area_mm2 == pytest.approx(2 * 100 + 4 * 20)
    assert Torus(5.0, 1.0).area_mm2 == pytest.approx(20 * math.pi**2)


def test_sections() -> None:
    solid = Ellipsoid((9.0, 4.0, 6.0))
    assert solid.section_mm(np.array([0, 0, 1])) == pytest.approx((18, 8))
    assert solid.section_mm(np.array([1, 0, 0])) == pytest.approx((12, 8))
    box = Box((3.0, 4.0, 5.0))
    assert box.section_diameter_mm(np.array([0, 0, 1])) == pytest.approx(10)
    assert box.section_diameter_mm(np.array([4.0, -3.0, 0])) == pytest.approx(box.diameter_mm)
    turned = Box((3.0, 4.0, 5.0), TURN)
    assert turned.section_diameter_mm(TURN[:, 2]) == pytest.approx(10)
    # By chance directions in the plane: none is longer, the best is close.
    normal = np.array([0.3, -0.5, 0.8])
    basis = np.linalg.svd(normal[None])[2][1:]
    angles = np.linspace(0, np.pi, 20001)
    lines = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ basis @ TURN
    best = (2 * np.array(turned.half_sizes) / np.abs(lines).clip(1e-12)).min(axis=1).max()
    assert turned.section_diameter_mm(normal) == pytest.approx(best, abs=1e-3)


def test_a_torus_has_no_exact_shares() -> None:
    with pytest.raises(InputError, match="no closed form"):
        partial_volumes(Torus(5.0, 1.0), grid_around(ball(6.0).bounds_mm, (1.0, 1.0, 1.0)))


def test_turns_are_rotations() -> None:
    for seed in range(5):
        turn = random_turn(np.random.default_rng(seed))
        assert np.allclose(turn @ turn.T, np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1)
