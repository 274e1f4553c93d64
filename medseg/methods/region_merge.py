"""Merging and spreading on the graph of supervoxels: neighbours with like means belong together."""

import heapq
from collections.abc import Mapping
from itertools import count
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.methods.slic import Pieces

__all__ = ["merge_alike", "spread_seeds"]

#: Steps between two looks at cancel.
_OFTEN = 256
#: Difference of two regions' means, and their ids, lower first.
_Pair: TypeAlias = tuple[float, int, int]
#: Of a region without neighbours: further apart than any.
_NONE: _Pair = (np.inf, 0, 0)


def merge_alike(pieces: Pieces, difference: float, run: Run) -> NDArray[np.int32]:
    """(N + 1,) id of the merged region of each piece, 1 to M in order of the lowest piece in it; entry 0 is 0.

    The two neighbours with the closest means are merged first, and the mean taken anew, until no two neighbours
    differ by `difference` or less (in the values' unit). Ties go to the lower ids.
    """
    regions = _Regions(pieces)
    for done in count():
        if done % _OFTEN == 0:
            run.check()
        if not regions.merge_closest(difference):
            break
    parent = regions.parent
    for piece in range(len(parent)):  # a parent is always lower, so it is final before its children
        parent[piece] = parent[parent[piece]]
    return np.unique(parent, return_inverse=True)[1].astype(np.int32)


class _Regions:
    """Regions while they merge, each with the pair that it makes with its most alike neighbour.

    Only these pairs wait in the queue: a region with thousands of neighbours would fill it with all of its pairs
    whenever it grows. Of the closest pair of all, the region that changed last has put it there.
    """

    def __init__(self, pieces: Pieces) -> None:
        # Lists: a number of NumPy's takes several times as long to compare as one of Python's.
        self.means: list[float] = pieces.means.tolist()
        self.sizes: list[int] = pieces.sizes.tolist()
        self.parent = list(range(len(self.means)))
        self.around: list[set[int]] = [set() for _ in self.means]
        for one, other in pieces.edges.tolist():
            self.around[one].add(other)
            self.around[other].add(one)
        self.waiting: list[_Pair] = []
        self.nearest = [_NONE] * len(self.means)
        for one in self.parent:
            self._look(one)

    def merge_closest(self, difference: float) -> bool:
        """Merge the closest pair, the higher id into the lower; False where none differs by so little."""
        while self.waiting and self.waiting[0][0] <= difference:
            pair = heapq.heappop(self.waiting)
            _, one, other = pair
            if pair in (self.nearest[one], self.nearest[other]):
                self._merge(one, other)
                return True
        return False

    def _merge(self, one: int, other: int) -> None:
        means, sizes = self.means, self.sizes
        means[one] = (means[one] * sizes[one] + means[other] * sizes[other]) / (sizes[one] + sizes[other])
        sizes[one] += sizes[other]
        self.parent[other], self.nearest[other] = one, _NONE
        _join(self.around, one, other)
        for near in self.around[one]:
            pair, before = self._pair(one, near), self.nearest[near]
            if pair <= before:
                self.nearest[near] = pair
            elif one in before[1:] or other in before[1:]:
                self._look(near)
        self._look(one)

    def _look(self, one: int) -> None:
        pair = min([self._pair(one, near) for near in self.around[one]], default=_NONE)
        if pair != self.nearest[one]:
            self.nearest[one] = pair
            heapq.heappush(self.waiting, pair)

    def _pair(self, one: int, other: int) -> _Pair:
        apart = abs(self.means[one] - self.means[other])
        return (apart, one, other) if one < other else (apart, other, one)


def _join(around: list[set[int]], one: int, other: int) -> None:
    for near in around[other]:
        around[near].discard(other)
        if near != one:
            around[near].add(one)
            around[one].add(near)
    around[other].clear()


def spread_seeds(
    pieces: Pieces, seeds: Mapping[int, int], limit: float, run: Run, *, per_length: float = 0.0
) -> NDArray[np.int32]:
    """(N + 1,) label of each piece: that of the seed it is nearest to on the graph, 0 beyond `limit`.

    The way from a piece to its neighbour is the difference of their means and `per_length` times the distance of
    their middles; a longer way is the sum of its steps (Dijkstra). Every piece on it keeps the label, so an object
    is connected to its seeds. Ties go to the lower label.

    Parameters
    ----------
    seeds
        Piece → label; labels of what is no object are negative and spread as well.
    limit
        Longest way from a seed, in the values' unit; 0 gives the pieces that were picked.
    per_length
        The values' unit per mm.
    """
    around: list[list[tuple[int, float]]] = [[] for _ in pieces.means]
    steps = np.abs(np.diff(pieces.means[pieces.edges], axis=1)[:, 0]) + per_length * pieces.lengths
    for (one, other), step in zip(pieces.edges.tolist(), steps.tolist(), strict=True):
        around[one].append((other, step))
        around[other].append((one, step))
    found = np.zeros(pieces.means.size, np.int32)
    waiting = [(0.0, label, piece) for piece, label in seeds.items()]
    heapq.heapify(waiting)
    done = 0
    while waiting:
        way, label, piece = heapq.heappop(waiting)
        if found[piece]:
            continue
        done += 1
        if done % _OFTEN == 0:
            run.check()
        found[piece] = label
        for near, step in around[piece]:
            if not found[near] and way + step <= limit:
                heapq.heappush(waiting, (way + step, label, near))
    return found
