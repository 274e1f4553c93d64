"""What stands beside a number in every view: its interval, its place among reference values, an earlier value."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from openpyxl import load_workbook

from medseg import io as files
from medseg.domain import Interval, Measurement, Quantity, Record, Status
from medseg.domain.measurement import Earlier, Placement
from medseg.domain.study import Identity, PatientFacts
from medseg.errors import InputError
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.derived.origin import read_origin
from medseg.io.dicom.sr.read import sr_groups, sr_numbers
from medseg.io.dicom.sr.write import SrInput, make_sr
from medseg.reporting import (
    PageExtras,
    record_from_json,
    record_to_json,
    to_csv,
    to_html,
    to_wide_csv,
    to_xlsx,
)
from medseg.reporting.fhir.bundle import to_fhir
from medseg.reporting.numbers import change_text
from medseg.reporting.organs import organ_sheet
from medseg.reporting.record.json import content_digest
from medseg.workflows.record import result_digest
from tests.reporting.conftest import GRID, TUMOUR
from tests.reporting.page.test_page import text_of

NOW = Interval(3.1, 3.58, 0.9, "CV+, nominal 90 %")
ERROR = Interval(0.05, 0.81, 0.95, "test-retest of this model")
PLACE = Placement(
    "percentile", "37th percentile", "Atlas 2020 (norms.csv)", "female, 60 to 69", 37.0, None, 1.0, 9.0
)
VOLUME = Measurement(TUMOUR, Quantity.VOLUME, 3.33, "ml", interval=NOW)


def told(record: Record, **beside: Any) -> Record:
    """The record with a volume that carries these."""
    rows = tuple(
        replace(item, value=3.33, **beside)
        if item.quantity is Quantity.VOLUME and item.target == TUMOUR
        else item
        for item in record.measurements
    )
    return replace(record, measurements=rows)


def row_of(record: Record) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(to_csv([record]).decode()))
    return next(row for row in rows if (row["name"], row["quantity"]) == (TUMOUR.name, "volume"))


def fhir_of(record: Record) -> dict[str, Any]:
    """The Observation of the tumour's volume."""
    entries = [entry["resource"] for entry in json.loads(to_fhir(record))["entry"]]
    found = [item for item in entries if item["resourceType"] == "Observation"]
    volumes = [item for item in found if item["code"]["text"] == "Volume"]
    return next(item for item in volumes if TUMOUR.name in item["bodySite"]["text"])


def components(record: Record) -> dict[str, float]:
    found = {}
    for item in fhir_of(record).get("component", ()):
        code = item["code"]["coding"][0]
        found[f"{code['system'].rpartition(':')[2]} {code['code']}"] = item["valueQuantity"]["value"]
    return found


@pytest.fixture
def sr(data: Callable[[str], Path]) -> Callable[[Record], Any]:
    origin = read_origin(files.inspect(data("dicom/dcmqi/ct-3slice"))[0])
    return lambda record: make_sr(record, SrInput(origin, uids=Uids("a")))


def volume_in(found: Any) -> Any:
    """The NUM of the tumour's volume, which stands first."""
    return next(item for item in sr_groups(found)[0].ContentSequence if item.ValueType == "NUM")


def said_in(num: Any) -> str:
    return " ".join(str(item.TextValue) for item in num.ContentSequence if item.ValueType == "TEXT")


