"""Largest distances between vertices of a mask's surface: in space, and within planes across the array axes."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Span", "across", "longest"]

#: Directions tried in a half turn: a figure's diameter exceeds its widest extent by at most 1/cos(π/32).
_TURNS = 16
_SLACK = 1 / np.cos(np.pi / (2 * _TURNS)) + 1e-9
#: Up to so many points every pair is looked at.
_ALL_PAIRS = 600
#: Up to so many points of a plane a hull costs more than it saves.
_FEW = 64


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The two vertices that lie farthest apart.

    Parameters
    ----------
    length
        In the affine's unit.
    points
        (2, 3) positions.
    """

    length: float
    points: NDArray[np.float64]


def longest(doubled: NDArray[np.int32], affine: NDArray[np.float64]) -> Span | None:
    """Largest distance between any two vertices of a surface; None when there are none.

    Parameters
    ----------
    doubled
        (N, 3) twice the fractional index of every vertex, from `MeshPatterns.doubled_vertices`.
    affine
        4×4, index → position.

    Notes
    -----
    PyRadiomics' Maximum3DDiameter. Exact: only points that cannot win are left out.
    """
    if not len(doubled):
        return None
    for axis in range(3):
        doubled = _line_ends(doubled, axis)
    points = _positions(doubled, affine)
    best = _guess(points)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    reach = np.linalg.norm(points - middle, axis=1)
    # Both ends together reach as far as their distance, and neither further than the farthest point.
    points = points[reach >= best.length - reach.max() - 1e-9 * best.length]
    return _farthest(_hull(points))


def across(doubled: NDArray[np.int32], affine: NDArray[np.float64], axis: int) -> Span | None:
    """Largest distance between two vertices with one index along `axis`; None when there are none.

    Parameters are those of `longest`. Planes through voxel centres and midway between them both count, as in
    PyRadiomics' Maximum2DDiameter (Slice, Column, Row for the axes k, j, i of an image in its stored order).
    """
    if not len(doubled):
        return None
    order = np.argsort(doubled[:, axis], kind="stable")
    doubled = doubled[order]
    starts = np.flatnonzero(np.diff(doubled[:, axis], prepend=doubled[0, axis] - 1))
    ends = np.append(starts[1:], len(doubled))
    points = _positions(doubled, affine)
    bounds = _widths(points, starts, affine, axis) * _SLACK
    best: Span | None = None
    for plane in np.argsort(-bounds, kind="stable"):
        if best is not None and bounds[plane] <= best.length:
            break
        rows = slice(starts[plane], ends[plane])
        ends_here = doubled[rows]
        for other in range(3):
            if other != axis:
                ends_here = _line_ends(ends_here, other)
        found = _farthest(_positions(_corners(ends_here, axis), affine))
        best = found if best is None or found.length > best.length else best
    return best


def _positions(doubled: NDArray[np.int32], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    positions: NDArray[np.float64] = doubled @ (affine[:3, :3].T / 2) + affine[:3, 3]
    return positions


def _line_ends(doubled: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """Vertices without those that lie between two others on a line along an axis."""
    shifted = (doubled - doubled.min(axis=0)).astype(np.int64)
    size = int(shifted.max()) + 1
    line = sum(shifted[:, other] * size**rank for rank, other in enumerate(o for o in range(3) if o != axis))
    order = np.argsort(line * size + shifted[:, axis])
    new = np.ones(len(order), np.bool_)
    new[1:] = np.diff(line[order]) != 0
    kept: NDArray[np.int32] = doubled[order[new | np.append(new[1:], True)]]
    return kept


def _corners(doubled: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """Corners of the convex hull of vertices in one plane, in their order; all where they are few or on a line."""
    from scipy.spatial import ConvexHull, QhullError

    if len(doubled) <= _FEW:
        return doubled
    try:
        hull = ConvexHull(np.delete(doubled, axis, axis=1).astype(np.float64))
    except QhullError:
        return doubled
    corners: NDArray[np.int32] = doubled[np.sort(hull.vertices)]
    return corners


def _widths(
    points: NDArray[np.float64], starts: NDArray[np.intp], affine: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    """(planes,) widest extent of each plane's vertices over the directions tried."""
    first, second = (affine[:3, other] for other in range(3) if other != axis)
    u = first / np.linalg.norm(first)
    v = second - (second @ u) * u
    v /= np.linalg.norm(v)
    widest = np.zeros(len(starts))
    flat = points @ np.stack([u, v], axis=1)
    for angle in np.arange(_TURNS) * np.pi / _TURNS:
        reach = flat @ np.array([np.cos(angle), np.sin(angle)])
        width = np.maximum.reduceat(reach, starts) - np.minimum.reduceat(reach, starts)
        np.maximum(widest, width, out=widest)
    return widest


def _guess(points: NDArray[np.float64]) -> Span:
    """A distance that is nearly the largest: the best of the extreme points in 49 directions."""
    chosen = set()
    for direction in _directions():  # one at a time: all at once are many times as large as the points
        reach = points @ direction
        chosen |= {int(reach.argmax()), int(reach.argmin())}
    return _farthest(points[sorted(chosen)])


def _directions() -> list[NDArray[np.float64]]:
    """Directions of whole steps up to 2 along each axis, each once and without its opposite."""
    steps = (np.array(step) for step in product(range(-2, 3), repeat=3) if step > (0, 0, 0))
    return [step / np.linalg.norm(step) for step in steps if np.gcd.reduce(step) == 1]


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the convex hull; the points themselves where they are few or lie in a plane."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points) <= _ALL_PAIRS:
        return points
    try:
        hull: NDArray[np.float64] = points[ConvexHull(points).vertices]
    except QhullError:
        return points
    return hull


def _farthest(points: NDArray[np.float64]) -> Span:
    """Try every pair, a block of rows at a time."""
    best, pair = -1.0, (0, 0)
    squares: Any = (points**2).sum(axis=1)
    for start in range(0, len(points), _ALL_PAIRS):
        block = slice(start, start + _ALL_PAIRS)
        distance = squares[block, None] + squares - 2 * points[block] @ points.T
        row, column = divmod(int(distance.argmax()), len(points))
        if distance[row, column] > best:
            best, pair = float(distance[row, column]), (start + row, column)
    ends = points[list(pair)]
    return Span(float(np.linalg.norm(ends[1] - ends[0])), ends)
