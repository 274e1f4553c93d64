"""A mask seen from another grid: which share of each of that grid's voxels lies in it."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import GridMismatchError
from medseg.geometry import same_grid
from medseg.geometry.resample import crop_grid

__all__ = ["Box", "bounds", "crop", "fractions", "share_covered"]

#: First and last index along each axis, as slices.
Box: TypeAlias = tuple[slice, slice, slice]

#: Axes of two grids that drift apart by less than this (voxels) over a whole mask are parallel.
PARALLEL_VOXELS = 1e-3
#: An overlap below this share of a voxel is rounding.
LEAST_OVERLAP = 1e-6
#: Points per mask voxel along each axis where grids are oblique to each other, and their bounds.
POINTS_PER_VOXEL = 2.0
FEWEST_POINTS, MOST_POINTS = 4, 12


def fractions(
    mask: NDArray[np.bool_], source_grid: Grid, target_grid: Grid
) -> tuple[NDArray[np.float32], Box]:
    """Share of each voxel of `target_grid` that lies in the mask's voxels.

    On the same grid these are the mask's own 0 and 1. Where axes are parallel (mirrored and permuted ones
    too) the overlap of boxes is integrated exactly; else each target voxel is probed at 64 to 1728 evenly
    spaced points, about two per mask voxel along an axis.

    Parameters
    ----------
    mask
        (I, J, K) bool on `source_grid`.
    source_grid, target_grid
        Grids of one world space; sheared ones too.

    Returns
    -------
    (array, box)
        float32 from 0 to 1 within `box` of the target grid; 0 elsewhere. Empty (0, 0, 0) when no target
        voxel has a share. The sum times the target's voxel volume is the mask's volume where the mask lies
        inside the target grid: to 1e-5 on parallel axes, and to 2 % on oblique ones from some 100 voxels.

    Raises
    ------
    GridMismatchError
        If one grid is in `px` and the other in `mm`.

    Notes
    -----
    Own definition (fractional overlap). Memory: a float32 copy of the mask's box, three coordinates per
    target voxel in the box.

    Examples
    --------
    >>> fine, coarse = Grid((4, 4, 4), np.eye(4)), Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> mask = np.zeros((4, 4, 4), bool)
    >>> mask[0, 0, 0] = True
    >>> float(fractions(mask, fine, coarse)[0].sum() * 8)
    1.0
    """
    if source_grid.unit != target_grid.unit:
        raise GridMismatchError(
            f"a mask in {source_grid.unit} has no share of voxels in {target_grid.unit}: give a spacing first"
        )
    own = bounds(mask)
    if own is None:
        return _nothing()
    if same_grid(source_grid, target_grid):
        return mask[own].astype(np.float32), own
    part, grid = crop(mask, source_grid, own)
    box = _reach(grid, target_grid)
    if box is None:
        return _nothing()
    to_target = np.linalg.inv(target_grid.affine) @ grid.affine
    order = _parallel(to_target, part.shape)
    found = _probed(part, grid, target_grid, box) if order is None else _exact(part, to_target, order, box)
    return _trimmed(found, box)


def share_covered(mask: NDArray[np.bool_], source_grid: Grid, target_grid: Grid) -> float:
    """Share of the mask's voxels whose centre lies in some voxel of `target_grid`; 1 for an empty mask."""
    index = np.argwhere(mask)
    if not len(index):
        return 1.0
    there = target_grid.to_index(source_grid.to_position(index))
    inside = ((there >= -0.5) & (there <= np.array(target_grid.shape) - 0.5)).all(axis=1)
    return float(inside.mean())


def crop(mask: NDArray[Any], grid: Grid, box: Box) -> tuple[NDArray[Any], Grid]:
    """The part of an array in a box, and the grid of that part."""
    return mask[box], crop_grid(grid, box)


def _nothing() -> tuple[NDArray[np.float32], Box]:
    return np.zeros((0, 0, 0), np.float32), (slice(0, 0), slice(0, 0), slice(0, 0))


