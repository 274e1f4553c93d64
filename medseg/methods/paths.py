"""The seed that every voxel is nearest to, along the cheapest path over faces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run

__all__ = ["CLOSED", "Edges", "cheapest_seed", "neighbours"]

#: Costs of the steps along each axis: shapes (I − 1, J, K), (I, J − 1, K), (I, J, K − 1).
Edges = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
#: Cost of a step that no path may take.
CLOSED = np.float32(np.inf)
#: Costs are counted in this part of one, so that sums are exact and ties are real.
_PART = 8192
#: Beyond any path's cost; two of them still fit into int32.
_FAR = 1 << 29
#: The axes take turns at the front, where a slice is one piece of memory.
_TURN = (1, 2, 0)
#: Share of the voxels below which changes are followed one by one.
_FEW = 0.03


def cheapest_seed(markers: NDArray[np.int32], edges: Edges, run: Run) -> NDArray[np.int32]:
    """Marker that each voxel is reached from at the least cost.

    Parameters
    ----------
    markers
        (I, J, K) int32, 0 where nothing is said.
    edges
        Cost of each step, at least 0; it is rounded to 1/8192. `CLOSED` lets nothing pass. A path may cost up
        to sixty thousand divided by the number of different markers; what lies farther is not reached.
    run
        Polled during each pass.

    Returns
    -------
    (I, J, K) int32; 0 where no path leads. Of markers at equal cost the lowest wins, so neither the order of
    the seeds nor that of the axes matters.

    Notes
    -----
    The fixed point of Bellman's equation by alternating sweeps along the axes (own; the idea is that of
    Zhao 2005, A fast sweeping method for Eikonal equations, Math Comput 74), and at last from voxel to voxel.
    Cost and marker share an integer, so that one minimum carries both. Memory: 32 bytes a voxel.

    Examples
    --------
    >>> line = np.array([1, 0, 0, 0, 2], np.int32)[:, None, None]
    >>> steps = np.array([1, 1, 5, 1], np.float32)[:, None, None]
    >>> none = np.zeros((5, 0, 1), np.float32), np.zeros((5, 1, 0), np.float32)
    >>> cheapest_seed(line, (steps, *none), Run())[:, 0, 0].tolist()
    [1, 1, 1, 2, 2]
    """
    kinds = np.unique(markers[markers != 0])
    if not len(kinds):
        return np.zeros_like(markers)
    share = 1 << int(len(kinds) - 1).bit_length()
    costs = np.where(markers != 0, np.searchsorted(kinds, markers), _FAR).astype(np.int32)
    costs = _settled(costs, [_counted(edges[axis], axis, share) for axis in range(3)], run)
    return np.where(costs < _FAR, kinds[np.minimum(costs % share, len(kinds) - 1)], 0).astype(np.int32)


def neighbours(axis: int) -> tuple[Any, Any]:
    """Index of every voxel but the last along an axis, and of every one but the first: the ends of each step.

    >>> before, after = neighbours(0)
    >>> (np.arange(3)[before[:1]] - np.arange(3)[after[:1]]).tolist()
    [-1, -1]
    """
    before: list[slice] = [slice(None)] * 3
    after: list[slice] = [slice(None)] * 3
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return tuple(before), tuple(after)


def _counted(edge: NDArray[np.float32], axis: int, share: int) -> NDArray[np.int32]:
    """Costs as whole multiples of `share`, with `axis` in front; beyond its last voxel nothing is reached."""
    front = edge.transpose(*((axis + turn) % 3 for turn in range(3)))
    counted = np.full((len(front) + 1, *front.shape[1:]), _FAR, np.int32)
    capped = np.minimum(front * np.float32(_PART), np.float32(_FAR // share))
    np.multiply(np.rint(capped, out=capped).astype(np.int32), np.int32(share), out=counted[:-1])
    return counted


def _settled(costs: NDArray[np.int32], edges: list[NDArray[np.int32]], run: Run) -> NDArray[np.int32]:
    """Sweep while that changes many voxels, then follow the last changes."""
    while True:
        before = costs.copy()
        for edge in edges:
            _sweep(costs, edge, run)
            costs = np.ascontiguousarray(costs.transpose(_TURN))
        fell = np.flatnonzero(before != costs)
        del before
        if len(fell) <= _FEW * costs.size:
            return _followed(costs, edges, fell, run)


def _sweep(costs: NDArray[np.int32], edges: NDArray[np.int32], run: Run) -> None:
    through = np.empty(costs.shape[1:], np.int32)
    last = len(costs) - 1
    for there, here, step in [
        *((k, k + 1, k) for k in range(last)),
        *((k + 1, k, k) for k in reversed(range(last))),
    ]:
        if here % 32 == 0:
            run.check()
        np.add(costs[there], edges[step], out=through)
        np.minimum(costs[here], through, out=costs[here])


def _followed(
    costs: NDArray[np.int32], edges: list[NDArray[np.int32]], fell: NDArray[np.intp], run: Run
) -> NDArray[np.int32]:
    """Tell neighbours of what fell, and theirs, until nothing falls: a winding way is followed, not swept for."""
    flat, steps = costs.ravel(), []
    for axis, edge in enumerate(edges):
        ordered = np.ascontiguousarray(edge.transpose(*((turn - axis) % 3 for turn in range(3))))
        steps.append((int(np.prod(costs.shape[axis + 1 :])), ordered.ravel()))
    while len(fell):
        run.check()
        fallen = []
        for stride, price in steps:
            # A step back from the first voxel wraps around to the last one's step, which leads nowhere.
            for step, there in ((fell, fell + stride), (fell - stride, fell - stride)):
                cost = flat[fell] + price[step]
                ahead = np.flatnonzero(cost < _FAR)
                ahead = ahead[cost[ahead] < flat[there[ahead]]]
                flat[there[ahead]] = cost[ahead]
                fallen.append(there[ahead])
        fell = np.unique(np.concatenate(fallen))
    return costs
