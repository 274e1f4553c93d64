"""Numbers of an SR, as they stand in its content tree."""

from collections.abc import Iterator
from typing import Any

__all__ = ["sr_numbers"]


def sr_numbers(sr: Any) -> list[float | None]:
    """Value of every NUM item in document order: float64 where it is stated, None where there is no value."""
    return [_value(item) for item in _nums(sr.ContentSequence)]


def _nums(items: Any) -> Iterator[Any]:
    for item in items:
        if item.ValueType == "NUM":
            yield item
        yield from _nums(item.get("ContentSequence") or [])


def _value(item: Any) -> float | None:
    measured = item.get("MeasuredValueSequence")
    if not measured:
        return None
    exact = measured[0].get("FloatingPointValue")
    return float(measured[0].NumericValue if exact is None else exact)
