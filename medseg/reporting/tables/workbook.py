"""Rows as XLSX: measurements, findings, inputs and a data dictionary, ready to filter."""

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from medseg.domain import Record
from medseg.domain.quantity import Quantity
from medseg.reporting.lesions.rows import LESION_COLUMNS, lesion_rows
from medseg.reporting.tables.csv import as_text
from medseg.reporting.tables.rows import COLUMNS, to_rows
from medseg.reporting.wording import grid_text

__all__ = ["to_xlsx"]

#: Written into every workbook instead of the clock, so that equal records give equal files.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_WIDEST = 60


def to_xlsx(records: Iterable[Record]) -> bytes:
    """Workbook with a sheet each for measurements, lesions (where there are any), findings, inputs and terms.

    Values are exact, text is never taken for a formula.
    """
    from openpyxl import Workbook

    records = list(records)
    book = Workbook()
    book.properties.created = book.properties.modified = _EPOCH
    first = book.active
    if first is not None:
        book.remove(first)
    rows = [list(row.values()) for row in to_rows(records)]
    _sheet(book, "measurements", list(COLUMNS), rows)
    head, wide = lesion_rows(records)
    if wide:
        _sheet(book, "lesions", head, wide)
    findings = [
        [record.subject, item.severity, item.code, item.message]
        for record in records
        for item in record.findings
    ]
    _sheet(book, "findings", ["subject", "severity", "code", "message"], findings)
    inputs = [
        [
            record.subject,
            item.role,
            item.channel,
            item.path,
            item.modality,
            item.value_unit,
            grid_text(item.grid),
            item.digest,
        ]
        for record in records
        for item in record.inputs
    ]
    head = ["subject", "role", "channel", "path", "modality", "value_unit", "grid", "digest"]
    _sheet(book, "inputs", head, inputs)
    _sheet(
        book, "data dictionary", ["name", "kind", "meaning", "unit", "ibsi"], _dictionary(lesions=bool(wide))
    )
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _dictionary(*, lesions: bool) -> list[list[Any]]:
    columns: list[list[Any]] = [[name, "column", meaning, None, None] for name, meaning in COLUMNS.items()]
    if lesions:
        columns += [[name, "column of lesions", told, None, None] for name, told in LESION_COLUMNS.items()]
        pattern = (
            "Exact value; empty where it was not computed. Named by quantity, channel, delineation, unit."
        )
        columns.append(["quantity (channel, delineation) [unit]", "column of lesions", pattern, None, None])
    quantities = [
        [item.value, "quantity", f"{item.info.title}: {item.info.definition}", item.info.unit, item.info.ibsi]
        for item in Quantity
    ]
    return columns + quantities


def _sheet(book: Any, title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(title)
    sheet.append(list(head))
    for row in rows:
        sheet.append([as_text(cell) if isinstance(cell, str) else cell for cell in row])
    sheet.freeze_panes = "A2"
    for number, name in enumerate(head, start=1):
        sheet.cell(1, number).font = Font(bold=True)
        longest = max([len(name), *(len(str(row[number - 1] or "")) for row in rows)])
        sheet.column_dimensions[get_column_letter(number)].width = min(_WIDEST, longest + 2)
