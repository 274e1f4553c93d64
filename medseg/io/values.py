"""From stored values to physical ones: slope and intercept, and numbers that are none."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding
from medseg.domain.values import as_details
from medseg.errors import InputError

__all__ = ["NOT_FINITE", "drop_nonfinite", "freeze", "rescale"]

#: Code of the Finding on an image some of whose voxels held NaN or infinity.
NOT_FINITE = "image.not_finite"

_SIGNED = (np.int8, np.int16, np.int32, np.int64)
_SLAB_BYTES = 1 << 25


def freeze(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, read-only down to the memory it views, so that an Image takes it without a copy."""
    root: Any = array
    while isinstance(root, np.ndarray):
        root.setflags(write=False)
        root = root.base
    return array


def rescale(stored: NDArray[Any], slope: float, intercept: float, name: str = "values") -> NDArray[Any]:
    """Values `stored × slope + intercept`; whole numbers stay whole where slope and intercept are.

    Else float32 for stored types that it holds exactly (8 and 16 bit, float32), float64 for wider ones.
    Memory: one copy, none for slope 1 and intercept 0.

    >>> rescale(np.array([0, 2000], np.uint16), 1.0, -1024.0).tolist()
    [-1024, 976]

    Raises
    ------
    InputError
        If that leads beyond the numbers that the type holds; `name` is that of the file.
    """
    if slope == 1 and intercept == 0:
        return stored
    if stored.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        whole = _rescale_whole(stored, int(slope), int(intercept))
        if whole is not None:
            return whole
    narrow = stored.dtype.itemsize <= 2 or stored.dtype == np.float32
    result = np.empty(stored.shape, np.float32 if narrow else np.float64, order="F")
    try:
        with np.errstate(over="raise"):
            for part in _slabs(stored):
                result[..., part] = stored[..., part].astype(np.float64) * slope + intercept
    except FloatingPointError as error:
        scale = f"slope {slope:g}, intercept {intercept:g}"
        raise InputError(f"{name}: the header is damaged ({scale}: beyond all numbers)") from error
    return result


def drop_nonfinite(
    array: NDArray[Any], name: str
) -> tuple[NDArray[Any], NDArray[np.bool_] | None, tuple[Finding, ...]]:
    """Values, the voxels that held NaN or infinity (None if none did), and a Finding about them.

    Such voxels hold no measurement: they belong to the image's `outside`, which statistics leave out, and
    take its lowest value, so that one of them does not spoil a whole resampled or normalised image.

    Raises
    ------
    InputError
        If no voxel holds a number.
    """
    if array.dtype.kind != "f":
        return array, None, ()
    outside = ~np.isfinite(array)
    count = int(np.count_nonzero(outside))
    if not count:
        return array, None, ()
    if count == array.size:
        raise InputError(f"{name}: no voxel holds a number (all are NaN or infinite)")
    lowest = array.min(where=~outside, initial=np.inf)
    finding = Finding(
        NOT_FINITE,
        "warning",
        f"{count} of {array.size} voxels held no number (NaN or infinite); they count as outside the image "
        f"and took its lowest value.",
        as_details(voxels=count),
    )
    return np.where(outside, array.dtype.type(lowest), array), outside, (finding,)


def _rescale_whole(stored: NDArray[Any], slope: int, intercept: int) -> NDArray[Any] | None:
    ends = [int(end) * slope + intercept for end in (stored.min(), stored.max())]
    low, high = min(ends), max(ends)
    kinds = (stored.dtype.type, *_SIGNED)
    dtype = next((kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max), None)
    if dtype is None or max(abs(low), abs(high), abs(intercept), abs(slope)) >= 2**62:
        return None
    result = np.empty(stored.shape, dtype, order="F")
    for part in _slabs(stored):
        result[..., part] = stored[..., part].astype(np.int64) * slope + intercept
    return result


def _slabs(array: NDArray[Any]) -> Iterator[slice]:
    step = max(1, _SLAB_BYTES // max(1, array[..., :1].size * 8))
    for start in range(0, array.shape[-1], step):
        yield slice(start, start + step)
