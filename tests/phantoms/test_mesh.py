"""Volume, area and sphericity of the marching-cubes surface against closed forms.

The mesh of a mask cuts the corners of voxels, so its volume is below the voxel volume; its area is larger
than the solid's however fine the voxels are, because steps do not vanish (about 9 % for a ball).
"""

import numpy as np
import pytest

from medseg.domain import Quantity
from medseg.testing import Ellipsoid, Solid, Torus, ball, phantom, random_turn, slab
from tests.phantoms.conftest import QUICK, checked, grid_of, measured

TURN = random_turn(np.random.default_rng(5))
SOLIDS: dict[str, Solid] = {
    "ball": ball(12.0),
    "ellipsoid": Ellipsoid((16.0, 10.0, 12.0), TURN),
    "torus": Torus(14.0, 6.0, TURN),
}


@pytest.mark.parametrize("kind", ["straight", "oblique"])
@pytest.mark.parametrize("name", SOLIDS)
def test_mesh_volume_area_and_sphericity(name: str, kind: str, rng: np.random.Generator) -> None:
    solid = SOLIDS[name]
    for spacing in QUICK[::3]:
        found = measured(phantom(solid, grid_of(kind, solid, spacing, rng)))
        volume, mesh = checked(found[Quantity.VOLUME]), checked(found[Quantity.MESH_VOLUME])
        area = checked(found[Quantity.SURFACE_AREA])
        assert 0.95 * volume < mesh < volume
        assert found[Quantity.VOLUME_DIFFERENCE] == pytest.approx(mesh - volume)
        assert 1.02 < area / solid.area_mm2 < 1.15
        assert found[Quantity.SURFACE_TO_VOLUME] == pytest.approx(area / (mesh * 1000))
        roundness = (36 * np.pi * (mesh * 1000) ** 2) ** (1 / 3) / area
        assert found[Quantity.SPHERICITY] == pytest.approx(roundness)


@pytest.mark.parametrize(("name", "euler"), [("ball", 1), ("torus", 0)])
def test_euler_number(name: str, euler: int, rng: np.random.Generator) -> None:
    found = measured(phantom(SOLIDS[name], grid_of("oblique", SOLIDS[name], (1.0, 1.0, 1.0), rng)))
    assert found[Quantity.EULER_NUMBER] == euler


def test_a_plate_along_the_voxels_loses_only_its_edges() -> None:
    """Marching cubes put flat faces midway between voxel centres, where the plate ends; only edges are cut."""
    plate = slab(8.0, 20.0)
    rng = np.random.default_rng(0)
    grid = grid_of("straight", plate, (1.0, 1.0, 1.0), rng)
    found = measured(phantom(plate, grid))
    assert found[Quantity.VOLUME] == pytest.approx(plate.volume_mm3 / 1000)
    # An edge loses a prism of half a voxel by half a voxel, an eighth of a voxel for each of its voxels.
    edges = 4 * (20 + 20 + 8)
    assert found[Quantity.MESH_VOLUME] == pytest.approx((3200 - edges / 8) / 1000, abs=0.002)
