"""Where windows lie, in which order they run, and what each of their voxels counts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLACINGS", "WEIGHTINGS", "Placing", "Tiling", "Weighting", "stream_axis"]

#: `stepped`: every window × (1 − overlap), the last one moved back to the end. `even`: as few as keep to that step,
#: at equal distances. `whole`: one of the array's own extents.
Placing: TypeAlias = Literal["stepped", "even", "whole"]
#: `gaussian` as MONAI's inferer has it, `gaussian_float16` as nnU-Net's, `constant`: all voxels alike.
Weighting: TypeAlias = Literal["gaussian", "gaussian_float16", "constant"]
#: SD of the Gaussian that weighs a window, as a share of its extents.
SIGMA = 0.125
#: No voxel of a window counts less than this, beside 1 in its middle.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class Tiling:
    """How windows cover an array.

    Parameters
    ----------
    window
        Extents of a window, in the order of the array's axes.
    overlap
        Share by which neighbours overlap.
    placing
        Rule for their places.
    weighting
        Rule for what their voxels count.
    """

    window: tuple[int, ...]
    overlap: float
    placing: Placing = "stepped"
    weighting: Weighting = "gaussian"

    def starts(self, extents: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """First index of the windows along each axis, of an array no smaller than a window; they reach its end.

        >>> Tiling((4, 4), 0.5).starts((9, 4))
        ((0, 2, 4, 5), (0,))
        """
        place = PLACINGS[self.placing]
        return tuple(
            place(extent, size, self.overlap) for extent, size in zip(extents, self.window, strict=True)
        )

    def padded(self, extents: Sequence[int]) -> tuple[int, ...]:
        """Extents, and those of a window where it is larger."""
        return tuple(max(pair) for pair in zip(extents, self.window, strict=True))

    def count(self, extents: Sequence[int]) -> int:
        """How many windows cover an array.

        >>> Tiling((4, 4), 0.5).count((10, 4))
        4
        """
        return math.prod(len(starts) for starts in self.starts(self.padded(extents)))

    def weights(self) -> NDArray[np.float32]:
        """(*window) float32: what each voxel of a window counts beside the others, above 0."""
        return WEIGHTINGS[self.weighting](self.window)


def stream_axis(extents: Sequence[int], window: Sequence[int]) -> int:
    """Axis along which slabs get finished: the one that leaves the fewest voxels unfinished; the first of equals.

    >>> stream_axis((256, 256, 300), (64, 64, 64))
    2
    """
    unfinished: list[int] = [
        size * math.prod(extent for other, extent in enumerate(extents) if other != axis)
        for axis, size in enumerate(window)
    ]
    return unfinished.index(min(unfinished))


def _stepped(extent: int, size: int, overlap: float) -> tuple[int, ...]:
    step = size if extent == size else max(1, int(size * (1 - overlap)))
    count = math.ceil((extent - size) / step) + 1
    return tuple(min(number * step, extent - size) for number in range(count))


def _even(extent: int, size: int, overlap: float) -> tuple[int, ...]:
    count = math.ceil((extent - size) / (size * (1 - overlap))) + 1
    step = (extent - size) / max(1, count - 1)
    return tuple(round(number * step) for number in range(count))


def _gaussian(window: Sequence[int]) -> NDArray[np.float32]:
    """A Gaussian around the middle, as MONAI's inferer has it: values from `LEAST_WEIGHT` to 1."""
    total = np.ones((), np.float32)
    for size in window:
        place = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
        line = np.exp(place**2 / np.float32(-2 * (SIGMA * size) ** 2), dtype=np.float32)
        total = total[..., None] * line
    return np.maximum(total, np.float32(LEAST_WEIGHT))


def _gaussian_float16(window: Sequence[int]) -> NDArray[np.float32]:
    """One voxel in the middle, smoothed, 10 at most; in float16, and nowhere 0: as nnU-Net has it."""
    from scipy.ndimage import gaussian_filter

    point = np.zeros(tuple(window))
    point[tuple(size // 2 for size in window)] = 1
    flat = [size * SIGMA if size > 1 else 0 for size in window]
    weights = gaussian_filter(point, flat, mode="constant")
    weights = (weights / (weights.max() / 10)).astype(np.float16)
    weights[weights == 0] = weights[weights > 0].min()
    found: NDArray[np.float32] = weights.astype(np.float32)
    return found


def _constant(window: Sequence[int]) -> NDArray[np.float32]:
    return np.ones(tuple(window), np.float32)


#: Rule → weights of a window.
WEIGHTINGS: dict[Weighting, Callable[[Sequence[int]], NDArray[np.float32]]] = {
    "gaussian": _gaussian,
    "gaussian_float16": _gaussian_float16,
    "constant": _constant,
}


#: Rule → first indices of (extent, size, overlap), ascending.
PLACINGS: dict[Placing, Callable[[int, int, float], tuple[int, ...]]] = {
    "stepped": _stepped,
    "even": _even,
    "whole": lambda _extent, _size, _overlap: (0,),
}
