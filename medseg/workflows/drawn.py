"""What a window draws of a mask: outlines and surfaces, as positions in the world."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Segmentation
from medseg.masks.contours import outlines, slice_axis
from medseg.masks.surfaces import surface_of

__all__ = ["outline_positions", "surface_positions"]


def outline_positions(segmentation: Segmentation) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    """(label, (N, 3) positions) of each closed outline in the slices as they were taken; holes too."""
    grid = segmentation.grid
    axis = slice_axis(grid)
    return tuple(
        (label.name, grid.to_position(np.vstack([outline.points, outline.points[:1]])))
        for label in segmentation.table.labels
        for outline in outlines(segmentation.mask(label.value), axis)
    )


def surface_positions(
    segmentation: Segmentation, label: str
) -> tuple[NDArray[np.float64], NDArray[np.int32]] | None:
    """Vertices (N, 3) and triangles (M, 3) of the surface that is measured; None for a label without voxels.

    Raises
    ------
    InputError
        If the mask has no size in mm.
    """
    value = next(item.value for item in segmentation.table.labels if item.name == label)
    found = surface_of(segmentation.mask(value), segmentation.grid)
    return (found.vertices, found.triangles) if len(found.triangles) else None
