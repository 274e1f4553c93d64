"""Edges of an image in true mm: smoothing, gradient, and where along the gradient it peaks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Peaks", "gradient", "magnitude_of", "peaks_of", "smoothed_image"]

#: A gradient this little below its neighbour's is still a peak: equal ones differ by rounding.
_EQUAL = 1e-3
#: A gradient below this share of the largest is none.
_NOTHING = 1e-4
#: Voxels whose neighbours are looked up at once.
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Voxels whose gradient is nowhere larger one step up or down its own direction.

    Parameters
    ----------
    places
        (N, D) int32 indices, in the array's order.
    offset
        (N,) how far uphill of the voxel's centre the gradient peaks, in steps: −0.5 to 0.5.
    step
        (N, D) index displacement of one step uphill: to the next layer of voxels.
    """

    places: NDArray[np.int32]
    offset: NDArray[np.float32]
    step: NDArray[np.float32]

    def those(self, chosen: NDArray[np.bool_]) -> "Peaks":
        """Some of them."""
        return Peaks(self.places[chosen], self.offset[chosen], self.step[chosen])


def smoothed_image(
    values: NDArray[Any], usable: NDArray[np.bool_] | None, spacing: tuple[float, ...], sigma: float
) -> NDArray[np.float32]:
    """Values under a Gaussian, leaving out what may not be used.

    Parameters
    ----------
    values
        (I, J, K) or (A, B).
    usable
        Same shape, or None for all; other voxels have no weight, and get the mean of usable ones near them.
    spacing
        Length per step along each axis.
    sigma
        Standard deviation, in the unit of the spacing; 0 changes nothing.

    Returns
    -------
    Same shape, float32. Memory: three copies.
    """
    from scipy.ndimage import gaussian_filter

    plain = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    widths = [
        sigma / length if extent > 1 else 0.0 for length, extent in zip(spacing, plain.shape, strict=True)
    ]
    if usable is None or usable.all():
        return np.asarray(gaussian_filter(plain, widths, mode="nearest"), np.float32)
    if not usable.any():
        return np.zeros_like(plain)
    middle = np.float32(plain[usable].mean(dtype=np.float64))
    weight = gaussian_filter(usable.astype(np.float32), widths, mode="nearest")
    summed = gaussian_filter(np.where(usable, plain - middle, np.float32(0)), widths, mode="nearest")
    return np.asarray(middle + summed / np.maximum(weight, np.float32(1e-3)), np.float32)


def gradient(values: NDArray[np.float32], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """(D, …) central differences per unit of the spacing along each axis; 0 along an axis of one voxel."""
    parts = [
        np.gradient(values, length, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values)
        for axis, length in enumerate(spacing)
    ]
    return np.stack(parts).astype(np.float32, copy=False)


def magnitude_of(slopes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Length of gradients (D, …)."""
    length: NDArray[np.float32] = np.sqrt(np.einsum("d...,d...->...", slopes, slopes))
    return length


def peaks_of(
    magnitude: NDArray[np.float32],
    slopes: NDArray[np.float32],
    where: NDArray[np.bool_],
    spacing: tuple[float, ...],
) -> Peaks:
    """Compare the gradient at voxels with that one step up and down its own direction in space.

    Parameters
    ----------
    magnitude, slopes
        Length and parts of the gradient.
    where
        Voxels to look at; those without a gradient are no peaks.
    spacing
        Length per step along each axis: on an anisotropic grid the direction in space is another than that
        in voxels, and a step reaches the next layer of the axis that it crosses first.

    Notes
    -----
    Non-maximum suppression after Canny 1986, by linear interpolation; the offset is the vertex of the
    parabola through the three values. Memory: that of the peaks, since slices are worked on in groups.
    """
    least = float(magnitude.max()) * _NOTHING
    rows = max(1, _AT_ONCE // max(1, magnitude[0].size))
    found = []
    for first in range(0, len(magnitude), rows):
        places = np.argwhere(where[first : first + rows] & (magnitude[first : first + rows] > least))
        places[:, 0] += first
        found.append(_peaks_among(magnitude, slopes, places, spacing))
    return Peaks(
        np.concatenate([part.places for part in found]),
        np.concatenate([part.offset for part in found]),
        np.concatenate([part.step for part in found]),
    )


def _peaks_among(
    magnitude: NDArray[np.float32],
    slopes: NDArray[np.float32],
    places: NDArray[np.intp],
    spacing: tuple[float, ...],
) -> Peaks:
    from scipy.ndimage import map_coordinates

    uphill = slopes[(slice(None), *places.T)].T / np.array(spacing)
    step = uphill / np.abs(uphill).max(axis=1, keepdims=True)
    centre = magnitude[tuple(places.T)].astype(np.float64)
    above, below = (
        map_coordinates(magnitude, (places + sign * step).T, order=1, mode="nearest").astype(np.float64)
        for sign in (1, -1)
    )
    curve = np.minimum(above - 2 * centre + below, -1e-12)
    offset = np.clip(0.5 * (below - above) / curve, -0.5, 0.5)
    peaks = Peaks(places.astype(np.int32), offset.astype(np.float32), step.astype(np.float32))
    return peaks.those(centre * (1 + _EQUAL) >= np.maximum(above, below))
