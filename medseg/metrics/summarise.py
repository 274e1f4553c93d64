"""Many comparisons in a few rows that can't hide a failure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Measurement, Quantity

__all__ = ["bootstrap_interval", "summarise"]

#: Resamples behind an interval.
RESAMPLES = 2000
LEVEL = 0.95

_COUNTS = frozenset(quantity for quantity in Quantity if quantity.info.compared == "count")
_OF_LESIONS = frozenset(quantity for quantity in Quantity if quantity.info.compared in ("count", "lesion"))

Values = dict[str, float | None]


def summarise(
    cases: Mapping[str, tuple[Measurement, ...]],
    *,
    patients: Mapping[str, str] | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One row per structure and quantity, with cases, misses and false positives beside the mean.

    Of a structure, a miss is a case where the prediction is empty and the reference is not, a false positive the
    other way round; of a quantity of lesions, misses and false positives are lesions. Means of distances are over
    the cases that have them, and `cases` of `of` says how many those are: they are no headline. Rows of single
    lesions are left out, since lesion 1 is another one in every case.

    Parameters
    ----------
    cases
        Case → its Measurements, from `evaluate` and `evaluate_lesions`.
    patients
        Case → patient, where one has several cases: intervals draw patients, with all their cases. A case that
        is not named is a patient of its own.
    seed
        Of the bootstrap.

    Returns
    -------
    list of dict
        name, detail, quantity, unit, headline, cases, of, misses, false_positives, total (of counts), mean,
        median, low, high (95 % bootstrap interval of the mean over patients). No cases give no rows.
    """
    known = patients or {}
    groups: dict[tuple[str, str | None, Quantity], dict[str, Measurement]] = {}
    for case, measurements in cases.items():
        for item in measurements:
            if item.target.lesion is None:
                key = (item.target.name, item.target.detail, item.quantity)
                groups.setdefault(key, {})[case] = item
    found = {key: {case: item.value for case, item in group.items()} for key, group in groups.items()}
    rows = []
    for (name, detail, quantity), group in groups.items():
        values = found[name, detail, quantity]
        row: dict[str, Any] = {"name": name, "detail": detail, "quantity": quantity.value}
        row |= {
            "unit": next(iter(group.values())).unit,
            "headline": quantity.info.quotable and detail is None,
        }
        row |= _failures(found, (name, detail, quantity))
        rows.append(row | _figures(values, quantity, [known.get(case, case) for case in values], seed))
    return rows


def _figures(values: Values, quantity: Quantity, patients: Sequence[str], seed: int) -> dict[str, Any]:
    present = [value is not None for value in values.values()]
    numbers = np.array([value for value in values.values() if value is not None], dtype=np.float64)
    who = [patient for patient, there in zip(patients, present, strict=True) if there]
    low, high = bootstrap_interval(numbers, patients=who, seed=seed)
    return {
        "cases": int(numbers.size),
        "of": len(values),
        "total": int(numbers.sum()) if quantity in _COUNTS else None,
        "mean": float(numbers.mean()) if numbers.size else None,
        "median": float(np.median(numbers)) if numbers.size else None,
        "low": low,
        "high": high,
    }


def _failures(
    found: Mapping[tuple[str, str | None, Quantity], Values], key: tuple[str, str | None, Quantity]
) -> dict[str, int]:
    name, detail, quantity = key

    def of(wanted: Quantity, part: str | None = None) -> Values:
        return found.get((name, part, wanted), {})

    if quantity in _OF_LESIONS:
        missed = _sum(of(Quantity.LESIONS_IN_REFERENCE, detail)) - _sum(of(Quantity.LESIONS_FOUND, detail))
        return {"misses": missed, "false_positives": _sum(of(Quantity.LESION_FALSE_POSITIVES, detail))}
    dice, relative = of(Quantity.DICE), of(Quantity.RELATIVE_VOLUME_ERROR)
    # No relative error means an empty reference; then Dice is 0 exactly where something was predicted.
    false = [case for case, value in relative.items() if value is None and dice.get(case) == 0]
    misses = [case for case, value in relative.items() if value == -100]
    return {"misses": len(misses), "false_positives": len(false)}


def _sum(values: Values) -> int:
    return int(sum(value or 0 for value in values.values()))


def bootstrap_interval(
    values: NDArray[np.float64],
    *,
    patients: Sequence[str] | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float | None, float | None]:
    """Percentile bootstrap interval of the mean (Efron 1979), drawing patients with all their cases.

    Parameters
    ----------
    values
        (N,) one per case.
    patients
        Whose each case is; none given means that each case is a patient.

    Returns
    -------
    tuple
        Lower and upper end; None for fewer than two patients.
    """
    names = range(values.size) if patients is None else patients
    whose = np.unique(np.array(list(names)), return_inverse=True)[1] if values.size else np.empty(0, np.intp)
    count = int(whose.max(initial=-1)) + 1
    if count < 2:
        return None, None
    sums, sizes = np.bincount(whose, weights=values), np.bincount(whose)
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
