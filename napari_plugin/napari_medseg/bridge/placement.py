"""Where the voxels of a layer lie: on the grid of the scan, and in the window.

napari cuts along the axes of arrays, not along those of the world. So the *array* is brought to the nearest
anatomical order, a view without copying, and gets a scale and a shift only, never a rotation:

- the world of the viewer is RAS+ mm with every axis turned round, in the order (z, y, x): the first axis grows to
  the feet, the second to the back, the third to the patient's left. An axial slice then has the patient's right on
  the left of the screen and the front at the top, a coronal and a sagittal one the head at the top, the slider runs
  from head to feet, and the volume rendering is not mirrored;
- slices that are not parallel to these axes are shown along their own, with the centre of the volume where it
  belongs; `obliqueness` says how far they are turned;
- an image in pixels, or whose file does not say how it lies in the patient, is shown as it is stored.

The way back goes by the index of a voxel and the grid, so what is not shown is not lost: a place in the window is
the true position of the voxel seen there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from napari.utils.transforms import Affine
from numpy.typing import NDArray
from pint import get_application_registry

from medseg.domain import Grid, Image, Segmentation
from medseg.errors import InputError
from medseg.geometry import AxisOrder, order_to

__all__ = [
    "KEY",
    "ORDER",
    "Placement",
    "affine_of",
    "kept_value",
    "mm_per_unit",
    "obliqueness",
    "place_grid",
    "place_layer",
    "placement_like",
    "units_of",
]

#: Names in a layer's metadata: the value that it shows, and the order in which its array is shown.
KEY = "medseg"
ORDER = "medseg axes"

_AS_STORED = AxisOrder((0, 1, 2), (False, False, False))
#: Directions to which array axes (x, y, z) grow in the window.
_SHOWN = "LPI"
_PX_AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Parts of a matrix below this share of its largest one are rounding: napari takes transforms apart and together.
_ROUNDING = 1e-9
#: Corners nearer than this (voxels) are one place.
_SAME_VOXELS = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """How an array on a grid is shown in the window.

    Parameters
    ----------
    grid
        Native grid of the values.
    order
        Leads from the native array to the one shown; its axes reversed (z, y, x) are the layer's.
    matrix
        4×4, index in the layer (z, y, x) → world of the viewer.
    units
        Unit of each axis of that world, as napari names them.
    """

    grid: Grid
    order: AxisOrder
    matrix: NDArray[np.float64]
    units: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the layer (z, y, x)."""
        x, y, z = (self.grid.shape[axis] for axis in self.order.source)
        return z, y, x

    def show(self, array: NDArray[Any]) -> NDArray[Any]:
        """View of a native array (I, J, K) as the layer has it."""
        return self.order.apply(array).transpose(2, 1, 0)

    def restore(self, shown: NDArray[Any]) -> NDArray[Any]:
        """View of a layer's array on the native grid; `restore(show(x))` is `x`."""
        return self.order.undo(shown.transpose(2, 1, 0))

    def restore_box(self, box: tuple[slice, ...]) -> tuple[slice, slice, slice]:
        """The box of the native array that a box (z, y, x) of the layer is."""
        ordered = box[::-1]
        found = [slice(0, 0)] * 3
        for side, old, flip in zip(ordered, self.order.source, self.order.flipped, strict=True):
            extent = self.grid.shape[old]
            found[old] = (
                slice(extent - side.stop, extent - side.start) if flip else slice(side.start, side.stop)
            )
        return found[0], found[1], found[2]

    def position(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """Positions (…, 3) in RAS+ mm (pixels on a `px` grid) of indices (…, 3) in the layer."""
        return self.order.grid(self.grid).to_position(np.asarray(index)[..., ::-1])

    def index(self, world: NDArray[Any], units: tuple[str, ...]) -> NDArray[np.float64]:
        """Indices (…, 3) in the layer of places (…, 3) in the window, given in `units` as another layer has them."""
        mine, theirs = mm_per_unit(self.units), mm_per_unit(units)
        factor = np.ones(3) if mine is None or theirs is None else theirs[-3:] / mine
        inverse = np.linalg.inv(self.matrix)
        index: NDArray[np.float64] = (world * factor) @ inverse[:3, :3].T + inverse[:3, 3]
        return index

    def arguments(self) -> dict[str, Any]:
        """Arguments that give a layer this place; scale and shift alone wherever they say all."""
        linear = self.matrix[:3, :3]
        steps = linear.diagonal()
        labels: dict[str, Any] = {"units": self.units, "axis_labels": ("z", "y", "x")}
        if np.abs(linear - np.diag(steps)).max() > _ROUNDING * np.abs(steps).max() or steps.min() <= 0:
            return {"affine": self.matrix, **labels}
        return {"scale": tuple(steps.tolist()), "translate": tuple(self.matrix[:3, 3].tolist()), **labels}

    def lies_on(self, other: "Placement") -> bool:
        """Whether both layers have the same voxels at the same places of the window."""
        if self.shape != other.shape:
            return False
        last = np.array(self.shape) - 1
        corners = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)]) * last
        world = corners @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return bool(np.abs(other.index(world, self.units) - corners).max() <= _SAME_VOXELS)


