"""Seeds: prompts in world coordinates as markers on voxels, and the box around them that is worked in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Choice

from medseg.domain import Finding, Grid, Image, Label, LabelTable, Prompts
from medseg.domain.prompts import Stroke
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.masks.fractions import bounds
from medseg.masks.rasterise import rasterise

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "MOST_VOXELS",
    "Field",
    "Seeds",
    "box_is_background_field",
    "field_of",
    "margin_field",
    "object_table",
    "place_seeds",
    "require_usable",
    "sample_field",
]

#: Table of one object of which nobody said what it is.
FOREGROUND = LabelTable((Label(1, "foreground"),))
#: Marker of a voxel that is no object.
BACKGROUND = -1
#: A box with more voxels than this is worked on in coarser steps.
MOST_VOXELS = 96**3
Box = tuple[slice, slice, slice]


def margin_field(when: str = "") -> Any:
    """Parameter `margin_mm` of a method that works in a box around seeds.

    A box of 91³ voxels of 1 mm, around one point, is still worked on at full resolution (`MOST_VOXELS`).
    """
    text = "how far beyond the seeds the object may reach: size of the box that is worked in."
    return Choice(45.0, ge=0, le=10_000, description=_sentence(when, text), json_schema_extra={"unit": "mm"})


def box_is_background_field(when: str = "") -> Any:
    """Parameter `box_is_background` of such a method."""
    text = "whether the faces of the box around the seeds are background."
    return Choice(default=True, description=_sentence(when, text))


def sample_field(when: str = "") -> Any:
    """Parameter `sample_mm` of a method that learns from the values around seeds."""
    text = "radius around each seed of the values that stand for the object; its neighbours are always among them."
    return Choice(3.0, ge=0, le=100, description=_sentence(when, text), json_schema_extra={"unit": "mm"})


def _sentence(when: str, text: str) -> str:
    return f"{when}: {text}" if when else text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """Markers on a grid.

    Parameters
    ----------
    markers
        (I, J, K) int32: 0 nothing is said, `BACKGROUND` no object, else the object's label.
    allowed
        (I, J, K) bool inside the prompts' boxes: nothing is found outside; None where some object has no box.
    boxes
        Where alone the objects that have boxes may be, by label, where there are several objects.
    """

    markers: NDArray[np.int32]
    allowed: NDArray[np.bool_] | None
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[int, ...]:
        """Objects with a positive seed."""
        return tuple(int(value) for value in np.unique(self.markers) if value > 0)


def place_seeds(prompts: Prompts | None, grid: Grid, method: str) -> Seeds:
    """Markers of prompts on a grid, in the order given: what comes later overwrites what came before.

    A point marks the voxel that holds it; an open stroke all voxels whose centres lie within its radius (at
    least those that it passes through); a closed stroke fills its polygon in the slice it was drawn on. A box
    limits where its object may be, and no other one; the middle of one whose object has no other seed inside is a seed.

    Raises
    ------
    InputError
        If there is no positive seed, or one lies outside the image.
    """
    if prompts is None or prompts.is_empty:
        raise InputError(f"{method} needs seeds: give points, boxes or strokes with --prompts FILE")
    markers = np.zeros(grid.shape, np.int32)
    boxes: dict[int, tuple[Box, ...]] = {}
    seeded = {point.label for point in prompts.points if point.positive}
    seeded |= {stroke.label for stroke in prompts.strokes if stroke.positive}
    for box in prompts.boxes:
        inside = _box_of(np.array([box.low, box.high]), grid)
        boxes[box.label] = (*boxes.get(box.label, ()), inside)
        middle = (np.array(box.low) + np.array(box.high)) / 2
        if box.label not in seeded:
            markers[_voxel(middle, grid, method)] = box.label
    for stroke in prompts.strokes:
        value = stroke.label if stroke.positive else BACKGROUND
        markers[_stroke_mask(stroke, grid, method)] = value
    for point in prompts.points:
        markers[_voxel(np.array(point.position), grid, method)] = (
            point.label if point.positive else BACKGROUND
        )
    if not (markers > 0).any():
        raise InputError(f"{method} needs at least one seed inside the object; these are all outside it")
    objects = seeded | set(boxes)
    return Seeds(
        markers, _inside(boxes, grid) if objects <= set(boxes) else None, boxes if len(objects) > 1 else {}
    )


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The box around seeds, at full or coarser steps, and the way back.

    Parameters
    ----------
    values, markers, usable
        Image values (float32), markers and usable voxels of the box, on `grid`.
    grid
        Grid of the box; spacing is true at any step.
    box, step
        Slices of the whole grid, and voxels per step along each axis (1 is full resolution).
    shape
        Of the whole grid.
    allowed
        Usable voxels of the box at full resolution.
    boxes
        Where alone some objects may be, by label, on the whole grid.
    """

    values: NDArray[np.float32]
    markers: NDArray[np.int32]
    usable: NDArray[np.bool_]
    grid: Grid
    box: Box
    step: tuple[int, int, int]
    shape: tuple[int, int, int]
    allowed: NDArray[np.bool_]
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Says so where the box was coarsened."""
        if self.step == (1, 1, 1):
            return ()
        text = (
            "The box around the seeds is large, so it was worked on in steps of "
            f"{' × '.join(map(str, self.step))} voxels; its boundary is coarser."
        )
        return (Finding("method.coarsened", "warning", text, as_details(step=str(self.step))),)

    def restored(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Labels of the box on the whole grid; outside the box, and where a voxel may not be used, is background."""
        whole = np.zeros(self.shape, labels.dtype)
        extents = [part.stop - part.start for part in self.box]
        fine = labels
        for axis, (step, extent) in enumerate(zip(self.step, extents, strict=True)):
            fine = np.repeat(fine, step, axis=axis).take(np.arange(extent), axis=axis)
        np.copyto(whole[self.box], fine, where=self.allowed)
        for label, boxes in self.boxes.items():
            astray = whole[self.box] == label
            for own in boxes:
                astray[_within(own, self.box)] = False
            whole[self.box][astray] = 0
        return whole


