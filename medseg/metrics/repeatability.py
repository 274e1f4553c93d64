"""Repeatability: the error of a number, from subjects who were measured twice and had not changed.

Definitions by Raunig et al. 2015 (doi 10.1177/0962280214537344) and Bland and Altman 1999 (doi
10.1177/096228029900800204). Other definitions of a within-subject CV give other figures on the same data, so each
result names its own. Several lesions of one subject are nested: figures are over all pairs; what says how well they
are known counts subjects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Interval, Quantity
from medseg.domain.repeatability import Estimate, PairedValue, Repeatability, Trend
from medseg.errors import InputError
from medseg.metrics.agreement import LEVEL, bland_altman, icc

__all__ = ["FEWEST_PAIRS", "Measured", "repeatability_by_size", "repeatability_of"]

#: Of fewer there is no spread to speak of.
FEWEST_PAIRS = 3
#: Subjects that a part by size has at least, parts that there are at most, and subjects for a rank correlation.
_FEWEST_OF_SIZE, _MOST_PARTS, _FEWEST_RANKED = 5, 3, 5
#: A test that gives less is taken at its word.
_ALPHA = 0.05
#: 95 % of the differences of two scans lie within this many within-subject SDs.
_REACH = 1.96 * np.sqrt(2)
_CHI_SQUARE = "chi-square distribution of the variance, degrees of freedom = subjects"
_NESTED = (
    "chi-square distribution of the variance, degrees of freedom = effective number of subjects (Kish 1965)"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the pairs are of."""

    target: str
    quantity: Quantity
    unit: str


def repeatability_of(pairs: Sequence[PairedValue], of: Measured) -> Repeatability:
    """wSD, repeatability coefficient, wCV, factor on the log scale, ICC(2,1), bias, and whether errors grow.

    Parameters
    ----------
    pairs
        Two values of each structure; several lesions of one subject share its number.

    Raises
    ------
    InputError
        For fewer than three pairs, or values that are not finite.

    Examples
    --------
    >>> pairs = [PairedValue(number, 10.0, 10.0 + gap) for number, gap in enumerate((2, -2, 2, -2))]
    >>> round(repeatability_of(pairs, Measured("node", Quantity.VOLUME, "ml")).wsd.value, 6)
    1.414214
    """
    table = np.array([(pair.first, pair.second) for pair in pairs], np.float64).reshape(-1, 2)
    whose = np.array([pair.subject for pair in pairs])
    if len(table) < FEWEST_PAIRS or not np.isfinite(table).all():
        raise InputError(
            f"{of.target}: repeatability needs at least {FEWEST_PAIRS} pairs of finite numbers, not {len(table)} pairs"
        )
    gaps, means = table[:, 0] - table[:, 1], table.mean(axis=1)
    known = _Known.of(whose)
    wsd = float(np.sqrt((gaps**2).mean() / 2))
    found = Repeatability(
        target=of.target,
        quantity=of.quantity,
        unit=of.unit,
        subjects=known.subjects,
        pairs=len(table),
        low=float(means.min()),
        high=float(means.max()),
        wsd=known.around(wsd),
        rc=known.around(float(_REACH) * wsd),
        wcv=_coefficient(gaps, means, known),
        log_factor=_factor(table, known),
        icc=_icc(table, nested=known.subjects < len(table)),
        limits=bland_altman(table[:, 0], table[:, 1]).limits,
        growth=_growth(np.abs(gaps), means, whose),
    )
    return _with_bias(_scaled(found), _by_subject(gaps, whose))


def repeatability_by_size(
    pairs: Sequence[PairedValue], of: Measured, edges: Sequence[float] = ()
) -> tuple[Repeatability, ...]:
    """The same of parts of the pairs by their mean: between `edges`, else up to three parts of equal count.

    Parts of fewer than five subjects (with `edges`: of fewer than three pairs) are left out; a single part says
    nothing new, so that there is none.
    """
    means = np.array([(pair.first + pair.second) / 2 for pair in pairs])
    bounds = sorted(edges) if edges else _quantiles(means, len({pair.subject for pair in pairs}))
    lows, highs = [-np.inf, *bounds], [*bounds, np.inf]
    found = []
    for low, high in zip(lows, highs, strict=True):
        part = [pair for pair, mean in zip(pairs, means, strict=True) if low <= mean < high]
        if bounds and len(part) >= FEWEST_PAIRS:
            start = float(means.min()) if low == -np.inf else float(low)
            end = None if high == np.inf else float(high)
            found.append(replace(repeatability_of(part, of), of_size=(start, end)))
    return tuple(found)


