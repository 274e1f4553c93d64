"""A mask cut by a plane or a box in world coordinates."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError

__all__ = ["beyond_plane", "inside_box"]

#: Voxel centres this close (mm) to a plane or a face lie on it.
ON_PLANE = 1e-6

Triple = Sequence[float]


def beyond_plane(mask: NDArray[np.bool_], grid: Grid, point: Triple, normal: Triple) -> NDArray[np.bool_]:
    """Part of a mask on the side of a plane that its normal points to; centres on the plane stay behind.

    Parameters
    ----------
    mask
        (I, J, K) bool.
    grid
        Its grid; of any kind.
    point, normal
        RAS+ mm (the affine's pixels on a `px` grid): a point of the plane, and a direction of any length.

    Returns
    -------
    (I, J, K) bool.

    Raises
    ------
    InputError
        If the normal has no direction, or the mask's place in the patient is not known.

    Examples
    --------
    >>> beyond_plane(np.ones((4, 1, 1), np.bool_), Grid((4, 1, 1), np.eye(4)), (1, 0, 0), (1, 0, 0)).ravel().tolist()
    [False, False, True, True]
    """
    _require_place(grid)
    direction = _triple(normal, "a normal")
    length = float(np.linalg.norm(direction))
    if not length > 0:
        raise InputError("the normal of a plane has a direction, not 0, 0, 0")
    height = _along(grid, direction / length, _triple(point, "a point"))
    return np.asarray(mask & (height > ON_PLANE))


def inside_box(mask: NDArray[np.bool_], grid: Grid, low: Triple, high: Triple) -> NDArray[np.bool_]:
    """Part of a mask whose voxel centres lie in a box along the world's axes, faces included.

    Parameters
    ----------
    mask
        (I, J, K) bool.
    grid
        Its grid; of any kind.
    low, high
        Lowest and highest x, y, z in RAS+ mm (the affine's pixels on a `px` grid).

    Returns
    -------
    (I, J, K) bool; empty where the box lies beside the mask.

    Raises
    ------
    InputError
        If `low` exceeds `high`, or the mask's place in the patient is not known.

    Examples
    --------
    >>> box = inside_box(np.ones((4, 1, 1), np.bool_), Grid((4, 1, 1), np.eye(4)), (1, 0, 0), (2, 0, 0))
    >>> box.ravel().tolist()
    [False, True, True, False]
    """
    _require_place(grid)
    first, last = _triple(low, "a corner"), _triple(high, "a corner")
    if (first > last).any():
        raise InputError(
            f"a box goes from its lowest to its highest x, y, z, not from {tuple(low)} to {tuple(high)}"
        )
    found = mask.copy()
    for axis in range(3):
        place = _along(grid, np.eye(3)[axis], np.zeros(3))
        found &= (place >= first[axis] - ON_PLANE) & (place <= last[axis] + ON_PLANE)
    return found


def _along(grid: Grid, direction: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """(I, J, K) distance of every voxel centre from a plane: a sum of one ramp per axis."""
    steps = direction @ grid.affine[:3, :3]
    start = float(direction @ (grid.affine[:3, 3] - point))
    ramps = [step * np.arange(extent) for step, extent in zip(steps, grid.shape, strict=True)]
    height: NDArray[np.float64] = ramps[0][:, None, None] + ramps[1][:, None] + (ramps[2] + start)
    return height


def _triple(values: Triple, what: str) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise InputError(f"{what} is three numbers x, y, z in RAS+ mm, not {values}")
    return found


def _require_place(grid: Grid) -> None:
    if grid.unit == "mm" and not grid.orientation_known:
        raise InputError(
            "this mask's file does not say how it lies in the patient, so a place in RAS+ mm means nothing; "
            "give --orientation"
        )
