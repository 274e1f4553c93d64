"""The boundary of a planar component as points and segments, and where a chord runs inside it.

The boundary is that of marching squares at level 0.5 on the mask: it passes midway between a pixel centre
inside and a face neighbour outside. Where two pixels touch by a corner only they are joined, as 8-connected
components are (Lorensen & Cline's method in the plane; the choice at ambiguous cells is our own).
All coordinates here are pixel indices of the plane.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["edge_points", "edge_segments", "inside", "longest_inside", "runs_inside", "stays_inside"]

Points = NDArray[np.float64]

#: Boundary points between which a chord inside is looked for; all pairs of more would not fit into memory.
MOST_POINTS = 2500
#: Points this close (pixels) to the boundary lie on it.
ON_BOUNDARY = 1e-9
#: Points, and at first pairs of points, looked at together in the search for a chord that stays inside.
_ROWS, _BATCH = 512, 2048

# Corners of a cell are bits: (0, 0) 1, (1, 0) 2, (0, 1) 4, (1, 1) 8. Mid-edges of the cell:
_LOW_B, _HIGH_B, _LOW_A, _HIGH_A = (0.5, 0.0), (0.5, 1.0), (0.0, 0.5), (1.0, 0.5)
#: Case → segments; every case has a first one, the diagonals (6, 9) a second, which cut off their outside corners.
_FIRST = {
    1: (_LOW_B, _LOW_A),
    2: (_LOW_B, _HIGH_A),
    3: (_LOW_A, _HIGH_A),
    4: (_LOW_A, _HIGH_B),
    5: (_LOW_B, _HIGH_B),
    6: (_LOW_B, _LOW_A),
    7: (_HIGH_A, _HIGH_B),
    8: (_HIGH_A, _HIGH_B),
    9: (_LOW_B, _HIGH_A),
    10: (_LOW_B, _HIGH_B),
    11: (_LOW_A, _HIGH_B),
    12: (_LOW_A, _HIGH_A),
    13: (_LOW_B, _HIGH_A),
    14: (_LOW_B, _LOW_A),
}
_SECOND = {6: (_HIGH_A, _HIGH_B), 9: (_LOW_A, _HIGH_B)}
_NONE = ((0.0, 0.0), (0.0, 0.0))
_FIRST_TABLE = np.array([_FIRST.get(case, _NONE) for case in range(16)])
_SECOND_TABLE = np.array([_SECOND.get(case, _NONE) for case in range(16)])


def edge_points(component: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, 2) boundary points: midway between a pixel centre inside and a face neighbour outside.

    Beyond the array is outside. An empty component gives none.

    >>> edge_points(np.ones((1, 1), bool)).tolist()
    [[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]]
    """
    padded = np.pad(component, 1)
    found = []
    for axis in (0, 1):
        along = np.argwhere(np.diff(padded, axis=axis)).astype(np.float64) - 1
        along[:, axis] += 0.5
        found.append(along)
    return np.concatenate(found)