def test_an_interval_is_in_every_view(record: Record, sr: Callable[[Record], Any]) -> None:
    record = told(record, interval=NOW)
    page = text_of(to_html(record))
    assert "3.33 ml (90 % interval 3.10–3.58)" in page
    assert "3.33 ml 90 % interval 3.10–3.58" in page, "beside the number too"
    row = row_of(record)
    names = ("low", "high", "level", "method")
    assert [row[f"interval_{name}"] for name in names] == [
        "3.1",
        "3.58",
        "0.9",
        NOW.method,
    ]
    wide = next(csv.DictReader(io.StringIO(to_wide_csv({"a": record}).decode())))
    head = f"{TUMOUR.name} volume (ml)"
    assert [wide[f"{head} {name}"] for name in ("low", "high", "level")] == ["3.1", "3.58", "0.9"]
    assert not [name for name in wide if "longest_diameter" in name and name.endswith("low")], (
        "only where there is one"
    )
    assert components(record) == {"interval low": 3.1, "interval high": 3.58}
    num = volume_in(sr(record))
    distances = {
        str(item.ConceptNameCodeSequence[0].CodeValue): float(item.MeasuredValueSequence[0].NumericValue)
        for item in num.ContentSequence
        if item.ValueType == "NUM"
    }
    assert distances == {"371885007": pytest.approx(0.23), "371886008": pytest.approx(0.25)}
    assert "interval: level 0.9, CV+" in said_in(num)


def test_ends_of_an_interval_are_no_measurements(record: Record, sr: Callable[[Record], Any]) -> None:
    bare = told(record, interval=None)
    assert sr_numbers(sr(told(record, interval=NOW))) == sr_numbers(sr(bare))


def test_a_list_says_each_interval_beside_its_value(many: Callable[[int], Record]) -> None:
    record = many(5)
    rows = tuple(
        replace(item, interval=NOW) if item.quantity is Quantity.VOLUME else item
        for item in record.measurements
    )
    cell = organ_sheet(replace(record, measurements=rows)).rows[0].cells[-2].text
    assert cell.endswith("(90 %: 3.10–3.58)")


def test_without_an_interval_that_is_said_once(record: Record) -> None:
    page = text_of(to_html(told(record, interval=None)))
    assert page.count("uncertainty not estimated") == 1


def test_a_workbook_holds_floats_to_the_last_digit(record: Record) -> None:
    value = 3.2719500000000004
    sheet = load_workbook(io.BytesIO(to_xlsx([told(record, interval=Interval(value, 4.0, 0.9, "x"))])))[
        "measurements"
    ]
    head, *rows = sheet.iter_rows(values_only=True)
    assert value in [row[head.index("interval_low")] for row in rows]


def test_a_place_stands_beside_its_number(record: Record, sr: Callable[[Record], Any]) -> None:
    record = told(record, placement=PLACE)
    page = text_of(to_html(record))
    assert "lies at the 37th percentile (female, 60 to 69; Atlas 2020 (norms.csv))" in page
    key = page[page.index("Key numbers") : page.index("Read this first")]
    assert "37th percentile" in key
    assert "reference values: 37th percentile (female, 60 to 69; Atlas 2020 (norms.csv))" in said_in(
        volume_in(sr(record))
    )


EARLIER = [
    (Earlier(2.9, 91), "earlier 2.90 ml, 91 days before; change +0.43 ml, error unknown"),
    (
        Earlier(2.9, 91, error=ERROR),
        "earlier 2.90 ml, 91 days before; change +0.43 ml (95 % interval +0.05 to +0.81)",
    ),
    (Earlier(3.5, 1), "earlier 3.50 ml, 1 day before; change −0.17 ml, error unknown"),
    (
        Earlier(2.9, 91, fault="another model made its mask"),
        "earlier 2.90 ml, 91 days before; not comparable: another model made its mask",
    ),
    (
        Earlier(2.9, 91, Status.TRUNCATED_LOWER_BOUND),
        "earlier ≥ 2.90 ml, 91 days before; no change stated: one of them is cut",
    ),
]


@pytest.mark.parametrize(("earlier", "words"), EARLIER)
def test_an_earlier_value_and_its_change_in_words(earlier: Earlier, words: str) -> None:
    assert change_text(replace(VOLUME, earlier=earlier), GRID) == words


