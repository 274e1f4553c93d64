"""Whether a doubt ranks cases by their risk: area under the curve of risk over coverage, beyond the best there is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medseg.metrics.summarise import LEVEL, RESAMPLES

__all__ = ["Ranking", "rank_by_doubt", "risk_coverage_area"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking beside chance.

    Parameters
    ----------
    excess
        Area under the curve of risk over coverage less that of the oracle; 0 is the best there is.
    low, high
        Its 95 % bootstrap interval over cases.
    random
        The same of a ranking by chance, on average.
    share, share_low, share_high
        `excess` over `random` with its interval: 0 is the oracle, 1 is chance.
    """

    excess: float
    low: float
    high: float
    random: float
    share: float
    share_low: float
    share_high: float


def risk_coverage_area(risks: ArrayLike, doubts: ArrayLike) -> float:
    """Mean, over all numbers of cases that are kept, of the mean risk of the least doubted ones.

    Parameters
    ----------
    risks, doubts
        (N,) of each case: what is lost (1 − Dice), and how much it is doubted; equal doubts count as in the middle of
        all their orders.

    Notes
    -----
    Geifman, Uziel, El-Yaniv 2019, Bias-reduced uncertainty estimation for deep neural classifiers, ICLR.

    Examples
    --------
    >>> risk_coverage_area([0.0, 0.0, 0.3], [1, 2, 3])  # (0 + 0 + 0.1) / 3
    0.03333333333333333
    """
    risk, doubt = np.asarray(risks, np.float64), np.asarray(doubts, np.float64)
    _, group = np.unique(doubt, return_inverse=True)
    means = np.bincount(group, weights=risk) / np.bincount(group)
    ordered = means[np.sort(group)]
    return float(np.mean(np.cumsum(ordered) / np.arange(1, risk.size + 1)))


def rank_by_doubt(risks: Sequence[float], doubts: Sequence[float], *, seed: int = 0) -> Ranking:
    """How far a ranking is from the oracle, beside chance, with bootstrap intervals over cases.

    Raises
    ------
    ValueError
        With fewer than two cases, or of equal risks, which nobody can rank.
    """
    risk, doubt = np.array(risks, np.float64), np.array(doubts, np.float64)
    if risk.size < 2 or risk.shape != doubt.shape or not np.ptp(risk) > 0:
        raise ValueError(
            f"a ranking needs two cases of different risk, and a doubt of each; these are {risk.size}"
        )
    excess, random = _excess(risk, doubt)
    drawn = np.random.default_rng(seed).integers(risk.size, size=(RESAMPLES, risk.size))
    pairs = np.array([_excess(risk[row], doubt[row]) for row in drawn])
    pairs = pairs[pairs[:, 1] > 0]
    ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    low, high = np.quantile(pairs[:, 0], ends)
    share_low, share_high = np.quantile(pairs[:, 0] / pairs[:, 1], ends)
    return Ranking(
        excess, float(low), float(high), random, excess / random, float(share_low), float(share_high)
    )


def _excess(risk: NDArray[np.float64], doubt: NDArray[np.float64]) -> tuple[float, float]:
    """Of the ranking and, on average, of one by chance."""
    oracle = risk_coverage_area(risk, risk)
    return risk_coverage_area(risk, doubt) - oracle, float(risk.mean()) - oracle
