"""Surfaces: closed, facing outwards, with volumes that can be checked by hand; smoothing and its price."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.masks.mesh import mesh_patterns
from medseg.masks.surfaces import Surface, smoothed, surface_of, surfaces_of, thinned, volume_change

SHEAR = np.array([[1.0, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
TURN = np.eye(4)
TURN[:2, :2] = [[math.cos(0.5), -math.sin(0.5)], [math.sin(0.5), math.cos(0.5)]]
AFFINES = {
    "straight": np.diag([0.7, 0.9, 2.0, 1.0]),
    "mirrored": np.diag([-0.7, 0.9, 2.0, 1.0]),
    "LPS": np.diag([-0.7, -0.9, 2.0, 1.0]),
    "oblique": TURN @ np.diag([0.7, 0.9, 2.0, 1.0]),
    "sheared": SHEAR,
    "far away": np.array([[1.0, 0, 0, 900], [0, 1, 0, -1200], [0, 0, 1, 1500], [0, 0, 0, 1]]),
}


def ball(radius_mm: float, spacing: tuple[float, float, float]) -> tuple[NDArray[np.bool_], Grid]:
    """A ball around a point that is no voxel's centre."""
    grid = Grid(tuple(math.ceil(2.4 * radius_mm / step) + 3 for step in spacing), np.diag([*spacing, 1.0]))  # type: ignore[arg-type]
    middle = grid.to_position((np.array(grid.shape) - 1) / 2 + (0.2, -0.3, 0.1))
    places = grid.to_position(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(places - middle, axis=-1) <= radius_mm, grid


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_a_surface_is_closed_and_faces_outwards_on_every_grid(affine: NDArray[np.float64]) -> None:
    mask = np.random.default_rng(0).random((9, 8, 7)) < 0.4
    grid = Grid(mask.shape, affine)
    surface = surface_of(mask, grid)
    assert surface.is_closed
    assert surface.volume_ml > 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98))
def test_every_mask_has_a_closed_surface(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((6, 5, 4)) < share
    if mask.any():
        assert surface_of(mask, Grid(mask.shape, np.eye(4))).is_closed


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_a_block_has_its_volume_less_its_edges(affine: NDArray[np.float64]) -> None:
    mask = np.zeros((8, 9, 7), np.bool_)
    mask[2:6, 3:8, 1:4] = True
    grid = Grid(mask.shape, affine)
    # The box of voxel centres, thickened by an octahedron of half a voxel (Steiner's formula).
    a, b, c, r = 3, 4, 2, 0.5
    exact = a * b * c + 2 * r * (a * b + b * c + c * a) + 2 * r**2 * (a + b + c) + 4 / 3 * r**3
    surface = surface_of(mask, grid)
    assert surface.volume_ml * 1000 == pytest.approx(exact * grid.voxel_volume, rel=1e-9)
    measured = mesh_patterns(mask).numbers(grid.affine)
    assert surface.volume_ml * 1000 == pytest.approx(measured.volume, rel=1e-9)
    assert surface.area_mm2 == pytest.approx(measured.area, rel=1e-9)


def test_a_surface_lies_where_the_voxels_are() -> None:
    mask = np.zeros((5, 5, 5), np.bool_)
    mask[1, 2, 3] = True
    grid = Grid(mask.shape, AFFINES["LPS"])
    assert surface_of(mask, grid).vertices.mean(axis=0) == pytest.approx(
        grid.to_position(np.array((1, 2, 3)))
    )


def test_at_the_border_of_the_array_it_closes_half_a_voxel_outside() -> None:
    mask = np.ones((3, 3, 3), np.bool_)
    surface = surface_of(mask, Grid(mask.shape, np.eye(4)))
    assert surface.is_closed
    assert (surface.vertices.min(), surface.vertices.max()) == (-0.5, 2.5)


def test_the_real_meshes_are_closed_and_near_the_voxels(data: Callable[[str], Path]) -> None:
    from medseg.io import read_segmentation

    mask = read_segmentation(data("misc/ct_small/example_seg.nii.gz"))
    found = dict(surfaces_of(mask))
    assert tuple(found) == mask.present
    for value, surface in found.items():
        alone = surface_of(mask.mask(value), mask.grid)
        assert np.array_equal(surface.vertices, alone.vertices)
        assert surface.is_closed
        voxels_ml = mask.mask(value).sum() * mask.grid.voxel_volume / 1000
        if voxels_ml > 20:
            assert surface.volume_ml == pytest.approx(voxels_ml, rel=0.06)


@pytest.mark.parametrize(
    ("radius_mm", "spacing"),
    [(8, (1, 1, 2)), (15, (1, 1, 1)), (10, (0.9, 0.9, 3))],
    ids=str,
)
def test_smoothing_takes_the_steps_and_keeps_the_volume(
    radius_mm: float, spacing: tuple[float, float, float]
) -> None:
    mask, grid = ball(radius_mm, spacing)
    mesh = surface_of(mask, grid)
    smooth = smoothed(mesh)
    assert smooth.is_closed
    assert abs(volume_change(mesh, smooth) or 1) < 0.01

    def roughness(surface: Surface) -> float:
        return float(np.linalg.norm(surface.vertices - surface.vertices.mean(axis=0), axis=1).std())

    assert roughness(smooth) < 0.67 * roughness(mesh)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1), (12, 1, 1), (12, 12, 1)], ids=str)
