"""What one voxel of a grid measures: the area of its face, its millilitres."""

import numpy as np

from medseg.domain import Grid
from medseg.masks.contours import slice_axis

__all__ = ["is_flat", "pixel_area", "voxel_ml"]


def is_flat(grid: Grid) -> bool:
    """Whether the grid is a single slice along some axis."""
    return 1 in grid.shape


def pixel_area(grid: Grid, axis: int) -> float:
    """Area of a voxel's face across an axis, in the square of the grid's unit."""
    first, second = (grid.affine[:3, other] for other in range(3) if other != axis)
    return float(np.linalg.norm(np.cross(first, second)))


def voxel_ml(grid: Grid) -> float | None:
    """Millilitres of one voxel; None on `px` grids and for a single slice without a known thickness.

    >>> voxel_ml(Grid((4, 4, 4), np.diag([1.0, 1.0, 2.0, 1.0])))
    0.002
    """
    if grid.unit == "px":
        return None
    if not is_flat(grid):
        return grid.voxel_volume / 1000
    if grid.slice_thickness is None:
        return None
    return pixel_area(grid, slice_axis(grid)) * grid.slice_thickness / 1000
