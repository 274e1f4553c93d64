"""Shares with a temperature: more or less sure, in the same order."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import ModelCard

__all__ = ["temperature_of", "tempered"]


def temperature_of(card: ModelCard) -> float:
    """That of a model; 1, which changes nothing, where none was fitted."""
    return 1.0 if card.calibration is None else card.calibration.temperature


def tempered(shares: NDArray[np.float32], temperature: float, *, axis: int = 0) -> NDArray[np.float32]:
    """Shares p as p^(1/T) over their sum along `axis`; of a softmax it is that of its outputs over T (Guo et al. 2017).

    Parameters
    ----------
    shares
        Of 0 to 1, whose sum is 1; what is 0 or 1 stays so.
    temperature
        Above 0; 1 changes nothing, and the same array comes back.

    Notes
    -----
    Guo et al. 2017, On calibration of modern neural networks, ICML. The largest share stays the largest: it is applied
    to what is averaged already, so that labels do not depend on it. Memory: a second array.

    Examples
    --------
    >>> tempered(np.array([0.8, 0.2], np.float32), 2.0).round(3).tolist()
    [0.6669999957084656, 0.3330000042915344]
    """
    if temperature == 1:
        return shares
    found: NDArray[np.float32] = np.power(shares, 1 / temperature, dtype=shares.dtype)
    found /= found.sum(axis=axis, keepdims=True)
    return found
