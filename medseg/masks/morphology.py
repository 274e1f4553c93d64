"""Morphology with a ball in mm: dilate, erode, open, close; and margins that differ by direction.

The ball is that of exact Euclidean distance between voxel centres, so it is round whatever the spacing; a radius
below the spacing of an axis reaches no neighbour along it, and a grown surface falls short of the continuous one by
about a third of the largest spacing (a shrunk one less). What lies beyond the array is neither inside nor outside.
"""

from dataclasses import astuple, dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.masks.distances import distance_to, require_right_angles
from medseg.masks.fractions import Box, bounds, crop

__all__ = ["Margins", "add_margins", "close_gaps", "dilate", "erode", "grown", "open_necks"]

#: Distances within this relative difference of a radius reach it (they are float32).
SAME_RADIUS = 1e-5


@dataclass(frozen=True, slots=True)
class Margins:
    """How far a mask grows towards each side of the patient, in mm; 0 does not grow."""

    right: float = 0.0
    left: float = 0.0
    anterior: float = 0.0
    posterior: float = 0.0
    superior: float = 0.0
    inferior: float = 0.0

    def __post_init__(self) -> None:
        if not all(np.isfinite(size) and size >= 0 for size in astuple(self)):
            raise InputError(f"margins are 0 mm or more, not {astuple(self)}")


def dilate(mask: NDArray[np.bool_], grid: Grid, radius_mm: float) -> NDArray[np.bool_]:
    """Voxels within a distance of a mask.

    Parameters
    ----------
    mask
        (I, J, K) bool; an empty one stays empty.
    grid
        Its grid.
    radius_mm
        Of the ball (mm; pixels on a `px` grid); those at exactly this distance belong.

    Returns
    -------
    (I, J, K) bool. Memory: a few float32 copies of the mask's box.

    Raises
    ------
    InputError
        If the grid is sheared or the radius is not positive.

    Notes
    -----
    Minkowski sum with a closed ball (Serra 1982, Image Analysis and Mathematical Morphology).

    Examples
    --------
    >>> mask = np.zeros((5, 5, 1), np.bool_)
    >>> mask[2, 2] = True
    >>> int(dilate(mask, Grid((5, 5, 1), np.eye(4)), 1.0).sum())
    5
    """
    _require_radius(radius_mm, grid)
    box = bounds(mask)
    found = mask.copy()
    if box is None:
        return found
    box = grown(box, grid.shape, _reach(grid, radius_mm))
    part, part_grid = crop(mask, grid, box)
    found[box] = distance_to(part, part_grid) <= radius_mm * (1 + SAME_RADIUS)
    return found


def erode(mask: NDArray[np.bool_], grid: Grid, radius_mm: float) -> NDArray[np.bool_]:
    """Voxels of a mask farther than a distance from all that is not in it; `dilate` of the complement, inverted.

    Beyond the array nothing is outside, so what the field of view cuts is not eaten from the cut. Else as `dilate`.
    """
    _require_radius(radius_mm, grid)
    box = bounds(mask)
    found = mask.copy()
    if box is None:
        return found
    # The nearest voxel outside a mask is never farther than the layer around its box.
    box = grown(box, grid.shape, (1, 1, 1))
    part, part_grid = crop(mask, grid, box)
    found[box] = distance_to(~part, part_grid) > radius_mm * (1 + SAME_RADIUS)
    return found


def open_necks(mask: NDArray[np.bool_], grid: Grid, radius_mm: float) -> NDArray[np.bool_]:
    """What a ball that stays inside a mask can reach: `erode`, then `dilate`; never more than the mask."""
    return dilate(erode(mask, grid, radius_mm), grid, radius_mm)


def close_gaps(mask: NDArray[np.bool_], grid: Grid, radius_mm: float) -> NDArray[np.bool_]:
    """A mask with all that a ball outside it can't reach: `dilate`, then `erode`; never less than the mask.

    Beyond the array there is room for the ball, so nothing is filled between a mask and the edge of the image.
    """
    _require_radius(radius_mm, grid)
    box = bounds(mask)
    found = mask.copy()
    if box is None:
        return found
    # Room for the grown mask and a layer outside it; a single slice stays single.
    room = [n + 1 if extent > 1 else 0 for n, extent in zip(_reach(grid, radius_mm), grid.shape, strict=True)]
    part, part_grid = crop(mask, grid, box)
    padded = np.pad(part, [(n, n) for n in room])
    part_grid = replace(part_grid, shape=padded.shape)
    closed = erode(dilate(padded, part_grid, radius_mm), part_grid, radius_mm)
    # A closing stays within the convex hull, so within the box.
    inner = tuple(slice(n, n + size) for n, size in zip(room, part.shape, strict=True))
    found[box] = closed[inner]
    return found


