"""The boundary as data: every label's outline in world coordinates."""

from typing import Any

from medseg.domain import Segmentation
from medseg.masks import outlines, slice_axis

__all__ = ["CONTOURS_SCHEMA", "contours"]

CONTOURS_SCHEMA = "medseg.contours/1.0"


def contours(segmentation: Segmentation) -> dict[str, Any]:
    """Closed polygons of every label, slice by slice, ready for JSON.

    Polygons follow the edges of voxels, so their area is the mask's. Points are positions: RAS+ mm, or
    pixels where the grid has no physical size. Holes are polygons of their own, marked as such. Slices
    lie across the axis that is at least 1.2 times coarser, else across foot–head.
    """
    grid = segmentation.grid
    axis = slice_axis(grid)
    labels = []
    for label in segmentation.table.labels:
        polygons = [
            {
                "slice": outline.index,
                "hole": outline.is_hole,
                "points": grid.to_position(outline.points).round(4).tolist(),
            }
            for outline in outlines(segmentation.mask(label.value), axis)
        ]
        labels.append({"value": label.value, "name": label.name, "polygons": polygons})
    return {
        "schema": CONTOURS_SCHEMA,
        "unit": grid.unit,
        "coordinates": "RAS+" if grid.unit == "mm" else "x against column, y against row",
        "frame_of_reference": grid.frame_of_reference,
        "slice_axis": axis,
        "mask_digest": segmentation.digest,
        "labels": labels,
    }
