"""Quantities of a cohort by scanner, and how far out a case lies: robust z-scores."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medseg.reporting.contact.distribution import FEWEST

__all__ = ["FAR", "MOST", "QuantityView", "far_out", "main_quantities", "robust_z"]

#: Modified z-scores beyond this are outliers (Iglewicz and Hoaglin 1993).
FAR = 3.5
#: Makes the median absolute deviation of a normal distribution its standard deviation.
_NORMAL = 0.6744897501960817
#: So many quantities are shown; the table has all.
MOST = 40
_HEAD = re.compile(r"(?P<what>.+) \((?P<unit>[^()]*(?:\([^()]*\))?[^()]*)\)", re.DOTALL)
_ENDS = (" usable", " low", " high", " level")
#: What is shown first, and alone where there is too much.
_SIZES = (" volume", " area", " total_volume", " total_area", " lesion_count")


@dataclass(frozen=True, slots=True)
class QuantityView:
    """A column of numbers: its head in the table, what it is in words, its unit in UCUM."""

    head: str
    what: str
    unit: str


def main_quantities(heads: Sequence[str]) -> tuple[QuantityView, ...]:
    """Those of a table's columns that are numbers of cases and compare between them, sizes first where there are many.

    >>> [item.what for item in main_quantities(["liver volume (ml)", "liver volume (ml) usable"])]
    ['liver volume']
    """
    found = []
    for head in heads:
        parts = _HEAD.fullmatch(head)
        if parts is not None and not head.endswith(_ENDS) and parts["unit"] != "[arb'U]":
            found.append(QuantityView(head, parts["what"], parts["unit"]))
    if len(found) > MOST:
        found = [item for item in found if item.what.endswith(_SIZES)][:MOST]
    return tuple(found)


def robust_z(values: Mapping[str, float]) -> dict[str, float]:
    """Case → 0.6745 (value − median) / MAD; none of fewer than eight cases, or where half of them are alike.

    >>> found = robust_z({str(n): float(n) for n in range(1, 10)})
    >>> round(found["9"], 3), round(found["5"], 3)
    (1.349, 0.0)
    """
    if len(values) < FEWEST:
        return {}
    array = np.fromiter(values.values(), float)
    middle = float(np.median(array))
    spread = float(np.median(np.abs(array - middle)))
    if spread == 0:
        return {}
    return {case: _NORMAL * (value - middle) / spread for case, value in values.items()}


def far_out(scores: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str, float]]:
    """(case, head, z) of each case beyond `FAR` by its farthest quantity, the farthest first.

    `scores` are z-scores by head, then by case.
    """
    worst: dict[str, tuple[str, float]] = {}
    for head, found in scores.items():
        for case, z in found.items():
            if abs(z) > FAR and abs(z) > abs(worst.get(case, ("", 0.0))[1]):
                worst[case] = (head, z)
    ordered = sorted(worst.items(), key=lambda item: (-abs(item[1][1]), item[0]))
    return [(case, head, z) for case, (head, z) in ordered]
