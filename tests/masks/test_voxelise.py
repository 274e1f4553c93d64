"""Surfaces back to voxels: centres inside by parity, exact for measured meshes on every kind of grid."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.masks.surfaces import Surface, smoothed, surface_of
from medseg.masks.voxelise import is_watertight, voxelise

TURN = np.array([[0.8, -0.48, 0.36], [0.6, 0.64, -0.48], [0.0, 0.6, 0.8]])
GRIDS = {
    "cube": np.diag([1.0, 1.0, 1.0, 1.0]),
    "anisotropic": np.diag([0.7, 0.9, 5.0, 1.0]),
    "mirrored, far away": np.array(
        [[-0.7, 0, 0, 1001.3], [0, -0.9, 0, -250.7], [0, 0, 3, 12.1], [0, 0, 0, 1]]
    ),
    "axes in another order": np.array([[0, 0, 2.0, 5], [-1.0, 0, 0, 6], [0, 1.5, 0, 7], [0, 0, 0, 1]]),
    "oblique": np.block([[TURN * [0.7, 0.9, 3.3], np.array([[10.0], [20.0], [30.0]])], [np.eye(4)[3:]]]),
    "sheared": np.array([[1.0, 0, 0, 0], [0, 1.0, 0.25, 0], [0, 0, 5.0, 0], [0, 0, 0, 1]]),
}


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Surface:
    """A box of twelve triangles."""
    corners = np.array([[(low, high)[(n >> axis) & 1][axis] for axis in range(3)] for n in range(8)])
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    triangles = [triple for a, b, c, d in quads for triple in ((a, b, c), (a, c, d))]
    return Surface(corners, np.array(triangles))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("filled", [0.05, 0.5, 0.95])
def test_a_measured_mesh_gives_its_mask_back(name: str, filled: float) -> None:
    mask = np.random.default_rng(3).random((14, 11, 9)) < filled
    grid = Grid(mask.shape, GRIDS[name])
    surface = surface_of(mask, grid)
    assert np.array_equal(voxelise(surface, grid), mask)
    # Files hold float32, as far from the origin as the patient lies.
    stored = Surface(surface.vertices.astype(np.float32).astype(np.float64), surface.triangles)
    assert np.array_equal(voxelise(stored, grid), mask)


@pytest.mark.parametrize(
    ("low", "high", "voxels"),
    [
        ((0.5, 0.5, 0.5), (3.5, 2.5, 4.5), (slice(1, 4), slice(1, 3), slice(1, 5))),
        ((1.0, 1.0, 1.0), (3.0, 3.0, 3.0), (slice(1, 3), slice(1, 3), slice(1, 3))),
        ((-5.0, 1.2, -9.0), (50.0, 2.2, 90.0), (slice(0, 8), slice(2, 3), slice(0, 6))),
        ((1.1, 1.1, 1.1), (1.9, 1.9, 1.9), (slice(0, 0),) * 3),
        ((20.0, 20.0, 20.0), (30.0, 30.0, 30.0), (slice(0, 0),) * 3),
    ],
    ids=["between centres", "on centres: half-open", "beyond the grid", "between all centres", "outside"],
)
def test_boxes_by_hand(low: tuple[float, ...], high: tuple[float, ...], voxels: tuple[slice, ...]) -> None:
    expected = np.zeros((8, 7, 6), dtype=np.bool_)
    expected[voxels] = True
    found = voxelise(box(low, high), Grid((8, 7, 6), np.eye(4)))  # type: ignore[arg-type]
    assert np.array_equal(found, expected)


def test_two_boxes_that_share_a_wall_share_no_voxel_and_leave_none_out() -> None:
    grid = Grid((9, 9, 9), np.eye(4))
    left, right = box((1.0, 1.0, 1.0), (4.0, 6.0, 6.0)), box((4.0, 1.0, 1.0), (7.0, 6.0, 6.0))
    both = voxelise(box((1.0, 1.0, 1.0), (7.0, 6.0, 6.0)), grid)
    assert np.array_equal(voxelise(left, grid).astype(int) + voxelise(right, grid), both.astype(int))


def test_a_surface_within_a_surface_is_a_hole_whichever_way_it_faces() -> None:
    outer, inner = box((0.5, 0.5, 0.5), (6.5, 6.5, 6.5)), box((2.5, 2.5, 2.5), (4.5, 4.5, 4.5))
    vertices = np.concatenate([outer.vertices, inner.vertices])
    for turned in (inner.triangles, inner.triangles[:, ::-1]):
        surface = Surface(vertices, np.concatenate([outer.triangles, turned + 8]))
        assert voxelise(surface, Grid((8, 8, 8), np.eye(4))).sum() == 6**3 - 2**3


@pytest.mark.parametrize("radius", [4.3, 7.0, 9.9])
def test_a_ball_has_the_voxels_within_its_radius(radius: float) -> None:
    from skimage.measure import marching_cubes

    axis = np.arange(-11.0, 12.0)
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    vertices, triangles, *_ = marching_cubes(distance, radius)
    found = voxelise(Surface(vertices.astype(np.float64), triangles), Grid((23, 23, 23), np.eye(4)))
    on_it = np.abs(distance - radius) < 1e-6
    assert np.array_equal(found[~on_it], (distance < radius)[~on_it])


def test_a_coarser_grid_than_the_mesh() -> None:
    mask = np.zeros((40, 40, 40), dtype=np.bool_)
    mask[4:36, 4:36, 4:36] = True
    surface = surface_of(mask, Grid(mask.shape, np.eye(4)))
    coarse = Grid(
        (10, 10, 10), np.array([[4.0, 0, 0, 1.5], [0, 4.0, 0, 1.5], [0, 0, 4.0, 1.5], [0, 0, 0, 1]])
    )
    assert voxelise(surface, coarse).sum() == 8**3


def test_open_surfaces_are_refused() -> None:
    closed = box((0.5, 0.5, 0.5), (3.5, 3.5, 3.5))
    hole = Surface(closed.vertices, closed.triangles[1:])
    assert is_watertight(closed)
    assert not is_watertight(hole)
    with pytest.raises(InputError, match="is open"):
        voxelise(hole, Grid((5, 5, 5), np.eye(4)))


def test_lines_for_triangles_change_nothing() -> None:
    closed = box((0.5, 0.5, 0.5), (3.5, 3.5, 3.5))
    more = Surface(closed.vertices, np.concatenate([closed.triangles, [[0, 0, 1], [3, 3, 3]]]))
    grid = Grid((5, 5, 5), np.eye(4))
    assert np.array_equal(voxelise(more, grid), voxelise(closed, grid))


def test_nothing_gives_nothing_and_pixels_have_no_size() -> None:
    empty = Surface(np.empty((0, 3)), np.empty((0, 3), np.int32))
    assert not voxelise(empty, Grid((3, 3, 3), np.eye(4))).any()
    with pytest.raises(InputError, match="size in mm"):
        voxelise(empty, Grid((3, 3, 3), np.eye(4), unit="px"))


def test_real_masks(data: Callable[[str], Path]) -> None:
    from medseg.io import read_segmentation

    for name in ("pyradiomics/brain1_label.nrrd", "pyradiomics/breast1_label.nrrd"):
        found = read_segmentation(data(name))
        mask = found.mask(*found.present)
        again = voxelise(surface_of(mask, found.grid), found.grid)
        assert int((again != mask).sum()) == 0
        smooth = voxelise(smoothed(surface_of(mask, found.grid)), found.grid)
        assert 0.9 < smooth.sum() / mask.sum() < 1.1
