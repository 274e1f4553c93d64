"""The boundary as data: every label's outline in world coordinates."""

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np

from medseg.domain import Segmentation
from medseg.masks.contours import Outline, outlines, plane_axes, slice_axis, subvoxel_outlines

__all__ = ["CONTOURS_SCHEMA", "ContourPlanes", "contours"]

CONTOURS_SCHEMA = "medseg.contours/1.1"

#: Slices as they were taken, or all three planes of the array.
ContourPlanes: TypeAlias = Literal["acquisition", "three"]

_EDGES = "voxel edges: the polygons' area is the mask's"
_MARGIN = "where the label's probability equals that of the best other one, linear between voxel centres"


def contours(
    segmentation: Segmentation, *, planes: ContourPlanes = "acquisition", subvoxel: bool = False
) -> dict[str, Any]:
    """Closed polygons of every label, slice by slice, ready for JSON.

    Points are positions: RAS+ mm, or pixels where the grid has no physical size. Holes are polygons of their
    own, marked as such; they run the other way round.

    Parameters
    ----------
    segmentation
        Labels that do not occur have no polygons.
    planes
        `acquisition`: across the axis that is at least 1.2 times coarser, else across foot–head. `three`: axial,
        coronal and sagittal along the array's axes, each named for the nearest plane of the patient; a single
        slice has its own plane only.
    subvoxel
        Between voxels, where probabilities are kept (one channel a label, background first). Without them, as
        when this is off, polygons follow the edges of voxels, so that their area is the mask's; `boundary` says
        which.
    """
    grid = segmentation.grid
    names = {axis: name for name, axis in plane_axes(grid).items()}
    own = slice_axis(grid)
    axes = sorted(names, reverse=True) if planes == "three" else [own]
    used = segmentation.probabilities if subvoxel else None
    if used is not None and len(used) != len(segmentation.table.labels) + 1:
        used = None
    used = None if used is None else np.asarray(used)  # a margin is over the best of all others
    labels = []
    for channel, label in enumerate(segmentation.table.labels, start=1):
        mask = segmentation.mask(label.value)
        polygons = [
            {
                "slice": outline.index,
                "axis": axis,
                "hole": outline.is_hole,
                "points": grid.to_position(outline.points).round(4).tolist(),
            }
            for axis in axes
            for outline in _of(mask, used, channel, axis)
        ]
        labels.append({"value": label.value, "name": label.name, "polygons": polygons})
    return {
        "schema": CONTOURS_SCHEMA,
        "unit": grid.unit,
        "coordinates": "RAS+" if grid.unit == "mm" else "x against column, y against row",
        "frame_of_reference": grid.frame_of_reference,
        "slice_axis": own,
        "planes": [{"axis": axis, "name": _name(segmentation, names, axis)} for axis in axes],
        "boundary": _EDGES if used is None else _MARGIN,
        "mask_digest": segmentation.digest,
        "labels": labels,
    }


def _of(mask: Any, probabilities: Any, channel: int, axis: int) -> Iterator[Outline]:
    if probabilities is None:
        return outlines(mask, axis)
    return subvoxel_outlines(mask, probabilities, channel, axis)


def _name(segmentation: Segmentation, names: dict[int, str], axis: int) -> str | None:
    """The plane's name, where the file says how its axes lie in the patient."""
    grid = segmentation.grid
    return names[axis] if grid.unit == "mm" and grid.orientation_known else None
