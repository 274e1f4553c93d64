"""Outlines of a mask, slice by slice: closed polygons on the edges of its voxels, or between their centres."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid

__all__ = ["Outline", "margin_of", "outlines", "plane_axes", "slice_axis", "subvoxel_outlines"]

#: An axis this many times coarser than the others is the one slices were taken along.
COARSER = 1.2
_PLANES = {"R": "sagittal", "L": "sagittal", "A": "coronal", "P": "coronal", "S": "axial", "I": "axial"}


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One closed polygon of one slice.

    Parameters
    ----------
    index
        Slice along the slicing axis.
    points
        (N, 3) fractional voxel indices; the first point is not repeated.
    is_hole
        Whether it bounds a hole.
    """

    index: int
    points: NDArray[np.float64]
    is_hole: bool


def slice_axis(grid: Grid) -> int:
    """Array axis that slices are taken along: a single slice's, the one at least 1.2 times coarser, else foot–head."""
    for axis, extent in enumerate(grid.shape):
        if extent == 1:
            return axis
    order = sorted(range(3), key=lambda axis: grid.spacing[axis])
    if grid.spacing[order[2]] >= COARSER * grid.spacing[order[1]]:
        return order[2]
    letters = grid.orientation
    return next(axis for axis in range(3) if letters[axis] in "SI")


def plane_axes(grid: Grid) -> dict[str, int]:
    """Array axis across each of the planes `axial`, `coronal` and `sagittal`; of a single slice only its own.

    An oblique image has its own planes: each is named for the nearest one of the patient.

    >>> plane_axes(Grid((9, 9, 9), np.diag([-1.0, -1.0, 2.0, 1.0])))
    {'axial': 2, 'coronal': 1, 'sagittal': 0}
    """
    found = {_PLANES[letter]: axis for axis, letter in enumerate(grid.orientation)}
    thin = [axis for axis, extent in enumerate(grid.shape) if extent == 1]
    return {name: axis for name, axis in sorted(found.items()) if not thin or axis == thin[0]}


def outlines(mask: NDArray[np.bool_], axis: int) -> Iterator[Outline]:
    """Polygons of every slice along `axis`, on the edges of voxels, holes included.

    Voxels that touch only by a corner belong to separate polygons. The polygons' area is the mask's, exactly.
    """
    used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    others = [other for other in range(3) if other != axis]
    for index in used:
        plane = np.moveaxis(mask, axis, 0)[index]
        for polygon, is_hole in _edge_polygons(plane):
            points = np.empty((len(polygon), 3))
            points[:, axis] = index
            points[:, others] = polygon
            yield Outline(int(index), points, is_hole)


def margin_of(
    probabilities: NDArray[np.floating], channel: int, mask: NDArray[np.bool_]
) -> NDArray[np.floating]:
    """By how much a label wins over the best other one: positive inside its mask, negative outside.

    With two channels that sum to 1 the level 0 of the margin is the level 0.5 of the probability. Where the mask
    says otherwise (it was edited, or small parts were removed), the mask is believed: the margin is ±1 there.

    Parameters
    ----------
    probabilities
        (C, …) with background first.
    channel
        Of the label.
    mask
        (…) bool: the label's voxels.

    Notes
    -----
    Own definition. Memory: three arrays of the mask's shape.
    """
    others = np.delete(probabilities, channel, axis=0).max(axis=0)
    margin = probabilities[channel] - others
    agrees = np.where(mask, margin > 0, margin < 0)
    return np.where(agrees, margin, np.where(mask, 1, -1).astype(margin.dtype))


def subvoxel_outlines(
    mask: NDArray[np.bool_], probabilities: NDArray[np.floating], channel: int, axis: int
) -> Iterator[Outline]:
    """Polygons of every slice along `axis` where the label's margin is 0, linear between voxel centres.

    Every voxel centre of the mask lies inside, every other outside, so the topology is the mask's. At the border
    of the array polygons close on the voxels' outer edge or within it.

    Parameters
    ----------
    mask, probabilities, channel
        As for `margin_of`: (I, J, K) and (C, I, J, K).
    axis
        Array axis across the slices.

    Notes
    -----
    Marching squares (scikit-image's `find_contours`); diagonal neighbours stay apart, as in `outlines`.
    """
    from skimage.measure import find_contours

    others = [other for other in range(3) if other != axis]
    for index in np.flatnonzero(mask.any(axis=tuple(others))):
        plane = np.moveaxis(mask, axis, 0)[index]
        margin = margin_of(np.moveaxis(probabilities, axis + 1, 0)[index], channel, plane)
        padded = np.pad(margin.astype(np.float64), 1, constant_values=-1.0)
        for polygon in find_contours(padded, 0.0, fully_connected="low", positive_orientation="high"):
            points = np.empty((len(polygon) - 1, 3))
            points[:, axis] = index
            points[:, others] = polygon[:-1] - 1
            yield Outline(int(index), points, _signed_area(polygon[:-1]) < 0)


def _edge_polygons(plane: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.float64], bool]]:
    """Follow the directed edges between inside and outside pixels, inside always on the left."""
    follows = _directed_edges(plane)
    while follows:
        start, ends = next(iter(follows.items()))
        previous, here = start, ends.pop()
        if not ends:
            del follows[start]
        corners = [start]
        while here != start:
            corners.append(here)
            options = follows[here]
            step = _turn(previous, here, options)
            options.remove(step)
            if not options:
                del follows[here]
            previous, here = here, step
        polygon = _without_straight(np.array(corners, dtype=np.float64) - 0.5)
        yield polygon, _signed_area(polygon) < 0


def _directed_edges(plane: NDArray[np.bool_]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    padded = np.pad(plane, 1)
    inner = padded[1:-1, 1:-1]
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    # Neighbour offset → corners (start, end) relative to the pixel's low corner, counter-clockwise in (a, b).
    sides = {
        (0, -1): ((0, 0), (1, 0)),
        (1, 0): ((1, 0), (1, 1)),
        (0, 1): ((1, 1), (0, 1)),
        (-1, 0): ((0, 1), (0, 0)),
    }
    for (da, db), (begin, end) in sides.items():
        shifted = padded[1 + da : padded.shape[0] - 1 + da, 1 + db : padded.shape[1] - 1 + db]
        for a, b in np.argwhere(inner & ~shifted).tolist():
            edges.setdefault((a + begin[0], b + begin[1]), []).append((a + end[0], b + end[1]))
    return edges


def _turn(
    previous: tuple[int, int], here: tuple[int, int], options: list[tuple[int, int]]
) -> tuple[int, int]:
    """At a corner where two polygons meet, turn left: so that diagonal neighbours stay apart."""
    if len(options) == 1:
        return options[0]
    along = (here[0] - previous[0], here[1] - previous[1])
    left = (here[0] - along[1], here[1] + along[0])
    return left if left in options else options[0]


def _without_straight(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    before = polygon - np.roll(polygon, 1, axis=0)
    after = np.roll(polygon, -1, axis=0) - polygon
    bends = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    kept: NDArray[np.float64] = polygon[bends]
    return kept


def _signed_area(polygon: NDArray[np.float64]) -> float:
    a, b = polygon.T
    return float((a * np.roll(b, -1) - b * np.roll(a, -1)).sum() / 2)
