"""Many comparisons in a few rows that can't hide a failure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Measurement, Quantity

__all__ = ["bootstrap_interval", "summarise"]

#: Resamples behind an interval.
RESAMPLES = 2000
LEVEL = 0.95


def summarise(cases: Mapping[str, tuple[Measurement, ...]], *, seed: int = 0) -> list[dict[str, Any]]:
    """One row per structure and quantity, with cases, misses and false positives beside the mean.

    A miss is a structure whose distances say that the prediction is empty; it counts 0 in Dice and surface
    Dice. Distances are averaged over the cases that have them, and `cases` says how many those are. Taking
    predictions away can therefore never raise a mean Dice, and shows as misses beside a mean distance.

    Returns
    -------
    list of dict
        name, quantity, unit, cases, of, misses, false_positives, mean, median, low, high (95 % bootstrap
        interval over cases).
    """
    groups: dict[tuple[str, Quantity], list[Measurement]] = {}
    for measurements in cases.values():
        for item in measurements:
            groups.setdefault((item.target.name, item.quantity), []).append(item)
    rows = []
    for (name, quantity), items in groups.items():
        values = np.array([item.value for item in items if item.value is not None], dtype=np.float64)
        reasons = [item.reason or "" for item in groups.get((name, Quantity.HD), [])]
        low, high = bootstrap_interval(values, seed=seed)
        rows.append(
            {
                "name": name,
                "quantity": quantity.value,
                "unit": items[0].unit,
                "cases": int(values.size),
                "of": len(items),
                "misses": sum(reason.startswith("the prediction is empty") for reason in reasons),
                "false_positives": sum(reason.startswith("the reference is empty") for reason in reasons),
                "mean": float(values.mean()) if values.size else None,
                "median": float(np.median(values)) if values.size else None,
                "low": low,
                "high": high,
            }
        )
    return rows


def bootstrap_interval(
    values: NDArray[np.float64], *, level: float = LEVEL, seed: int = 0
) -> tuple[float | None, float | None]:
    """Percentile bootstrap interval of the mean (Efron 1979); None for fewer than two values."""
    if values.size < 2:
        return None, None
    rng = np.random.default_rng(seed)
    means = values[rng.integers(values.size, size=(RESAMPLES, values.size))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
