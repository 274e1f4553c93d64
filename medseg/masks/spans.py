"""Largest distances between vertices of a mask's surface: in space, and within planes across the array axes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Span", "across", "longest"]

#: Directions tried in a half turn: a figure's diameter exceeds its widest extent by at most 1/cos(π/32).
_TURNS = 16
_SLACK = 1 / np.cos(np.pi / (2 * _TURNS)) + 1e-9
#: Up to so many points every pair is looked at.
_ALL_PAIRS = 600
#: Vertices looked at in one go: all at once would take many times what they take themselves.
_CHUNK = 1 << 16
#: Up to so many points of a plane a hull costs more than it saves.
_FEW = 64

#: (N, 3) twice the fractional index of vertices.
Vertices: TypeAlias = NDArray[np.signedinteger[Any]]


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


def longest(doubled: Vertices, affine: NDArray[np.float64]) -> Span | None:
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
    best = _guess(doubled, affine)
    low, high = (
        pick([pick(_positions(chunk, affine), axis=0) for chunk in _chunks(doubled)], axis=0)
        for pick in (np.min, np.max)
    )
    middle = (low + high) / 2

    def reach(chunk: Vertices) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.linalg.norm(_positions(chunk, affine) - middle, axis=1)
        return found

    farthest = max(float(reach(chunk).max()) for chunk in _chunks(doubled))
    # Both ends together reach as far as their distance, and neither further than the farthest point.
    least = best.length - farthest - 1e-9 * best.length
    doubled = np.concatenate([chunk[reach(chunk) >= least] for chunk in _chunks(doubled)])
    for axis in range(3):
        doubled = _line_ends(doubled, axis)
    return _farthest(_hull(_positions(doubled, affine)))


def across(doubled: Vertices, affine: NDArray[np.float64], axis: int) -> Span | None:
    """Largest distance between two vertices with one index along `axis`; None when there are none.

    Parameters are those of `longest`. Planes through voxel centres and midway between them both count, as in
    PyRadiomics' Maximum2DDiameter (Slice, Column, Row for the axes k, j, i of an image in its stored order).
    """
    if not len(doubled):
        return None
    doubled = doubled[np.argsort(doubled[:, axis], kind="stable")]
    starts = np.flatnonzero(np.diff(doubled[:, axis], prepend=doubled[:1, axis] - 1))
    ends = np.append(starts[1:], len(doubled))
    bounds = _widths(doubled, starts, affine, axis) * _SLACK
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


def _positions(doubled: Vertices, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    positions: NDArray[np.float64] = doubled @ (affine[:3, :3].T / 2) + affine[:3, 3]
    return positions


def _chunks(doubled: Vertices) -> Iterator[Vertices]:
    return (doubled[start : start + _CHUNK] for start in range(0, len(doubled), _CHUNK))


def _line_ends(doubled: Vertices, axis: int) -> Vertices:
    """Vertices without those that lie between two others on a line along an axis."""
    shifted = doubled.astype(np.int64) - doubled.min(axis=0)
    size = int(shifted.max()) + 1
    line = sum(shifted[:, other] * size**rank for rank, other in enumerate(o for o in range(3) if o != axis))
    order = np.argsort(line * size + shifted[:, axis])
    new = np.ones(len(order), np.bool_)
    new[1:] = np.diff(line[order]) != 0
    kept: Vertices = doubled[order[new | np.append(new[1:], True)]]
    return kept


def _corners(doubled: Vertices, axis: int) -> Vertices:
    """Corners of the convex hull of vertices in one plane, in their order; all where they are few or on a line."""
    from scipy.spatial import ConvexHull, QhullError

    if len(doubled) <= _FEW:
        return doubled
    try:
        hull = ConvexHull(np.delete(doubled, axis, axis=1).astype(np.float64))
    except QhullError:
        return doubled
    corners: Vertices = doubled[np.sort(hull.vertices)]
    return corners


def _widths(
    doubled: Vertices, starts: NDArray[np.intp], affine: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    """(planes,) widest extent of each plane's vertices, which stand together, over the directions tried."""
    first, second = (affine[:3, other] for other in range(3) if other != axis)
    u = first / np.linalg.norm(first)
    v = second - (second @ u) * u
    v /= np.linalg.norm(v)
    widest = np.zeros(len(starts))
    ends = np.append(starts[1:], len(doubled))
    plane = 0
    while plane < len(starts):
        last = max(plane + 1, int(np.searchsorted(ends, starts[plane] + _CHUNK, side="right")))
        flat = _positions(doubled[starts[plane] : ends[last - 1]], affine) @ np.stack([u, v], axis=1)
        inner = starts[plane:last] - starts[plane]
        for angle in np.arange(_TURNS) * np.pi / _TURNS:
            reach = flat @ np.array([np.cos(angle), np.sin(angle)])
            width = np.maximum.reduceat(reach, inner) - np.minimum.reduceat(reach, inner)
            np.maximum(widest[plane:last], width, out=widest[plane:last])
        plane = last
    return widest


def _guess(doubled: Vertices, affine: NDArray[np.float64]) -> Span:
    """A distance that is nearly the largest: the best of the extreme points in 49 directions."""
    ends = [_extremes(_positions(chunk, affine)) for chunk in _chunks(doubled)]
    return _farthest(_extremes(np.concatenate(ends)))


def _extremes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The extreme points in 49 directions, each once."""
    chosen = set()
    for direction in _directions():  # one at a time: all at once are many times as large as the points
        reach = points @ direction
        chosen |= {int(reach.argmax()), int(reach.argmin())}
    return points[sorted(chosen)]


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
    rows = max(1, _ALL_PAIRS**2 // len(points))
    for start in range(0, len(points), rows):
        block = slice(start, start + rows)
        distance = squares[block, None] + squares - 2 * points[block] @ points.T
        row, column = divmod(int(distance.argmax()), len(points))
        if distance[row, column] > best:
            best, pair = float(distance[row, column]), (start + row, column)
    ends = points[list(pair)]
    return Span(float(np.linalg.norm(ends[1] - ends[0])), ends)
