"""One temperature for a model's probabilities, fitted on what its folds said of cases that they had not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain.calibration import Calibration, Reliability, ReliabilityBin
from medseg.inference.temperature import tempered
from medseg.metrics.summarise import LEVEL, RESAMPLES
from medseg.training.heldout import MARGIN, HeldOutCase

__all__ = ["BINS", "calibration_of", "fit_temperature", "reliability_of"]

#: Bins of equal width from 0 to 1, as in Guo et al. 2017.
BINS = 15
#: Temperatures that are looked at; beyond, shares are all alike or all certain.
_RANGE = (0.1, 10.0)
#: A share that is 0 and comes true costs as much as this one: the step of float32 below 1.
_LEAST_SHARE = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Shares of one subject's voxels and what came true."""

    subject: str
    fold: int
    values: NDArray[np.float32]
    classes: NDArray[np.intp]
    unheld: tuple[int, ...] = ()

    @property
    def true(self) -> NDArray[np.bool_]:
        """(N, L) which may have come true: where background is, also any class that the case's set does not hold."""
        found: NDArray[np.bool_] = np.arange(self.values.shape[1]) == self.classes[:, None]
        found[np.ix_(self.classes == 0, self.unheld)] = True
        return found

    def at(self, temperature: float) -> "_Judged":
        """With this temperature; what its set does not hold then counts as background."""
        values = tempered(self.values, temperature, axis=1)
        if self.unheld:
            values = values.copy()
            values[:, 0] += values[:, list(self.unheld)].sum(axis=1)
            values[:, list(self.unheld)] = 0
        return _Judged(self.subject, self.fold, values, self.classes)


def calibration_of(
    folds: Mapping[int, Sequence[HeldOutCase]], values: tuple[int, ...] = ()
) -> Calibration | None:
    """Temperature of all folds' cases, and reliability before and after; None with fewer than two folds.

    Parameters
    ----------
    folds
        Number of each fold → the cases that it had not seen.
    values
        Of the labels in the order of the outputs; needed where cases come from sets that do not hold all of them. There
        the background is background or any label that the set does not hold.

    Notes
    -----
    The figures after are cross-fitted: a fold's voxels get the temperature that all other folds give. They are those of
    single networks; the mean of several is less sure than each, and what that changes can't be measured on cases that
    all but one of them were trained on.
    """
    known = [
        _Judged(case.subject, number, case.shares.values, case.shares.classes, _unheld(case, values))
        for number, cases in folds.items()
        for case in cases
        if case.shares is not None and case.shares.classes.size
    ]
    numbers = sorted({item.fold for item in known})
    if len(numbers) < 2:
        return None
    after = []
    for number in numbers:
        others = _fitted([item for item in known if item.fold != number])
        after += [item.at(others) for item in known if item.fold == number]
    return Calibration(
        temperature=round(_fitted(known), 4),
        subjects=len({item.subject for item in known}),
        voxels=sum(item.classes.size for item in known),
        margin=MARGIN,
        before=_reliability([item.at(1.0) for item in known]),
        after=_reliability(after),
    )


def fit_temperature(shares: NDArray[np.floating], true: NDArray[np.bool_]) -> float:
    """Temperature with the least mean negative logarithm of the share of what came true.

    Parameters
    ----------
    shares, true
        (N, L) of each voxel, and which came true; several where nobody said which of them did.
    """
    from scipy.optimize import minimize_scalar

    values = shares.astype(np.float64)

    def loss(log_temperature: float) -> float:
        powers = np.power(values, 1 / np.exp(log_temperature))
        share = (powers * true).sum(axis=1) / powers.sum(axis=1)
        return float(-np.log(np.maximum(share, _LEAST_SHARE)).mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(_RANGE)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def reliability_of(
    shares: NDArray[np.floating], classes: NDArray[np.intp], subjects: Sequence[str], *, seed: int = 0
) -> Reliability:
    """Expected calibration error of the most probable label, with its diagram (Guo et al. 2017; Naeini et al. 2015).

    Parameters
    ----------
    shares
        (N, L) of each voxel.
    classes
        (N,) index of the one that came true.
    subjects
        Whose each voxel is; the bootstrap draws subjects with all their voxels.

    Notes
    -----
    15 bins of equal width of the largest share; the error is Σ n_b/N · |accuracy_b − confidence_b|.

    Examples
    --------
    >>> half = np.full((4, 2), 0.5)
    >>> reliability_of(half, np.array([0, 0, 0, 1]), ["a", "a", "b", "b"]).error
    0.25
    """
    confidence = shares.max(axis=1).astype(np.float64)
    right = (shares.argmax(axis=1) == classes).astype(np.float64)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    whose = np.unique(np.array(subjects), return_inverse=True)[1]
    count = int(whose.max()) + 1
    sums = np.stack(
        [
            np.bincount(whose * BINS + bins, weights=weights, minlength=count * BINS).reshape(count, BINS)
            for weights in (np.ones_like(confidence), confidence, right)
        ]
    )
    low = high = None
    if count > 1:
        drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
        errors = [_error(sums[:, row].sum(axis=1)) for row in drawn]
        low, high = (float(end) for end in np.quantile(errors, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    voxels, sure, correct = whole = sums.sum(axis=1)
    shown = tuple(
        ReliabilityBin(
            round(float(sure[at] / voxels[at]), 5),
            round(float(correct[at] / voxels[at]), 5),
            round(float(voxels[at] / voxels.sum()), 6),
        )
        for at in np.flatnonzero(voxels)
    )
    return Reliability(_error(whole), low, high, shown)


def _error(sums: NDArray[np.float64]) -> float:
    """Of (3, bins): voxels, their confidence, those that were right."""
    voxels, sure, right = sums
    return float(np.abs(right - sure).sum() / voxels.sum())


def _fitted(known: Sequence[_Judged]) -> float:
    shares = np.concatenate([item.values for item in known])
    return fit_temperature(shares, np.concatenate([item.true for item in known]))


def _unheld(case: HeldOutCase, values: tuple[int, ...]) -> tuple[int, ...]:
    if case.held is None:
        return ()
    return tuple(place for place, value in enumerate(values, start=1) if value not in case.held)


def _reliability(known: Sequence[_Judged]) -> Reliability:
    whose = [item.subject for item in known for _ in range(item.classes.size)]
    shares = np.concatenate([item.values for item in known])
    return reliability_of(shares, np.concatenate([item.classes for item in known]), whose)
