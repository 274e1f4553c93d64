"""nibabel's images in memory, placed by the same rules as files."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.errors import InputError
from medseg.io.nifti.format import forms_of, header_bytes
from medseg.io.nifti.forms import place

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

__all__ = ["nibabel_image", "nibabel_parts"]

#: An affine whose numbers are this close to the header's is the header's: float32 in the file, float64 in memory.
_ROUNDING = 1e-4


def nibabel_parts(image: "SpatialImage") -> tuple[NDArray[Any], Grid, tuple[Finding, ...]]:
    """(I, J, K) values with slope and intercept applied, grid in mm, and what must be said.

    A NIfTI header says which of its forms holds and in what unit, as in a file; an affine that was set anew in memory,
    and that of another format, is taken as it stands.

    Raises
    ------
    InputError
        If it has more than one volume, or its forms contradict each other.
    """
    from nibabel import Nifti1Header

    shape = tuple(int(size) for size in image.shape)
    if len(shape) < 2 or any(size != 1 for size in shape[3:]):
        raise InputError(
            f"an image has one volume, and this has the shape {shape}; give one, by image.slicer[..., 0]"
        )
    extents = (*shape, 1)[:3]
    array = np.asanyarray(image.dataobj).reshape(extents)
    grid_shape = (extents[0], extents[1], extents[2])
    header: Any = image.header
    kept = header.get_best_affine() if isinstance(header, Nifti1Header) else None
    affine = np.asarray(kept if image.affine is None else image.affine, np.float64)
    if kept is None or not _same(kept, affine):
        return array, Grid(grid_shape, affine), ()
    grid, findings = place(forms_of(header, grid_shape))
    if grid.unit == "mm" and grid.orientation_known and _same(grid.affine, affine):
        grid = Grid(grid_shape, affine)  # in memory it has all its digits
    return array, grid, findings


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=_ROUNDING))


def nibabel_image(array: NDArray[Any], grid: Grid) -> "SpatialImage":
    """A NIfTI image of (I, J, K) values with the header that a file of them has."""
    from nibabel import Nifti1Header, Nifti1Image, Nifti2Header, Nifti2Image

    block = header_bytes(array, grid)
    is_large = int.from_bytes(block[:4], "little") == 540
    make: Any = Nifti2Header if is_large else Nifti1Header
    kind: Any = Nifti2Image if is_large else Nifti1Image
    found: SpatialImage = kind(array, grid.affine if grid.orientation_known else None, make(block))
    return found
