"""Resampling: identity on the own grid, exact for linear fields, whatever the grid."""

import numpy as np
import pytest
import SimpleITK as sitk

from medseg.domain import Grid
from medseg.errors import GridMismatchError
from medseg.geometry.resample import covered_by, grid_with_spacing, resample
from medseg.geometry.sitk import from_sitk, to_sitk


def turned(shape: tuple[int, int, int], spacing: tuple[float, float, float], *, shear: float = 0.0) -> Grid:
    a, b = 0.4, -0.3
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag(spacing)
    affine[:3, 2] += affine[:3, 1] * shear
    affine[:3, 3] = (3, -4, 5)
    return Grid(shape, affine)


GRIDS = [
    Grid((9, 8, 7), np.diag([1.0, 2.0, 3.0, 1.0])),
    turned((9, 8, 7), (1, 1, 2)),
    turned((9, 8, 7), (1, 1, 2), shear=0.3),
]


@pytest.mark.parametrize("grid", GRIDS, ids=["straight", "oblique", "sheared"])
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_the_own_grid_is_the_identity(grid: Grid, interpolation: str) -> None:
    values = np.random.default_rng(0).integers(0, 1000, grid.shape).astype(np.int16)
    assert resample(values, grid, grid, interpolation=interpolation) is values  # type: ignore[arg-type]


@pytest.mark.parametrize("source", GRIDS, ids=["straight", "oblique", "sheared"])
@pytest.mark.parametrize("target", GRIDS, ids=["straight", "oblique", "sheared"])
def test_a_linear_field_is_kept_exactly(source: Grid, target: Grid) -> None:
    def field(grid: Grid) -> np.ndarray:
        index = np.stack(np.indices(grid.shape), axis=-1)
        return grid.to_position(index) @ np.array([1.0, -2.0, 0.5]) + 10

    result = resample(field(source), source, target, fill=-999)
    index = source.to_index(target.to_position(np.stack(np.indices(target.shape), axis=-1)))
    inner = ((index > 0) & (index < np.array(source.shape) - 1)).all(axis=-1)
    assert inner.any()
    assert np.allclose(result[inner], field(target)[inner], atol=1e-3)
    outer = ~covered_by(source, target)
    assert (result[outer] == -999).all()


def test_a_new_spacing_keeps_the_field_of_view_centred() -> None:
    grid = turned((20, 30, 10), (1.0, 1.0, 3.0))
    new = grid_with_spacing(grid, (2.0, 2.0, 2.0))
    assert new.shape == (10, 15, 15)
    assert new.spacing == pytest.approx((2.0, 2.0, 2.0))
    assert np.allclose(new.corners.mean(axis=0), grid.corners.mean(axis=0))


#: Ten voxels of 1 mm along the first axis, and how many of another size cover them.
COUNTS = [
    ("a whole number", 2.0, 5),
    ("a part more", 3.0, 4),
    ("rounding of a header", 10 / 5.0009, 5),
    ("more than rounding", 10 / 5.0011, 6),
    ("larger than the field", 25.0, 1),
]


@pytest.mark.parametrize(("name", "spacing", "count"), COUNTS, ids=[case[0] for case in COUNTS])
def test_new_voxels_cover_the_field_of_view(name: str, spacing: float, count: int) -> None:
    new = grid_with_spacing(Grid((10, 4, 4), np.eye(4)), (spacing, 1.0, 1.0))
    assert new.shape == (count, 4, 4)
    assert new.affine[:3, 3] == pytest.approx((4.5 - (count - 1) / 2 * spacing, 0, 0))


def test_what_lies_outside_is_zero_unless_said_otherwise() -> None:
    grid = Grid((2, 2, 2), np.eye(4))
    wide = Grid((4, 2, 2), np.eye(4))
    for interpolation in ("nearest", "linear"):
        found = resample(np.full((2, 2, 2), 7, np.int16), grid, wide, interpolation=interpolation)  # type: ignore[arg-type]
        assert found[:, 0, 0].tolist() == [7, 7, 0, 0]
        assert found.dtype == (np.int16 if interpolation == "nearest" else np.float32)


def test_a_voxel_is_covered_up_to_its_faces() -> None:
    fine = np.diag([0.5, 1.0, 1.0, 1.0])
    fine[0, 3] = -1.0
    covered = covered_by(Grid((2, 2, 2), np.eye(4)), Grid((8, 3, 2), fine))
    assert covered[:, 0, 0].tolist() == [False, True, True, True, True, True, False, False]
    assert covered[1].tolist() == [[True, True], [True, True], [False, False]]


def test_px_and_mm_never_mix() -> None:
    flat = Grid((4, 4, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    with pytest.raises(GridMismatchError, match="give a spacing"):
        resample(np.zeros((4, 4, 1)), flat, Grid((4, 4, 1), np.eye(4)))


def test_simpleitk_sees_the_same_positions() -> None:
    grid = turned((9, 8, 7), (1, 1, 2))
    values = np.random.default_rng(0).normal(size=grid.shape)
    image = to_sitk(values, grid)
    assert np.array_equal(from_sitk(image), values)
    lps = np.array(image.TransformIndexToPhysicalPoint((2, 3, 4)))
    assert np.allclose(lps * (-1, -1, 1), grid.to_position(np.array([2, 3, 4])))
    assert isinstance(image, sitk.Image)


def test_simpleitk_gets_no_sheared_grid() -> None:
    with pytest.raises(GridMismatchError, match="--resample"):
        to_sitk(np.zeros((9, 8, 7)), turned((9, 8, 7), (1, 1, 2), shear=0.3))


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 3, 2)])
def test_a_shear_by_less_than_a_tenth_voxel_is_repaired(shape: tuple[int, int, int]) -> None:
    def sheared(voxels: float) -> Grid:
        # A small shear turns each of two axes by half of it, and the far corner moves by both.
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        affine[0, 1] = 2 * voxels * 2 / (shape[0] + shape[1] - 2)
        return Grid(shape, affine)

    assert to_sitk(np.zeros(shape), sheared(0.098)).GetSpacing() == pytest.approx((2, 2, 2), rel=1e-2)
    with pytest.raises(GridMismatchError, match=r"would move by 0\.10 voxels"):
        to_sitk(np.zeros(shape), sheared(0.102))


def test_noise_in_a_direction_matrix_is_repaired_for_itk_only() -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[0, 1] = 1e-4
    grid = Grid((10, 10, 10), affine)
    to_sitk(np.zeros((10, 10, 10)), grid)
    assert grid.affine[0, 1] == 1e-4
