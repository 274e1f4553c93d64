"""Longest and perpendicular diameter of a mask within one slice, with end points on the boundary.

Boundary points lie midway between a voxel centre inside and a face neighbour outside. A chord lies in one
8-connected component of one slice. The free chord runs between any two boundary points; where it leaves the
component, the longest one that stays inside is kept beside it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.masks.across import Across
from medseg.masks.chords import longest_inside, stays_inside
from medseg.masks.sections import (
    SAME_LENGTH,
    Chord,
    CutPlane,
    Points,
    longest_in,
    longest_of,
    parts_of,
    slices_of,
)

__all__ = ["PlaneDiameters", "count_slices", "plane_diameters", "slice_diameters"]


@dataclass(frozen=True, slots=True, eq=False)
class PlaneDiameters:
    """The slice and component with the longest diameter.

    Parameters
    ----------
    axis, index
        Slicing axis and slice.
    long, short
        Lengths in the grid's unit. The long one is the largest distance between two boundary points; the
        short one the longest chord at right angles to it, in the same slice and component. Both are free:
        they may leave the mask on their way.
    long_points, short_points
        (2, 3) world positions of their end points.
    long_inside, short_inside
        Longest chord between two boundary points, and longest chord at right angles to `long`, that never
        leave the component; None where the free chord stays inside already (or the long one was not asked for).
    long_inside_points, short_inside_points
        (2, 3) world positions of their end points, or None.
    """

    axis: int
    index: int
    long: float
    short: float
    long_points: Points
    short_points: Points
    long_inside: float | None = None
    short_inside: float | None = None
    long_inside_points: Points | None = None
    short_inside_points: Points | None = None


def plane_diameters(
    mask: NDArray[np.bool_], grid: Grid, axis: int, *, long_inside: bool = True
) -> PlaneDiameters | None:
    """Longest diameter over all slices along `axis`, and its perpendicular; None for an empty mask.

    Parameters
    ----------
    mask
        (I, J, K) bool. Beyond the array is outside.
    grid
        Its grid; the plane may be anisotropic, oblique or sheared, lengths are those of the world, in the
        grid's unit.
    axis
        Array axis that slices are taken along.
    long_inside
        Where the longest chord leaves the component, also look for the longest one that does not. Costs up to
        a second for a winding component with thousands of boundary points; so it can be left out.

    Notes
    -----
    Of several equally long chords the one that stays inside, then that with the longer perpendicular, then
    the first slice counts: so lengths do not depend on the order of axes. Own definition of boundary points;
    the diameters are those of RECIST 1.1 (Eisenhauer 2009) and RANO (Wen 2010) in one plane.
    Memory: one slice's chords.

    Examples
    --------
    >>> found = plane_diameters(np.ones((5, 1, 1), bool), Grid((5, 1, 1), np.diag([2.0, 3.0, 1, 1])), 2)
    >>> found.long, found.short
    (10.0, 3.0)
    """
    plane = CutPlane(grid, axis)
    return _best(longest_of(slices_of(mask, plane), plane), plane, search=long_inside)


def slice_diameters(
    pixels: NDArray[np.bool_], grid: Grid, axis: int, index: int, *, long_inside: bool = True
) -> PlaneDiameters | None:
    """`plane_diameters` of one slice, given as (A, B) bool: the array's other two axes in their order."""
    plane = CutPlane(grid, axis)
    return _best(longest_of([(index, pixels, np.zeros(2))], plane), plane, search=long_inside)


def count_slices(
    mask: NDArray[np.bool_], grid: Grid, axis: int, *, long: float, short: float, enough: int | None = None
) -> int:
    """Slices along `axis` with a component whose two diameters reach `long` and `short` (free chords).

    Stops at `enough`. An empty mask has none. The rule of RANO 2010 asks for two (Wen 2010).
    """
    plane = CutPlane(grid, axis)
    slices = sorted(slices_of(mask, plane), key=lambda item: -plane.bound(item[1].shape))
    count = 0
    for item in slices:
        if plane.bound(item[1].shape) < long or (enough is not None and count >= enough):
            break
        count += any(
            chord.length >= long and Across.of(chord, plane, look_inside=False).short >= short
            for part in parts_of(item, plane)
            if part.most >= long
            for chord in longest_in(part, plane)
        )
    return count


def _best(chords: list[Chord], plane: CutPlane, *, search: bool) -> PlaneDiameters | None:
    """Of equally long chords the one that stays inside, then the one with the longer perpendicular."""
    if not chords:
        return None
    stays = [stays_inside(chord.part.pixels, chord.ends) for chord in chords]
    if any(stays):
        chords = [chord for chord, stay in zip(chords, stays, strict=True) if stay]
    found = [_measured(chord, plane) for chord in chords]
    chosen = _first_of_longest(found)
    if any(stays) or not search:
        return found[chosen]
    length, ends = longest_inside(chords[chosen].part.pixels, plane.basis)
    points = plane.positions(found[chosen].index, ends + chords[chosen].part.corner)
    return replace(found[chosen], long_inside=length, long_inside_points=points)


def _first_of_longest(found: list[PlaneDiameters]) -> int:
    """Of equally long ones the longest perpendicular, then the longest inside, then the first slice."""
    left = list(range(len(found)))
    for lengths in ([item.short for item in found], [item.short_inside or item.short for item in found]):
        least = max(lengths[n] for n in left) * (1 - SAME_LENGTH)
        left = [n for n in left if lengths[n] >= least]
    return min(left, key=lambda n: found[n].index)


def _measured(chord: Chord, plane: CutPlane) -> PlaneDiameters:
    """A chord with its perpendicular, free and, where that leaves the component, inside."""
    across = Across.of(chord, plane)
    short, short_ends = across.chord(across.spans)
    inner, inner_ends = across.chord(across.inner)
    leaves = inner < short * (1 - 3 * SAME_LENGTH)
    long_points, short_points, inner_points = (
        plane.positions(chord.part.index, ends + chord.part.corner)
        for ends in (chord.ends, short_ends, inner_ends)
    )
    return PlaneDiameters(
        plane.axis,
        chord.part.index,
        chord.length,
        short,
        long_points,
        short_points,
        short_inside=inner if leaves else None,
        short_inside_points=inner_points if leaves else None,
    )
