"""Counts, boxes and moments of every label in one pass over its runs along the fastest axis of memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.masks import border_mask
from medseg.masks.border import beside

__all__ = ["Box", "Part", "Tally", "tally"]

Box: TypeAlias = tuple[slice, slice, slice]

#: Voxels looked at in one go.
_BLOCK = 1 << 22
#: First index of a value that does not occur.
_NOWHERE_LOW = np.iinfo(np.int64).max
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A union of labels.

    Parameters
    ----------
    count, on_border
        Voxels, and those of them on the border.
    box
        Slices that bound it, or None where it is empty.
    centroid
        (3,) mean index of its voxels; zeros where it is empty.
    covariance
        (3, 3) covariance of the indices of its voxels, ddof 0.
    """

    count: int
    on_border: int
    box: Box | None
    centroid: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def bounds(self) -> Box:
        """The box of a union that is not empty."""
        if self.box is None:
            raise ValueError("an empty structure has no box")
        return self.box


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sums over the voxels of each value of a label array; the first axis of every array is the value.

    Parameters
    ----------
    count, border
        Voxels, and those on the border.
    low, high
        (…, 3) first and last index.
    first, second
        (…, 3) sums of indices; (…, 6) sums of their products ii, jj, kk, ij, ik, jk. Whole numbers in float64,
        exact for grids of up to 2000 voxels a side.
    """

    count: NDArray[np.int64]
    border: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]

    def part(self, values: tuple[int, ...]) -> Part:
        """Numbers of a union of labels; values that do not occur count nothing."""
        known = [value for value in values if value < self.count.size and self.count[value]]
        count = int(self.count[known].sum())
        if not count:
            return Part(0, 0, None, np.zeros(3), np.zeros((3, 3)))
        low, high = self.low[known].min(axis=0), self.high[known].max(axis=0)
        mean = self.first[known].sum(axis=0) / count
        products = self.second[known].sum(axis=0) / count
        covariance = np.empty((3, 3))
        for (one, other), product in zip(_PAIRS, products, strict=True):
            covariance[one, other] = covariance[other, one] = product - mean[one] * mean[other]
        box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
        return Part(count, int(self.border[known].sum()), (box[0], box[1], box[2]), mean, covariance)

    def updated(
        self,
        before: NDArray[Any],
        box: Box,
        labels: NDArray[Any],
        outside: NDArray[np.bool_] | None = None,
    ) -> "Tally":
        """The sums after voxels in a box were changed: those of all voxels, number for number.

        Parameters
        ----------
        before
            Values in the box, of then.
        box
            Slices with start and stop.
        labels
            (I, J, K) whole array, of now.
        outside
            As given to `tally`.

        Notes
        -----
        Whole numbers are taken away and added, so no digit is lost. Cost: the box twice; where a value lost voxels on a
        face of its own box, the slices of that box inwards to the next one that holds it.
        """
        after = labels[box]
        size = max(self.count.size, int(before.max(initial=0)) + 1, int(after.max(initial=0)) + 1)
        was, now = (_tally_of_box(part, box, labels.shape, outside, size) for part in (before, after))
        old = _padded(self, size)
        low, high = np.minimum(old.low, now.low), np.maximum(old.high, now.high)
        count = old.count - was.count + now.count
        found = Tally(
            count,
            old.border - was.border + now.border,
            low,
            high,
            old.first - was.first + now.first,
            old.second - was.second + now.second,
        )
        for value in np.flatnonzero(was.count):
            if value:
                _tighten(found, int(value), was, labels)
        return found


def tally(labels: NDArray[Any], outside: NDArray[np.bool_] | None = None) -> Tally:
    """Count labels (I, J, K) of whole numbers from 0; `outside` marks voxels without a measurement.

    Memory: a block of 4 million voxels with its runs, and one boolean array where there is an `outside`.
    """
    flipped = labels.strides[0] < labels.strides[2]
    view, axes = (labels.T, (2, 1, 0)) if flipped else (labels, (0, 1, 2))
    size = int(labels.max()) + 1
    count = np.zeros(size)
    low = np.full((size, 3), _NOWHERE_LOW, np.int64)
    high = np.full((size, 3), -1, np.int64)
    first, second = np.zeros((size, 3)), np.zeros((size, 6))
    for value, place, length in _runs(view):
        # Along the fastest axis a run is low, low + 1, …; along the others it stays where it is.
        sums, squares = _sums(place[2], length), _squares(place[2], length)
        count += np.bincount(value, length, size)
        for axis, here in zip(axes, place, strict=True):
            np.minimum.at(low[:, axis], value, here)
            np.maximum.at(high[:, axis], value, here if axis != axes[2] else here + length - 1)
            along = sums if axis == axes[2] else here * length
            first[:, axis] += np.bincount(value, along, size)
        for rank, (one, other) in enumerate(_PAIRS):
            a, b = axes.index(one), axes.index(other)
            weights = (
                (squares if a == 2 else place[a] ** 2 * length) if a == b else _mixed(place, length, a, b)
            )
            second[:, rank] += np.bincount(value, weights, size)
    return Tally(count.astype(np.int64), _border_counts(labels, outside, size), low, high, first, second)


def _padded(sums: Tally, size: int) -> Tally:
    """The same sums, with rows for values up to `size` of which there are no voxels."""
    grow = size - sums.count.size
    if not grow:
        return sums

    def rows(array: NDArray[Any], fill: int) -> NDArray[Any]:
        return np.concatenate([array, np.full((grow, *array.shape[1:]), fill, array.dtype)])

    return Tally(
        rows(sums.count, 0),
        rows(sums.border, 0),
        rows(sums.low, _NOWHERE_LOW),
        rows(sums.high, -1),
        rows(sums.first, 0),
        rows(sums.second, 0),
    )


def _tally_of_box(
    part: NDArray[Any],
    box: Box,
    shape: tuple[int, ...],
    outside: NDArray[np.bool_] | None,
    size: int,
) -> Tally:
    """Sums over a box with its voxels at their places in the whole array."""
    sums = _padded(tally(part), size)
    start = np.array([side.start for side in box])
    count = sums.count.astype(np.float64)
    first = sums.first + start * count[:, None]
    second = sums.second.copy()
    for rank, (one, other) in enumerate(_PAIRS):
        second[:, rank] += (
            start[one] * sums.first[:, other]
            + start[other] * sums.first[:, one]
            + start[one] * start[other] * count
        )
    there = sums.high >= 0
    low = np.where(there, sums.low + start, _NOWHERE_LOW)
    high = np.where(there, sums.high + start, -1)
    border = np.bincount(
        part[_border_in_box(box, shape, outside)].astype(np.intp, copy=False), minlength=size
    )
    border[0] = 0
    return Tally(sums.count, border, low, high, first, second)


def _border_in_box(box: Box, shape: tuple[int, ...], outside: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """`border_mask` of the whole array, within a box."""
    grown = tuple(
        slice(max(side.start - 1, 0), min(side.stop + 1, n)) for side, n in zip(box, shape, strict=True)
    )
    inner = tuple(
        slice(side.start - around.start, side.stop - around.start)
        for side, around in zip(box, grown, strict=True)
    )
    border = np.zeros([side.stop - side.start for side in grown], np.bool_)
    if outside is not None and (near := outside[grown]).any():
        border = beside(near)
    found: NDArray[np.bool_] = border[inner]
    for axis, (side, extent) in enumerate(zip(box, shape, strict=True)):
        if extent > 1:
            planes = np.moveaxis(found, axis, 0)
            planes[: max(1 - side.start, 0)] = True
            planes[found.shape[axis] - max(side.stop - extent + 1, 0) :] = True
    return found


def _tighten(sums: Tally, value: int, lost: Tally, labels: NDArray[Any]) -> None:
    """Bring the box of a value in where it lost voxels on a face of it; in place."""
    if not sums.count[value]:
        sums.low[value], sums.high[value] = _NOWHERE_LOW, -1
        return
    for axis in range(3):
        if lost.low[value, axis] == sums.low[value, axis]:
            sums.low[value, axis] += _steps_in(sums, value, labels, axis, 1)
        if lost.high[value, axis] == sums.high[value, axis]:
            sums.high[value, axis] -= _steps_in(sums, value, labels, axis, -1)


def _steps_in(sums: Tally, value: int, labels: NDArray[Any], axis: int, way: int) -> int:
    """Slices without the value from a face of its box inwards, looked at in ever thicker slabs."""
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(sums.low[value], sums.high[value], strict=True))
    planes = np.moveaxis(labels[box], axis, 0)[::way]
    start, thick = 0, 1
    while start < len(planes):
        holds = (planes[start : start + thick] == value).any(axis=(1, 2))
        if holds.any():
            return start + int(np.argmax(holds))
        start, thick = start + thick, thick * 2
    return start


def _runs(view: NDArray[Any]) -> Iterator[tuple[NDArray[Any], list[NDArray[np.int64]], NDArray[np.int64]]]:
    """Runs of one value above 0 along the last axis: value, place of the first voxel, length; by blocks."""
    _, rows, width = view.shape
    step = max(1, _BLOCK // (rows * width))
    for start in range(0, view.shape[0], step):
        flat = view[start : start + step].reshape(-1)
        change = np.empty(flat.size, np.bool_)
        np.not_equal(flat[1:], flat[:-1], out=change[1:])
        change[::width] = True
        begin = np.flatnonzero(change)
        length = np.diff(begin, append=flat.size)
        value = flat[begin]
        used = value > 0
        begin, length, value = begin[used], length[used], value[used]
        row, last = np.divmod(begin, width)
        first, middle = np.divmod(row, rows)
        yield value.astype(np.intp), [first + start, middle, last], length


def _sums(low: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = length * low + length * (length - 1) // 2
    return total


def _squares(low: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    last = length - 1
    total: NDArray[np.int64] = length * low**2 + low * length * last + last * length * (2 * length - 1) // 6
    return total


def _mixed(
    place: list[NDArray[np.int64]], length: NDArray[np.int64], one: int, other: int
) -> NDArray[np.int64]:
    if 2 not in (one, other):
        still: NDArray[np.int64] = place[one] * place[other] * length
        return still
    moving: NDArray[np.int64] = place[min(one, other)] * _sums(place[2], length)
    return moving


def _border_counts(labels: NDArray[Any], outside: NDArray[np.bool_] | None, size: int) -> NDArray[np.int64]:
    """Voxels of each value on the border; without an `outside` the faces alone are looked at."""
    if outside is not None and outside.any():
        border = border_mask((labels.shape[0], labels.shape[1], labels.shape[2]), outside)
        return np.bincount(labels[border].astype(np.intp, copy=False), minlength=size)
    counts = np.zeros(size, np.int64)
    inner = [slice(None)] * 3
    for axis, extent in enumerate(labels.shape):
        if extent == 1:
            continue
        for end in (0, extent - 1):
            face = labels[(*inner[:axis], end, *inner[axis + 1 :])]
            counts += np.bincount(face.ravel().astype(np.intp), minlength=size)
        # What this axis has counted, the next ones leave out.
        inner[axis] = slice(1, extent - 1)
    return counts
