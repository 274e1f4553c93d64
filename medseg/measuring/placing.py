"""Where values lie among reference values that a user gave; refused rather than guessed."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from medseg.domain import Measurement, Provenance, Status
from medseg.domain.measurement import Placement
from medseg.domain.provenance import GIVEN
from medseg.domain.reference import RANGES, Person, ReferenceRow, ReferenceTable, one_group

__all__ = ["place_among"]

#: Outermost percentiles that a mean and an SD stand for: beyond them the normal distribution is a guess.
_OUTER = (2.5, 97.5)
_PLACED = ("label", "region", "tissue")
_OPTIONS = {"age": "--age", "icv_ml": "--icv", "height_m": "--height-m", "weight_kg": "--weight-kg"}
_WORDS = {"age": "age", "icv_ml": "intracranial volume", "height_m": "height", "weight_kg": "weight"}


def place_among(
    measurements: Sequence[Measurement], table: ReferenceTable, person: Person, made_by: Provenance
) -> tuple[Measurement, ...]:
    """The Measurements, those that the table tells something about with their place among its values.

    Between two percentiles the place is interpolated linearly in the table's own unit; nothing is extrapolated:
    beyond the outermost value it is said to lie below or above. Refused, with the reason, are persons outside the
    table's groups or not known, values in another unit, masks of another segmenter than the table's, values that
    are not whole. A lower bound is only placed where it lies above.

    Parameters
    ----------
    measurements
        Of labels, regions and tissues; lesions are numbered anew in each person, so nothing is usual in them.
    table, person, made_by
        The reference values, whom they are compared with, and what made the mask.
    """
    other = _other_segmenter(table, made_by)
    return tuple(_with_place(item, table, person, other) for item in measurements)


def _with_place(item: Measurement, table: ReferenceTable, person: Person, other: str) -> Measurement:
    about = (item.target.name.casefold(), item.quantity, item.target.detail)
    rows = [row for row in table.rows if row.subject == about]
    if not rows or item.target.kind not in _PLACED:
        return item
    found = _why_not(item, rows, other) or _row_for(rows, person)
    if isinstance(found, str):
        return replace(item, placement=Placement("refused", found, _source(rows, table)))
    return replace(item, placement=_place(item, found, table))


def _other_segmenter(table: ReferenceTable, made_by: Provenance) -> str:
    """Why masks of this origin can't be compared with the table's; "" if they can, or it names no segmenter."""
    if not table.segmenter:
        return ""
    name, version = made_by.segmenter, "" if made_by.model is None else made_by.model.version
    if name == GIVEN:
        name = str(dict(made_by.parameters).get("algorithm") or "an unknown origin")
    if name != table.segmenter:
        return f"the reference values are of masks by {table.segmenter}, and this one is by {name}"
    if table.version and version != table.version:
        return (
            f"the reference values are of version {table.version} of {name}, and this mask is of "
            f"{f'version {version}' if version else 'one that is not known'}"
        )
    return ""


def _why_not(item: Measurement, rows: Sequence[ReferenceRow], other: str) -> str:
    units = sorted({row.unit for row in rows} - {item.unit})
    if item.value is None:
        return f"there is no value: {item.reason}"
    if units:
        return f"the reference values are in {', '.join(units)}, and this one in {item.unit}"
    if item.status is Status.TRUNCATED_UNRELIABLE:
        return f"the value is not that of the whole: {item.reason}"
    return other


def _row_for(rows: Sequence[ReferenceRow], person: Person) -> ReferenceRow | str:
    """The row of a person's group, or why there is none."""
    if person.sex is None and any(row.sex for row in rows):
        return "the reference values differ by sex, which is not given; give --sex"
    left = [row for row in rows if row.sex in (None, person.sex)]
    if not left:
        return f"the reference values are not of {person.sex} persons"
    for name, unit in RANGES.items():
        value = getattr(person, name)
        limits = [limit for row in left if (limit := getattr(row, name)) is not None]
        if limits and value is None:
            return f"the reference values differ by {_WORDS[name]}, which is not given; give {_OPTIONS[name]}"
        left = [row for row in left if (limit := getattr(row, name)) is None or limit.holds(value)]
        if not left:
            spans = ", ".join(
                f"{limit.low:g} to {limit.high:g}" for limit in sorted(limits, key=lambda it: it.low)
            )
            return f"{value:g} {unit} lies outside the reference values ({spans} {unit})"
    return left[0]


