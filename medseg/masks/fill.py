"""Holes of a mask: background that nothing joins to the outside."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.masks.border import border_mask
from medseg.masks.components import label_parts
from medseg.masks.fractions import bounds
from medseg.masks.morphology import grown

__all__ = ["fill_holes"]


def fill_holes(
    mask: NDArray[np.bool_], grid: Grid, *, axis: int | None = None, largest_mm3: float | None = None
) -> NDArray[np.bool_]:
    """A mask with its holes.

    A hole is a part of the background, connected by faces, that does not reach the edge of the image; an axis of one
    slice has no edge. So a ring in one slice of a volume is open above and below, and a hole only `axis` by slice.

    Parameters
    ----------
    mask
        (I, J, K) bool; an empty one stays empty.
    grid
        Its grid; of any kind.
    axis
        Array axis across the slices that are filled one by one; None fills in three dimensions.
    largest_mm3
        Leave holes with a larger volume open (mm³; voxels on a `px` grid), of one slice where filled by slice.

    Returns
    -------
    (I, J, K) bool. Memory: one label array of the mask's box.

    Raises
    ------
    InputError
        If `largest_mm3` is not positive.

    Notes
    -----
    Definition: own, the usual one (Soille 2003, Morphological Image Analysis, section 6.3.7).

    Examples
    --------
    >>> ring = np.ones((3, 3, 1), np.bool_)
    >>> ring[1, 1] = False
    >>> bool(fill_holes(ring, Grid((3, 3, 1), np.eye(4))).all())
    True
    """
    if largest_mm3 is not None and not largest_mm3 > 0:
        raise InputError(f"the largest hole to fill has a positive volume, not {largest_mm3}")
    box = bounds(mask)
    found = mask.copy()
    if box is None:
        return found
    # Outside the mask's box all is joined, so what reaches the layer around it is no hole.
    box = grown(box, mask.shape, (1, 1, 1))
    most = np.inf if largest_mm3 is None else largest_mm3 / grid.voxel_volume * (1 + 1e-9)
    part = found[box]
    if axis is None:
        part |= _holes(part, most)
        return found
    planes = np.moveaxis(part, axis, 2)
    for index in range(planes.shape[2]):
        plane = planes[..., index : index + 1]
        plane |= _holes(plane, most)
    return found


def _holes(mask: NDArray[np.bool_], most_voxels: float) -> NDArray[np.bool_]:
    """Parts of the background that touch no face of the array."""
    ids, count = label_parts(np.ascontiguousarray(~mask), 6)
    inner = np.bincount(ids.ravel(), minlength=count + 1) <= most_voxels
    inner[0] = False
    inner[np.unique(ids[_faces(mask.shape)])] = False
    holes: NDArray[np.bool_] = inner[ids]
    return holes


def _faces(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    first, second, third = shape
    return border_mask((first, second, third))