def _quantiles(means: NDArray[np.float64], subjects: int) -> list[float]:
    parts = min(_MOST_PARTS, subjects // _FEWEST_OF_SIZE)
    if parts < 2 or np.ptp(means) == 0:
        return []
    ordered = np.sort(means)
    cuts = [round(len(ordered) * part / parts) for part in range(1, parts)]
    return sorted({float((ordered[cut - 1] + ordered[cut]) / 2) for cut in cuts})


@dataclass(frozen=True, slots=True)
class _Known:
    """How well a within-subject SD is known: by subjects, as if the lesions of one varied as one."""

    subjects: int
    freedom: float
    method: str

    @classmethod
    def of(cls, whose: NDArray[np.integer]) -> "_Known":
        counts = np.unique(whose, return_counts=True)[1]
        freedom = float(counts.sum()) ** 2 / float((counts**2).sum())
        return cls(len(counts), freedom, _CHI_SQUARE if counts.max() == 1 else _NESTED)

    @property
    def ends(self) -> tuple[float, float]:
        """Factors from an SD to the ends of its interval."""
        from scipy.stats import chi2

        low, high = chi2.ppf([(1 + LEVEL) / 2, (1 - LEVEL) / 2], self.freedom)
        return float(np.sqrt(self.freedom / low)), float(np.sqrt(self.freedom / high))

    def around(self, value: float) -> Estimate:
        low, high = self.ends
        return Estimate(value, Interval(value * low, value * high, LEVEL, self.method))


def _coefficient(gaps: NDArray[np.float64], means: NDArray[np.float64], known: _Known) -> Estimate | None:
    """√(mean of d²/2m²); nothing where a mean is not positive, as of intensities in HU."""
    if means.min() <= 0:
        return None
    return known.around(float(np.sqrt((gaps**2 / (2 * means**2)).mean())))


def _factor(table: NDArray[np.float64], known: _Known) -> Estimate | None:
    if table.min() <= 0:
        return None
    sd = float(np.sqrt((np.log(table[:, 0] / table[:, 1]) ** 2).mean() / 2))
    value, *ends = (float(np.exp(_REACH * sd * size)) for size in (1.0, *known.ends))
    return Estimate(value, Interval(ends[0], ends[1], LEVEL, f"{known.method}; on the log scale"))


def _icc(table: NDArray[np.float64], *, nested: bool) -> Estimate | None:
    try:
        found = icc(table)
    except InputError:  # no subject differs from another
        return None
    # Lesions of one subject are no independent rows, which the interval takes them for.
    return Estimate(found.value, None if nested else found.interval)


def _by_subject(values: NDArray[np.float64], whose: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean of each subject's values."""
    number = np.unique(whose, return_inverse=True)[1]
    found: NDArray[np.float64] = np.bincount(number, values) / np.bincount(number)
    return found


def _growth(
    sizes: NDArray[np.float64], means: NDArray[np.float64], whose: NDArray[np.integer]
) -> Trend | None:
    """Spearman's ρ of |d| and the mean, over subjects."""
    from scipy.stats import spearmanr

    one, other = _by_subject(sizes, whose), _by_subject(means, whose)
    if len(one) < _FEWEST_RANKED or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    result = spearmanr(one, other)
    return Trend("Spearman's ρ of |d| and the mean", float(result.statistic), float(result.pvalue))


def _scaled(found: Repeatability) -> Repeatability:
    """With the log scale as the headline where errors grow with the size."""
    grows = found.growth is not None and found.growth.value > 0 and found.growth.p < _ALPHA
    return replace(found, scale="log") if grows and found.log_factor is not None else found


def _with_bias(found: Repeatability, gaps: NDArray[np.float64]) -> Repeatability:
    """With the mean of first − second over subjects, and whether it differs from 0 (paired t test)."""
    from scipy.stats import t

    if len(gaps) < FEWEST_PAIRS:
        return found
    zero = bland_altman(gaps, np.zeros_like(gaps))
    bias = Estimate(zero.bias, zero.bias_interval)
    if zero.sd == 0:
        return replace(found, bias=bias)
    size = zero.bias / (zero.sd / np.sqrt(len(gaps)))
    test = Trend("paired t test", float(size), float(2 * t.sf(abs(size), len(gaps) - 1)))
    return replace(found, bias=bias, bias_test=test)
