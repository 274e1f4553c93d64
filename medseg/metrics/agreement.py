"""Agreement of readers, or of a method and its reference: Bland–Altman and intraclass correlation.

A correlation says that two readers rank alike, not that they agree; so the limits of agreement stand first
(Bland and Altman 1986), and the ICC is named by its model (Shrout and Fleiss 1979).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medseg.domain import Interval
from medseg.errors import InputError

__all__ = ["BlandAltman", "Icc", "IccModel", "bland_altman", "icc"]

#: ICC(1,1): readers differ by subject; ICC(2,1): random readers, absolute agreement; ICC(3,1): these readers,
#: consistency.
IccModel: TypeAlias = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"]

LEVEL = 0.95
_BLAND_ALTMAN = "exact variance, t distribution (Bland and Altman 1999, doi 10.1177/096228029900800204)"
_MCGRAW = "F distribution (McGraw and Wong 1996, doi 10.1037/1082-989X.1.1.30)"


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Differences of paired values; all in their unit.

    `limits` are bias ± 1.96 SD (for a level of 0.95): where most differences lie. `bias_interval`,
    `lower_interval` and `upper_interval` say how well the bias and each limit are known.
    """

    count: int
    bias: float
    sd: float
    limits: tuple[float, float]
    bias_interval: Interval
    lower_interval: Interval
    upper_interval: Interval


@dataclass(frozen=True, slots=True)
class Icc:
    """Intraclass correlation of single ratings, with its interval; see `IccModel`."""

    model: IccModel
    value: float
    interval: Interval
    subjects: int
    readers: int


def bland_altman(first: ArrayLike, second: ArrayLike, *, level: float = LEVEL) -> BlandAltman:
    """Bias and limits of agreement of `first` − `second`.

    Parameters
    ----------
    first, second
        (N,) paired values of one unit.
    level
        Of the limits and the intervals.

    Raises
    ------
    InputError
        For fewer than three pairs, pairs of unlike length, or values that are not finite.

    Notes
    -----
    Variance of a limit: SD² (1/n + z² / (2 (n − 1))) (Bland and Altman 1999). Assumes that differences are
    about normal and do not grow with the value; the plot shows whether they do.

    Examples
    --------
    >>> bland_altman([1.0, 2.0, 4.0], [1.0, 1.0, 2.0]).bias
    1.0
    """
    from scipy.stats import norm, t

    pairs = _checked(np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)], axis=-1), 3)
    gaps = pairs[:, 0] - pairs[:, 1]
    n, bias, sd = len(gaps), float(gaps.mean()), float(gaps.std(ddof=1))
    z = float(norm.ppf((1 + level) / 2))
    reach = float(t.ppf((1 + level) / 2, n - 1)) * sd
    of_bias, of_limit = reach / np.sqrt(n), reach * np.sqrt(1 / n + z * z / (2 * (n - 1)))
    low, high = bias - z * sd, bias + z * sd

    def around(value: float, half: float) -> Interval:
        return Interval(float(value - half), float(value + half), level, _BLAND_ALTMAN)

    return BlandAltman(
        n, bias, sd, (low, high), around(bias, of_bias), around(low, of_limit), around(high, of_limit)
    )


def icc(ratings: ArrayLike, model: IccModel = "ICC(2,1)", *, level: float = LEVEL) -> Icc:
    """Intraclass correlation of single ratings.

    Parameters
    ----------
    ratings
        (subjects, readers), complete.
    model
        ICC(2,1) also counts a reader who is always higher; ICC(3,1) does not.
    level
        Of the interval.

    Raises
    ------
    InputError
        For fewer than two subjects or readers, missing values, or subjects whose mean ratings are all equal
        (there is no variance to share).

    Notes
    -----
    Estimates from the mean squares of the two-way analysis of variance (Shrout and Fleiss 1979, doi
    10.1037/0033-2909.86.2.420); intervals after McGraw and Wong 1996. Values may be negative.
    """
    table = _checked(np.asarray(ratings, np.float64), 2)
    squares = _mean_squares(table)
    if squares.subjects == 0:
        raise InputError(
            "no subject differs from another: an intraclass correlation has no variance to share"
        )
    estimate = {"ICC(1,1)": _one_way, "ICC(2,1)": _two_way_random, "ICC(3,1)": _two_way_mixed}[model]
    value, low, high = estimate(squares, level)
    return Icc(model, value, Interval(low, high, level, _MCGRAW), squares.n, squares.k)


