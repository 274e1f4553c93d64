"""Rows as XLSX: cases, measurements, findings, inputs and a data dictionary, ready to filter."""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from medseg.domain import Record, Status
from medseg.domain.quantity import Quantity
from medseg.domain.study import PatientFacts
from medseg.errors import InputError
from medseg.reporting.identity import IDENTIFIED, patient_words
from medseg.reporting.lesions.rows import LESION_COLUMNS, lesion_rows
from medseg.reporting.tables.csv import as_text
from medseg.reporting.tables.rows import columns_of, to_rows, usable_word
from medseg.reporting.tables.wide import CASE_COLUMNS, WIDE_PATTERNS, wide_rows
from medseg.reporting.wording import grid_text

__all__ = ["sheets_to_xlsx", "to_wide_xlsx", "to_xlsx"]

#: Written into every workbook instead of the clock, so that equal records give equal files.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_WIDEST = 60
#: Columns of a sheet.
_MOST_COLUMNS = 16384
_USABLE_LESION = "The least usable value of the row: yes, lower bound, unreliable, or no where there is none."
#: What a cell can't hold: control characters, and halves of characters from names of files that are not UTF-8.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


def to_xlsx(records: Iterable[Record], patient: PatientFacts | None = None) -> bytes:
    """Workbook with a sheet each for measurements, lesions (where there are any), findings, inputs and terms.

    Values are exact, text is never taken for a formula. With `patient` each measurement names the patient, and every
    sheet is marked where it is printed.
    """
    book = _new_book()
    _fill(book, list(records), (), patient)
    if patient is not None:
        for sheet in book.worksheets:
            # An ampersand starts a code of the header's own.
            sheet.oddHeader.center.text = f"{IDENTIFIED}: {patient_words(patient.identity)}".replace(
                "&", "&&"
            )
    return _bytes_of(book)


def to_wide_xlsx(records: Mapping[str, Record]) -> bytes:
    """The same workbook of many Records behind a sheet with a row per case; see `wide_rows`.

    Raises
    ------
    InputError
        If the cases have more columns than a sheet can hold.
    """
    book = _new_book()
    head, rows = wide_rows(records)
    if len(head) > _MOST_COLUMNS:
        raise InputError(
            f"an XLSX sheet holds {_MOST_COLUMNS} columns and these cases have {len(head)}; take --csv instead"
        )
    _sheet(book, "cases", head, rows)
    meanings = {**CASE_COLUMNS, **WIDE_PATTERNS}
    _fill(book, list(records.values()), [[name, "column of cases", told] for name, told in meanings.items()])
    return _bytes_of(book)


def sheets_to_xlsx(sheets: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]) -> bytes:
    """Workbook of named sheets, each a head and its rows; values are exact, text is never taken for a formula."""
    book = _new_book()
    for title, (head, rows) in sheets.items():
        _sheet(book, title, head, rows)
    return _bytes_of(book)


def _new_book() -> Any:
    from openpyxl import Workbook

    book = Workbook()
    book.properties.created = book.properties.modified = _EPOCH
    first = book.active
    if first is not None:
        book.remove(first)
    return book


def _fill(
    book: Any,
    records: Sequence[Record],
    terms: Sequence[Sequence[str]],
    patient: PatientFacts | None = None,
) -> None:
    """All sheets that one record has too; `terms` come first in the dictionary."""
    columns = columns_of(patient)
    rows = [list(row.values()) for row in to_rows(records, patient)]
    _sheet(book, "measurements", list(columns), rows)
    head, wide = lesion_rows(records)
    if wide:
        state = head.index("status")
        words = {status.value: usable_word(status) for status in Status}
        _sheet(book, "lesions", [*head, "usable"], [[*row, words[row[state]]] for row in wide])
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
            item.modality,
            item.value_unit,
            grid_text(item.grid),
            item.digest,
        ]
        for record in records
        for item in record.inputs
    ]
    head = ["subject", "role", "channel", "modality", "value_unit", "grid", "digest"]
    _sheet(book, "inputs", head, inputs)
    told = [[*term, None, None] for term in terms]
    head = ["name", "kind", "meaning", "unit", "ibsi"]
    _sheet(book, "data dictionary", head, [*told, *_dictionary(columns, lesions=bool(wide))])


def _bytes_of(book: Any) -> bytes:
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


def _dictionary(known: Mapping[str, str], *, lesions: bool) -> list[list[Any]]:
    columns: list[list[Any]] = [[name, "column", meaning, None, None] for name, meaning in known.items()]
    if lesions:
        meanings = {**LESION_COLUMNS, "usable": _USABLE_LESION}
        columns += [[name, "column of lesions", told, None, None] for name, told in meanings.items()]
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
    for row in (head, *rows):
        sheet.append(
            [_CONTROL.sub("\ufffd", as_text(cell)) if isinstance(cell, str) else cell for cell in row]
        )
        for cell in sheet[sheet.max_row]:
            if isinstance(cell.value, float):
                # The library writes 16 digits, and a float64 needs 17; what is text already stays as it is.
                cell._value = repr(cell.value)  # noqa: SLF001 - it has no other way
    sheet.freeze_panes = "A2"
    for number, name in enumerate(head, start=1):
        sheet.cell(1, number).font = Font(bold=True)
        longest = max([len(name), *(len(str(row[number - 1] or "")) for row in rows)])
        sheet.column_dimensions[get_column_letter(number)].width = min(_WIDEST, longest + 2)
