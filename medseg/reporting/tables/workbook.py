"""Rows as XLSX: measurements, findings, inputs and a data dictionary, ready to filter."""

import io
import re
import zipfile
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
#: What a cell can't hold: control characters, and halves of characters from names of files that are not UTF-8.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


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
    return _without_clock(buffer)


def _without_clock(written: io.BytesIO) -> bytes:
    """The workbook with one time everywhere: the library writes that of saving into its parts and its archive."""
    stamp = f"{_EPOCH.isoformat()}Z".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(written) as before, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as after:
        for item in before.infolist():
            data = before.read(item)
            if item.filename == "docProps/core.xml":
                data = _MODIFIED.sub(rb"\g<1>" + stamp + rb"\g<2>", data)
            entry = zipfile.ZipInfo(item.filename, _EPOCH.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, item.external_attr
            after.writestr(entry, data)
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
        sheet.append(
            [_CONTROL.sub("\ufffd", as_text(cell)) if isinstance(cell, str) else cell for cell in row]
        )
    sheet.freeze_panes = "A2"
    for number, name in enumerate(head, start=1):
        sheet.cell(1, number).font = Font(bold=True)
        longest = max([len(name), *(len(str(row[number - 1] or "")) for row in rows)])
        sheet.column_dimensions[get_column_letter(number)].width = min(_WIDEST, longest + 2)