@dataclass(frozen=True, slots=True)
class _MeanSquares:
    """Mean squares between subjects, within them, between readers, and of the rest."""

    n: int
    k: int
    subjects: float
    within: float
    readers: float
    rest: float


def _mean_squares(table: NDArray[np.float64]) -> _MeanSquares:
    n, k = table.shape
    mean, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    between = k * float(((rows - mean) ** 2).sum())
    readers = n * float(((columns - mean) ** 2).sum())
    rest = float(((table - rows[:, None] - columns[None, :] + mean) ** 2).sum())
    scale = float((table**2).sum())
    # Sums that are nothing but rounding are nothing.
    between, readers, rest = (part if part > 1e-24 * scale else 0.0 for part in (between, readers, rest))
    return _MeanSquares(
        n,
        k,
        between / (n - 1),
        (readers + rest) / (n * (k - 1)),
        readers / (k - 1),
        rest / ((n - 1) * (k - 1)),
    )


def _one_way(ms: _MeanSquares, level: float) -> tuple[float, float, float]:
    value = (ms.subjects - ms.within) / (ms.subjects + (ms.k - 1) * ms.within)
    return value, *_by_ratio(ms.subjects, ms.within, (ms.n - 1, ms.n * (ms.k - 1)), ms.k, level)


def _two_way_mixed(ms: _MeanSquares, level: float) -> tuple[float, float, float]:
    value = (ms.subjects - ms.rest) / (ms.subjects + (ms.k - 1) * ms.rest)
    return value, *_by_ratio(ms.subjects, ms.rest, (ms.n - 1, (ms.n - 1) * (ms.k - 1)), ms.k, level)


def _by_ratio(
    above: float, below: float, freedom: tuple[int, int], k: int, level: float
) -> tuple[float, float]:
    from scipy.stats import f

    if below == 0:
        return 1.0, 1.0
    low = above / below / float(f.ppf((1 + level) / 2, *freedom))
    high = above / below * float(f.ppf((1 + level) / 2, *freedom[::-1]))
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _two_way_random(ms: _MeanSquares, level: float) -> tuple[float, float, float]:
    from scipy.stats import f

    n, k = ms.n, ms.k
    value = (ms.subjects - ms.rest) / (ms.subjects + (k - 1) * ms.rest + k * (ms.readers - ms.rest) / n)
    if value == 1:
        return 1.0, 1.0, 1.0
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * ms.readers + b * ms.rest) ** 2
    freedom /= (a * ms.readers) ** 2 / (k - 1) + (b * ms.rest) ** 2 / ((n - 1) * (k - 1))
    noise = k * ms.readers + (k * n - k - n) * ms.rest
    lower = float(f.ppf((1 + level) / 2, n - 1, freedom))
    upper = float(f.ppf((1 + level) / 2, freedom, n - 1))
    low = n * (ms.subjects - lower * ms.rest) / (lower * noise + n * ms.subjects)
    high = n * (upper * ms.subjects - ms.rest) / (noise + n * upper * ms.subjects)
    return value, float(low), float(high)


def _checked(table: NDArray[np.float64], least: int) -> NDArray[np.float64]:
    if table.ndim != 2 or table.shape[0] < least or table.shape[1] < 2:
        raise InputError(
            f"agreement needs at least {least} subjects with two readings each, not an array of shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise InputError("agreement needs every reading of every subject; some are not finite numbers")
    return table
