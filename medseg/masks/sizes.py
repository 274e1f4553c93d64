"""Parts of a mask by their size."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.masks.components import Connectivity, components

__all__ = ["SAME_VOLUME", "keep_by_size"]

#: Volumes this close (relative) to a limit reach it: a spacing in a float32 header is this exact.
SAME_VOLUME = 1e-6


def keep_by_size(
    mask: NDArray[np.bool_],
    grid: Grid,
    *,
    largest: int | None = None,
    minimum_mm3: float = 0.0,
    maximum_mm3: float | None = None,
    connectivity: Connectivity = 26,
) -> NDArray[np.bool_]:
    """Components of a mask that are large enough, not too large, or among the largest.

    Parameters
    ----------
    mask
        (I, J, K) bool; an empty one stays empty.
    grid
        Its grid; of any kind.
    largest
        How many to keep, largest first; None keeps all. Of equals the one first in the order nearest to RAS.
    minimum_mm3, maximum_mm3
        Limits that belong to what is kept (mm³; voxels on a `px` grid).
    connectivity
        Neighbours share a face (6), an edge (18) or a corner (26).

    Returns
    -------
    (I, J, K) bool. Memory: two label arrays.

    Raises
    ------
    InputError
        If fewer than one is to be kept or the limits leave nothing between them.

    Examples
    --------
    >>> mask = np.array([1, 0, 1, 1, 0, 1, 1, 1], np.bool_).reshape(8, 1, 1)
    >>> keep_by_size(mask, Grid((8, 1, 1), np.eye(4)), largest=2).ravel().astype(int).tolist()
    [0, 0, 1, 1, 0, 1, 1, 1]
    """
    if largest is not None and largest < 1:
        raise InputError(f"at least one part is kept, not {largest}")
    if maximum_mm3 is not None and maximum_mm3 < minimum_mm3:
        raise InputError(f"no part has at least {minimum_mm3} and at most {maximum_mm3} mm3")
    order = order_to(grid)
    ids = components(np.array(order.apply(mask), order="C"), connectivity)
    volumes = np.bincount(ids.ravel()) * grid.voxel_volume
    keep = volumes >= minimum_mm3 * (1 - SAME_VOLUME)
    if maximum_mm3 is not None:
        keep &= volumes <= maximum_mm3 * (1 + SAME_VOLUME)
    keep[0] = False
    if largest is not None:
        keep[np.flatnonzero(keep)[largest:]] = False
    return np.ascontiguousarray(order.undo(keep[ids]))
