"""The form of a structure: mesh, principal axes, diameters in space, Euler number, share of the border."""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Quantity
from medseg.masks.mesh import MeshNumbers, MeshPatterns, mesh_patterns
from medseg.masks.spans import Span, across, longest
from medseg.masks.voxels import is_flat, pixel_area
from medseg.measuring.rows import Rows
from medseg.measuring.size import as_points
from medseg.measuring.structure import NOT_PHYSICAL, SHEARED, Structure
from medseg.measuring.tally import Part

__all__ = [
    "StructureSurface",
    "add_axes",
    "add_border_count",
    "add_border_share",
    "add_euler",
    "add_form",
    "add_mesh_size",
    "add_spans",
]

#: Planes that are compared with their neighbours in one go.
_PART = 16

_MESH = "marching cubes of the mask at level 0.5 (Lorensen and Cline 1987, patterns as in PyRadiomics)"
_FLAT = "a single slice has no closed surface in space"
_GAPS = "the marching-cubes surface does not close: voxels touch along edges or corners alone, so it has no volume"
_AXIS = "4√λ of the covariance of voxel centres, divided by N, as in PyRadiomics"
_VOLUMES = (Quantity.MESH_VOLUME, Quantity.VOLUME_DIFFERENCE)
_FORMS = (Quantity.SURFACE_AREA, Quantity.SURFACE_TO_VOLUME, Quantity.SPHERICITY)
_SPANS = {
    Quantity.MAXIMUM_DIAMETER_I: "Row",
    Quantity.MAXIMUM_DIAMETER_J: "Column",
    Quantity.MAXIMUM_DIAMETER_K: "Slice",
}
_LENGTHS = (Quantity.MAJOR_AXIS, Quantity.MINOR_AXIS, Quantity.LEAST_AXIS)
_RATIOS = (Quantity.ELONGATION, Quantity.FLATNESS)
_ALL_AXES = (*_LENGTHS, *_RATIOS)
#: Voxel and mesh volume that differ by more, or so few voxels or slices, are told.
LARGE_DIFFERENCE, FEW_VOXELS, FEW_SLICES = 0.05, 64, 5


