"""A value of many cases in few digits."""

from medseg.reporting.numbers import number_text, unit_text

__all__ = ["few_digits", "unit_value_text"]

#: Finest step of a number, by unit.
_STEPS = {"mm": 0.1, "{px}": 1.0, "[hnsf'U]": 0.1}


def few_digits(value: float, unit: str) -> str:
    """The number alone; what has no unit is a count, and its median may lie between two."""
    return f"{value:g}" if unit == "1" else number_text(value, _STEPS.get(unit, 0.001))


def unit_value_text(value: float, unit: str) -> str:
    """The number with its unit."""
    return f"{few_digits(value, unit)} {unit_text(unit)}".rstrip()
