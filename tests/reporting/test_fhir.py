"""FHIR: what the standard asks for and the library does not check, and the same numbers as the JSON."""

import json
import re
from dataclasses import replace

import pytest
from fhir.resources.R4B.bundle import Bundle

from medseg.domain import Record, Status
from medseg.domain.record import Review
from medseg.reporting.fhir import to_fhir

#: UCUM as far as quantities use it: annotations in braces, customary units in brackets, powers, one division.
UCUM = re.compile(r"^(1|%|/mm|[a-z]+\d?(/[a-z]+\d?)?(\{\w+\})?|\{px\}\d?|\[\w+'U\]\d?)$")


def resources(record: Record, kind: str) -> list[dict]:
    bundle = json.loads(to_fhir(record))
    return [item["resource"] for item in bundle["entry"] if item["resource"]["resourceType"] == kind]


def signed(record: Record, amends: str | None = None) -> Record:
    review = Review("reviewed", "A. Reader", "Study centre", "2026-01-02T03:04:05+00:00", "ab" * 32, amends)
    return replace(record, review=review)


def test_it_is_valid_and_complete(record: Record) -> None:
    Bundle.model_validate_json(to_fhir(record))
    assert len(resources(record, "Observation")) == len(record.measurements)
    (report,) = resources(record, "DiagnosticReport")
    ids = {f"urn:uuid:{item['id']}" for item in resources(record, "Observation")}
    assert {item["reference"] for item in report["result"]} == ids


def test_values_are_those_of_the_record(record: Record) -> None:
    for item, shown in zip(record.measurements, resources(record, "Observation"), strict=True):
        assert shown.get("valueQuantity", {}).get("value") == item.value
        if item.value is not None:
            assert shown["valueQuantity"]["code"] == item.unit


def test_obs_6_a_reason_only_without_a_value(record: Record) -> None:
    seen = 0
    for item, shown in zip(record.measurements, resources(record, "Observation"), strict=True):
        assert ("dataAbsentReason" in shown) is (item.value is None)
        assert ("valueQuantity" in shown) is (item.value is not None)
        if item.value is None:
            seen += 1
            assert shown["dataAbsentReason"]["text"] == item.reason
    assert seen


def test_obs_7_there_are_no_components(record: Record) -> None:
    assert not any("component" in shown for shown in resources(record, "Observation"))


def test_units_are_ucum(record: Record) -> None:
    units = {
        shown["valueQuantity"]["code"]
        for shown in resources(record, "Observation")
        if "valueQuantity" in shown
    }
    assert units
    assert all(UCUM.match(unit) for unit in units), units
    assert "cm3" not in units


def test_a_lower_bound_is_at_least(record: Record) -> None:
    bounds = [item.status is Status.TRUNCATED_LOWER_BOUND for item in record.measurements]
    shown = [item.get("valueQuantity", {}).get("comparator") for item in resources(record, "Observation")]
    assert shown == [">=" if bound else None for bound in bounds]
    assert any(bounds)


@pytest.mark.parametrize(
    ("review", "status", "words"),
    [
        ("none", "preliminary", "NOT REVIEWED"),
        ("signed", "final", "reviewed by A. Reader, Study centre"),
        ("amended", "amended", "reviewed by A. Reader"),
    ],
)
def test_the_status_follows_the_review(record: Record, review: str, status: str, words: str) -> None:
    record = {"none": record, "signed": signed(record), "amended": signed(record, "cd" * 32)}[review]
    (report,) = resources(record, "DiagnosticReport")
    assert report["status"] == status
    assert words in report["conclusion"]
    assert "not a medical device" in report["conclusion"]
    assert {item["status"] for item in resources(record, "Observation")} == {status}
    assert ("resultsInterpreter" in report) is (status != "preliminary")


def test_the_same_record_gives_the_same_bytes(record: Record) -> None:
    assert to_fhir(record) == to_fhir(record)
