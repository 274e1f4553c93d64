"""To and from SimpleITK; the only place where arrays are (K, J, I)."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.errors import GridMismatchError
from medseg.geometry.lps import flip_affine

if TYPE_CHECKING:
    import SimpleITK as sitk

__all__ = ["from_sitk", "to_sitk"]

#: A direction matrix this close to a rotation (largest corner displacement, voxels) is repaired for ITK's copy.
REPAIR_VOXELS = 0.1


def to_sitk(array: NDArray[Any], grid: Grid | None = None) -> "sitk.Image":
    """SimpleITK image of (I, J, K) values; without a grid it lies on index space (spacing 1, origin 0).

    Memory: one copy of the array.

    Raises
    ------
    GridMismatchError
        If the grid is sheared: ITK would lose the shear silently.
    """
    import SimpleITK as sitk

    values = array.astype(np.uint8) if array.dtype == np.bool_ else array
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    if grid is None:
        return image
    lps = flip_affine(grid.affine)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection(_rotation(lps, grid).ravel().tolist())
    return image


def from_sitk(image: "sitk.Image") -> NDArray[Any]:
    """(I, J, K) values of a 3D SimpleITK image; memory: one copy."""
    import SimpleITK as sitk

    array: NDArray[Any] = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    return array


def _rotation(lps: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    matrix = lps[:3, :3] / np.linalg.norm(lps[:3, :3], axis=0)
    left, _, right = np.linalg.svd(matrix)
    nearest: NDArray[np.float64] = left @ right
    last = (np.array(grid.shape) - 1) * np.array(grid.spacing)
    moved = np.linalg.norm((nearest - matrix) * last, axis=0).sum() / min(grid.spacing)
    if moved > REPAIR_VOXELS:
        raise GridMismatchError(
            f"this grid is sheared (its axes are not at right angles; a corner would move by {moved:.2f} voxels), "
            "so only volumes can be had from it; resample it on a regular grid with --resample"
        )
    return nearest
