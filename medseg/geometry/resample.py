"""Values from one grid on another, straight between grids, whatever their obliqueness or shear."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.errors import GridMismatchError
from medseg.geometry.sitk import from_sitk, to_sitk

__all__ = ["covered_by", "crop_grid", "grid_with_spacing", "resample"]

#: A field of view this little (steps) longer than a whole number of steps is that number: rounding of a header.
WHOLE_STEPS = 1e-3
#: Names that SimpleITK has for them.
_INTERPOLATORS = {"nearest": "sitkNearestNeighbor", "linear": "sitkLinear", "cubic": "sitkBSpline"}


def resample(
    array: NDArray[Any],
    source: Grid,
    target: Grid,
    *,
    interpolation: Literal["nearest", "linear", "cubic"] = "linear",
    fill: float = 0.0,
) -> NDArray[Any]:
    """Values of `array` (I, J, K) on `target`; positions outside the source's voxels get `fill`.

    Resampling to the own grid is the identity, bit for bit. Linear and cubic give float32 of any input;
    nearest keeps the dtype. Works between index spaces by one affine map, so ITK's limits on directions
    do not apply. Memory: a copy of input and output.

    Raises
    ------
    GridMismatchError
        If one grid is in `px` and the other in `mm`.
    """
    if source.unit != target.unit:
        raise GridMismatchError(
            f"can't resample between {source.unit} and {target.unit}: give a spacing first"
        )
    index_map = np.linalg.inv(source.affine) @ target.affine
    if source.shape == target.shape and np.allclose(index_map, np.eye(4), atol=1e-9):
        return array

    import SimpleITK as sitk  # not for the own grid

    values = array if interpolation == "nearest" else array.astype(np.float32)
    transform = sitk.AffineTransform(index_map[:3, :3].ravel().tolist(), index_map[:3, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(target.shape)
    resampler.SetTransform(transform)
    resampler.SetInterpolator(getattr(sitk, _INTERPOLATORS[interpolation]))
    resampler.SetDefaultPixelValue(fill)
    result = from_sitk(resampler.Execute(to_sitk(values)))
    return result.astype(array.dtype) if interpolation == "nearest" else result


def covered_by(source: Grid, target: Grid) -> NDArray[np.bool_]:
    """(I, J, K) bool on `target`: voxels whose centre lies inside some voxel of `source`.

    Memory: one bool array; computed slab by slab.
    """
    index_map = np.linalg.inv(source.affine) @ target.affine
    i, j = np.meshgrid(np.arange(target.shape[0]), np.arange(target.shape[1]), indexing="ij")
    plane = np.stack([i, j, np.zeros_like(i)], axis=-1) @ index_map[:3, :3].T + index_map[:3, 3]
    upper = np.array(source.shape) - 0.5
    inside = np.empty(target.shape, dtype=np.bool_)
    for k in range(target.shape[2]):
        index = plane + index_map[:3, 2] * k
        inside[..., k] = ((index >= -0.5) & (index <= upper)).all(axis=-1)
    return inside


def crop_grid(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """Grid of the voxels within a box of indices, at the same positions.

    >>> crop_grid(Grid((4, 4, 4), np.eye(4)), (slice(1, 3), slice(0, 4), slice(2, 4))).shape
    (2, 4, 2)
    """
    starts, stops, _ = zip(*(part.indices(n) for part, n in zip(box, grid.shape, strict=True)), strict=True)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_position(np.array(starts, dtype=np.float64))
    first, second, third = (stop - start for start, stop in zip(starts, stops, strict=True))
    return replace(grid, shape=(first, second, third), affine=affine)


def grid_with_spacing(grid: Grid, spacing: tuple[float, float, float]) -> Grid:
    """Grid over the whole field of view (outer voxel faces) with another spacing, centred; sheared stays sheared.

    The outermost new voxels may stand out on both sides alike, so that every voxel centre of `grid` lies
    inside and a structure at the border stays at the border.

    >>> grid_with_spacing(Grid((4, 4, 4), np.eye(4)), (2.0, 2.0, 2.0)).shape
    (2, 2, 2)
    """
    old = np.array(grid.spacing)
    new = np.array(spacing, dtype=np.float64)
    extent = old * grid.shape
    shape = np.maximum(1, np.ceil(extent / new - WHOLE_STEPS)).astype(int)
    affine = np.array(grid.affine)
    affine[:3, :3] = grid.direction * new
    centre = grid.to_position((np.array(grid.shape) - 1) / 2)
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return replace(grid, shape=tuple(int(n) for n in shape), affine=affine)  # type: ignore[arg-type]
