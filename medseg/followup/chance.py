"""How likely a change is without one: by its no-change range, from the smallest of several values, for many at once."""

import math
from collections.abc import Sequence
from statistics import NormalDist

from medseg.domain.followup import ChangeError

__all__ = ["change_p", "holm", "nadir_p"]

_NORMAL = NormalDist()
#: Steps of the integral over the noise of the later value, from −8 to 8 SD: so many give 12 digits of a smooth one.
_STEPS, _REACH = 160, 8.0


def change_p(ratio: float, error: ChangeError) -> float:
    """Two-sided chance of a ratio this far from 1 where nothing has changed.

    The logarithm of the ratio is taken as normal on either side of 1, as wide as the no-change range says there.

    >>> round(change_p(1.2, ChangeError("test-retest", 1 / 1.2, 1.2, "")), 3)
    0.05
    """
    return 2 * (1 - _NORMAL.cdf(_deviations(ratio, error)))


def nadir_p(ratio: float, error: ChangeError, before: int) -> float:
    """Two-sided chance of a ratio this far above 1 to the **smallest** of several earlier values.

    The smallest of several is low by chance, so growth from it is the likelier the more there were: without
    correction 2.5 % of unchanged structures lie above the range after one earlier scan, 9 % after five.

    Parameters
    ----------
    ratio
        Later value by the smallest earlier one.
    error
        No-change range of **two** values, each with its share of the noise.
    before
        Number of earlier values.

    Notes
    -----
    Exact for equal, independent, normal noise of the logarithms: 1 − ∫ φ(x) (1 − Φ(x − d))ⁿ dx, doubled.

    >>> error = ChangeError("test-retest", 1 / 1.2, 1.2, "")
    >>> [round(nadir_p(1.2, error, n) / 2, 3) for n in (1, 5)]
    [0.025, 0.087]
    """
    distance = math.sqrt(2) * math.copysign(_deviations(ratio, error), ratio - 1)
    step = 2 * _REACH / _STEPS
    places = (-_REACH + (n + 0.5) * step for n in range(_STEPS))
    below = sum(_NORMAL.pdf(x) * (1 - _NORMAL.cdf(x - distance)) ** before for x in places) * step
    return min(1.0, 2 * max(0.0, 1 - below))


def holm(chances: Sequence[float]) -> tuple[float, ...]:
    """The same after Holm (1979): the chance that any of them is called without a change stays below alpha.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted = [0.0] * len(chances)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def _deviations(ratio: float, error: ChangeError) -> float:
    """How many SD a ratio lies from 1."""
    end = error.high if ratio >= 1 else error.low
    if ratio in (0.0, 1.0) or end <= 0 or math.isinf(end):
        return 0.0
    return _NORMAL.inv_cdf((1 + error.level) / 2) * math.log(ratio) / math.log(end)
