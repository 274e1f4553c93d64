"""How large a structure is and where it lies: counts, volumes, diameters in a plane, centroid, box."""

import numpy as np

from medseg.domain import Grid, Quantity
from medseg.masks import plane_diameters, slice_axis
from medseg.masks.voxels import is_flat, pixel_area, voxel_ml
from medseg.measuring.rows import Rows
from medseg.measuring.structure import NOT_PHYSICAL, SHEARED, Structure, plane_name
from medseg.measuring.tally import Part

__all__ = ["add_count", "add_diameters", "add_place"]

_VOLUME = "voxel count × |det(affine)|: Volume from Voxel Summation, IBSI YEKZ"
_THIN = "voxel count × pixel area × slice thickness: a single slice with a stated thickness"
_NO_THICKNESS = "a single slice without a known thickness has no volume; give --slice-thickness"
_AREA = "pixel count × pixel area"
_CENTROID = "mean of voxel centres, RAS+"
_BOX = "first and last voxel index of the native grid, 0-based, inclusive"
_EXTENT = "voxels from first to last index × spacing"
_DIAMETER = (
    "largest distance between two boundary points (midway between a voxel centre inside and one outside) of "
    "one 8-connected component within one slice"
)
_WIDTH = "longest chord at right angles to the longest diameter, same slice and component"
_INSIDE = "; this one never leaves the component, the free one does"
_AXES = "IJK"
_PLANE = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER, Quantity.LONGEST_INSIDE, Quantity.SHORT_INSIDE)
_CENTRE = (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z)


def volume_factor(grid: Grid) -> float | str:
    """Millilitres of one voxel, or why there are none."""
    factor = voxel_ml(grid)
    if factor is None:
        return NOT_PHYSICAL if grid.unit == "px" else _NO_THICKNESS
    return factor


def add_count(rows: Rows, count: int) -> None:
    """Voxels, volume, and the area of a single slice."""
    grid = rows.grid
    rows.add(Quantity.VOXEL_COUNT, count, method="voxels that carry the label")
    factor = volume_factor(grid)
    if isinstance(factor, str):
        rows.refuse(Quantity.VOLUME, factor)
    else:
        rows.add(Quantity.VOLUME, count * factor, method=_THIN if is_flat(grid) else _VOLUME)
    if is_flat(grid):
        rows.add(Quantity.AREA, count * pixel_area(grid, slice_axis(grid)), method=_AREA)


def add_diameters(rows: Rows, structure: Structure) -> None:
    """Longest diameter in a slice and its perpendicular; where they leave the mask, the inside ones too."""
    grid = structure.grid
    if not rows.wants(_PLANE):
        return
    if grid.is_sheared:
        for quantity in _PLANE[:2]:
            rows.refuse(quantity, SHEARED)
        return
    axis = slice_axis(grid)
    found = plane_diameters(structure.mask, structure.box_grid, axis)
    if found is None:
        return
    index = found.index + structure.box[axis].start
    plane = f"{plane_name(grid, axis)} {'ijk'[axis]}={index}"
    for quantity, value, points, method in (
        (_PLANE[0], found.long, found.long_points, _DIAMETER),
        (_PLANE[1], found.short, found.short_points, _WIDTH),
        (_PLANE[2], found.long_inside, found.long_inside_points, _DIAMETER + _INSIDE),
        (_PLANE[3], found.short_inside, found.short_inside_points, _WIDTH + _INSIDE),
    ):
        if value is not None and points is not None:
            rows.add(quantity, value, method=method, plane=plane, points_mm=as_points(points))


def add_place(rows: Rows, part: Part) -> None:
    """Centroid, box and extent."""
    grid = rows.grid
    box = part.bounds
    if grid.orientation_known:
        for quantity, value in zip(_CENTRE, grid.to_position(part.centroid), strict=True):
            rows.add(quantity, float(value), method=_CENTROID)
    else:
        for quantity in _CENTRE:
            rows.refuse(quantity, "the file does not say how its axes lie in the patient; give --orientation")
    for letter, side in zip(_AXES, box, strict=True):
        rows.add(Quantity[f"BOX_MIN_{letter}"], side.start, method=_BOX)
    for letter, side in zip(_AXES, box, strict=True):
        rows.add(Quantity[f"BOX_MAX_{letter}"], side.stop - 1, method=_BOX)
    for letter, side, step in zip(_AXES, box, grid.spacing, strict=True):
        rows.add(Quantity[f"EXTENT_{letter}"], (side.stop - side.start) * step, method=_EXTENT)


def as_points(
    points: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> tuple[tuple[float, float, float], ...]:
    """Positions as plain numbers."""
    return tuple((float(x), float(y), float(z)) for x, y, z in points)
