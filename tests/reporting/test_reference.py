"""Places among reference values in sentences and as a table."""

from dataclasses import replace

import pytest

from medseg.domain import Quantity, Record
from medseg.domain.measurement import Placement
from medseg.reporting.reference import reference_sentences, reference_sheet

SOURCE = "A. Author, 2020 (table.csv, segmenter not named)"
WHOM = "female, 60 to 70 years, n = 120"
METHOD = "interpolated linearly between the percentiles of the table, in ml"
PLACES = {
    "percentile": Placement(
        "percentile", "37th percentile", SOURCE, WHOM, 37.2, (31.4, 43.6), 2.0, 5.25, METHOD
    ),
    "below": Placement(
        "below", "below the 2.5th percentile", SOURCE, WHOM, low=2.0, high=5.25, method=METHOD
    ),
    "within": Placement("within", "within the range", SOURCE, "everybody", low=2.0),
    "refused": Placement("refused", "the reference values differ by sex; give --sex", SOURCE),
}


def with_place(record: Record, outcome: str) -> Record:
    rows = tuple(
        replace(item, placement=PLACES[outcome])
        if item.quantity is Quantity.VOLUME and item.target.name != "Node"
        else item
        for item in record.measurements
    )
    return replace(record, measurements=rows)


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (
            "percentile",
            f"2.97 ml lies at the 37th percentile (31 to 44 over its interval) ({WHOM}; {SOURCE}).",
        ),
        ("below", f"2.97 ml lies below the 2.5th percentile ({WHOM}; {SOURCE})."),
        ("within", f"2.97 ml lies within the range (everybody; {SOURCE})."),
        (
            "refused",
            f"is not placed among the reference values: the reference values differ by sex; give --sex ({SOURCE}).",
        ),
    ],
)
def test_each_place_is_a_sentence_with_its_source(record: Record, outcome: str, sentence: str) -> None:
    assert reference_sentences(with_place(record, outcome)) == (f"Soft-tissue tumour: volume {sentence}",)


@pytest.mark.parametrize(
    ("outcome", "cells"),
    [
        ("percentile", ["at the 37th percentile (31 to 44 over its interval)", "2.00–5.25 ml", WHOM]),
        ("below", ["below the 2.5th percentile", "2.00–5.25 ml", WHOM]),
        ("within", ["within the range", "from 2.00 ml", "everybody"]),
        ("refused", ["not placed: the reference values differ by sex; give --sex", "–", "–"]),
    ],
)
def test_the_table_has_a_row_for_each(record: Record, outcome: str, cells: list[str]) -> None:
    sheet = reference_sheet(with_place(record, outcome))
    assert sheet is not None
    (row,) = sheet.rows
    assert len(row.cells) == len(sheet.head)
    assert [cell.text for cell in row.cells] == ["Soft-tissue tumour", "Volume", "2.97 ml", *cells]
    assert f"Source: {SOURCE}." in sheet.notes
    assert row.cells[3].mark == ("∅" if outcome == "refused" else "")


def test_without_reference_values_there_is_neither(record: Record) -> None:
    assert reference_sentences(record) == ()
    assert reference_sheet(record) is None
