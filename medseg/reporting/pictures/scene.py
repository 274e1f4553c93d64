"""What is drawn: labels and images in display order, planes, slices, view boxes. Knows no drawing library.

Display order is LPS: axis 0 runs to the patient's left, axis 1 to the back, axis 2 to the head. So an axial or
coronal picture has the patient's right on its left side (radiological convention), and a sagittal one the front.
Only flips and permutations lead there; an oblique image is shown on its own axes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, LabelTable, Segmentation
from medseg.domain.segmentation import voxels_with
from medseg.geometry import AxisOrder, order_to, same_grid
from medseg.geometry.resample import covered_by, resample
from medseg.reporting.places import slice_text

__all__ = ["PLANES", "Box", "Scene", "ScenePlane", "make_scene"]

Values = NDArray[np.floating]
#: (left, right, top, bottom) of a picture, in mm or px along the display axes.
Box = tuple[float, float, float, float]
_ENDS = (("R", "L"), ("A", "P"), ("I", "S"))
_WORLD = (("R", "L"), ("A", "P"), ("S", "I"))
#: A view shows this share of the structure's extent around it on each side, but not less than the second (mm).
_MARGIN_SHARE, _MARGIN_MM = 0.5, 25.0
#: Around a lesion's axes a view shows at least this (mm): the lesion counts, and what it lies in.
_POINT_MARGIN_MM = 12.0


@dataclass(frozen=True, slots=True)
class ScenePlane:
    """A picture plane: the display axis across it, those along its columns and rows, and how rows run."""

    name: str
    axis: int
    column: int
    row: int
    rows_down: bool


PLANES = (
    ScenePlane("axial", 2, 0, 1, rows_down=True),
    ScenePlane("coronal", 1, 0, 2, rows_down=False),
    ScenePlane("sagittal", 0, 1, 2, rows_down=False),
)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Labels and images as they are shown; `base` is the grey image under the contours, `pet` the one fused."""

    labels: NDArray[np.unsignedinteger]
    grid: Grid
    native: Grid
    order: AxisOrder
    table: LabelTable
    base: Image | None
    pet: Image | None

    @property
    def planes(self) -> tuple[ScenePlane, ...]:
        """The three planes; of a single slice only its own."""
        thin = [plane for plane in PLANES if self.grid.shape[plane.axis] == 1]
        return tuple(thin[:1]) or PLANES

    @property
    def has_letters(self) -> bool:
        """Whether the axes may carry the patient's directions."""
        return self.grid.unit == "mm" and self.grid.orientation_known

    @property
    def oblique_degrees(self) -> float:
        """Largest angle between an axis of the image and the nearest axis of the patient."""
        cosines = np.abs(self.grid.direction).max(axis=0)
        return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())

    def mask(self, labels: tuple[int, ...]) -> NDArray[np.bool_]:
        """(I, J, K) bool in display order."""
        return voxels_with(self.labels, labels)

    def labels_on(self, plane: ScenePlane, index: int) -> NDArray[np.unsignedinteger]:
        """(rows, columns) labels of one slice."""
        return np.array(np.moveaxis(self.labels, plane.axis, 0)[index].T)

    def values_on(self, image: Image, plane: ScenePlane, index: int) -> Values:
        """(rows, columns) values of one slice, NaN where the image has no voxel; interpolated for display only."""
        if same_grid(image.grid, self.native):
            return np.array(np.moveaxis(self.order.apply(image.array), plane.axis, 0)[index].T, np.float64)

        target = self._slice_grid(plane, index)
        values = resample(image.array, image.grid, target).astype(np.float64)
        values[~covered_by(image.grid, target)] = np.nan
        return np.asarray(values.take(0, axis=plane.axis)).T

    def is_resampled(self, image: Image) -> bool:
        """Whether the image has to be interpolated to lie under the mask."""
        return not same_grid(image.grid, self.native)

    def slice_name(self, plane: ScenePlane, index: int) -> str:
        """Number of a slice as stored, counted from 1, and its position: `slice 58 of 120, S 34.5 mm`."""
        count = self.grid.shape[plane.axis]
        name = slice_text(self.native_index(plane, index), count) if count > 1 else "single slice"
        if not self.has_letters:
            return name
        middle = (np.array(self.grid.shape) - 1) / 2
        middle[plane.axis] = index
        position = float(self.grid.to_position(middle)[plane.axis])
        letter = _WORLD[plane.axis][0 if position >= 0 else 1]
        return f"{name}, {letter} {abs(position):.1f} mm"

    def native_index(self, plane: ScenePlane, index: int) -> int:
        """Index of a slice in the file, from 0."""
        flipped = self.order.flipped[plane.axis]
        return self.grid.shape[plane.axis] - 1 - index if flipped else index

    def letters(self, plane: ScenePlane) -> tuple[str, str, str, str]:
        """Signs at the left, right, top and bottom edge: patient directions, else the array axes, none in px."""
        if self.grid.unit == "px":
            return "", "", "", ""
        ends = _ENDS
        if not self.has_letters:
            ends = tuple(self._axis_ends(axis) for axis in range(3))  # type: ignore[assignment]
        low, high = ends[plane.row]
        return *ends[plane.column], *((low, high) if plane.rows_down else (high, low))

    def largest_section(self, plane: ScenePlane, mask: NDArray[np.bool_]) -> int:
        """Index of the slice with most voxels of `mask`; the middle one of an empty mask."""
        others = tuple(axis for axis in range(3) if axis != plane.axis)
        areas = mask.sum(axis=others)
        return int(areas.argmax()) if areas.any() else self.grid.shape[plane.axis] // 2

    def frame(self, plane: ScenePlane) -> Box:
        """Outer edges of the whole image in a plane."""
        (left, right), (first, last) = (self._edges(axis) for axis in (plane.column, plane.row))
        return (left, right, first, last) if plane.rows_down else (left, right, last, first)

    def view_box(self, plane: ScenePlane, mask: NDArray[np.bool_], aspect: float) -> Box:
        """Part of the image to show: the structure with a margin, widened to `aspect` (width by height)."""
        ends = _ends(mask)
        if ends is None:
            return _widened(self.frame(plane), self.frame(plane), aspect)
        return self._box(plane, (ends[0] - 0.5, ends[1] + 0.5), _MARGIN_MM, aspect)

    def point_box(self, plane: ScenePlane, points: Values, aspect: float) -> Box:
        """Part of the image to show around (N, 3) display indices, closer than around a whole structure."""
        return self._box(plane, (points.min(axis=0), points.max(axis=0)), _POINT_MARGIN_MM, aspect)

    def _box(self, plane: ScenePlane, ends: tuple[Values, Values], least: float, aspect: float) -> Box:
        spacing = np.array(self.grid.spacing)
        low, high = ends[0] * spacing, ends[1] * spacing
        axes = [plane.column, plane.row]
        margin = max(least, _MARGIN_SHARE * float((high - low)[axes].max()))
        (left, right), (first, last) = (
            (
                max(self._edges(axis)[0], low[axis] - margin),
                min(self._edges(axis)[1], high[axis] + margin),
            )
            for axis in axes
        )
        box = (left, right, first, last) if plane.rows_down else (left, right, last, first)
        return _widened(box, self.frame(plane), aspect)

    def slice_through(self, points: Values) -> tuple[ScenePlane, int]:
        """The plane across which (N, 3) display indices vary least, and its slice through their middle."""
        plane = min(self.planes, key=lambda plane: float(np.ptp(points[:, plane.axis])))
        middle = round(float(points[:, plane.axis].mean()))
        return plane, int(np.clip(middle, 0, self.grid.shape[plane.axis] - 1))

    def plane_name(self, plane: ScenePlane) -> str:
        """`Axial`, `Axial (oblique)`, the axis it lies across where directions are not known, or `Image`."""
        if self.grid.unit == "px":
            return "Image"
        if not self.has_letters:
            return f"Plane across {'ijk'[self.order.source[plane.axis]]}"
        return f"{plane.name.capitalize()}{' (oblique)' if self.grid.is_oblique else ''}"

    def _edges(self, axis: int) -> tuple[float, float]:
        spacing = self.grid.spacing[axis]
        return -0.5 * spacing, (self.grid.shape[axis] - 0.5) * spacing

    def _axis_ends(self, axis: int) -> tuple[str, str]:
        name = "ijk"[self.order.source[axis]]
        ends = f"−{name}", f"+{name}"
        return ends[::-1] if self.order.flipped[axis] else ends

    def _slice_grid(self, plane: ScenePlane, index: int) -> Grid:
        start = np.zeros(3)
        start[plane.axis] = index
        affine = np.array(self.grid.affine)
        affine[:3, 3] = self.grid.to_position(start)
        shape = tuple(1 if axis == plane.axis else n for axis, n in enumerate(self.grid.shape))
        return replace(self.grid, shape=shape, affine=affine)  # type: ignore[arg-type]


