"""Volumes of solids whose volume is known, on every kind of grid."""

import math
from itertools import product

import numpy as np
import pytest

from medseg.domain import Quantity
from medseg.testing import (
    Box,
    Ellipsoid,
    Shell,
    Solid,
    Torus,
    ball,
    grid_around,
    phantom,
    random_turn,
    rasterise_solid,
    slab,
)
from medseg.testing.grids import ORIENTATIONS, SPACINGS
from tests.phantoms.conftest import QUICK, diagonal_mm, grid_of, measured

TURN = random_turn(np.random.default_rng(3))
FEW_ORIENTATIONS = ORIENTATIONS[::13]
CURVED: dict[str, Solid] = {
    "ball": ball(9.0),
    "ellipsoid": Ellipsoid((11.0, 6.0, 8.0), TURN),
    "shell": Shell(11.0, 7.0),
    "torus": Torus(10.0, 4.0, TURN),
}
FLAT: dict[str, Solid] = {
    "box": Box((9.0, 6.0, 7.0), TURN),
    "straight slab": slab(7.0, 16.0),
    "tilted slab": slab(7.0, 16.0, turn=TURN),
}
KINDS = ["straight", "oblique", "sheared"]


def is_count_times_determinant(solid: Solid, spacing: tuple[float, float, float], letters: str) -> None:
    grid = grid_around(solid.bounds_mm, spacing, orientation=letters, phase=(0.21, -0.37, 0.43))
    segmentation = phantom(solid, grid)
    found = measured(segmentation)
    exact = int(segmentation.labels.sum()) * abs(np.linalg.det(grid.affine[:3, :3])) / 1000
    assert found[Quantity.VOLUME] == pytest.approx(exact, rel=1e-9)
    assert found[Quantity.VOLUME] == pytest.approx(
        found[Quantity.VOXEL_COUNT] * math.prod(spacing) / 1000, rel=1e-9
    )


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_volume_is_count_times_determinant(spacing: tuple[float, float, float]) -> None:
    for letters in FEW_ORIENTATIONS:
        is_count_times_determinant(Ellipsoid((6.0, 4.0, 5.0), TURN), spacing, letters)


@pytest.mark.slow
@pytest.mark.parametrize("letters", ORIENTATIONS)
def test_volume_is_count_times_determinant_in_all_48_orientations(letters: str) -> None:
    for spacing in SPACINGS:
        is_count_times_determinant(Ellipsoid((6.0, 4.0, 5.0), TURN), spacing, letters)


@pytest.mark.parametrize("kind", ["oblique", "sheared"])
@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_volume_is_count_times_determinant_where_axes_are_tilted(
    spacing: tuple[float, float, float], kind: str, rng: np.random.Generator
) -> None:
    solid = Ellipsoid((6.0, 4.0, 5.0), TURN)
    segmentation = phantom(solid, grid_of(kind, solid, spacing, rng))
    exact = int(segmentation.labels.sum()) * abs(np.linalg.det(segmentation.grid.affine[:3, :3])) / 1000
    assert measured(segmentation)[Quantity.VOLUME] == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ball", "ellipsoid", "shell", "box", "straight slab", "tilted slab"])
def test_probability_volume_of_exact_partial_volumes_is_exact(
    name: str, kind: str, rng: np.random.Generator
) -> None:
    solid = {**CURVED, **FLAT}[name]
    for spacing in QUICK[:2] if kind == "straight" else QUICK[2:]:
        found = measured(phantom(solid, grid_of(kind, solid, spacing, rng), probabilities=True))
        assert found[Quantity.PROBABILITY_VOLUME] == pytest.approx(solid.volume_mm3 / 1000, rel=1e-6)


def random_ellipsoid(smallest: float, rng: np.random.Generator) -> Ellipsoid:
    """Semi-axes up to twice the smallest, anyhow turned."""
    axes = smallest * np.array([1.0, *rng.uniform(1, 2, 2)])
    return Ellipsoid(tuple(rng.permutation(axes)), random_turn(rng))  # type: ignore[arg-type]


def volume_errors(shape: str, voxels: float, spacing: tuple[float, float, float], cases: int) -> np.ndarray:
    """Relative errors of the voxel volume at random places between voxel centres; size in longest edges."""
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(cases):
        smallest = voxels * max(spacing)
        solid = ball(smallest) if shape == "ball" else random_ellipsoid(smallest, rng)
        grid = grid_of("straight", solid, spacing, rng, margin=1)
        volume = int(rasterise_solid(solid, grid).sum()) * grid.voxel_volume
        errors.append(volume / solid.volume_mm3 - 1)
    return np.abs(errors)


@pytest.mark.parametrize(
    ("shape", "voxels", "bound", "cases"),
    [
        ("ball", 5, 0.025, 200),
        ("ellipsoid", 5, 0.025, 200),
        ("ball", 15, 0.005, 30),
        ("ellipsoid", 15, 0.005, 20),
    ],
)
def test_95_percent_of_volumes_are_close(shape: str, voxels: float, bound: float, cases: int) -> None:
    errors = volume_errors(shape, voxels, (1.0, 1.0, 1.0), cases)
    assert (errors < bound).mean() >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize(("voxels", "bound", "cases"), [(5, 0.025, 100), (15, 0.005, 8)])
def test_95_percent_of_volumes_are_close_on_every_spacing(
    voxels: float, bound: float, cases: int, spacing: tuple[float, float, float]
) -> None:
    for shape in ("ball", "ellipsoid"):
        assert (volume_errors(shape, voxels, spacing, cases) < bound).mean() >= 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*CURVED, *FLAT])
def test_volume_within_the_rasterisation_bound(name: str, kind: str, rng: np.random.Generator) -> None:
    """Never further than area × half a voxel diagonal; curved ones in practice a quarter of that.

    The bound is reached only by flat faces along the voxels, where all errors have one sign.
    """
    solid = {**CURVED, **FLAT}[name]
    share = 0.25 if name in CURVED else 1.0
    for spacing in SPACINGS:
        grid = grid_of(kind, solid, spacing, rng, margin=1)
        volume = int(rasterise_solid(solid, grid).sum()) * grid.voxel_volume
        bound = solid.area_mm2 * diagonal_mm(grid) / 2
        assert abs(volume - solid.volume_mm3) <= share * bound


@pytest.mark.parametrize("kind", KINDS)
def test_centroid_is_the_centre(kind: str, rng: np.random.Generator) -> None:
    for spacing, name in product(QUICK[::2], CURVED):
        solid = CURVED[name]
        found = measured(phantom(solid, grid_of(kind, solid, spacing, rng)))
        for quantity, where in zip(
            (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z), solid.centre, strict=True
        ):
            assert found[quantity] == pytest.approx(where, abs=0.25 * max(spacing))