def place_grid(grid: Grid) -> Placement:
    """How medseg shows what lies on `grid`.

    >>> shown = place_grid(Grid((4, 4, 4), np.diag([2.0, 2.0, 3.0, 1.0])))
    >>> shown.arguments()["scale"], shown.arguments()["translate"]
    ((3.0, 2.0, 2.0), (-9.0, -6.0, -6.0))
    """
    matrix = np.eye(4)
    if grid.unit == "px" or not grid.orientation_known:
        matrix[:3, :3] = np.diag(grid.spacing[::-1])
        return Placement(grid, _AS_STORED, matrix, _units(grid))
    order = order_to(grid, _SHOWN)
    ordered = order.grid(grid)
    steps = np.array(ordered.spacing[::-1])
    middle = (np.array(ordered.shape) - 1) / 2
    matrix[:3, :3] = np.diag(steps)
    matrix[:3, 3] = -ordered.to_position(middle)[::-1] - steps * middle[::-1]
    return Placement(grid, order, matrix, _units(grid))


def place_layer(shape: tuple[int, ...], meta: Mapping[str, Any]) -> Placement:
    """Where a layer lies as it is in the window now.

    The grid is that of the value the layer was made from, wherever it has been moved since. A layer that medseg did
    not make gets its grid from its whole transform (scale, shift, rotation, shear, affine) and its units: lengths
    become mm; without units, or in pixels, sizes are not to be trusted and the grid is in pixels, as is that of a
    layer of two dimensions, which has no thickness. How it lies in a patient nobody knows.

    Raises
    ------
    InputError
        If the units of its axes are neither all lengths nor all pixels.
    """
    flat = len(shape) == 2
    full = (1, *shape) if flat else shape
    matrix = np.eye(4)
    matrix[3 - len(shape) :, 3 - len(shape) :] = affine_of(meta, len(shape))
    units = units_of(meta, 3)
    try:
        factors = mm_per_unit(units)
    except InputError as error:
        raise InputError(f"layer {meta.get('name')!r}: {error}") from error
    kept = kept_value(meta)
    if kept is not None:
        order = meta["metadata"].get(ORDER) or place_grid(kept.grid).order
        place = Placement(kept.grid, order, matrix, units)
        if place.shape == full:
            return place
    return Placement(_foreign_grid(full, matrix, None if flat else factors), _AS_STORED, matrix, units)


def placement_like(meta: Mapping[str, Any], grid: Grid) -> Placement:
    """Where a layer lies that is known to show what is on `grid`."""
    matrix, scale = np.eye(4), meta.get("scale")
    ndim = 2 if scale is not None and len(scale) == 2 else 3
    matrix[3 - ndim :, 3 - ndim :] = affine_of(meta, ndim)
    order = (meta.get("metadata") or {}).get(ORDER) or place_grid(grid).order
    return Placement(grid, order, matrix, units_of(meta, 3))