def field_of(
    image: Image, seeds: Seeds, usable: NDArray[np.bool_], margin_mm: float, most: int = MOST_VOXELS
) -> Field:
    """The box around all seeds with a margin, cut by the image and the prompts' boxes; coarsened above `most` voxels.

    The finest axis is coarsened first, so that steps become even in mm. A marker survives coarsening if any
    voxel of its cell has one; an object's marker goes before background.
    """
    box = _around(seeds, image.grid, margin_mm)
    shape = tuple(part.stop - part.start for part in box)
    step = _steps(shape, image.grid.spacing, most)
    low = np.array([part.start for part in box])
    affine = np.array(image.grid.affine)
    affine[:3, 3] = image.grid.to_position(low + (np.array(step) - 1) / 2)
    affine[:3, :3] = affine[:3, :3] * np.array(step)
    allowed = usable[box] if seeds.allowed is None else usable[box] & seeds.allowed[box]
    values = np.nan_to_num(image.array[box].astype(np.float32, copy=False))
    markers = seeds.markers[box]
    used = allowed
    if step != (1, 1, 1):
        values = _cells(values, step).mean(axis=(1, 3, 5))
        used = np.asarray(_cells(allowed, step).any(axis=(1, 3, 5)))
        cells = _cells(markers, step)
        highest, lowest = cells.max(axis=(1, 3, 5)), cells.min(axis=(1, 3, 5))
        markers = np.where(highest > 0, highest, lowest)
    grid = replace(image.grid, shape=values.shape, affine=affine)
    whole = image.grid.shape
    values = np.ascontiguousarray(values, np.float32)
    return Field(values, markers, used, grid, box, step, whole, allowed, seeds.boxes)


def object_table(labels: tuple[int, ...]) -> LabelTable:
    """Table of the objects that have a seed; a single object with label 1 is the foreground.

    >>> [label.name for label in object_table((1, 4)).labels]
    ['object 1', 'object 4']
    """
    if labels == (1,):
        return FOREGROUND
    return LabelTable(tuple(Label(value, f"object {value}") for value in labels))


def require_usable(field: Field, labels: tuple[int, ...], method: str) -> None:
    """Refuse an object none of whose seeds lies on a usable voxel.

    Raises
    ------
    InputError
        Naming the object.
    """
    for label in labels:
        if not (field.usable & (field.markers == label)).any():
            raise InputError(f"{method}: the seeds of object {label} lie outside --within or the boxes")


def _around(seeds: Seeds, grid: Grid, margin_mm: float) -> Box:
    limits = None if seeds.allowed is None else bounds(seeds.allowed)
    seeded = bounds(seeds.markers != 0)
    assert seeded is not None  # noqa: S101 - for the type checker: there is a seed
    found = []
    for axis, used in enumerate(seeded):
        margin = int(np.ceil(margin_mm / grid.spacing[axis]))
        low, high = max(0, used.start - margin), min(grid.shape[axis], used.stop + margin)
        if limits is not None:
            low = min(max(low, limits[axis].start), used.start)
            high = max(min(high, limits[axis].stop), used.stop)
        found.append(slice(low, high))
    return found[0], found[1], found[2]


