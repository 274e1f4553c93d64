"""The wide table: a row per case, two columns per number: its value, and whether it may be taken at its word."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medseg.domain import Interval, Measurement, Quantity, Record, Status, Target
from medseg.reporting.groups import rank
from medseg.reporting.index import Index, Lesion, index_of, lesions_of
from medseg.reporting.structures import structure_name
from medseg.reporting.tables.rows import usable_word
from medseg.reporting.tissue.table import LEVELS, is_slice

__all__ = ["CASE_COLUMNS", "WIDE_PATTERNS", "wide_rows"]

#: Columns before the numbers → what they hold.
CASE_COLUMNS = {
    "case": "Name of the case: that of its record, without its ending. No other row has it.",
    "subject": "Pseudonym of the subject or case.",
    "segmenter": "What made the mask.",
    "review": "Review state of the record.",
    "warnings": "Findings of the record that are warnings or errors; the sheet of findings has them.",
    "mask_digest": "SHA-256 of the mask's labels.",
    "expected_dice": "Mean Dice that the model expects of its own mask, by which cases are ranked for review; no "
    "promise. Empty where none is known, or the mask was edited.",
}
#: Columns of numbers, as a pattern → what they hold.
WIDE_PATTERNS = {
    "structure quantity (unit)": "Exact value; channel, delineation or level stand before the unit. Empty when it was "
    "not computed, or not looked at. Empty is never zero.",
    "structure quantity (unit) usable": "yes, lower bound, unreliable or no, as in the long table; empty where it was "
    "not looked at.",
    "structure quantity (unit) low, high, level": "Ends and level of the interval, where any case has one.",
    "structure lesions total_volume (unit)": "Sum of the lesions' volumes (total_area in one slice); empty when one of "
    "them was not computed.",
    "structure lesions sum_of_longest_diameters (unit)": "Sum over all lesions of the longest diameter in plane; "
    "no sum of target lesions, which a reader picks.",
    "structure lesions largest_volume (unit)": "Volume of the largest lesion (largest_area in one slice).",
}
#: What is told of an interval.
_ENDS = ("low", "high", "level")
_SIZES = {Quantity.VOLUME: "volume", Quantity.AREA: "area"}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of numbers; `order` sorts those of one structure."""

    structure: str
    what: str
    unit: str
    order: tuple[int, ...]

    @property
    def head(self) -> str:
        return f"{self.structure} {self.what} ({self.unit})"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What stands in a cell and in the one beside it."""

    value: int | float | None
    status: Status
    interval: Interval | None = None


def wide_rows(records: Mapping[str, Record]) -> tuple[list[str], list[list[Any]]]:
    """(head, rows) of many Records, by case; no Records give the columns of a case alone.

    Of labels, regions, delineations and tissues the main quantities: those that the page, its tables or the terminal
    show. Structures are joined by name, quantities in different units stay apart. Of tissues in each of many slices
    only the whole stands here.
    """
    cases = {case: _entries(record) for case, record in records.items()}
    structures: dict[str, int] = {}
    for entries in cases.values():
        for column in entries:
            structures.setdefault(column.structure, len(structures))
    columns = sorted(
        {column: None for entries in cases.values() for column in entries},
        key=lambda column: (structures[column.structure], column.order, column.what, column.unit),
    )
    known = {column for entries in cases.values() for column, entry in entries.items() if entry.interval}
    head = [*CASE_COLUMNS, *(name for column in columns for name in _heads(column, ends=column in known))]
    rows = [
        [
            *_about(case, record),
            *(cell for column in columns for cell in _cells(cases[case].get(column), ends=column in known)),
        ]
        for case, record in records.items()
    ]
    return head, rows


def _about(case: str, record: Record) -> list[Any]:
    warnings = sum(item.severity != "info" for item in record.findings)
    made = record.made_by
    expected = None if made.edits else made.expected_dice
    return [case, record.subject, made.segmenter, record.review.state, warnings, record.mask.digest, expected]


def _heads(column: _Column, *, ends: bool) -> Iterator[str]:
    yield from (column.head, f"{column.head} usable")
    if ends:
        yield from (f"{column.head} {name}" for name in _ENDS)


def _cells(entry: _Entry | None, *, ends: bool) -> Iterator[int | float | str | None]:
    yield from (None, None) if entry is None else (entry.value, usable_word(entry.status))
    if ends:
        interval = None if entry is None else entry.interval
        yield from (None if interval is None else getattr(interval, name) for name in _ENDS)


def _entries(record: Record) -> dict[_Column, _Entry]:
    index = index_of(record.measurements)
    found: dict[_Column, _Entry] = {}
    for item in _shown(index):
        found.setdefault(_column(record, item), _Entry(item.value, item.status, item.interval))
    lesions: dict[str, list[Lesion]] = {}
    for lesion in lesions_of(record):
        lesions.setdefault(lesion.name, []).append(lesion)
    for target in index.structures:
        count = index.find(target, Quantity.LESION_COUNT)
        if target.name in lesions or (count is not None and count.value == 0):
            found |= _of_lesions(target, lesions.get(target.name, []), record)
    return found


def _shown(index: Index) -> Iterator[Measurement]:
    slices = {
        target.detail for target in index.by_target if target.kind == "tissue" and is_slice(target.detail)
    }
    for target, items in index.by_target.items():
        of_case = target.kind in ("label", "region", "tissue")
        if not of_case or (target.detail in slices and len(slices) > LEVELS):
            continue
        yield from (item for item in items if _is_main(item.quantity))


def _is_main(quantity: Quantity) -> bool:
    info = quantity.info
    return bool(info.headline or info.matrix or info.terminal)


def _column(record: Record, item: Measurement) -> _Column:
    beside = "".join(f" {words}" for words in (item.channel, item.target.detail) if words)
    return _Column(
        structure_name(record, item.target), f"{item.quantity.value}{beside}", item.unit, rank(item.quantity)
    )


def _of_lesions(target: Target, found: Sequence[Lesion], record: Record) -> dict[_Column, _Entry]:
    """Total, sum of longest diameters and largest; of none the sums are 0 and there is no largest."""
    sizes = [lesion.size for lesion in found]
    quantity, unit = _kind_of_size(record, sizes)
    axes = [lesion.find(Quantity.LONGEST_DIAMETER) for lesion in found]
    none = "mm" if record.mask.grid.unit == "mm" else "{px}"
    length = next((item.unit for item in axes if item is not None), none)
    name, size = f"{target.name} lesions", _SIZES[quantity]
    return {
        _Column(name, f"total_{size}", unit, (0,)): _sum(sizes),
        _Column(name, "sum_of_longest_diameters", length, (1,)): _sum(axes),
        _Column(name, f"largest_{size}", unit, (2,)): _largest(sizes),
    }


def _kind_of_size(record: Record, sizes: Sequence[Measurement | None]) -> tuple[Quantity, str]:
    """Volume, or area where lesions have no volume; of no lesions what the structures have."""
    items = [item for item in sizes if item is not None] or [
        item for item in record.measurements if item.quantity in _SIZES and item.target.kind == "label"
    ]
    best = next((item for item in items if item.value is not None), items[0] if items else None)
    return (Quantity.VOLUME, "ml") if best is None else (best.quantity, best.unit)


def _sum(items: Sequence[Measurement | None]) -> _Entry:
    values = [None if item is None else item.value for item in items]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return _Entry(None, Status.NOT_COMPUTED)
    return _Entry(sum(known), _worst(items))


def _largest(items: Sequence[Measurement | None]) -> _Entry:
    known = [item.value for item in items if item is not None and item.value is not None]
    if not known or len(known) < len(items):
        return _Entry(None, Status.NOT_COMPUTED)
    return _Entry(max(known), _worst(items))


def _worst(items: Sequence[Measurement | None]) -> Status:
    """Any cut lesion makes a sum a bound, and a largest too: the cut one may be the largest."""
    seen = {item.status for item in items if item is not None}
    order = (Status.TRUNCATED_UNRELIABLE, Status.TRUNCATED_LOWER_BOUND)
    return next((status for status in order if status in seen), Status.OK)
