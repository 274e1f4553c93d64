"""Where a mask is cut: the array's faces, and voxels next to places without a measurement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["beside", "border_mask", "circular_field"]

#: No tissue and no air is darker, in HU; what surrounds a reconstruction field is.
_AIR_HU = -1000
#: Share of voxels, and of slices, that must bear a circle out.
_NEARLY_ALL = 0.99
#: Rows beyond the circle, and from its rim inwards, within which a scanner may draw it.
_TOLERANCE, _RIM = 1.5, 4.0
#: Smaller slices have too few voxels to tell a circle by.
_SMALLEST = 32


def border_mask(shape: tuple[int, int, int], outside: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Voxels at which a structure counts as cut.

    Parameters
    ----------
    shape
        (I, J, K).
    outside
        (I, J, K) bool: voxels without a measurement (padding, resampled fill).

    Returns
    -------
    (I, J, K) bool: the outermost slices along every axis of more than one slice, the voxels in `outside`
    and their face neighbours. An axis of one slice is never a border.

    Examples
    --------
    >>> int(border_mask((3, 3, 1)).sum())
    8
    """
    marked = outside is not None and bool(outside.any())
    border = beside(outside) if marked and outside is not None else np.zeros(shape, dtype=np.bool_)
    for axis, extent in enumerate(shape):
        if extent > 1:
            border[_at(axis, 0)] = True
            border[_at(axis, extent - 1)] = True
    return border


def beside(outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(I, J, K) bool: these voxels and their face neighbours.

    >>> int(beside(np.array([[[True, False, False]]])).sum())
    2
    """
    found = outside.copy()
    for axis in range(3):
        found[_at(axis, slice(1, None))] |= outside[_at(axis, slice(None, -1))]
        found[_at(axis, slice(None, -1))] |= outside[_at(axis, slice(1, None))]
    return found


def _at(axis: int, where: int | slice) -> Any:
    return tuple(where if other == axis else slice(None) for other in range(3))


def circular_field(array: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Surroundings of the circular reconstruction field of a CT whose file declares no padding.

    Parameters
    ----------
    array
        (I, J, K) values in HU.

    Returns
    -------
    (I, J, K) bool, true outside the circle, or None where there is no sign of one.

    Notes
    -----
    Own rule, strict so that clipped air is no circle. Slices are square, their corners hold one constant of
    -1000 HU or less, in at least 99 % of slices all that lies outside the circle that touches the four edges
    holds it, and just inside its rim hardly anything does. Air clipped at the same constant fails the last;
    a rectangular field of view fails it or the one before.
    """
    for axis in (2, 1, 0):
        planes = np.moveaxis(array, axis, 0)
        height, width = planes.shape[1:]
        if height != width or height < _SMALLEST:
            continue
        value = planes[0, 0, 0]
        corners = planes[:, :: height - 1, :: width - 1]
        if not value <= _AIR_HU or np.mean((corners == value).all(axis=(1, 2))) < _NEARLY_ALL:
            continue
        found = _surroundings(planes, value)
        if found is not None:
            return np.moveaxis(found, 0, axis)
    return None


def _surroundings(planes: NDArray[Any], value: Any) -> NDArray[np.bool_] | None:
    size = planes.shape[1]
    steps = np.arange(size) - (size - 1) / 2
    radius = np.hypot(steps[:, None], steps)
    beyond = radius > size / 2 + _TOLERANCE
    rim = (radius < size / 2 - _TOLERANCE) & (radius > size / 2 - _RIM)
    agree = [
        bool((plane[beyond] == value).all() and np.mean(plane[rim] == value) < 1 - _NEARLY_ALL)
        for plane in planes
    ]
    if np.mean(agree) < _NEARLY_ALL:
        return None
    found: NDArray[np.bool_] = (planes == value) & (radius > size / 2 - _RIM)
    return found