def test_smoothing_stops_before_it_eats_a_thin_structure(shape: tuple[int, int, int]) -> None:
    mesh = surface_of(np.ones(shape, np.bool_), Grid(shape, np.eye(4)))
    assert abs(volume_change(mesh, smoothed(mesh)) or 0) <= 0.05


def test_thinning_keeps_to_its_number_and_near_the_surface() -> None:
    mask, grid = ball(15, (1, 1, 1))
    mesh = surface_of(mask, grid)
    thin = thinned(smoothed(mesh), 800)
    assert len(mesh.triangles) > 4000
    assert 200 < len(thin.triangles) <= 800
    assert abs(volume_change(mesh, thin) or 1) < 0.03
    assert thinned(mesh, 1_000_000) is mesh


def test_an_empty_mask_has_an_empty_surface() -> None:
    surface = surface_of(np.zeros((3, 3, 3), np.bool_), Grid((3, 3, 3), np.eye(4)))
    assert (len(surface.triangles), surface.volume_ml, surface.area_mm2) == (0, 0.0, 0.0)
    assert volume_change(surface, surface) is None
    assert smoothed(surface) is surface


def test_pixels_have_no_surface_in_mm() -> None:
    with pytest.raises(InputError, match="pixels"):
        surface_of(np.ones((3, 3, 1), np.bool_), Grid((3, 3, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px"))


def test_a_surface_with_a_hole_is_not_closed() -> None:
    mesh = surface_of(np.ones((2, 2, 2), np.bool_), Grid((2, 2, 2), np.eye(4)))
    assert not Surface(mesh.vertices, mesh.triangles[1:]).is_closed
    assert not Surface(mesh.vertices, np.concatenate([mesh.triangles, mesh.triangles])).is_closed


@pytest.mark.parametrize(
    ("vertices", "triangles", "words"),
    [
        (np.full((3, 3), np.nan), [[0, 1, 2]], "finite"),
        (np.zeros((3, 2)), [[0, 1, 2]], "shape"),
        (np.zeros((3, 3)), [[0, 1, 3]], "outside 0 to 2"),
        (np.zeros((3, 3)), [[0, 1, -1]], "outside 0 to 2"),
    ],
    ids=["nan", "flat", "beyond", "negative"],
)
def test_a_surface_that_makes_no_sense_is_refused(
    vertices: NDArray[np.float64], triangles: list[list[int]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Surface(vertices, np.array(triangles))


def test_surfaces_stay_read_only_between_processes() -> None:
    mesh = surface_of(np.ones((1, 1, 1), np.bool_), Grid((1, 1, 1), np.eye(4)))
    again = pickle.loads(pickle.dumps(mesh))
    assert not again.vertices.flags.writeable
    assert np.array_equal(again.triangles, mesh.triangles)
