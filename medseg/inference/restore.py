"""From probabilities on the model grid to labels on the native grid."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry.resample import resample

__all__ = ["labels_on_native", "probabilities_on_native"]


def labels_on_native(
    probabilities: NDArray[np.float32], source: Grid, native: Grid, values: tuple[int, ...]
) -> NDArray[np.uint16]:
    """(I, J, K) label values on `native` from (L, …) class probabilities on `source`, background first.

    Each class is interpolated linearly, straight to the native grid, and the most probable wins (the first
    of equals); one class is held at a time. Memory: four float arrays on `native`, whatever the number of classes.
    """
    best = np.array(resample(probabilities[0], source, native, fill=1.0), dtype=np.float32)
    labels = np.zeros(native.shape, dtype=np.uint16)
    for index, value in enumerate(values, start=1):
        share = resample(probabilities[index], source, native)
        better = share > best
        labels[better] = value
        best[better] = share[better]
    return labels


def probabilities_on_native(
    probabilities: NDArray[np.float32], source: Grid, native: Grid
) -> NDArray[np.float32]:
    """(L, I, J, K) probabilities on `native`; memory: all classes at once."""
    first, *others = probabilities
    planes = [
        resample(first, source, native, fill=1.0),
        *(resample(plane, source, native) for plane in others),
    ]
    return np.stack(planes).astype(np.float32)