def bounds(mask: NDArray[np.bool_]) -> Box | None:
    """The box of what is not zero; None for an empty mask. Cost: one pass."""
    box = [slice(None)] * 3
    # Whole slabs in memory first; what is left is small.
    for axis in (2, 1, 0) if mask.flags.f_contiguous else (0, 1, 2):
        part = mask[tuple(box)]
        used = np.flatnonzero(part.any(axis=tuple(other for other in range(3) if other != axis)))
        if not used.size:
            return None
        box[axis] = slice(int(used[0]), int(used[-1]) + 1)
    return box[0], box[1], box[2]


def _reach(grid: Grid, target: Grid) -> Box | None:
    """Target voxels that a grid's outer faces may touch; None when it lies beside the target."""
    last = np.array(grid.shape) - 0.5
    corners = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)]) * (last + 0.5) - 0.5
    index = target.to_index(grid.to_position(corners))
    low = np.maximum(np.floor(index.min(axis=0) + 0.5).astype(int), 0)
    high = np.minimum(np.ceil(index.max(axis=0) - 0.5).astype(int), np.array(target.shape) - 1)
    if (low > high).any():
        return None
    first, second, third = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return first, second, third


def _trimmed(found: NDArray[np.float32], box: Box) -> tuple[NDArray[np.float32], Box]:
    inner = bounds(found > 0)
    if inner is None:
        return _nothing()
    first, second, third = (
        slice(outer.start + part.start, outer.start + part.stop)
        for outer, part in zip(box, inner, strict=True)
    )
    return np.ascontiguousarray(found[inner]), (first, second, third)


def _parallel(to_target: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """For each target axis the mask's axis along it; None where the grids are oblique to each other."""
    size = np.abs(to_target[:3, :3])
    order = tuple(int(axis) for axis in size.argmax(axis=1))
    if len(set(order)) < 3:
        return None
    rest = size.copy()
    rest[range(3), order] = 0
    drift = rest @ np.array(shape)
    return (order[0], order[1], order[2]) if drift.max() < PARALLEL_VOXELS else None


def _exact(
    mask: NDArray[np.bool_], to_target: NDArray[np.float64], order: tuple[int, int, int], box: Box
) -> NDArray[np.float32]:
    """Overlap of boxes, one axis after the other."""
    found: NDArray[Any] = mask.transpose(order).astype(np.float32)
    for axis, source_axis in enumerate(order):
        scale, offset = to_target[axis, source_axis], to_target[axis, 3]
        centres = scale * np.arange(mask.shape[source_axis]) + offset
        places = np.arange(box[axis].start, box[axis].stop)[:, None]
        reach = abs(scale) / 2
        overlap = np.minimum(centres + reach, places + 0.5) - np.maximum(centres - reach, places - 0.5)
        overlap[overlap < LEAST_OVERLAP] = 0
        found = np.moveaxis(np.tensordot(overlap.astype(np.float32), found, axes=(1, axis)), 0, axis)
    shares: NDArray[np.float32] = np.clip(found, 0, 1)
    return shares


def _probed(mask: NDArray[np.bool_], grid: Grid, target: Grid, box: Box) -> NDArray[np.float32]:
    """Share of evenly spaced points of each target voxel that fall into the mask."""
    to_source = np.linalg.inv(grid.affine) @ target.affine
    steps = np.abs(to_source[:3, :3]).max(axis=0)
    counts = np.clip(np.ceil(POINTS_PER_VOXEL * steps), FEWEST_POINTS, MOST_POINTS).astype(int)
    index = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), axis=-1)
    centres = index @ to_source[:3, :3].T + to_source[:3, 3]
    # A layer of nothing around the mask takes what falls beside it.
    padded = np.pad(mask, 1)
    top = np.array(padded.shape) - 1
    hits = np.zeros(centres.shape[:3], np.int32)
    for point in np.ndindex(*(int(count) for count in counts)):
        within = (np.array(point) + 0.5) / counts - 0.5
        place = np.rint(centres + to_source[:3, :3] @ within).astype(np.intp) + 1
        np.clip(place, 0, top, out=place)
        hits += padded[place[..., 0], place[..., 1], place[..., 2]]
    return (hits / int(np.prod(counts))).astype(np.float32)
