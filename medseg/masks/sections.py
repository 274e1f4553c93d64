"""Slices of a mask, their components, and the longest chord between two boundary points of one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.masks.components import label_parts

__all__ = [
    "SAME_LENGTH",
    "Chord",
    "CutPlane",
    "Points",
    "SectionPart",
    "Slice",
    "longest_in",
    "longest_of",
    "parts_of",
    "slices_of",
]

#: Lengths within this relative difference are the same length: rounding of a symmetrical shape.
SAME_LENGTH = 1e-9
#: Up to this many points, all pairs are cheaper than a convex hull.
_FEW = 150
#: Directions in which a component's extent is looked at first, as columns. A diameter is at least the largest
#: extent and at most that over the cosine of half the angle between two directions.
_ANGLES = np.arange(16) * math.pi / 16
_LOOKS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
_WORST = math.cos(math.pi / 32)

Points: TypeAlias = NDArray[np.float64]


class CutPlane:
    """A slicing axis of a grid, with lengths as they are in the world.

    `basis` (2, 2) has in its rows one pixel step along each axis, in right-angled coordinates of the plane.
    """

    def __init__(self, grid: Grid, axis: int) -> None:
        self.grid, self.axis = grid, axis
        self.others = [other for other in range(3) if other != axis]
        first, second = (grid.affine[:3, other] for other in self.others)
        size = float(np.linalg.norm(first))
        along = float(first @ second) / size
        self.basis = np.array([[size, 0.0], [along, float(np.linalg.norm(second - along * first / size))]])
        self.looks = self.basis @ _LOOKS

    def bound(self, shape: tuple[int, ...]) -> float:
        """No chord of a box of pixels is longer than its longer diagonal."""
        (a, _), (skew, b) = self.basis.tolist()
        return math.hypot(a * shape[0] + abs(skew) * shape[1], b * shape[1])

    def positions(self, index: int, points: Points) -> Points:
        """(N, 3) world positions of pixels (N, 2) of a slice."""
        full = np.empty((len(points), 3))
        full[:, self.axis] = index
        full[:, self.others] = points
        return self.grid.to_position(full)


@dataclass(frozen=True, slots=True, eq=False)
class SectionPart:
    """A component of a slice.

    Its box of pixels and the box's low corner; boundary points that may end its diameter, in pixels of the
    box; its largest extent in a few directions.
    """

    index: int
    pixels: NDArray[np.bool_]
    corner: Points
    points: Points
    extent: float

    @property
    def most(self) -> float:
        """No chord of the component is longer."""
        return self.extent / _WORST * (1 + SAME_LENGTH)


@dataclass(frozen=True, slots=True, eq=False)
class Chord:
    """A candidate: its component, length, and ends in the component's pixels."""

    part: SectionPart
    length: float
    ends: Points


Slice: TypeAlias = tuple[int, NDArray[np.bool_], Points]


def slices_of(mask: NDArray[np.bool_], plane: CutPlane) -> list[Slice]:
    """Used slices with their box of pixels and its low corner."""
    used = np.flatnonzero(mask.any(axis=tuple(plane.others)))
    # A view per slice: `np.take` copies the whole mask for each of them where it is not contiguous.
    stack = np.moveaxis(mask, plane.axis, 0)
    return [(int(index), *_cropped(stack[index])) for index in used]


def _cropped(pixels: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Points]:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return part, np.array([rows[0], columns[0]], dtype=np.float64)


def parts_of(item: Slice, plane: CutPlane) -> Iterator[SectionPart]:
    """8-connected components of a slice."""
    index, pixels, corner = item
    if not pixels.any():
        return
    ids, count = label_parts(pixels)
    for number in range(1, count + 1):
        part, low = _cropped(ids == number) if count > 1 else (pixels, np.zeros(2))
        points = _outermost(part)
        seen = points @ plane.looks
        low_end, high_end = seen.min(axis=0), seen.max(axis=0)
        extent = float((high_end - low_end).max())
        # A point that has nothing far enough away in any direction ends no diameter.
        reach = np.maximum(high_end - seen, seen - low_end).max(axis=1)
        far = points[reach >= extent * _WORST * (1 - SAME_LENGTH)]
        yield SectionPart(index, part, corner + low, far, extent)


def longest_of(slices: list[Slice], plane: CutPlane) -> list[Chord]:
    """The longest chords of all slices; several where they are equally long."""
    parts: list[SectionPart] = []
    sure = 0.0
    for item in sorted(slices, key=lambda item: -plane.bound(item[1].shape)):
        if plane.bound(item[1].shape) < sure:
            break
        parts += parts_of(item, plane)
        sure = max((part.extent for part in parts), default=0.0) * (1 - SAME_LENGTH)
    chords = [chord for part in parts if part.most >= sure for chord in longest_in(part, plane)]
    length = max((chord.length for chord in chords), default=0.0)
    return [chord for chord in chords if chord.length >= length * (1 - SAME_LENGTH)]


def longest_in(part: SectionPart, plane: CutPlane) -> list[Chord]:
    """Longest chords of one component."""
    points = part.points
    if len(points) > _FEW:
        from scipy.spatial import ConvexHull

        points = points[ConvexHull(points).vertices]
    flat = points @ plane.basis
    apart = np.hypot(flat[:, None, 0] - flat[None, :, 0], flat[:, None, 1] - flat[None, :, 1])
    length = float(apart.max())
    pairs = np.argwhere(np.triu(apart) >= length * (1 - SAME_LENGTH))
    return [Chord(part, length, points[pair]) for pair in pairs]


def _outermost(component: NDArray[np.bool_]) -> Points:
    """The first and last boundary point of each row and column: the others can't be the ends of a diameter."""
    found = []
    for lines, order in ((component, [0, 1]), (component.T, [1, 0])):
        row = np.flatnonzero(lines.any(axis=1))
        low = lines[row].argmax(axis=1) - 0.5
        high = lines.shape[1] - 0.5 - lines[row, ::-1].argmax(axis=1)
        found += [np.array([row, end]).T[:, order] for end in (low, high)]
    return np.concatenate(found)
