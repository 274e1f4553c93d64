"""Where a mask is cut: the array's faces, and voxels next to places without a measurement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["border_mask"]


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
    border = np.zeros(shape, dtype=np.bool_)
    for axis, extent in enumerate(shape):
        if extent > 1:
            border[_at(axis, 0)] = True
            border[_at(axis, extent - 1)] = True
    if outside is not None and outside.any():
        border |= outside
        for axis, extent in enumerate(shape):
            if extent > 1:
                border[_at(axis, slice(1, None))] |= outside[_at(axis, slice(None, -1))]
                border[_at(axis, slice(None, -1))] |= outside[_at(axis, slice(1, None))]
    return border


def _at(axis: int, where: int | slice) -> Any:
    return tuple(where if other == axis else slice(None) for other in range(3))