class StructureSurface:
    """The surface of a structure, worked out once and only if asked for."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure

    @cached_property
    def patterns(self) -> MeshPatterns:
        """Surface cubes in the box."""
        return mesh_patterns(self.structure.mask)

    @cached_property
    def vertices(self) -> NDArray[np.signedinteger[Any]]:
        """Doubled indices of the vertices in the box."""
        found = self.patterns.doubled_vertices()
        if "numbers" in self.__dict__:
            del self.patterns  # nothing else is made of them, and they are as large again
        return found

    @cached_property
    def numbers(self) -> MeshNumbers:
        """Volume, area, Euler number."""
        return self.patterns.numbers(self.structure.affine)


def surface_reason(structure: Structure) -> str | None:
    """Why a structure has no surface in mm, or None when it has one."""
    grid = structure.grid
    if grid.unit == "px":
        return NOT_PHYSICAL
    if is_flat(grid):
        return _FLAT
    return SHEARED if grid.is_sheared else None


def size_reasons(structure: Structure, difference: float, volume: float) -> str:
    """Why voxel and mesh volume are far from exact, as a half sentence; empty where they are not."""
    slices = min(structure.mask.shape)
    reasons = []
    if abs(difference) > LARGE_DIFFERENCE * volume:
        reasons.append(f"they differ by {100 * abs(difference) / volume:.1f} %")
    if structure.part.count < FEW_VOXELS:
        reasons.append(f"only {structure.part.count} voxels")
    if slices < FEW_SLICES:
        reasons.append(f"only {slices} voxels across its shortest extent")
    return ", ".join(reasons)


def add_mesh_size(rows: Rows, surface: StructureSurface) -> None:
    """Mesh volume, and by how much it differs from voxel volume."""
    if not rows.wants(_VOLUMES):
        return
    structure = surface.structure
    reason = surface_reason(structure)
    numbers = None if reason else surface.numbers
    if numbers is not None and numbers.volume <= 0:
        reason = _GAPS
    if reason or numbers is None:
        for quantity in _VOLUMES:
            rows.refuse(quantity, reason or _GAPS)
        return
    voxels = structure.part.count * structure.grid.voxel_volume
    difference = numbers.volume - voxels
    method = "mesh volume (IBSI RNU0) − voxel volume (IBSI YEKZ)"
    if told := size_reasons(structure, difference, voxels):
        method += f"; small or thick-sliced: {told}"
    rows.add(_VOLUMES[0], numbers.volume / 1000, method=f"{_MESH}: Volume of Mesh, IBSI RNU0")
    rows.add(_VOLUMES[1], difference / 1000, method=method)


def add_form(rows: Rows, surface: StructureSurface) -> None:
    """Surface area, its ratio to the mesh volume, and sphericity."""
    reason = surface_reason(surface.structure)
    if reason:
        for quantity in _FORMS:
            rows.refuse(quantity, reason)
    elif rows.wants(_FORMS):
        numbers = surface.numbers
        rows.add(_FORMS[0], numbers.area, method=f"{_MESH}, cut faces counted; IBSI C0JK")
        if numbers.volume <= 0:
            for quantity in _FORMS[1:]:
                rows.refuse(quantity, _GAPS)
        else:
            rows.add(_FORMS[1], numbers.area / numbers.volume, method="area / mesh volume, IBSI 2PR5")
            round_area = (36 * math.pi * numbers.volume**2) ** (1 / 3)
            rows.add(_FORMS[2], round_area / numbers.area, method="(36π V²)^(1/3) / A of the mesh, IBSI QCFX")


def add_euler(rows: Rows, surface: StructureSurface) -> None:
    """Euler number: objects minus tunnels plus cavities."""
    if surface.structure.grid.is_sheared:
        rows.refuse(Quantity.EULER_NUMBER, SHEARED)
    elif rows.wants((Quantity.EULER_NUMBER,)):
        method = "vertices − edges + faces − voxels of the union of closed voxels: 26-connected objects"
        rows.add(Quantity.EULER_NUMBER, surface.numbers.euler, method=method)


def add_spans(rows: Rows, surface: StructureSurface) -> None:
    """Largest distance between vertices of the surface: in space and in planes across each axis."""
    quantities = (Quantity.MAXIMUM_3D_DIAMETER, *_SPANS)
    if reason := surface_reason(surface.structure):
        for quantity in quantities:
            rows.refuse(quantity, reason)
        return
    affine = surface.structure.affine
    if rows.wants(quantities[:1]):
        method = f"largest distance between two vertices: {_MESH}; IBSI L0JK, PyRadiomics Maximum3DDiameter"
        _add_span(rows, quantities[0], longest(surface.vertices, affine), method)
    for axis, (quantity, name) in enumerate(_SPANS.items()):
        if rows.wants((quantity,)):
            method = (
                f"largest distance between two vertices with one index along {'ijk'[axis]}: {_MESH}; "
                f"PyRadiomics Maximum2DDiameter{name} for this axis order"
            )
            _add_span(rows, quantity, across(surface.vertices, affine, axis), method)


def _add_span(rows: Rows, quantity: Quantity, span: Span | None, method: str) -> None:
    if span is not None:
        rows.add(quantity, span.length, method=method, points_mm=as_points(span.points))


def add_axes(rows: Rows, part: Part) -> None:
    """Principal axes from the covariance of voxel centres, and their ratios.

    4√λ is shorter by 2/√5 than the axis of a solid ellipsoid with these moments. A structure
    that is flat along an axis has 0 there, as in PyRadiomics; a single voxel has no ratios.
    """
    if not rows.wants(_ALL_AXES):
        return
    grid = rows.grid
    if grid.is_sheared:
        for quantity in _ALL_AXES:
            rows.refuse(quantity, SHEARED)
        return
    linear = grid.affine[:3, :3]
    values, vectors = np.linalg.eigh(linear @ part.covariance @ linear.T)
    # Rounding can leave a flat structure a little below 0.
    lengths = 4 * np.sqrt(np.where(values > 1e-12 * max(values[-1], 1e-300), values, 0))[::-1]
    centre = grid.to_position(part.centroid)
    flat = is_flat(grid)
    for rank, quantity in enumerate(_LENGTHS):
        if flat and quantity is Quantity.LEAST_AXIS:
            rows.refuse(quantity, "a single slice has no third axis")
            continue
        half = vectors[:, 2 - rank] * lengths[rank] / 2
        ends = np.stack([centre - half, centre + half])
        method = f"{_AXIS}; {_sample_length(rows, part.count, lengths[rank], quantity)}"
        rows.add(quantity, float(lengths[rank]), method=method, points_mm=as_points(ends))
    _add_ratios(rows, lengths, flat=flat)


def _sample_length(rows: Rows, count: int, length: float, quantity: Quantity) -> str:
    """The length as IBSI's reference values have it: they divide the covariance by N − 1."""
    code = quantity.info.ibsi
    if count == 1:
        return f"IBSI {code} divides by N − 1, which a single voxel forbids"
    return f"IBSI {code} divides by N − 1: {length * math.sqrt(count / (count - 1)):.6g} {rows.grid.unit}"


