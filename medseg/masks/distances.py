"""Distances from a mask: exact, Euclidean, between voxel centres, in the unit of the grid."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to

__all__ = ["distance_to", "require_right_angles", "signed_distance"]


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
    import edt

    require_right_angles(grid)
    if not mask.any():
        return np.full(grid.shape, np.inf, np.float32)
    order = order_to(grid)
    outside = np.ascontiguousarray(~order.apply(mask))
    spacing = order.grid(grid).spacing
    found: NDArray[np.float32] = edt.edt(outside, anisotropy=spacing, black_border=False, parallel=1)
    return np.ascontiguousarray(order.undo(found))


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