def edge_segments(component: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(M, 2, 2) straight pieces of the boundary, holes included; none for an empty component."""
    cells = _cells(np.pad(component, 1))
    found = []
    for table, used in (
        (_FIRST_TABLE, (cells > 0) & (cells < 15)),
        (_SECOND_TABLE, (cells == 6) | (cells == 9)),
    ):
        corners = np.argwhere(used).astype(np.float64) - 1
        found.append(corners[:, None, :] + table[cells[used]])
    return np.concatenate(found)


def _cells(padded: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Case number of every cell between four pixel centres."""
    bits = padded.astype(np.uint8)
    cells: NDArray[np.uint8] = bits[:-1, :-1] + 2 * bits[1:, :-1] + 4 * bits[:-1, 1:] + 8 * bits[1:, 1:]
    return cells


def inside(component: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(…,) bool: points (…, 2) within the boundary or on it. Points may lie up to half a pixel outside."""
    padded = np.pad(component, 2)
    cell = np.floor(points).astype(np.intp)
    u, v = np.moveaxis(points - cell, -1, 0)
    a, b = np.moveaxis(cell + 2, -1, 0)
    corners = [padded[a, b], padded[a + 1, b], padded[a, b + 1], padded[a + 1, b + 1]]
    away = [u + v, 1 - u + v, u + 1 - v, 2 - u - v]  # city-block distance to each corner
    count = np.sum(corners, axis=0)
    near = np.any([c & (d <= 0.5 + ON_BOUNDARY) for c, d in zip(corners, away, strict=True)], axis=0)
    cut = np.any([~c & (d < 0.5 - ON_BOUNDARY) for c, d in zip(corners, away, strict=True)], axis=0)
    result: NDArray[np.bool_] = np.where(count <= 1, near, ~cut)
    beside = count == 2
    if beside.any():
        result = np.where(beside, _half_plane(corners, u, v, ~cut), result)
    return result


def _half_plane(
    corners: list[NDArray[np.bool_]], u: NDArray[Any], v: NDArray[Any], otherwise: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Inside of a cell with two neighbouring corners; on a diagonal `otherwise`."""
    low, high = 0.5 + ON_BOUNDARY, 0.5 - ON_BOUNDARY
    sides = [
        (corners[0] & corners[1], v <= low),
        (corners[2] & corners[3], v >= high),
        (corners[0] & corners[2], u <= low),
        (corners[1] & corners[3], u >= high),
    ]
    found: NDArray[np.bool_] = np.select([pair for pair, _ in sides], [side for _, side in sides], otherwise)
    return found


def runs_inside(component: NDArray[np.bool_], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, 2) stretches of a chord that lie inside, as fractions of its length; exact, not sampled.

    `ends` (2, 2) are its end points. All pieces of any boundary lie on four families of lines (half steps
    along both axes, and their diagonals), so between two crossings of these the chord is all in or all out.
    """
    (a0, b0), (a1, b1) = ends
    stops = [np.array([0.0, 1.0])]
    for start, end, shift in ((a0, a1, 0), (b0, b1, 0), (a0 + b0, a1 + b1, 1), (a0 - b0, a1 - b1, 1)):
        # Levels are multiples of a half for the axes, odd multiples for the diagonals.
        low, high = sorted((2 * start, 2 * end))
        levels = np.arange(np.ceil(low), np.floor(high) + 1)
        if shift:
            levels = levels[levels % 2 == 1]
        if abs(end - start) > ON_BOUNDARY:
            stops.append((levels / 2 - start) / (end - start))
    fractions = np.unique(np.clip(np.concatenate(stops), 0.0, 1.0))
    length = float(np.hypot(a1 - a0, b1 - b0))
    wide = np.diff(fractions) * length > ON_BOUNDARY
    low_ends, high_ends = fractions[:-1][wide], fractions[1:][wide]
    middles = ends[0] + ((low_ends + high_ends) / 2)[:, None] * (ends[1] - ends[0])
    within = inside(component, middles)
    change = np.diff(np.concatenate([[False], within, [False]]).astype(np.int8))
    first, last = np.flatnonzero(change == 1), np.flatnonzero(change == -1) - 1
    return np.stack([low_ends[first], high_ends[last]], axis=1)


def stays_inside(component: NDArray[np.bool_], ends: Points) -> bool:
    """Whether a chord (2, 2) never leaves the component; it may touch the boundary."""
    runs = runs_inside(component, ends)
    return len(runs) == 1 and float(runs[0, 1] - runs[0, 0]) > 1 - ON_BOUNDARY


def longest_inside(component: NDArray[np.bool_], basis: Points) -> tuple[float, Points]:
    """Longest chord between two boundary points that stays inside, and its ends in pixels.

    A look at the middle rules most pairs out; the rest is tried by falling length. Of a component with more than
    `MOST_POINTS` boundary points (noise: no organ has as many) only an even share of them is tried.
    """
    points = edge_points(component)
    points = points[:: -(-len(points) // MOST_POINTS)]
    flat = points @ basis
    pairs = _middle_inside(component, points)
    apart = np.hypot(*(flat[pairs[:, 0]] - flat[pairs[:, 1]]).T)
    order = np.argsort(-apart, kind="stable")
    start, stop = 0, _BATCH
    while start < len(order):
        batch = order[start:stop]
        for number in batch[_seem_inside(component, points[pairs[batch]])]:
            if stays_inside(component, points[pairs[number]]):
                return float(apart[number]), points[pairs[number]]
        start, stop = stop, 4 * stop
    # Thinned points of noise may not see each other; a boundary point and itself always do.
    return 0.0, points[[0, 0]]


def _middle_inside(component: NDArray[np.bool_], points: Points) -> NDArray[np.int32]:
    """(N, 2) pairs of boundary points whose middle is inside: looked up, as middles lie on quarter pixels."""
    quarters = [np.arange(4 * extent + 1) / 4 - 0.5 for extent in component.shape]
    table = inside(component, np.stack(np.meshgrid(*quarters, indexing="ij"), axis=-1)).ravel()
    # Middles add up as flat indices too.
    places = ((2 * points + 1) @ [len(quarters[1]), 1]).astype(np.intp)
    found = []
    for start in range(0, len(points), _ROWS):
        rows = table[places[start : start + _ROWS, None] + places[None, start + 1 :]]
        first, second = np.nonzero(np.triu(rows))
        found.append(np.stack([first + start, second + start + 1], axis=1).astype(np.int32))
    return np.concatenate(found)


def _seem_inside(component: NDArray[np.bool_], chords: Points) -> NDArray[np.intp]:
    """Numbers of the chords (N, 2, 2) that are inside at about every pixel: the rest needs no exact look."""
    left: NDArray[np.intp] = np.arange(len(chords))
    count = 1 << max(component.shape).bit_length()
    # Bits reversed: coarse steps first, so that most chords are gone after a few looks.
    for share in np.argsort([int(f"{n:b}"[::-1].ljust(16, "0"), 2) for n in range(count)]):
        if not left.size:
            break
        start, end = chords[left, 0], chords[left, 1]
        left = left[inside(component, start + (share + 0.5) / count * (end - start))]
    return left
