"""Diameters of solids whose diameters are known: within one voxel diagonal."""

import numpy as np
import pytest

from medseg.domain import Grid, Quantity
from medseg.masks import slice_axis
from medseg.testing import (
    Box,
    Ellipsoid,
    Shell,
    Solid,
    Torus,
    ball,
    phantom,
    random_turn,
)
from tests.phantoms.conftest import EVERY_SPACING, QUICK, diagonal_mm, grid_of, measured

TURN = random_turn(np.random.default_rng(5))
SOLIDS: dict[str, Solid] = {
    "ball": ball(9.0),
    "ellipsoid": Ellipsoid((12.0, 6.0, 8.0), TURN),
    "straight ellipsoid": Ellipsoid((12.0, 6.0, 8.0)),
    "tilted box": Box((10.0, 6.0, 7.0), TURN),
    "box": Box((10.0, 6.0, 7.0)),
    "shell": Shell(10.0, 6.0),
    "torus": Torus(10.0, 4.0, TURN),
}


def normal_of(grid: Grid, axis: int) -> np.ndarray:
    """Direction across the slices along an array axis."""
    others = [other for other in range(3) if other != axis]
    return np.cross(grid.direction[:, others[0]], grid.direction[:, others[1]])


def section_mm(solid: Solid, normal: np.ndarray) -> float:
    """Longest distance inside one plane across `normal`; both solids are convex."""
    if isinstance(solid, Ellipsoid):
        return solid.section_mm(normal)[0]
    assert isinstance(solid, Box)
    return solid.section_diameter_mm(normal)


@pytest.mark.parametrize("spacing", EVERY_SPACING)
@pytest.mark.parametrize("kind", ["straight", "oblique"])
@pytest.mark.parametrize("name", SOLIDS)
def test_diameters(
    name: str, kind: str, spacing: tuple[float, float, float], rng: np.random.Generator
) -> None:
    solid = SOLIDS[name]
    grid = grid_of(kind, solid, spacing, rng)
    found, within = measured(phantom(solid, grid)), diagonal_mm(grid)
    assert found[Quantity.MAXIMUM_3D_DIAMETER] == pytest.approx(solid.diameter_mm, abs=within)
    if not isinstance(solid, Box | Ellipsoid):
        return
    for axis, letter in enumerate("IJK"):
        exact = section_mm(solid, normal_of(grid, axis))
        assert found[Quantity[f"MAXIMUM_DIAMETER_{letter}"]] == pytest.approx(exact, abs=within), letter
    normal = normal_of(grid, slice_axis(grid))
    assert found[Quantity.LONGEST_DIAMETER] == pytest.approx(section_mm(solid, normal), abs=within)
    if isinstance(solid, Ellipsoid):  # at right angles to the longest axis of an ellipse lies its shortest
        assert found[Quantity.SHORT_DIAMETER] == pytest.approx(solid.section_mm(normal)[1], abs=within)


@pytest.mark.parametrize("kind", ["straight", "oblique"])
def test_principal_axes_are_those_of_the_ellipsoid(kind: str, rng: np.random.Generator) -> None:
    """IBSI's 4√λ is 4/√5 = 1.789 semi-axes of a solid ellipsoid: its variance along a semi-axis a is a²/5."""
    solid = SOLIDS["ellipsoid"]
    for spacing in QUICK:
        grid = grid_of(kind, solid, spacing, rng)
        found = measured(phantom(solid, grid))
        for quantity, half in (
            (Quantity.MAJOR_AXIS, 12.0),
            (Quantity.MINOR_AXIS, 8.0),
            (Quantity.LEAST_AXIS, 6.0),
        ):
            assert found[quantity] == pytest.approx(
                4 * half / np.sqrt(5), rel=0.02, abs=0.25 * diagonal_mm(grid)
            ), (spacing, quantity)


def test_sheared_grids_have_no_diameters(rng: np.random.Generator) -> None:
    solid = SOLIDS["ball"]
    found = measured(phantom(solid, grid_of("sheared", solid, QUICK[1], rng)))
    for quantity in (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER, Quantity.MAXIMUM_3D_DIAMETER):
        assert found[quantity] is None
    assert found[Quantity.VOLUME] is not None
