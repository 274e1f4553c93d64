"""How numbers read on a page: rounded to what a voxel can tell, with units as people write them."""

import math
from decimal import ROUND_HALF_EVEN, Decimal

from medseg.domain import Grid, Measurement, Quantity, Status

__all__ = ["interval_text", "number_text", "rounding_note", "unit_text", "value_text"]

_UNITS = {
    "1": "",
    "mm2": "mm²",
    "{px}": "px",
    "{px}2": "px²",
    "[hnsf'U]": "HU",
    "[arb'U]": "arb. units",
    "g/ml{SUVbw}": "SUVbw (g/ml)",
}
#: Finest step of quantities that do not depend on the voxel.
_STEPS = {
    Quantity.DICE: 0.001,
    Quantity.SURFACE_DICE: 0.001,
    Quantity.HD: 0.1,
    Quantity.HD95: 0.1,
    Quantity.ASSD: 0.01,
    Quantity.RELATIVE_VOLUME_ERROR: 0.1,
    Quantity.CENTROID_X: 0.1,
    Quantity.CENTROID_Y: 0.1,
    Quantity.CENTROID_Z: 0.1,
}
_UNIT_STEPS = {"[hnsf'U]": 1.0, "g/ml{SUVbw}": 0.01, "{px}": 1.0, "{px}2": 1.0, "1": 0.001}
#: Pixels below this (mm) justify a decimal of a millimetre.
_FINE_PIXEL_MM = 0.5


def unit_text(unit: str) -> str:
    """A UCUM unit as people write it; an unknown one as it stands."""
    return _UNITS.get(unit, unit)


def number_text(value: float, step: float) -> str:
    """A number with three significant digits (two below 1), never finer than `step`, its whole part kept.

    A number that is not zero never reads as zero: it is "under" the step.

    >>> [number_text(value, 0.001) for value in (214.37, 3.2149, 0.4213, 0.00021)]
    ['214', '3.21', '0.42', 'under 0.001']
    """
    if isinstance(value, int) or value == 0:
        return _signed(f"{value:d}" if isinstance(value, int) else "0")
    return _at_place(value, _place(value, step))


def value_text(item: Measurement, grid: Grid) -> str:
    """Value and unit of a Measurement as a page shows them; "not computed" where there is none.

    A lower bound reads "≥ 214 ml". `grid` is the mask's: it says how fine digits may be.
    """
    if item.value is None:
        return "not computed"
    bound = "≥ " if item.status is Status.TRUNCATED_LOWER_BOUND else ""
    return f"{bound}{number_text(item.value, _step(item, grid))} {unit_text(item.unit)}".rstrip()


def interval_text(item: Measurement, grid: Grid) -> str:
    """`90 % interval 196–233`, rounded as the value is; "uncertainty not estimated" without one."""
    if item.interval is None:
        return "uncertainty not estimated"
    place = _place(item.value or item.interval.high, _step(item, grid))
    low, high = (_at_place(end, place) for end in (item.interval.low, item.interval.high))
    return f"{item.interval.level * 100:.3g} % interval {low}–{high}"


def rounding_note(grid: Grid) -> str:
    """How a page rounds, in a sentence, and where the exact values are."""
    exact = "Exact values: JSON, CSV, XLSX."
    if grid.unit == "px":
        return f"Rounded for reading: sizes to whole pixels; no physical size is known. {exact}"
    return (
        "Rounded for reading: volumes to three digits (two below 1 ml) and never finer than one voxel "
        f"({_signed(f'{grid.voxel_volume / 1000:.2g}')} ml), lengths to {_length_step(grid):g} mm. {exact}"
    )


def _step(item: Measurement, grid: Grid) -> float:
    if item.quantity in _STEPS:
        return _STEPS[item.quantity]
    if item.unit == "ml":
        return grid.voxel_volume / 1000
    if item.unit == "mm2":
        return 1.0
    if item.unit == "mm":
        return _length_step(grid)
    return _UNIT_STEPS.get(item.unit, 0.0)


def _length_step(grid: Grid) -> float:
    return 0.1 if min(grid.spacing) < _FINE_PIXEL_MM else 1.0


def _place(value: float, step: float) -> int:
    """Power of ten of the last digit shown."""
    size = abs(value)
    digits = 3 if size >= 1 else 2
    place = min(0, math.floor(math.log10(size)) - digits + 1) if size else 0
    return max(place, math.ceil(math.log10(step) - 1e-9)) if step > 0 else place


def _at_place(value: float, place: int) -> str:
    unit = Decimal(1).scaleb(place)
    shown = Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_EVEN)
    if shown == 0 and value != 0:
        return f"under {unit:f}" if value > 0 else _signed(f"above -{unit:f}")
    return _signed(f"{shown:f}")


def _signed(text: str) -> str:
    return text.replace("-", "−")