def test_an_earlier_value_is_in_every_view(record: Record, sr: Callable[[Record], Any]) -> None:
    record = told(record, interval=None, earlier=Earlier(2.9, 91, error=ERROR))
    page = text_of(to_html(record))
    assert page.count("earlier 2.90 ml, 91 days before; change +0.43 ml (95 % interval +0.05 to +0.81)") == 2
    assert "Against an earlier scan" in page
    row = row_of(record)
    assert {name: row[name] for name in row if name.startswith(("earlier", "change"))} == {
        "earlier_value": "2.9",
        "earlier_usable": "yes",
        "earlier_days": "91",
        "change": repr(3.33 - 2.9),
        "change_low": "0.05",
        "change_high": "0.81",
        "change_level": "0.95",
        "change_method": ERROR.method,
    }
    assert components(record) == {
        "earlier value": 2.9,
        "earlier days": 91,
        "earlier change": 3.33 - 2.9,
        "earlier low": 0.05,
        "earlier high": 0.81,
    }
    words = "earlier: 2.9 ml, 91 days before, ok, change +0.43 ml, interval 0.05 to 0.81, level 0.95"
    assert words in said_in(volume_in(sr(record)))


def test_without_an_earlier_value_nothing_speaks_of_one(record: Record, sr: Callable[[Record], Any]) -> None:
    assert "earlier" not in text_of(to_html(record)).lower()
    assert "earlier" not in to_fhir(record).decode().lower()
    assert "earlier:" not in str(sr(record))
    row = row_of(record)
    assert {row[name] for name in row if name.startswith(("earlier", "change"))} == {""}


def test_nothing_is_called_growth(record: Record) -> None:
    for earlier in (Earlier(0.1, 400), Earlier(0.1, 400, error=ERROR)):
        text = (
            text_of(to_html(told(record, earlier=earlier)))
            .lower()
            .replace("says nothing about growth or shrinkage", "")
        )
        assert not [word for word in ("grown", "growth", "progress", "shrunk") if word in text]


@pytest.mark.parametrize(("value", "days"), [(float("nan"), 3), (1.0, 0), (1.0, -5)])
def test_an_earlier_value_that_can_be_none_is_refused(value: float, days: int) -> None:
    with pytest.raises(InputError):
        Earlier(value, days)


def test_a_record_keeps_them_and_digests_of_records_without_them_hold(record: Record) -> None:
    whole = told(record, earlier=Earlier(2.9, 91, error=ERROR), placement=PLACE, interval=NOW)
    again = record_from_json(record_to_json(whole))
    assert again.measurements == whole.measurements
    # As version 1.4 wrote it: the field was not there.
    plain = json.loads(record_to_json(record))
    plain["schema"] = "medseg.record/1.4"
    for row in plain["measurements"]:
        del row["earlier"]
    old = record_from_json(json.dumps(plain).encode())
    assert content_digest(old) == content_digest(record)
    assert result_digest(old) == result_digest(record)
    assert content_digest(whole) != content_digest(record)


def test_the_sr_can_be_written_and_read_again(
    record: Record, sr: Callable[[Record], Any], tmp_path: Path
) -> None:
    found = sr(told(record, interval=NOW, placement=PLACE, earlier=Earlier(2.9, 91)))
    found.save_as(tmp_path / "sr.dcm")
    assert sr_numbers(pydicom.dcmread(tmp_path / "sr.dcm")) == sr_numbers(found)


def test_what_stands_beside_numbers_keeps_page_one_to_one_page(record: Record) -> None:
    from tests.reporting.page.test_layout import pages

    rows = tuple(
        replace(item, interval=NOW, placement=PLACE, earlier=Earlier(2.9, 91)) if item.value else item
        for item in record.measurements
    )
    first, *_ = pages(replace(record, measurements=rows))
    assert "Key numbers" in first
    assert "Rounded for reading" in first


def test_an_identified_page_is_as_long_as_the_same_without(record: Record) -> None:
    from tests.reporting.page.test_layout import pages

    patient = PatientFacts(
        Identity("MRN-1", "", "Reader^Ada", "1960-05-06", "female"), (("mr", "2024-03-05"),)
    )
    named = pages(record, extras=PageExtras(patient=patient))
    assert len(named) == len(pages(record))
    assert all("IDENTIFIED" in page and "MRN-1" in page for page in named)