def _within(inner: Box, outer: Box) -> Box:
    """A box by the indices of another one."""
    parts = [
        slice(max(0, mine.start - theirs.start), max(0, mine.stop - theirs.start))
        for mine, theirs in zip(inner, outer, strict=True)
    ]
    return parts[0], parts[1], parts[2]


def _steps(shape: tuple[int, ...], spacing: tuple[float, float, float], most: int) -> tuple[int, int, int]:
    step = [1, 1, 1]
    while np.prod([-(-n // s) for n, s in zip(shape, step, strict=True)]) > most:
        sizes = [
            spacing[axis] * step[axis] if -(-shape[axis] // step[axis]) > 1 else np.inf for axis in range(3)
        ]
        step[int(np.argmin(sizes))] += 1
    return step[0], step[1], step[2]


def _cells(array: NDArray[Any], step: tuple[int, int, int]) -> NDArray[Any]:
    """(A, s, B, s, C, s): cells of `step` voxels; the last ones repeat the border."""
    pad = [(0, -n % s) for n, s in zip(array.shape, step, strict=True)]
    full = np.pad(array, pad, mode="edge")
    sizes = [part for n, s in zip(full.shape, step, strict=True) for part in (n // s, s)]
    return full.reshape(sizes)


def _voxel(position: NDArray[Any], grid: Grid, method: str) -> tuple[int, int, int]:
    index = np.rint(grid.to_index(position)).astype(int)
    if (index < 0).any() or (index >= grid.shape).any():
        place = ", ".join(f"{number:.1f}" for number in position)
        raise InputError(f"{method}: a seed at ({place}) {grid.unit} lies outside the image")
    return int(index[0]), int(index[1]), int(index[2])


def _box_of(corners: NDArray[Any], grid: Grid) -> Box:
    """The voxels of a box in world coordinates."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    ends = np.array([[low, high][n >> axis & 1][axis] for n in range(8) for axis in range(3)]).reshape(8, 3)
    index = grid.to_index(ends)
    first = np.clip(np.floor(index.min(axis=0) + 0.5), 0, np.array(grid.shape) - 1).astype(int)
    last = np.clip(np.ceil(index.max(axis=0) - 0.5), 0, np.array(grid.shape) - 1).astype(int)
    return slice(first[0], last[0] + 1), slice(first[1], last[1] + 1), slice(first[2], last[2] + 1)


def _inside(boxes: Mapping[int, tuple[Box, ...]], grid: Grid) -> NDArray[np.bool_] | None:
    """The voxels of all boxes; None where there are none."""
    if not boxes:
        return None
    mask = np.zeros(grid.shape, np.bool_)
    for box in (box for own in boxes.values() for box in own):
        mask[box] = True
    return mask


def _stroke_mask(stroke: Stroke, grid: Grid, method: str) -> NDArray[np.bool_]:
    positions = np.array(stroke.positions, dtype=np.float64)
    for position in positions:
        _voxel(position, grid, method)
    mask = np.zeros(grid.shape, np.bool_)
    if stroke.closed:
        index = grid.to_index(positions)
        axis = int(np.argmin(np.ptp(index, axis=0)))
        others = [other for other in range(3) if other != axis]
        plane = rasterise(index[:, others], (grid.shape[others[0]], grid.shape[others[1]]))
        np.moveaxis(mask, axis, 0)[int(np.rint(index[:, axis].mean()))] = plane
        return mask
    for place in _along(positions, min(grid.spacing) / 2):
        _dab(mask, place, stroke.radius_mm, grid)
    return mask


def _along(positions: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Places at most `step` apart along a line through the positions."""
    if len(positions) == 1:
        return positions
    parts = [
        start
        + (end - start) * np.linspace(0, 1, max(2, int(np.linalg.norm(end - start) / step) + 1))[:, None]
        for start, end in pairwise(positions)
    ]
    return np.concatenate(parts)


def _dab(mask: NDArray[np.bool_], place: NDArray[np.float64], radius: float, grid: Grid) -> None:
    index = grid.to_index(place)
    reach = radius / np.array(grid.spacing)
    low = np.clip(np.floor(index - reach), 0, np.array(grid.shape) - 1).astype(int)
    high = np.clip(np.ceil(index + reach), 0, np.array(grid.shape) - 1).astype(int)
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    near = np.linalg.norm(grid.to_position(cells) - place, axis=-1) <= radius
    mask[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] |= near
    centre = np.clip(np.rint(index), 0, np.array(grid.shape) - 1).astype(int)
    mask[tuple(centre)] = True