def add_margins(mask: NDArray[np.bool_], grid: Grid, margins: Margins) -> NDArray[np.bool_]:
    """A mask grown by another distance towards each side of the patient.

    Parameters
    ----------
    mask
        (I, J, K) bool; an empty one stays empty.
    grid
        In mm, with known orientation; oblique and sheared grids are handled by their affine. Equal margins work
        on any grid.
    margins
        Semi-axes of the eight octants of the ellipsoid that is set on every voxel centre.

    Returns
    -------
    (I, J, K) bool; with six equal margins exactly `dilate`. Memory: four integers per voxel of the grown box.

    Raises
    ------
    InputError
        If margins differ and directions of the patient are not known.

    Notes
    -----
    The growth of a target volume in radiotherapy with six margins (Stroom and Storchi 1997, Phys Med Biol 42, 745;
    ICRU Report 83), own computation: the element is convex, so along the third axis it is a run for every step
    along the other two, and each run is a difference of cumulated counts.

    Examples
    --------
    >>> mask = np.zeros((7, 1, 1), np.bool_)
    >>> mask[3] = True
    >>> add_margins(mask, Grid((7, 1, 1), np.eye(4)), Margins(right=2.0)).ravel().astype(int).tolist()
    [0, 0, 0, 1, 1, 1, 0]
    """
    sizes = astuple(margins)
    if len(set(sizes)) > 1 and (grid.unit == "px" or not grid.orientation_known):
        raise InputError(
            "margins that differ need to know where right, front and head are, and this mask's file does not say; "
            "give --orientation, or one margin for all sides"
        )
    box = bounds(mask)
    found = mask.copy()
    if box is None or not any(sizes):
        return found
    element = _element(grid, margins)
    reach = tuple(extent // 2 for extent in element.shape)
    box = grown(box, grid.shape, reach)
    found[box] = _sum_of(mask[box], element)
    return found


def grown(box: Box, shape: tuple[int, ...], reach: tuple[int, ...]) -> Box:
    """A box with so many voxels more on both sides of each axis, within an array of this shape."""
    first, second, third = (
        slice(max(0, side.start - n), min(extent, side.stop + n))
        for side, extent, n in zip(box, shape, reach, strict=True)
    )
    return first, second, third


def _require_radius(radius_mm: float, grid: Grid) -> None:
    require_right_angles(grid)
    if not (np.isfinite(radius_mm) and radius_mm > 0):
        raise InputError(f"a radius is positive, not {radius_mm} {grid.unit}")


def _reach(grid: Grid, radius: float) -> tuple[int, ...]:
    return tuple(int(radius * (1 + SAME_RADIUS) / step) for step in grid.spacing)


def _element(grid: Grid, margins: Margins) -> NDArray[np.bool_]:
    """(2a+1, 2b+1, 2c+1) bool: which index steps stay within the margins."""
    towards = np.array([margins.right, margins.anterior, margins.superior])
    away = np.array([margins.left, margins.posterior, margins.inferior])
    corners = np.array(list(product(*zip(-away, towards, strict=True))))
    steps = corners @ np.linalg.inv(grid.affine[:3, :3]).T
    reach = np.minimum(np.floor(np.abs(steps).max(axis=0) * (1 + SAME_RADIUS)).astype(int), grid.shape)
    index = np.moveaxis(np.indices(2 * reach + 1), 0, -1) - reach
    moved = index @ grid.affine[:3, :3].T
    size = np.where(moved > 0, towards, away)
    # Along a side without a margin only rounding is allowed.
    share = moved / np.maximum(size, SAME_RADIUS * min(grid.spacing))
    return np.asarray((share**2).sum(axis=-1) <= (1 + SAME_RADIUS) ** 2)


def _sum_of(mask: NDArray[np.bool_], element: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Minkowski sum of a mask and an element that is one run along the third axis."""
    reach = [extent // 2 for extent in element.shape]
    extents, room = mask.shape, reach[2]
    # How many come before each place along the third axis, with room on both sides for the longest run.
    counts = np.zeros((*extents[:2], extents[2] + 1 + 2 * room), np.int32)
    np.cumsum(mask, axis=2, out=counts[..., room + 1 : room + 1 + extents[2]])
    counts[..., room + 1 + extents[2] :] = counts[..., room + extents[2], None]
    found = np.zeros(extents, np.bool_)
    for i, j in np.argwhere(element.any(axis=2)):
        run = np.flatnonzero(element[i, j]) - room
        stop, start = room - int(run[0]) + 1, room - int(run[-1])
        hit = counts[..., stop : stop + extents[2]] > counts[..., start : start + extents[2]]
        to, of = zip(
            _overlap(int(i) - reach[0], extents[0]), _overlap(int(j) - reach[1], extents[1]), strict=True
        )
        found[to] |= hit[of]
    return found


def _overlap(step: int, extent: int) -> tuple[slice, slice]:
    """(where to, where from) along an axis for a shift by `step`."""
    return slice(max(0, step), max(0, extent + min(0, step))), slice(
        max(0, -step), max(0, extent - max(0, step))
    )
