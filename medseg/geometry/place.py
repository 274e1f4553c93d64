"""A mask on a part of a grid, placed on the whole of it: the same voxels, none resampled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid

__all__ = ["place_on"]

#: Voxels count as the same when their centres lie this close (voxels), as for a snapped grid.
NEAR_VOXELS = 0.05


def place_on(array: NDArray[Any], source: Grid, target: Grid) -> NDArray[Any] | None:
    """Values (I, J, K) of `source` on `target`, zero where it has none; None if the voxels are not the target's.

    The source may be a crop, lack empty slices, or store its axes in another order or direction. Nothing is
    interpolated. None too if a voxel that is not zero lies outside the target. Memory: one array of the target.
    """
    if source.unit != target.unit:
        return None
    index_map = np.linalg.inv(target.affine) @ source.affine
    turn = np.rint(index_map[:3, :3])
    if sorted(map(tuple, np.abs(turn).tolist())) != [(0, 0, 1), (0, 1, 0), (1, 0, 0)]:
        return None
    shift = np.rint(index_map[:3, 3])
    corners = source.to_index(source.corners)
    moved = corners @ turn.T + shift
    if np.abs(moved - target.to_index(source.corners)).max() > NEAR_VOXELS:
        return None
    axes = np.abs(turn).argmax(axis=1)
    steps = turn[np.arange(3), axes]
    turned = np.flip(array.transpose(*axes), axis=tuple(int(axis) for axis in np.flatnonzero(steps < 0)))
    start = np.rint(moved.min(axis=0)).astype(int)
    return _pasted(turned, start, target.shape)


def _pasted(array: NDArray[Any], start: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any] | None:
    low = np.maximum(start, 0)
    high = np.minimum(start + array.shape, shape)
    inner = tuple(slice(int(a - s), int(max(a, b) - s)) for a, b, s in zip(low, high, start, strict=True))
    if np.count_nonzero(array) != np.count_nonzero(array[inner]):
        return None
    placed = np.zeros(shape, dtype=array.dtype, order="F")
    placed[tuple(slice(int(a), int(max(a, b))) for a, b in zip(low, high, strict=True))] = array[inner]
    return placed
