"""Filling between slices: shapes between those that were drawn."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.masks.contours import slice_axis
from medseg.masks.distances import require_right_angles

__all__ = ["fill_between"]

#: Interpolated distances this close to the boundary (in pixels) lie on it, and are inside.
_ON_BOUNDARY = 1e-4


def fill_between(
    mask: NDArray[np.bool_], grid: Grid, *, axis: int | None = None, largest_gap_mm: float | None = None
) -> NDArray[np.bool_]:
    """A mask drawn on some slices, with shapes on the empty slices between them.

    Parameters
    ----------
    mask
        (I, J, K) bool. Slices that hold anything count as drawn and stay as they are; an empty mask stays empty.
    grid
        Its grid.
    axis
        Array axis across the slices; the plane of acquisition where None (see `slice_axis`).
    largest_gap_mm
        From one drawn slice to the next; wider gaps stay open (mm; pixels on a `px` grid). None fills all.

    Returns
    -------
    (I, J, K) bool. Nothing is added before the first and after the last drawn slice. Where neighbouring shapes do not
    overlap, slices in the middle may stay empty.

    Raises
    ------
    InputError
        If the grid is sheared or the gap is not positive.

    Notes
    -----
    Shape-based interpolation (Raya and Udupa 1990, IEEE Trans Med Imaging 9, 32), with Euclidean distances in the
    plane as Herman et al. 1992 (IEEE Comput Graph Appl 12, 69): signed distance to the boundary, linear from slice to
    slice, inside where it is not negative.

    Examples
    --------
    >>> mask = np.zeros((9, 1, 3), np.bool_)
    >>> mask[3:6, 0, 0] = mask[1:8, 0, 2] = True
    >>> fill_between(mask, Grid((9, 1, 3), np.diag([1.0, 1, 2, 1])), axis=2)[:, 0, 1].astype(int).tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    require_right_angles(grid)
    if largest_gap_mm is not None and not largest_gap_mm > 0:
        raise InputError(f"the largest gap to fill is positive, not {largest_gap_mm} {grid.unit}")
    axis = slice_axis(grid) if axis is None else axis
    found = mask.copy()
    planes = np.moveaxis(found, axis, 0)
    spacing = tuple(step for number, step in enumerate(grid.spacing) if number != axis)
    most = np.inf if largest_gap_mm is None else largest_gap_mm * (1 + 1e-6)
    drawn = [int(index) for index in np.flatnonzero(planes.any(axis=(1, 2)))]
    for low, high in pairwise(drawn):
        if high - low == 1 or (high - low) * grid.spacing[axis] > most:
            continue
        below, above = (_signed(planes[index], spacing) for index in (low, high))
        for index in range(low + 1, high):
            share = (index - low) / (high - low)
            planes[index] = (1 - share) * below + share * above >= -_ON_BOUNDARY * min(spacing)
    return found


def _signed(plane: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance in the plane to the other side of the boundary, positive inside; a full plane is deep inside."""
    import edt

    if plane.all():
        return np.full(plane.shape, float(np.hypot(*np.multiply(plane.shape, spacing))))
    inside, outside = (
        edt.edt(np.ascontiguousarray(side), anisotropy=spacing, black_border=False, parallel=1)
        for side in (plane, ~plane)
    )
    signed: NDArray[np.float64] = np.asarray(inside, np.float64) - outside
    return signed
