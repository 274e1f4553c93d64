"""Numbers of an SR, as they stand in its content tree."""

from collections.abc import Iterator
from typing import Any

from medseg.io.dicom.sr.values import UNCERTAINTY

__all__ = ["sr_groups", "sr_numbers"]

_MEASUREMENTS, _GROUP = "126010", "125007"


def sr_numbers(sr: Any) -> list[float | None]:
    """Value of every measured NUM in document order: float64 where it is stated, None where there is no value.

    What the image library says of the images is no measurement.
    """
    return [_value(item) for group in sr_groups(sr) for item in _nums(group.ContentSequence)]


def sr_groups(sr: Any) -> list[Any]:
    """The measurement groups of an SR, in document order."""
    held = [item for item in sr.ContentSequence if _is(item, _MEASUREMENTS)]
    return [item for part in held for item in part.ContentSequence if _is(item, _GROUP)]


def _is(item: Any, code: str) -> bool:
    names = item.get("ConceptNameCodeSequence")
    return bool(names) and str(names[0].get("CodeValue", "")) == code


def _nums(items: Any) -> Iterator[Any]:
    for item in items:
        if item.ValueType == "NUM" and not any(_is(item, code.value) for code in UNCERTAINTY):
            yield item
        yield from _nums(item.get("ContentSequence") or [])


def _value(item: Any) -> float | None:
    measured = item.get("MeasuredValueSequence")
    if not measured:
        return None
    exact = measured[0].get("FloatingPointValue")
    return float(measured[0].NumericValue if exact is None else exact)
