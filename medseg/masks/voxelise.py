"""A closed surface to voxels: those whose centres lie inside it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.masks.surfaces import NO_SIZE, Surface

__all__ = ["is_watertight", "voxelise"]

#: So many rows of triangles, or crossings of rays, are worked on at once.
_BLOCK = 1 << 19


def voxelise(surface: Surface, grid: Grid) -> NDArray[np.bool_]:
    """Voxels whose centres lie inside a closed surface.

    A ray along the third array axis runs through each column of voxel centres and changes sides at every
    triangle (even-odd), so a closed surface within another is a hole and the way triangles face does not matter.

    Parameters
    ----------
    surface
        In the world of the grid; parts beyond it are cut off. Its edges may be shared by more than two triangles.
    grid
        In mm; oblique, mirrored and sheared grids are handled by their affine.

    Returns
    -------
    (I, J, K) bool; empty where the surface has no triangles. Memory: one byte per voxel, and blocks of a few
    million crossings.

    Raises
    ------
    InputError
        If the surface is open (an edge belongs to an odd number of triangles), or the grid has no size in mm.

    Notes
    -----
    Own. Every edge is scanned from its lower vertex by number, whichever triangle it belongs to, and rows and
    columns are half-open, as in `rasterise`. So two triangles that share an edge agree to the last bit where it
    crosses a row, each ray crosses a closed surface an even number of times, and vertices on voxel centres (all
    vertices of a measured mesh lie above some) need no exception.

    Examples
    --------
    >>> from medseg.masks.surfaces import surface_of
    >>> mask = np.zeros((4, 4, 4), dtype=np.bool_)
    >>> mask[1:3, 1, 2] = True
    >>> grid = Grid(mask.shape, np.eye(4))
    >>> bool(np.array_equal(voxelise(surface_of(mask, grid), grid), mask))
    True
    """
    if grid.unit != "mm":
        raise InputError(NO_SIZE)
    triangles = _proper(surface.triangles)
    if not _is_even(triangles):
        raise InputError("the surface is open (it has an edge with one side only), so it encloses nothing")
    inside = np.zeros(grid.shape, dtype=np.bool_)
    index = grid.to_index(surface.vertices)
    for places in _crossings(index, triangles, grid.shape):
        found, counts = np.unique(places, return_counts=True)
        inside.reshape(-1)[found[counts % 2 == 1]] ^= True
    return np.logical_xor.accumulate(inside, axis=2, out=inside)


def is_watertight(surface: Surface) -> bool:
    """Whether every edge belongs to an even number of triangles, so that inside and outside are told apart."""
    return _is_even(_proper(surface.triangles))


def _proper(triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """Triangles with three different corners; others are lines and bound nothing."""
    a, b, c = triangles.astype(np.int64).T
    kept: NDArray[np.int64] = triangles[(a != b) & (b != c) & (c != a)].astype(np.int64)
    return kept


def _is_even(triangles: NDArray[np.int64]) -> bool:
    if not len(triangles):
        return True
    ends = np.sort(np.stack([triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()]), axis=0)
    _, counts = np.unique(ends[0] * (int(triangles.max()) + 1) + ends[1], return_counts=True)
    return bool((counts % 2 == 0).all())


def _crossings(
    index: NDArray[np.float64], triangles: NDArray[np.int64], shape: tuple[int, int, int]
) -> Iterator[NDArray[np.int64]]:
    """Flat places where a ray changes sides: the first voxel centre at or beyond each crossing."""
    for rows in _row_blocks(index[:, 0], triangles, shape[0]):
        for row, columns, depth in _runs(index, *rows, shape[1]):
            place = np.clip(np.ceil(depth), 0, shape[2]).astype(np.int64)
            met = place < shape[2]
            yield (row[met] * shape[1] + columns[met]) * shape[2] + place[met]


def _row_blocks(
    first_axis: NDArray[np.float64], triangles: NDArray[np.int64], rows: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(triangles, row of each) for every row that a triangle meets, a block at a time."""
    corners = first_axis[triangles]
    low = np.clip(np.ceil(corners.min(axis=1)), 0, rows).astype(np.int64)
    count = np.clip(np.ceil(corners.max(axis=1)), 0, rows).astype(np.int64) - low
    ends = np.cumsum(count)
    start = 0
    while start < len(triangles):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        part = slice(start, stop)
        which = np.repeat(np.arange(start, stop), count[part])
        before = np.repeat(ends[part] - count[part] - done, count[part])
        yield triangles[which], low[which] + np.arange(len(which)) - before
        start = stop


def _runs(
    index: NDArray[np.float64], triangles: NDArray[np.int64], row: NDArray[np.int64], columns: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """(row, column, depth) of the column centres between the two edges that a row meets."""
    if not len(row):
        return
    column, depth = _on_edges(index, triangles, row)
    near = column.argmin(axis=1)
    pick = np.arange(len(row))
    ends = np.clip(np.ceil(column), 0, columns).astype(np.int64)
    start, stop = ends[pick, near], ends[pick, 1 - near]
    count = stop - start
    total = np.cumsum(count)
    done = 0
    while done < len(row):
        base = total[done - 1] if done else 0
        last = max(done + 1, int(np.searchsorted(total, base + _BLOCK, side="right")))
        item = np.repeat(np.arange(done, last), count[done:last])
        before = np.repeat(total[done:last] - count[done:last] - base, count[done:last])
        at = start[item] + np.arange(len(item)) - before
        yield row[item], at, _between(column[item], depth[item], at)
        done = last


def _on_edges(
    index: NDArray[np.float64], triangles: NDArray[np.int64], row: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Column and depth (N, 2) where a row crosses the two edges of its triangle that meet it."""
    low = np.minimum(triangles, np.roll(triangles, -1, axis=1))
    high = np.maximum(triangles, np.roll(triangles, -1, axis=1))
    first, second = index[low, 0], index[high, 0]
    met = (np.ceil(np.minimum(first, second)) <= row[:, None]) & (
        row[:, None] < np.ceil(np.maximum(first, second))
    )
    # Half-open rows meet two of the three edges of a triangle, or none; argsort puts those two first.
    two = np.argsort(~met, axis=1, kind="stable")[:, :2]
    low, high = np.take_along_axis(low, two, 1), np.take_along_axis(high, two, 1)
    start, step = index[low], index[high] - index[low]
    share = (row[:, None] - start[..., 0]) / step[..., 0]
    return start[..., 1] + share * step[..., 1], start[..., 2] + share * step[..., 2]


def _between(
    column: NDArray[np.float64], depth: NDArray[np.float64], at: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Depth on the line between two points, never beyond them."""
    width = column[:, 1] - column[:, 0]
    share = np.divide(at - column[:, 0], width, out=np.zeros(len(at)), where=width != 0)
    found: NDArray[np.float64] = depth[:, 0] + np.clip(share, 0, 1) * (depth[:, 1] - depth[:, 0])
    return found