def _place(item: Measurement, row: ReferenceRow, table: ReferenceTable) -> Placement:
    points = _points(row)
    low, high = (points[0][1], points[-1][1]) if points else (row.low, row.high)
    lowest, highest = (f"{_ordinal(points[end][0])} percentile" if points else "range" for end in (0, -1))
    source, group = _source([row], table), ", ".join(one_group(row)) or "everybody"
    bare = Placement("within", "within the range", source, group, low=low, high=high, method=_method(row))
    value = float(item.value or 0)
    if high is not None and value > high:
        return replace(bare, outcome="above", words=f"above the {highest}")
    if item.status is Status.TRUNCATED_LOWER_BOUND:
        return Placement("refused", f"only a lower bound is known: {item.reason}", source)
    if low is not None and value < low:
        return replace(bare, outcome="below", words=f"below the {lowest}")
    if not points:
        return bare
    percentile = _percentile(value, row, points)
    whole = min(max(round(percentile), points[0][0]), points[-1][0])
    words = f"{_ordinal(whole)} percentile"
    interval = _interval(item, row, points)
    return replace(bare, outcome="percentile", words=words, percentile=percentile, interval=interval)


def _points(row: ReferenceRow) -> tuple[tuple[float, float], ...]:
    """(percentile, value), rising; none for a range."""
    if row.mean is None or row.sd is None:
        return row.percentiles
    usual = NormalDist(row.mean, row.sd)
    return tuple((percentile, usual.inv_cdf(percentile / 100)) for percentile in _OUTER)


def _percentile(value: float, row: ReferenceRow, points: tuple[tuple[float, float], ...]) -> float:
    if row.mean is not None and row.sd is not None:
        return NormalDist(row.mean, row.sd).cdf(value) * 100
    return float(np.interp(value, [found for _, found in points], [percentile for percentile, _ in points]))


def _interval(
    item: Measurement, row: ReferenceRow, points: tuple[tuple[float, float], ...]
) -> tuple[float, float] | None:
    """Percentiles at the ends of the value's interval; None without one, or where an end lies outside."""
    if item.interval is None:
        return None
    ends = (item.interval.low, item.interval.high)
    if ends[0] < points[0][1] or ends[1] > points[-1][1]:
        return None
    return _percentile(ends[0], row, points), _percentile(ends[1], row, points)


def _method(row: ReferenceRow) -> str:
    if row.percentiles:
        return f"interpolated linearly between the percentiles of the table, in {row.unit}"
    if row.mean is not None:
        return f"as of a normal distribution with mean {row.mean:g} and SD {row.sd:g} {row.unit}"
    return "against the two ends of a range"


def _source(rows: Sequence[ReferenceRow], table: ReferenceTable) -> str:
    made = (
        f", masks by {table.segmenter} {table.version}".rstrip()
        if table.segmenter
        else ", segmenter not named"
    )
    return f"{'; '.join(dict.fromkeys(row.source for row in rows))} ({table.name}{made})"


def _ordinal(number: float) -> str:
    """A percentile in words.

    >>> [_ordinal(number) for number in (1, 2, 3, 11, 12, 21, 63, 2.5)]
    ['1st', '2nd', '3rd', '11th', '12th', '21st', '63rd', '2.5th']
    """
    ending = "th"
    if number == int(number) and int(number) % 100 not in (11, 12, 13):
        ending = {1: "st", 2: "nd", 3: "rd"}.get(int(number) % 10, "th")
    return f"{number:g}{ending}"
