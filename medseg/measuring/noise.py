"""Noise of an image near a structure: the spread that neighbouring pixels of a slice show."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Image
from medseg.masks import slice_axis

__all__ = ["NOISE_METHOD", "noise_near"]

NOISE_METHOD = "Laplacian mask of Immerkær 1996 (doi 10.1006/cviu.1996.0060), median absolute response"
#: Norm of the mask ((1, -2, 1) along both axes): white noise of SD 1 gives answers of SD 6, a slope gives none.
_NORM = 6.0
#: Median absolute value of a normal distribution with SD 1.
_MEDIAN_OF_NORMAL = 0.674490
#: Pixels around the structure that are looked at too, and slices at most.
_MARGIN, _SLICES = 10, 15
#: With fewer answers nothing is said.
_FEWEST = 100


def noise_near(mask: NDArray[Any], image: Image) -> float | None:
    """Standard deviation of noise in the slices of acquisition around a mask, in the image's unit.

    Parameters
    ----------
    mask
        (I, J, K) bool or labels on the image's grid; what is not 0 is the structure.

    Returns
    -------
    float or None
        None without a structure, or where too little of it was measured. Noise that is correlated between
        neighbours (resampled, smoothed images) reads lower.
    """
    axis = slice_axis(image.grid)
    ends = [
        np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != along)))
        for along in range(3)
    ]
    if not ends[0].size:
        return None
    box = tuple(
        slice(int(used[0]), int(used[-1]) + 1)
        if along == axis
        else slice(max(0, int(used[0]) - _MARGIN), int(used[-1]) + 1 + _MARGIN)
        for along, used in enumerate(ends)
    )
    part = np.moveaxis(image.array[box], axis, 0)
    kept = None if image.outside is None else np.moveaxis(~image.outside[box], axis, 0)
    picked = np.unique(np.linspace(0, len(part) - 1, min(_SLICES, len(part))).round().astype(int))
    together = np.empty(sum(part[number].size for number in picked))
    count = 0
    for number in picked:
        found = _answers(part[number], None if kept is None else kept[number])
        together[count : count + found.size] = found
        count += found.size
    together = together[:count]
    if together.size < _FEWEST:
        return None
    np.abs(together, out=together)
    return float(np.median(together, overwrite_input=True)) / (_MEDIAN_OF_NORMAL * _NORM)


def _answers(values: NDArray[np.generic], kept: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Responses of the mask where all nine pixels hold finite, measured values."""
    whole = np.array(values, dtype=np.float64)
    if kept is not None:
        whole[~kept] = np.nan
    # The mask is the second difference along one axis of that along the other.
    found = np.diff(np.diff(whole, 2, axis=0), 2, axis=1)
    usable: NDArray[np.float64] = found[np.isfinite(found)]
    return usable
