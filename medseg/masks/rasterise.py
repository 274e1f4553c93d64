"""Polygons to pixels: a pixel belongs to a polygon when its centre does, by the even-odd rule."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["rasterise"]


def rasterise(polygon: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centres lie inside a closed polygon.

    Parameters
    ----------
    polygon
        (N, 2) fractional pixel indices (a, b) in array-axis order, centres at whole numbers; the first point
        need not be repeated. Fewer than three points give an empty mask.
    shape
        (A, B) of the mask.

    Returns
    -------
    (A, B) bool. Even-odd: a keyhole's two-way bridge cancels itself, so holes stay holes. A centre exactly
    on an edge belongs to one side only, so that polygons which share an edge share no pixel (own).
    Memory: one int32 array of the shape, and one number per row that an edge crosses.

    Examples
    --------
    >>> rasterise(np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]), (4, 4)).sum()
    np.int64(4)
    """
    rows, columns = shape
    if len(polygon) < 3:
        return np.zeros(shape, dtype=np.bool_)
    start, end = polygon, np.roll(polygon, -1, axis=0)
    low = np.minimum(start[:, 0], end[:, 0])
    high = np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(high), 0, rows).astype(np.int64)
    count = last - first
    edge = np.repeat(np.arange(len(polygon)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (end[edge, 1] - start[edge, 1]) / (end[edge, 0] - start[edge, 0])
    crossing = start[edge, 1] + (row - start[edge, 0]) * slope
    place = np.clip(np.ceil(crossing), 0, columns).astype(np.int64)
    turns = np.bincount(row * (columns + 1) + place, minlength=rows * (columns + 1))
    inside: NDArray[np.bool_] = np.cumsum(turns.reshape(rows, columns + 1), axis=1)[:, :-1] % 2 == 1
    return inside
