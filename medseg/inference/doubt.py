"""How much a model doubts its own answer, case by case: the Dice that its probabilities lead to expect."""

import numpy as np
from numpy.typing import NDArray

from medseg.inference.stream import Slab
from medseg.inference.temperature import tempered

__all__ = ["ExpectedDice"]

#: A label that is found nowhere counts where its shares add up to a voxel: it may be missed.
_ONE_VOXEL = 1.0


class ExpectedDice:
    """Mean over labels of 2 Σ_mask p / (Σ mask + Σ p), on the model's grid: soft Dice confidence (Borges et al. 2024).

    A label that is found nowhere and whose shares add up to less than a voxel is left out; with none left it is 0: a
    model that finds nothing is looked at first. Memory: a plane at a time.

    Parameters
    ----------
    classes
        Background and labels: the first outputs of a slab.
    temperature
        Of the model's probabilities.

    Notes
    -----
    Borges, Zanini, Soares 2024, Soft Dice Confidence: a near-optimal confidence estimator for selective prediction in
    semantic segmentation, arXiv 2402.10665. It ranks cases of one model. It is no promise about one case, and it knows
    nothing of a scan that is unlike the training's.

    Examples
    --------
    >>> found = ExpectedDice(2)
    >>> found.eat(Slab(0, 0, np.array([[[[0.2, 1.0]]], [[[0.8, 0.0]]]], np.float32)))
    >>> round(found.value, 4)  # 2 · 0.8 / (1 + 0.8)
    0.8889
    """

    def __init__(self, classes: int, temperature: float = 1.0) -> None:
        self._temperature = temperature
        self._found = np.zeros(classes)
        self._shares = np.zeros(classes)
        self._both = np.zeros(classes)

    def eat(self, slab: Slab) -> None:
        """Add what a slab says."""
        for plane in range(slab.values.shape[1]):
            self._add(slab.values[: len(self._found), plane])

    @property
    def value(self) -> float:
        """From 0 (in doubt) to 1 (certain)."""
        counts = (self._found[1:] > 0) | (self._shares[1:] >= _ONE_VOXEL)
        if not counts.any():
            return 0.0
        sums = (self._found + self._shares)[1:][counts]
        return float(np.mean(2 * self._both[1:][counts] / sums))

    def _add(self, shares: NDArray[np.float32]) -> None:
        shares = tempered(shares, self._temperature)
        winner = shares.argmax(axis=0)
        for number in range(1, len(shares)):
            mask = winner == number
            self._found[number] += int(mask.sum())
            self._shares[number] += float(shares[number].sum(dtype=np.float64))
            self._both[number] += float(shares[number][mask].sum(dtype=np.float64))
