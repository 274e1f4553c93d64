"""CSV and XLSX: the Record's numbers to the last digit, safe to open in a spreadsheet."""

import csv
import io
from dataclasses import replace

from openpyxl import load_workbook

from medseg.domain import Record
from medseg.reporting import to_csv, to_rows, to_xlsx


def test_every_view_carries_the_same_digits(record: Record) -> None:
    values = [item.value for item in record.measurements]
    assert [row["value"] for row in to_rows([record])] == values
    rows = list(csv.DictReader(io.StringIO(to_csv([record]).decode())))
    assert [float(row["value"]) if row["value"] else None for row in rows] == values
    sheet = load_workbook(io.BytesIO(to_xlsx([record])))["measurements"]
    head = [cell.value for cell in sheet[1]]
    column = head.index("value")
    assert [row[column] for row in sheet.iter_rows(min_row=2, values_only=True)] == values


def test_not_computed_is_empty_and_never_zero(record: Record) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([record]).decode())))
    refused = [row for row in rows if row["status"] == "not_computed"]
    assert refused
    assert all(row["value"] == "" and row["reason"] for row in refused)


def test_text_is_never_a_formula(record: Record) -> None:
    evil = "=HYPERLINK(1)"
    hostile = replace(record, subject=evil)
    rows = list(csv.DictReader(io.StringIO(to_csv([hostile]).decode())))
    assert rows[0]["subject"] == f"'{evil}"
    sheet = load_workbook(io.BytesIO(to_xlsx([hostile])))["measurements"]
    assert sheet.cell(2, 1).data_type == "s"
    assert not str(sheet.cell(2, 1).value).startswith("=")


def test_the_workbook_explains_itself(record: Record) -> None:
    book = load_workbook(io.BytesIO(to_xlsx([record])))
    assert book.sheetnames == ["measurements", "findings", "inputs", "data dictionary"]
    names = {row[0] for row in book["data dictionary"].iter_rows(min_row=2, values_only=True)}
    assert {"value", "unit", "status", "volume", "intensity_mean"} <= names
    assert book["findings"].max_row == 1 + len(record.findings)


def test_no_records_give_a_head_only() -> None:
    assert to_csv([]).decode().count("\n") == 1
    assert load_workbook(io.BytesIO(to_xlsx([])))["measurements"].max_row == 1
