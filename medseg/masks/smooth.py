"""Smoothing the boundary of a mask without shrinking it."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.masks.components import label_parts
from medseg.masks.distances import require_right_angles

__all__ = ["smooth_boundary"]

#: Standard deviations after which the Gaussian is cut.
_REACH = 4.0
#: Smoothed values that agree to so many digits are equal, so that mirror images stay mirror images.
_DIGITS = 9


def smooth_boundary(mask: NDArray[np.bool_], grid: Grid, sigma_mm: float) -> NDArray[np.bool_]:
    """A mask without the steps and spikes of its boundary, each part with the volume it had.

    Parameters
    ----------
    mask
        (I, J, K) bool; an empty one stays empty.
    grid
        Its grid; lengths are in its unit, so thick slices are smoothed less across.
    sigma_mm
        Standard deviation of the Gaussian (mm; pixels on a `px` grid). Details smaller than this go.

    Returns
    -------
    (I, J, K) bool. Each 26-connected component is smoothed for itself and keeps its number of voxels, to the nearest
    that equal values allow: 24 voxels where a shape is its own mirror image in every axis, none to one on real
    masks. Parts that grow into each other share voxels.
    Memory: two float64 copies of a component's box, grown by four standard deviations.

    Raises
    ------
    InputError
        If the grid is sheared or `sigma_mm` is not positive.

    Notes
    -----
    Own. A Gaussian of the mask cut at 0.5 rounds a mask and shrinks it where it is convex (Taubin 1995 on meshes);
    the cut is taken where the volume is that of before instead. Beyond the image the last slice goes on, so that a
    cut structure is not rounded at the cut.

    Examples
    --------
    >>> mask = np.zeros((9, 9, 1), np.bool_)
    >>> mask[2:7, 2:7] = True
    >>> int(smooth_boundary(mask, Grid((9, 9, 1), np.eye(4)), 1.0).sum())
    25
    """
    from scipy.ndimage import find_objects

    require_right_angles(grid)
    if not (np.isfinite(sigma_mm) and sigma_mm > 0):
        raise InputError(f"the width of a smoothing is positive, not {sigma_mm} {grid.unit}")
    order = order_to(grid)
    ids, _ = label_parts(np.array(order.apply(mask), order="C"))
    sigma = [
        sigma_mm / step if extent > 1 else 0.0
        for step, extent in zip(order.grid(grid).spacing, ids.shape, strict=True)
    ]
    found = np.zeros(ids.shape, np.bool_)
    for number, tight in enumerate(find_objects(ids), start=1):
        reach = [int(np.ceil(_REACH * width)) for width in sigma]
        box = tuple(
            slice(max(0, side.start - n), side.stop + n) for side, n in zip(tight, reach, strict=True)
        )
        found[box] |= _smoothed(ids[box] == number, sigma)
    return np.ascontiguousarray(order.undo(found))


def _smoothed(part: NDArray[np.bool_], sigma: list[float]) -> NDArray[np.bool_]:
    from scipy.ndimage import gaussian_filter

    wanted = int(part.sum())
    values = gaussian_filter(part.astype(np.float64), sigma, mode="nearest", truncate=_REACH)
    values = np.round(values, _DIGITS)
    limit = np.partition(values.ravel(), -wanted)[-wanted]
    with_equals = values >= limit
    without = values > limit
    fewer = int(without.sum())
    # Of equal values all or none, whichever comes nearer; never nothing.
    if fewer and wanted - fewer < int(with_equals.sum()) - wanted:
        return np.asarray(without)
    return np.asarray(with_equals)
