"""Values of a structure, each with how often it occurs: what statistics of intensities are worked out from."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sample", "sample_of"]

#: Values turned into float64 in one go.
_BLOCK = 1 << 20
#: Whole numbers of so many bytes are counted instead of kept: a body's voxels have a few thousand values.
_COUNTED_BYTES = 2


@dataclass(frozen=True, eq=False)
class Sample:
    """A set of values.

    Parameters
    ----------
    values
        (N,) finite numbers.
    counts
        (N,) how often each occurs; None is once each.
    """

    values: NDArray[Any]
    counts: NDArray[np.int64] | None = None

    @cached_property
    def size(self) -> int:
        """How many values there are, repeated ones as often as they occur."""
        return self.values.size if self.counts is None else int(self.counts.sum())

    @cached_property
    def mean(self) -> float:
        """Of all values."""
        return self.total(lambda block: block) / self.size

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """(N,) how many values there are up to each, itself among them."""
        return np.cumsum(np.ones(self.values.size, np.int64) if self.counts is None else self.counts)

    def blocks(self) -> Iterator[tuple[NDArray[np.float64], Any]]:
        """Values and how often each occurs (1 for once each), a block at a time, as they are held."""
        for start in range(0, self.values.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            yield self.values[part].astype(np.float64), 1 if self.counts is None else self.counts[part]

    def total(self, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
        """Sum of a function over all values, in float64."""
        return sum(float((of(block) * counts).sum()) for block, counts in self.blocks())

    def sorted(self) -> "Sample":
        """In ascending order; sorted in place where the array is writeable and contiguous, else copied."""
        if self.counts is not None:
            order = np.argsort(self.values, kind="stable")
            return Sample(self.values[order], self.counts[order])
        own = self.values.flags.writeable and self.values.flags.c_contiguous
        values = self.values if own else self.values.copy()
        values.sort()
        return Sample(values)

    def at(self, place: int) -> float:
        """The value at a place, from 0, of a sorted sample."""
        if self.counts is None:
            return float(self.values[place])
        return float(self.values[np.searchsorted(self._ends, place, "right")])

    def between(self, low: float, high: float) -> "Sample":
        """Values from `low` to `high`, both among them, of a sorted sample.

        Found by Python's search: NumPy's would turn all values into float64 first.
        """
        part = slice(bisect_left(self.values, low), bisect_right(self.values, high))
        counts = None if self.counts is None else self.counts[part]
        return replace(self, values=self.values[part], counts=counts)


def sample_of(parts: Iterable[NDArray[Any]], dtype: np.dtype[Any], count: int) -> Sample:
    """The finite values of arrays of one type, which hold `count` values at most; counted where they are few."""
    if dtype.kind in "iu" and dtype.itemsize <= _COUNTED_BYTES:
        return _counted(parts, dtype)
    found, size = np.empty(count, dtype), 0
    for part in parts:
        finite = part[np.isfinite(part)] if dtype.kind == "f" else part
        found[size : size + finite.size] = finite
        size += finite.size
    return Sample(found[:size])


def _counted(parts: Iterable[NDArray[Any]], dtype: np.dtype[Any]) -> Sample:
    """Sorted by value. Parts are gathered before they are counted, since counting costs as much for few as for many."""
    limits = np.iinfo(dtype)
    low, kinds = int(limits.min), int(limits.max) - int(limits.min) + 1
    counts = np.zeros(kinds, np.int64)
    waiting: list[NDArray[Any]] = []

    def count() -> None:
        if waiting:
            counts[:] += np.bincount(np.concatenate(waiting).astype(np.int64) - low, minlength=kinds)
            waiting.clear()

    for part in parts:
        waiting.append(part)
        if sum(one.size for one in waiting) >= _BLOCK:
            count()
    count()
    seen = np.flatnonzero(counts)
    return Sample((seen + low).astype(dtype), counts[seen])
