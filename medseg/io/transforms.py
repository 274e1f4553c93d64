"""Transforms of other programs as 4×4 matrices: ITK's (ANTs, Slicer, elastix' results), and FSL's of FLIRT."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError, UnsupportedFormatError
from medseg.geometry import flip_affine
from medseg.io.plain import read_plain

__all__ = ["read_transform"]

#: A matrix file is text of a few lines; ITK's binary ones are small too.
_MOST_BYTES = 1 << 20
#: What a linear transform maps four corners of a cube of this size to tells all that it does (mm).
_CUBE_MM = 100.0


def read_transform(path: Path, common: Grid, scan: Grid) -> NDArray[np.float64]:
    """(4, 4) position in the common space (RAS+ mm) → position in the scan.

    Parameters
    ----------
    path
        ITK (`.tfm`, `.txt`, `.mat` of ANTs, `.h5`): from the fixed image, which is the common space, into the moving
        one, the scan. FSL's text of four lines by four: from the moving image's voxels, scaled, into the fixed one's.
    common, scan
        Grids of the fixed and of the moving image; ITK's needs neither.

    Raises
    ------
    InputError
        If it can't be read, or is no invertible linear transform.
    """
    data = read_plain(path, most=_MOST_BYTES)
    rows = _numbers(data)
    matrix = _of_itk(path) if rows is None else rows
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
        raise InputError(f"{path}: the transform can't be inverted")
    return matrix if rows is None else _of_fsl(rows, common, scan)


def _numbers(data: bytes) -> NDArray[np.float64] | None:
    """The 4×4 numbers of a text; None if it is something else."""
    try:
        rows = [
            [float(word) for word in line.split()]
            for line in data.decode("ascii").splitlines()
            if line.strip()
        ]
    except (UnicodeDecodeError, ValueError):
        return None
    found = len(rows) == 4 and all(len(row) == 4 for row in rows)
    return np.array(rows) if found else None


def _of_itk(path: Path) -> NDArray[np.float64]:
    import SimpleITK as sitk

    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise UnsupportedFormatError(
            f"{path} is no transform that ITK or FSL wrote; give a .tfm, .txt, .mat or .h5 of ITK, or FLIRT's 4×4 text"
        ) from error
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(
            f"{path} is no linear transform in 3D; a deformation would bend lesions, so only rigid and affine ones are "
            "taken"
        )
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    ends = [np.array(transform.TransformPoint(tuple(end))) for end in (np.eye(3) * _CUBE_MM).tolist()]
    lps = np.eye(4)
    lps[:3, :3], lps[:3, 3] = (np.array(ends) - origin).T / _CUBE_MM, origin
    return _in_ras(lps)


def _in_ras(lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map between RAS positions."""
    return flip_affine(np.eye(4)) @ lps @ flip_affine(np.eye(4))


def _of_fsl(matrix: NDArray[np.float64], common: Grid, scan: Grid) -> NDArray[np.float64]:
    there: NDArray[np.float64] = np.linalg.inv(_scaled(common) @ matrix @ np.linalg.inv(_scaled(scan)))
    return there


def _scaled(grid: Grid) -> NDArray[np.float64]:
    """(4, 4) FSL's scaled voxels → position: index × spacing, the first axis turned where the affine is not flipped."""
    steps = np.diag([*grid.spacing, 1.0])
    if np.linalg.det(grid.affine[:3, :3]) > 0:
        steps[0] = (-grid.spacing[0], 0, 0, (grid.shape[0] - 1) * grid.spacing[0])
    back: NDArray[np.float64] = grid.affine @ np.linalg.inv(steps)
    return back
