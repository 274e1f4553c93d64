"""A study of repeatability as rows: exact values for a script."""

import csv
import io
from typing import Any

from medseg.domain.repeatability import Estimate, Repeatability, RepeatabilityStudy, Trend
from medseg.reporting.tables.csv import as_text

__all__ = ["repeatability_rows", "repeatability_to_csv"]

_ESTIMATES = ("wsd", "rc", "wcv", "log_factor", "icc", "bias")
_TRENDS = ("bias_test", "growth")


def repeatability_rows(study: RepeatabilityStudy) -> list[dict[str, Any]]:
    """A row per structure and quantity, then those by size; None where something was not computed."""
    return [_row(item, study) for item in (*study.items, *study.by_size)]


def repeatability_to_csv(study: RepeatabilityStudy) -> bytes:
    """The rows as UTF-8 CSV; numbers by `repr`, so that they read back exactly."""
    rows = repeatability_rows(study)
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else ["target"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return buffer.getvalue().encode()


def _row(item: Repeatability, study: RepeatabilityStudy) -> dict[str, Any]:
    low, high = item.of_size or (None, None)
    row: dict[str, Any] = {
        "target": item.target,
        "quantity": item.quantity.value,
        "unit": item.unit,
        "evidence": study.evidence,
        "size_from": low,
        "size_below": high,
        "subjects": item.subjects,
        "pairs": item.pairs,
        "preliminary": item.is_preliminary,
        "scale": item.scale,
    }
    for name in _ESTIMATES:
        row |= _estimate(name, getattr(item, name))
    for name in _TRENDS:
        row |= _trend(name, getattr(item, name))
    row["limit_low"], row["limit_high"] = item.limits or (None, None)
    row["no_change_low_percent"], row["no_change_high_percent"] = item.no_change_percent or (None, None)
    return row


def _estimate(name: str, found: Estimate | None) -> dict[str, Any]:
    ends = None if found is None else found.interval
    return {
        name: None if found is None else found.value,
        f"{name}_low": None if ends is None else ends.low,
        f"{name}_high": None if ends is None else ends.high,
    }


def _trend(name: str, found: Trend | None) -> dict[str, Any]:
    return {
        name: None if found is None else found.value,
        f"{name}_p": None if found is None else found.p,
    }


def _cell(value: Any) -> Any:
    return as_text(value) if isinstance(value, str) else "" if value is None else repr(value)
