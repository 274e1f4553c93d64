"""Distances from a mask: exact, Euclidean, between voxel centres, in the unit of the grid."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to

__all__ = ["depth_of", "distance_to", "require_right_angles", "signed_distance"]


def distance_to(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float32]:
    """Distance of every voxel centre to the nearest one of a mask.

    Parameters
    ----------
    mask
        (I, J, K) bool.
    grid
        Its grid; anisotropic and oblique ones too.

    Returns
    -------
    (I, J, K) float32 in mm (pixels on a `px` grid), 0 in the mask; infinite everywhere if it is empty. What lies
    beyond the array counts for nothing.

    Raises
    ------
    InputError
        If the grid is sheared.

    Notes
    -----
    Exact Euclidean distance transform (Felzenszwalb and Huttenlocher 2012; numerics by edt) in the axis order
    nearest to RAS, so that rounding does not depend on how a file is stored. Memory: three float32 copies.

    Examples
    --------
    >>> mask = np.zeros((3, 1, 2), np.bool_)
    >>> mask[0, 0, 0] = True
    >>> distance_to(mask, Grid((3, 1, 2), np.diag([1.5, 1, 4, 1])))[2].tolist()
    [[3.0, 5.0]]
    """
    require_right_angles(grid)
    order = order_to(grid)
    return np.ascontiguousarray(order.undo(depth_of(~order.apply(mask), order.grid(grid).spacing)))


def depth_of(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """Distance of every voxel centre of a mask to the nearest one outside it, in the unit of the spacing.

    Parameters
    ----------
    mask
        (I, J, K) bool, in the order of axes that it is to be worked in.
    spacing
        Length per step along each axis.

    Returns
    -------
    (I, J, K) float32, 0 outside the mask; infinite if it is full, since what lies beyond the array counts for
    nothing.
    """
    import edt

    if mask.all():
        return np.full(mask.shape, np.inf, np.float32)
    # On a slice the axis of one voxel is left out: edt takes a hundred times as long on many lines of one.
    wide = [axis for axis, extent in enumerate(mask.shape) if extent > 1]
    kept = wide if len(wide) > 1 else range(mask.ndim)
    flat = np.ascontiguousarray(mask).reshape([mask.shape[axis] for axis in kept])
    found = edt.edt(flat, anisotropy=tuple(spacing[axis] for axis in kept), black_border=False, parallel=1)
    return np.asarray(found, np.float32).reshape(mask.shape)


def signed_distance(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float32]:
    """Distance to the other side of a mask's boundary: positive inside, negative outside, never 0.

    As `distance_to`; +∞ everywhere for a full mask, −∞ for an empty one.
    """
    if not mask.any():
        return np.full(grid.shape, -np.inf, np.float32)
    inside = distance_to(~mask, grid)
    return np.where(mask, inside, -distance_to(mask, grid))


def require_right_angles(grid: Grid) -> None:
    """Refuse a sheared grid: distances along its axes are not those of the world.

    Raises
    ------
    InputError
        Naming what to do.
    """
    if grid.is_sheared:
        raise InputError(
            "the grid is sheared (tilted gantry), so lengths along its axes are not those of the body; "
            "read it with --resample"
        )
