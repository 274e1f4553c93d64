"""Links between neighbours that share a face: the weaker, the more their values differ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.methods.paths import Edges, neighbours

__all__ = ["links", "typical_difference"]


def typical_difference(values: NDArray[np.float32], usable: NDArray[np.bool_]) -> float:
    """Root mean square difference of usable neighbours that share a face; 0 where all are equal.

    Parameters
    ----------
    values, usable
        (I, J, K), in the unit of the image.

    Examples
    --------
    >>> line = np.array([0, 3, 3, 3, 3, 3, 3, 3, 3, 3], np.float32)[:, None, None]
    >>> typical_difference(line, np.ones_like(line, np.bool_))
    1.0
    """
    total, count = 0.0, 0
    for axis in range(3):
        here, there = neighbours(axis)
        both = usable[here] & usable[there]
        difference = (values[there] - values[here])[both]
        total += float(np.square(difference, dtype=np.float64).sum())
        count += difference.size
    return float(np.sqrt(total / count)) if count else 0.0


def links(values: NDArray[np.float32], usable: NDArray[np.bool_], sigma: float) -> Edges:
    """exp(−difference² / 2σ²) of neighbours that share a face, 0…1; 0 where one of them may not be used.

    Parameters
    ----------
    values, usable
        (I, J, K).
    sigma
        Difference that still counts as noise, in the unit of the image; above 0.

    Returns
    -------
    Along each axis, as `Edges`. Distance is not in it: a cut weighs it by the area of the face, a random walk
    by 1 / distance².

    Notes
    -----
    Boykov, Jolly 2001 (boundary term) and Grady 2006 (equation 1, with β = 1 / 2σ²).
    """
    found: list[NDArray[Any]] = []
    for axis in range(3):
        here, there = neighbours(axis)
        weight = np.exp(-np.square((values[there] - values[here]) / np.float32(sigma)) / 2)
        found.append(np.where(usable[here] & usable[there], weight, np.float32(0)))
    return found[0], found[1], found[2]
