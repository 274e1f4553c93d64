"""How numbers read on a page: rounded to what a voxel can tell, with units as people write them."""

import math
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

from medseg.domain import Grid, Interval, Measurement, Quantity, Status
from medseg.domain.measurement import Earlier

__all__ = [
    "bare_text",
    "change_text",
    "ends_text",
    "interval_text",
    "number_text",
    "rounding_note",
    "spoken",
    "unit_text",
    "value_text",
]

_UNITS = {
    "1": "",
    "mm2": "mm²",
    "/mm": "mm⁻¹",
    "cm2": "cm²",
    "cm2/m2": "cm²/m²",
    "ml/m2": "ml/m²",
    "{px}": "px",
    "{px}2": "px²",
    "[hnsf'U]": "HU",
    "[arb'U]": "arb. units",
}
#: Finest step of quantities whose rows name none.
_UNIT_STEPS = {
    "[hnsf'U]": 1.0,
    "{px}": 1.0,
    "{px}2": 1.0,
    "1": 0.001,
    "mm2": 1.0,
    "/mm": 0.001,
    "cm2": 0.1,
    "cm2/m2": 0.1,
    "g": 0.1,
    "%": 0.1,
}
#: Finest step of an SUV of any type.
_SUV_STEP = 0.01
#: Larger numbers read better as a power of ten.
_LARGE = 1e7
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Scales on which zero is a value like any other, and differences: near zero they read 0, not "under" a step.
_THROUGH_ZERO_UNITS = ("[hnsf'U]", "[arb'U]")
_THROUGH_ZERO = frozenset(
    {
        *(Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z, Quantity.VOLUME_DIFFERENCE),
        *(Quantity.SKEWNESS, Quantity.EXCESS_KURTOSIS),
        *(Quantity.VARIATION_COEFFICIENT, Quantity.QUARTILE_DISPERSION),
        *(Quantity.VOLUME_ERROR, Quantity.RELATIVE_VOLUME_ERROR),
    }
)
#: Pixels below this (mm) justify a decimal of a millimetre.
_FINE_PIXEL_MM = 0.5


def unit_text(unit: str) -> str:
    """A UCUM unit as people write it, squares of such units too; an unknown one as it stands.

    >>> [unit_text(unit) for unit in ("cm2/m2", "[hnsf'U]2", "([arb'U])2")]
    ['cm²/m²', 'HU²', '(arb. units)²']
    """
    if unit in _UNITS:
        return _UNITS[unit]
    if unit.startswith("g/ml{SUV") and unit.endswith("}"):
        return f"SUV{unit[8:-1]} (g/ml)"
    base = unit[:-1].removeprefix("(").removesuffix(")")
    if not unit.endswith("2") or not (base in _UNITS or base.startswith("g/ml{SUV")):
        return unit
    name = unit_text(base).partition(" (")[0]
    return f"({name})²" if " " in name else f"{name}²"


def number_text(value: float, step: float) -> str:
    """A number with three significant digits (two below 1), never finer than `step`, its whole part kept.

    A number that is not zero never reads as zero: it is "under" the step.

    >>> [number_text(value, 0.001) for value in (214.37, 3.2149, 0.4213, 0.00021)]
    ['214', '3.21', '0.42', 'under 0.001']
    """
    if isinstance(value, int) or value == 0:
        return _signed(f"{value:d}" if isinstance(value, int) else "0")
    if abs(value) >= _LARGE:
        digits, power = f"{value:.2e}".split("e")
        return f"{_signed(digits)} × 10{str(int(power)).translate(_RAISED)}"
    return _at_place(value, _place(value, step))


def value_text(item: Measurement, grid: Grid) -> str:
    """Value and unit of a Measurement as a page shows them; "not computed" where there is none.

    A lower bound reads "≥ 214 ml". `grid` is the mask's: it says how fine digits may be.
    """
    if item.value is None:
        return "not computed"
    if item.quantity is Quantity.MEETS_SIZE_CRITERION:
        return "meets the size criterion" if item.value else "below the size criterion"
    shown = bare_text(item, grid)
    bound = "≥ " if item.status is Status.TRUNCATED_LOWER_BOUND and not shown.startswith(">") else ""
    return f"{bound}{shown} {unit_text(item.unit)}".rstrip()