def kept_value(meta: Mapping[str, Any]) -> Image | Segmentation | None:
    """The value that medseg made this layer from, if it did."""
    kept = (meta.get("metadata") or {}).get(KEY)
    return kept if isinstance(kept, Image | Segmentation) else None


def affine_of(meta: Mapping[str, Any], ndim: int) -> NDArray[np.float64]:
    """(ndim + 1)² matrix of a layer's whole transform: affine * (rotate * shear * scale + translate)."""
    given = {name: meta[name] for name in ("rotate", "shear") if meta.get(name) is not None}
    scale, shift = (
        np.ones(ndim) if meta.get("scale") is None else meta["scale"],
        np.zeros(ndim) if meta.get("translate") is None else meta["translate"],
    )
    own = Affine(scale=scale, translate=shift, ndim=ndim, **given).affine_matrix
    outer = np.eye(ndim + 1)
    if meta.get("affine") is not None:
        matrix = np.asarray(getattr(meta["affine"], "affine_matrix", meta["affine"]), np.float64)
        outer[-len(matrix) :, -len(matrix) :] = matrix
    whole: NDArray[np.float64] = outer @ own
    return whole


def units_of(meta: Mapping[str, Any], ndim: int) -> tuple[str, ...]:
    """Names of the units of a layer's last `ndim` axes; pixels where it says nothing."""
    given = meta.get("units") or ("pixel",)
    names = (given,) * ndim if isinstance(given, str) else tuple(str(unit) for unit in given)
    return (names[:1] * ndim + names)[-ndim:]


def mm_per_unit(units: tuple[str, ...]) -> NDArray[np.float64] | None:
    """Millimetres in the unit of each axis; None for pixels.

    Raises
    ------
    InputError
        If they are neither all lengths nor all pixels.

    Examples
    --------
    >>> mm_per_unit(("cm", "mm", "um")).tolist(), mm_per_unit(("pixel",) * 3)
    ([10.0, 1.0, 0.001], None)
    """
    found = _mm_per_unit(units)
    return None if found is None else np.array(found)


@cache  # pint takes some ms for what is asked with every prompt and stroke
def _mm_per_unit(units: tuple[str, ...]) -> tuple[float, ...] | None:
    registry = get_application_registry()  # type: ignore[no-untyped-call]
    found = [registry.Unit(unit) for unit in units]
    if all(unit == registry.pixel or unit.dimensionless for unit in found):
        return None
    if not all(unit.is_compatible_with(registry.mm) for unit in found):
        raise InputError(f"units are a length on every axis, or pixels on all, not {', '.join(units)}")
    return tuple(float(registry.Quantity(1.0, unit).to(registry.mm).magnitude) for unit in found)


def obliqueness(grid: Grid) -> float:
    """Largest angle in degrees between an axis of the grid and the axis of the body nearest to it; 0 if unknown.

    >>> obliqueness(Grid((4, 4, 4), np.eye(4)))
    0.0
    """
    if grid.unit == "px" or not grid.orientation_known or not grid.is_oblique:
        return 0.0
    direction = order_to(grid, "RAS").grid(grid).direction
    return float(np.degrees(np.arccos(np.clip(direction.diagonal().min(), -1, 1))))


def _foreign_grid(
    shape: tuple[int, ...], matrix: NDArray[np.float64], mm: NDArray[np.float64] | None
) -> Grid:
    """Grid of a layer (z, y, x) that medseg did not make; `mm` per unit of its world, None for pixels."""
    full: Any = shape[::-1]
    if mm is None:
        return Grid(full, _PX_AFFINE, unit="px", orientation_known=False)
    world = np.diag([*mm, 1.0]) @ matrix
    affine = np.eye(4)
    affine[:3] = -np.column_stack([world[:3, :3][::-1, ::-1], world[:3, 3][::-1]])
    return Grid(full, affine, orientation_known=False)


def _units(grid: Grid) -> tuple[str, ...]:
    return ("mm" if grid.unit == "mm" else "pixel",) * 3
