"""Rows as CSV: exact values, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from medseg.domain import Record
from medseg.domain.study import PatientFacts
from medseg.reporting.tables.rows import columns_of, to_rows
from medseg.reporting.tables.wide import wide_rows

__all__ = ["as_text", "table_cell", "to_csv", "to_wide_csv"]

#: A spreadsheet takes text that starts with one of these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(records: Iterable[Record], patient: PatientFacts | None = None) -> bytes:
    """UTF-8 CSV, one row per measurement; numbers by `repr`, so that they read back exactly.

    Text that a spreadsheet would run as a formula gets a leading apostrophe. No records give the header alone.
    With `patient` each row names the patient, in columns of their own.
    """
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(columns_of(patient)), lineterminator="\n")
    writer.writeheader()
    for row in to_rows(records, patient):
        writer.writerow({key: table_cell(value) for key, value in row.items()})
    return buffer.getvalue().encode()


def to_wide_csv(records: Mapping[str, Record]) -> bytes:
    """UTF-8 CSV, one row per case with its main numbers, each with its column `usable`; see `wide_rows`.

    Written as `to_csv` writes. No records give the columns of a case alone.
    """
    head, rows = wide_rows(records)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([table_cell(cell) for cell in row] for row in (head, *rows))
    return buffer.getvalue().encode()


def as_text(value: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def table_cell(value: Any) -> Any:
    """A value as a cell of CSV: exact numbers, nothing for what there is not, text that is no formula."""
    return as_text(value) if isinstance(value, str) else "" if value is None else repr(value)