def bare_text(item: Measurement, grid: Grid) -> str:
    """The rounded number alone, for a column whose head has the unit; "" where there is none.

    A lower bound too small to round is "> 0": "at least under 0.1" would say nothing.
    """
    if item.value is None:
        return ""
    shown = number_text(item.value, _step(item, grid))
    if shown.startswith(("under", "above")) and _passes_zero(item):
        return "0"
    return "> 0" if item.status is Status.TRUNCATED_LOWER_BOUND and shown.startswith("under") else shown


def spoken(item: Measurement, grid: Grid) -> str:
    """A value in a sentence: a lower bound is "at least"."""
    return value_text(item, grid).replace("≥ ", "at least ")


def interval_text(item: Measurement, grid: Grid) -> str:
    """`90 % interval 196–233`, rounded as the value is; "uncertainty not estimated" without one."""
    if item.interval is None:
        return "uncertainty not estimated"
    return f"{_level(item.interval)} interval {_ends(item, item.interval, grid)}"


def ends_text(item: Measurement, grid: Grid) -> str:
    """`90 %: 196–233` of a value with an interval, for a cell; "" without one."""
    return "" if item.interval is None else f"{_level(item.interval)}: {_ends(item, item.interval, grid)}"


def change_text(item: Measurement, grid: Grid) -> str:
    """`earlier 2.90 ml, 91 days before; change +0.43 ml, error unknown`; "" where no earlier value is known.

    Why there is no change stands in its place. Nothing is called growth: that takes an error of the change.
    """
    then, change = item.earlier, item.change
    if then is None:
        return ""
    past = replace(
        item, value=then.value, status=then.status, reason=item.reason or "cut then", interval=None
    )
    told = f"earlier {value_text(past, grid)}, {then.days} day{'s' * (then.days != 1)} before"
    if change is None:
        return f"{told}; {_no_change(item, then)}"
    unit = unit_text(item.unit)
    place = _place(item.value or then.value, _step(item, grid))
    if then.error is None:
        return f"{told}; change {_plus(change, place)} {unit}, error unknown"
    low, high = (_plus(end, place) for end in (then.error.low, then.error.high))
    return f"{told}; change {_plus(change, place)} {unit} ({_level(then.error)} interval {low} to {high})"


def rounding_note(grid: Grid) -> str:
    """How a page rounds, in a sentence, and where the exact values are."""
    exact = "Exact values: JSON, CSV, XLSX."
    if grid.unit == "px":
        return f"Rounded for reading: sizes to whole pixels; no physical size is known. {exact}"
    return (
        "Rounded for reading: volumes to three digits (two below 1 ml) and never finer than one voxel "
        f"({_signed(f'{grid.voxel_volume / 1000:.2g}')} ml), lengths to {_length_step(grid):g} mm. {exact}"
    )


def _no_change(item: Measurement, then: Earlier) -> str:
    if then.fault:
        return f"not comparable: {then.fault}"
    return "no change stated: " + ("not computed now" if item.value is None else "one of them is cut")


def _level(interval: Interval) -> str:
    return f"{interval.level * 100:.3g} %"


def _ends(item: Measurement, interval: Interval, grid: Grid) -> str:
    place = _place(item.value or interval.high, _step(item, grid))
    low, high = (_at_place(end, place) for end in (interval.low, interval.high))
    return f"{low}–{high}"


def _plus(value: float, place: int) -> str:
    text = _at_place(value, place)
    return f"+{text}" if value > 0 and not text.startswith("under") else text


def _passes_zero(item: Measurement) -> bool:
    return item.unit in _THROUGH_ZERO_UNITS or item.quantity in _THROUGH_ZERO


def _step(item: Measurement, grid: Grid) -> float:
    if item.quantity.info.step is not None:
        return item.quantity.info.step
    if item.unit == "ml":
        return grid.voxel_volume / 1000
    if item.unit == "mm":
        return _length_step(grid)
    if item.unit.startswith("g/ml{SUV"):
        return _SUV_STEP
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
