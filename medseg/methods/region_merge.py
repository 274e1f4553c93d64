"""Merging and spreading on the graph of supervoxels: neighbours with like means belong together."""

import heapq
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.methods.slic import Pieces

__all__ = ["merge_alike", "spread_seeds"]

#: Steps between two looks at cancel.
_OFTEN = 4096


def merge_alike(pieces: Pieces, difference: float, run: Run) -> NDArray[np.int32]:
    """(N + 1,) id of the merged region of each piece, 1 to M in order of the lowest piece in it; entry 0 is 0.

    The two neighbours with the closest means are merged first, and the mean taken anew, until no two neighbours
    differ by `difference` or less (in the values' unit). Ties go to the lower ids.
    """
    means, sizes = pieces.means.copy(), pieces.sizes.astype(np.float64)
    around: list[set[int]] = [set() for _ in means]
    for one, other in pieces.edges.tolist():
        around[one].add(other)
        around[other].add(one)
    parent, age = np.arange(means.size), np.zeros(means.size, np.int64)
    waiting = [(abs(means[one] - means[other]), one, other, 0, 0) for one, other in pieces.edges.tolist()]
    heapq.heapify(waiting)
    done = 0
    while waiting and waiting[0][0] <= difference:
        _, one, other, age_one, age_other = heapq.heappop(waiting)
        if parent[one] != one or parent[other] != other or (age[one], age[other]) != (age_one, age_other):
            continue
        done += 1
        if done % _OFTEN == 0:
            run.check()
        means[one] = (means[one] * sizes[one] + means[other] * sizes[other]) / (sizes[one] + sizes[other])
        sizes[one] += sizes[other]
        parent[other], age[one] = one, age[one] + 1
        _join(around, one, other)
        for near in sorted(around[one]):
            low, high = min(one, near), max(one, near)
            heapq.heappush(waiting, (abs(means[low] - means[high]), low, high, age[low], age[high]))
    for piece in range(parent.size):  # a parent is always lower, so it is final before its children
        parent[piece] = parent[parent[piece]]
    return np.unique(parent, return_inverse=True)[1].astype(np.int32)


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