def _add_ratios(rows: Rows, lengths: NDArray[np.float64], *, flat: bool) -> None:
    for rank, quantity in enumerate(_RATIOS, start=1):
        if flat and quantity is Quantity.FLATNESS:
            rows.refuse(quantity, "a single slice has no third axis")
        elif not lengths[0]:
            rows.refuse(quantity, "a single voxel has no axes to compare")
        else:
            method = f"{'minor' if rank == 1 else 'least'} / major axis length, IBSI {quantity.info.ibsi}"
            rows.add(quantity, float(lengths[rank] / lengths[0]), method=method)


def add_border_count(rows: Rows, part: Part) -> None:
    """Voxels on the border."""
    rows.add(Quantity.BORDER_VOXELS, part.on_border, method="labelled voxels on the border")


def add_border_share(rows: Rows, structure: Structure) -> None:
    """Share of the surface (voxel faces) that lies on the border."""
    if not rows.wants((Quantity.BORDER_SHARE,)):
        return
    if structure.grid.is_sheared:
        rows.refuse(Quantity.BORDER_SHARE, SHEARED)
        return
    total = border = 0.0
    for axis, extent in enumerate(structure.grid.shape):
        if extent > 1:
            faces, cut = _faces(structure, axis)
            total += faces * pixel_area(structure.grid, axis)
            border += cut * pixel_area(structure.grid, axis)
    method = (
        "area of voxel faces on the border of the field of view or next to a voxel without measurement / "
        "area of all faces; own"
    )
    if total:
        rows.add(Quantity.BORDER_SHARE, border / total, method=method)
    else:
        rows.refuse(Quantity.BORDER_SHARE, "a single voxel has no faces to compare")


def _faces(structure: Structure, axis: int) -> tuple[int, int]:
    """Faces across an axis between the structure and what is not it, and those of them on the border."""
    mask = np.moveaxis(structure.mask, axis, 0)
    side, extent = structure.box[axis], structure.grid.shape[axis]
    first, last = int(np.count_nonzero(mask[0])), int(np.count_nonzero(mask[-1]))
    faces = first + last + _steps(structure.mask, axis)
    if structure.part.on_border == 0:
        return faces, 0
    cut = first * (side.start == 0) + last * (side.stop == extent)
    if structure.outside is not None:
        cut += _faces_beside(structure.outside, structure, axis, mask[1:] != mask[:-1])
    return faces, cut


def _steps(mask: NDArray[np.bool_], axis: int) -> int:
    """Neighbours along an axis that differ; a part at a time, since where they do is as large as the mask."""
    if mask.strides[0] < mask.strides[2]:  # parts that lie together in memory
        mask, axis = mask.T, 2 - axis
    found = 0
    for start in range(0, len(mask), _PART):
        part = np.moveaxis(mask[start : start + _PART + (axis == 0)], axis, 0)
        found += int(np.count_nonzero(part[1:] != part[:-1]))
    return found


def _faces_beside(
    outside: NDArray[np.bool_], structure: Structure, axis: int, inner: NDArray[np.bool_]
) -> int:
    """Faces across an axis, within the array, with a voxel without measurement on either side."""
    low = [min(1, side.start) for side in structure.box]
    core = tuple(
        slice(None) if other == axis else slice(low[other], low[other] + structure.mask.shape[other])
        for other in range(3)
    )
    beside = np.moveaxis(outside[core], axis, 0)
    mask = np.moveaxis(structure.mask, axis, 0)
    start, count = low[axis], mask.shape[0]
    there = beside[start : start + count]
    found = int((inner & (there[1:] | there[:-1])).sum())
    if start:
        found += int((mask[0] & (beside[0] | there[0])).sum())
    if beside.shape[0] > start + count:
        found += int((mask[-1] & (beside[-1] | there[-1])).sum())
    return found
