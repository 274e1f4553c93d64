"""Clicks as a promptable network sees them: bumps in mm on a window, and the window around what was clicked."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.masks.fractions import Box

__all__ = ["click_map", "window_grid"]

#: Standard deviations along an axis beyond which a bump is 0.
_REACH = 4.0


def click_map(grid: Grid, positions: NDArray[np.float64], radius_mm: float) -> NDArray[np.float32]:
    """exp(−d² ⁄ 2r²) of the distance d in mm to the nearest position; 0 beyond four radii along an axis.

    Parameters
    ----------
    grid
        With axes at right angles, anisotropic and oblique ones too.
    positions
        (n, 3) in mm (pixels on a `px` grid); several that lie in one voxel count as the first of them.
    radius_mm
        r.

    Returns
    -------
    (I, J, K) float32 from 0 to 1; all 0 where there is no position.

    Examples
    --------
    >>> grid = Grid((3, 1, 2), np.diag([1.5, 1, 4, 1]))
    >>> [round(float(value), 4) for value in click_map(grid, np.zeros((1, 3)), 2.0)[:, 0, 0]]
    [1.0, 0.7548, 0.3247]
    """
    found = np.zeros(grid.shape, np.float32)
    if not len(positions):
        return found
    places = grid.to_index(positions)
    _, first = np.unique(np.rint(places).astype(np.int64), axis=0, return_index=True)
    for place in places[np.sort(first)]:
        box, sides = [], []
        for middle, step, extent in zip(place, grid.spacing, grid.shape, strict=True):
            reach = _REACH * radius_mm / step
            low = max(0, int(np.ceil(middle - reach)))
            high = min(extent, int(np.floor(middle + reach)) + 1)
            box.append(slice(low, max(low, high)))
            away = (np.arange(low, max(low, high)) - middle) * step / radius_mm
            sides.append(np.exp(-(away**2) / 2).astype(np.float32))
        bump = sides[0][:, None, None] * sides[1][:, None] * sides[2]
        part = found[box[0], box[1], box[2]]
        np.maximum(part, bump, out=part)
    return found


def window_grid(grid: Grid, box: Box, window: tuple[int, ...]) -> Grid:
    """Cubic voxels along the axes of `grid`, so many as a window has, centred on a box of it and covering it.

    They are no smaller than the smallest side of the grid's own.

    >>> grid = Grid((99, 99, 99), np.diag([1.0, 1.0, 3.0, 1.0]))
    >>> window_grid(grid, (slice(0, 96), slice(0, 9), slice(0, 9)), (48, 48, 48)).spacing
    (2.0, 2.0, 2.0)
    """
    extents = [(side.stop - side.start) * step for side, step in zip(box, grid.spacing, strict=True)]
    needed = [extent / size for extent, size in zip(extents, window, strict=True)]
    step = max(*needed, min(grid.spacing))
    affine = np.array(grid.affine)
    affine[:3, :3] = grid.direction * step
    centre = grid.to_position(np.array([(side.start + side.stop - 1) / 2 for side in box]))
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(window) - 1) / 2)
    first, second, third = window
    return replace(grid, shape=(first, second, third), affine=affine)
