"""A mask stored in another axis order, or on a part of a grid, placed on it: the same voxels, none resampled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.geometry.compare import GridComparison, compare_grids
from medseg.geometry.orientation import AxisOrder

__all__ = ["match_order", "place_on"]

#: Voxels count as the same when their centres lie this close (voxels), as for a snapped grid.
NEAR_VOXELS = 0.05
_AS_IT_IS = AxisOrder((0, 1, 2), (False, False, False))


def match_order(source: Grid, target: Grid) -> tuple[AxisOrder, GridComparison]:
    """Flips and permutation that bring an array on `source` nearest to `target`, and how the grids then agree.

    Where the axes are not parallel the array stays as it is; the comparison then names the likely fault.
    """
    order = _turn(source, target) or _AS_IT_IS
    return order, compare_grids(target, order.grid(source))


def place_on(array: NDArray[Any], source: Grid, target: Grid) -> NDArray[Any] | None:
    """Values (I, J, K) of `source` on `target`, zero where it has none; None if the voxels are not the target's.

    The source may be a crop, lack empty slices, or store its axes in another order or direction. Nothing is
    interpolated. None too if a voxel that is not zero lies outside the target. Memory: one array of the target.
    """
    if source.unit != target.unit:
        return None
    order = _turn(source, target)
    if order is None:
        return None
    turned = order.grid(source)
    start = np.rint(target.to_index(turned.affine[:3, 3]))
    there = target.to_index(turned.corners)
    if np.abs(start + turned.to_index(turned.corners) - there).max() > NEAR_VOXELS:
        return None
    return _pasted(order.apply(array), start.astype(int), target.shape)


def _turn(source: Grid, target: Grid) -> AxisOrder | None:
    """The order of axes in which `source` runs along `target`; None if that is no flip and permutation."""
    index_map = np.linalg.inv(target.affine) @ source.affine
    turn = np.rint(index_map[:3, :3])
    if sorted(map(tuple, np.abs(turn).tolist())) != [(0, 0, 1), (0, 1, 0), (1, 0, 0)]:
        return None
    axes = np.abs(turn).argmax(axis=1)
    steps = turn[np.arange(3), axes]
    return AxisOrder(tuple(axes.tolist()), tuple((steps < 0).tolist()))


def _pasted(array: NDArray[Any], start: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any] | None:
    low = np.maximum(start, 0)
    high = np.minimum(start + array.shape, shape)
    inner = tuple(slice(int(a - s), int(max(a, b) - s)) for a, b, s in zip(low, high, start, strict=True))
    if np.count_nonzero(array) != np.count_nonzero(array[inner]):
        return None
    placed = np.zeros(shape, dtype=array.dtype, order="F")
    placed[tuple(slice(int(a), int(max(a, b))) for a, b in zip(low, high, strict=True))] = array[inner]
    return placed
