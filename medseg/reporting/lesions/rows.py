"""Lesions as wide rows for a workbook: one row per lesion, a column per quantity, exact values."""

from collections.abc import Iterable, Sequence
from typing import Any

from medseg.domain import Measurement, Record, Status
from medseg.reporting.groups import rank
from medseg.reporting.index import Lesion, lesions_of

__all__ = ["LESION_COLUMNS", "lesion_rows"]

#: Columns before and after the quantities → what they hold.
LESION_COLUMNS = {
    "subject": "Pseudonym of the subject or case.",
    "name": "Name of the label or region that the lesion is part of.",
    "lesion": "Number of the lesion, by size from 1.",
    "plane": "Plane and slice of the longest diameter.",
    "status": "The most that any value of the row is cut: ok, truncated_lower_bound, truncated_unreliable.",
    "not_computed": "Quantities that were not computed, each with its reason.",
}
_BEFORE = 3
_ORDER = (Status.OK, Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)


def lesion_rows(records: Iterable[Record]) -> tuple[list[str], list[list[Any]]]:
    """(head, rows) of all lesions of all Records; no lesions give no rows.

    A quantity's column is called `quantity [unit]`, with channel and delineation where it has them. A value
    that was not computed is None; its reason stands in the last column.
    """
    found = [(record, lesion) for record in records for lesion in lesions_of(record)]
    columns = _columns([lesion for _, lesion in found])
    fixed = list(LESION_COLUMNS)
    head = [*fixed[:_BEFORE], *columns, *fixed[_BEFORE:]]
    return head, [_row(record, lesion, columns) for record, lesion in found]


def _columns(lesions: Sequence[Lesion]) -> list[str]:
    named = {_title(item): rank(item.quantity) for lesion in lesions for item in lesion.items}
    return sorted(named, key=lambda title: named[title])


def _row(record: Record, lesion: Lesion, columns: Sequence[str]) -> list[Any]:
    values = {_title(item): item.value for item in lesion.items}
    plane = next((item.plane for item in lesion.items if item.plane), None)
    cut = max((item.status for item in lesion.items if item.status in _ORDER), key=_ORDER.index, default=None)
    refused = "; ".join(f"{_title(item)}: {item.reason}" for item in lesion.items if item.value is None)
    filled = [values.get(column) for column in columns]
    state = Status.NOT_COMPUTED if cut is None else cut
    return [record.subject, lesion.name, lesion.number, *filled, plane, state.value, refused or None]


def _title(item: Measurement) -> str:
    beside = ", ".join(words for words in (item.channel, item.target.detail) if words)
    return f"{item.quantity.value}{f' ({beside})' if beside else ''} [{item.unit}]"
