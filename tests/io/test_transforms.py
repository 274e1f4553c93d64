"""Transforms of ITK and FSL: from the common space into the scan, both directions told apart."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import InputError, UnsupportedFormatError
from medseg.io.transforms import read_transform

COMMON = Grid((20, 30, 10), np.diag([2.0, 2.0, 3.0, 1.0]))
SCAN = Grid((24, 28, 12), np.diag([-1.5, 2.5, 3.0, 1.0]))


def moved(points, matrix):
    return np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3]


def test_itk_maps_fixed_to_moving_in_lps(tmp_path: Path) -> None:
    import SimpleITK as sitk

    transform = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.1, -0.2, 0.3, (4.0, 5.0, 6.0))
    path = tmp_path / "t.tfm"
    sitk.WriteTransform(transform, str(path))
    ras = np.array([[10.0, -20.0, 30.0], [0.0, 0.0, 0.0]])
    lps = ras * [-1, -1, 1]
    expected = np.array([transform.TransformPoint(tuple(p)) for p in lps]) * [-1, -1, 1]
    assert moved(ras, read_transform(path, COMMON, SCAN)) == pytest.approx(expected)


def test_fsl_maps_scaled_voxels_of_moving_to_fixed(tmp_path: Path) -> None:
    """A voxel of the scan and the voxel of the common image that FLIRT says it lies at are one place."""
    matrix = np.eye(4)
    matrix[:3, 3] = [3.0, -2.0, 1.5]
    path = tmp_path / "flirt.mat"
    np.savetxt(path, matrix)
    voxel = np.array([5.0, 7.0, 2.0])
    # The scan's affine is flipped (det < 0): FSL's coordinates are index × spacing.
    scaled = voxel * SCAN.spacing
    there = matrix[:3, :3] @ scaled + matrix[:3, 3]
    # The common image's is not: its first axis runs backwards.
    index = there / COMMON.spacing
    index[0] = COMMON.shape[0] - 1 - index[0]
    assert moved(COMMON.to_position(index), read_transform(path, COMMON, SCAN)) == pytest.approx(
        SCAN.to_position(voxel)
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("not a transform", UnsupportedFormatError),
        ("1 0 0 0\n0 1 0 0\n0 0 0 0\n0 0 0 1\n", InputError),
        ("1 0 0 0\n0 1 0 0\n", UnsupportedFormatError),
    ],
)
def test_what_is_no_transform(text: str, error: type, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(text)
    with pytest.raises(error):
        read_transform(path, COMMON, SCAN)


def test_a_deformation_is_refused(tmp_path: Path) -> None:
    import SimpleITK as sitk

    path = tmp_path / "t.tfm"
    sitk.WriteTransform(sitk.BSplineTransform(3), str(path))
    with pytest.raises(InputError, match="no linear transform"):
        read_transform(path, COMMON, SCAN)
