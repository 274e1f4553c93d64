"""CSV and XLSX: the Record's numbers to the last digit, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from openpyxl import load_workbook

from medseg.domain import Label, LabelTable, Measurement, Quantity, Record, Status, Target
from medseg.errors import InputError
from medseg.reporting import to_csv, to_rows, to_wide_csv, to_wide_xlsx, to_xlsx
from medseg.reporting.tables.wide import wide_rows


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


def test_no_table_names_files_or_folders(record: Record) -> None:
    """People call folders and files by names of people; inputs are told by digest and channel."""
    book = load_workbook(io.BytesIO(to_wide_xlsx({"a": record})))
    cells = [str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    assert record.mask.digest in cells
    assert not [cell for cell in cells if "scans" in cell or ".nii" in cell]
    assert "scans" not in (to_csv([record]) + to_wide_csv({"a": record})).decode()


def test_no_records_give_a_head_only() -> None:
    assert to_csv([]).decode().count("\n") == 1
    assert load_workbook(io.BytesIO(to_xlsx([])))["measurements"].max_row == 1


WORDS = [
    (Status.OK, "yes"),
    (Status.TRUNCATED_LOWER_BOUND, "lower bound"),
    (Status.TRUNCATED_UNRELIABLE, "unreliable"),
    (Status.NOT_COMPUTED, "no"),
]


@pytest.mark.parametrize(("status", "word"), WORDS)
def test_a_script_that_keeps_what_is_usable_takes_no_bound(record: Record, status: Status, word: str) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([record]).decode())))
    words = {row["usable"] for row in rows if row["status"] == status.value}
    assert words == {word}
    kept = [row for row in rows if row["usable"] == "yes"]
    assert {row["status"] for row in kept} == {"ok"}
    assert all(row["value"] for row in kept)


def wide(records: dict[str, Record]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_wide_csv(records).decode())))


def test_the_wide_table_has_a_row_per_case_and_a_word_beside_each_number(
    record: Record, clean: Record
) -> None:
    rows = wide({"one": record, "two": replace(clean, subject="B")})
    assert [(row["case"], row["subject"], row["warnings"]) for row in rows] == [
        ("one", "case-0a1b2c3d", "2"),
        ("two", "B", "0"),
    ]
    length = "Soft-tissue tumour longest_in_plane_diameter (mm)"
    assert [(row[length], row[f"{length} usable"]) for row in rows] == [
        ("18.0", "lower bound"),
        ("18.0", "yes"),
    ]
    mean = "Soft-tissue tumour intensity_mean mr ([arb'U])"
    assert [(row[mean], row[f"{mean} usable"]) for row in rows] == [
        (repr(1 / 3), "unreliable"),
        (repr(1 / 3), "yes"),
    ]
    refused = "Node longest_in_plane_diameter (mm)"
    assert {(row[refused], row[f"{refused} usable"]) for row in rows} == {("", "no")}
    assert {row["Node volume (ml)"] for row in rows} == {"0.0"}
    numbers = [name for name in rows[0] if name.endswith(")")]
    assert all(f"{name} usable" in rows[0] for name in numbers)


def test_the_wide_numbers_are_those_of_the_long_table(many: Callable[[int], Record]) -> None:
    record = many(40)
    (row,) = wide({"a": record})
    long = {
        (item["name"], item["quantity"], item["channel"], item["unit"]): (item["value"], item["usable"])
        for item in to_rows([record])
    }
    shown = [name for name in row if f"{name} usable" in row]
    assert len(shown) > 400
    for (name, quantity, channel, unit), (value, usable) in long.items():
        head = f"{name} {quantity}{f' {channel}' if channel else ''} ({unit})"
        if head in shown:
            assert row[head] == ("" if value is None else repr(value))
            assert row[f"{head} usable"] == usable
            shown.remove(head)
    assert shown == []


def test_what_was_not_looked_at_is_neither_usable_nor_not(record: Record) -> None:
    other = replace(record, measurements=record.measurements[:1])
    first, second = wide({"a": record, "b": other})
    assert (first["Node volume (ml)"], first["Node volume (ml) usable"]) == ("0.0", "yes")
    assert (second["Node volume (ml)"], second["Node volume (ml) usable"]) == ("", "")


def test_units_are_not_mixed_in_one_column(record: Record) -> None:
    area = Measurement(Target("label", "Node", (2,)), Quantity.AREA, 12.0, "{px}2")
    other = replace(record, measurements=(replace(area, unit="mm2"),))
    first, second = wide({"a": replace(record, measurements=(area,)), "b": other})
    assert (first["Node area ({px}2)"], second["Node area (mm2)"]) == ("12.0", "12.0")
    assert (first["Node area (mm2)"], second["Node area ({px}2)"]) == ("", "")


def test_lesions_in_the_wide_table(metastases: Callable[[int], tuple[Record, object, object]]) -> None:
    record = metastases(12)[0]
    whole, none = wide({"a": record, "b": _without_lesions(record)})
    lesions = [item for item in record.measurements if item.target.kind == "lesion"]
    sizes = [item.value for item in lesions if item.quantity is Quantity.VOLUME]
    axes = [item.value for item in lesions if item.quantity is Quantity.LONGEST_DIAMETER]
    total, largest = (
        "Liver metastasis lesions total_volume (ml)",
        "Liver metastasis lesions largest_volume (ml)",
    )
    length = "Liver metastasis lesions sum_of_longest_diameters (mm)"
    assert float(whole[total]) == pytest.approx(sum(sizes))  # type: ignore[arg-type]
    assert float(whole[length]) == pytest.approx(sum(axes))  # type: ignore[arg-type]
    assert float(whole[largest]) == max(sizes)  # type: ignore[type-var]
    assert {whole[f"{name} usable"] for name in (total, length, largest)} == {"lower bound"}, "one is cut"
    assert whole["Liver metastasis lesion_count (1)"] == "12"
    assert (none[total], none[f"{total} usable"]) == ("0", "yes")
    assert (none[length], none[f"{length} usable"]) == ("0", "yes")
    assert (none[largest], none[f"{largest} usable"]) == ("", "no")


def _without_lesions(record: Record) -> Record:
    rows = (
        replace(item, value=0) if item.quantity is Quantity.LESION_COUNT else item
        for item in record.measurements
        if item.target.kind != "lesion"
    )
    return replace(record, measurements=tuple(rows))


def test_a_sum_with_a_lesion_that_was_not_computed_is_none(
    metastases: Callable[[int], tuple[Record, object, object]],
) -> None:
    record = metastases(3)[0]
    rows = tuple(
        replace(item, value=None, status=Status.NOT_COMPUTED, reason="why")
        if item.target.lesion == 2 and item.quantity is Quantity.LONGEST_DIAMETER
        else item
        for item in record.measurements
    )
    (row,) = wide({"a": replace(record, measurements=rows)})
    length = "Liver metastasis lesions sum_of_longest_diameters (mm)"
    assert (row[length], row[f"{length} usable"]) == ("", "no")


def test_one_tissue_of_two_compartments_has_two_columns(record: Record) -> None:
    table = LabelTable((Label(1, "left"), Label(2, "right")))
    rows = tuple(
        Measurement(Target("tissue", "fat", (value,), None, "L3"), Quantity.TISSUE_AREA, float(value), "cm2")
        for value in (1, 2)
    )
    (row,) = wide({"a": replace(record, table=table, measurements=rows)})
    assert (row["left fat tissue_area L3 (cm2)"], row["right fat tissue_area L3 (cm2)"]) == ("1.0", "2.0")


def test_the_workbook_of_many_has_both_tables_and_equal_bytes(record: Record, clean: Record) -> None:
    records = {"one": record, "=two": replace(clean, subject="B")}
    data = to_wide_xlsx(records)
    assert data == to_wide_xlsx(records)
    book = load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["cases", "measurements", "findings", "inputs", "data dictionary"]
    head, *rows = book["cases"].iter_rows(values_only=True)
    expected = wide_rows(records)
    assert list(head) == expected[0]
    assert [row[0] for row in rows] == ["one", "'=two"]
    assert [list(row[1:]) for row in rows] == [row[1:] for row in expected[1]]
    assert book["measurements"].max_row == 1 + len(record.measurements) + len(clean.measurements)
    names = {row[0] for row in book["data dictionary"].iter_rows(min_row=2, values_only=True)}
    assert {"case", "usable", "structure quantity (unit) usable"} <= names


def test_the_sheet_of_lesions_says_what_is_usable(
    metastases: Callable[[int], tuple[Record, object, object]],
) -> None:
    sheet = load_workbook(io.BytesIO(to_xlsx([metastases(4)[0]])))["lesions"]
    head, *rows = sheet.iter_rows(values_only=True)
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert {(row["status"], row["usable"]) for row in found} == {
        ("truncated_unreliable", "unreliable"),
        ("ok", "yes"),
    }


def test_more_columns_than_a_sheet_holds_are_refused(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = len(wide_rows({"a": record})[0])
    monkeypatch.setattr("medseg.reporting.tables.workbook._MOST_COLUMNS", columns)
    assert to_wide_xlsx({"a": record})
    monkeypatch.setattr("medseg.reporting.tables.workbook._MOST_COLUMNS", columns - 1)
    with pytest.raises(InputError, match=f"have {columns}; take --csv instead"):
        to_wide_xlsx({"a": record})


def test_no_cases_give_the_columns_of_a_case() -> None:
    assert to_wide_csv({}).decode() == ("case,subject,segmenter,review,warnings,mask_digest,expected_dice\n")