def make_scene(segmentation: Segmentation, images: Mapping[str, Image]) -> Scene:
    """Scene of a mask and the images it was measured on; the mask's own grid gives the slices."""
    order = order_to(segmentation.grid, "LPS")
    pets = [image for name, image in images.items() if image.is_pet or _is_called_pet(name, image)]
    greys = [image for image in images.values() if image not in pets]
    candidates = sorted(greys or pets, key=lambda image: not same_grid(image.grid, segmentation.grid))
    return Scene(
        labels=order.apply(segmentation.labels),
        grid=order.grid(segmentation.grid),
        native=segmentation.grid,
        order=order,
        table=segmentation.table,
        base=candidates[0] if candidates else None,
        pet=pets[0] if pets and greys else None,
    )


def _ends(mask: NDArray[np.bool_]) -> tuple[Values, Values] | None:
    """First and last index of a mask along each axis, None when it is empty; by projections, to spare memory."""
    ends = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not used.size:
            return None
        ends.append((float(used[0]), float(used[-1])))
    low, high = np.array(ends).T
    return low, high


def _is_called_pet(name: str, image: Image) -> bool:
    return image.modality is None and name.lower() in ("pet", "pt", "suv")


def _widened(box: Box, frame: Box, aspect: float) -> Box:
    """The box with more of the image at its short sides, until its width by height is `aspect` or the image ends."""
    left, right, top, bottom = box
    width, height = abs(right - left), abs(bottom - top)
    if width < height * aspect:
        left, right = _stretched(left, right, height * aspect, (frame[0], frame[1]))
    else:
        top, bottom = _stretched(top, bottom, width / aspect, (frame[2], frame[3]))
    return left, right, top, bottom


def _stretched(start: float, end: float, length: float, limits: tuple[float, float]) -> tuple[float, float]:
    sign = 1.0 if end >= start else -1.0
    low, high = sorted((start, end))
    floor, ceiling = sorted(limits)
    grow = length - (high - low)
    low, high = low - grow / 2, high + grow / 2
    low, high = (low + max(0.0, floor - low), high + max(0.0, floor - low))
    low, high = (low - max(0.0, high - ceiling), high - max(0.0, high - ceiling))
    low = max(low, floor)
    return (low, high) if sign > 0 else (high, low)
