"""FHIR: what the standard asks for and the library does not check, and the same numbers as the JSON."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from medseg.domain import Code, Label, LabelTable, Measurement, Quantity, Record, Status, Target
from medseg.domain.record import Review
from medseg.domain.study import Identity, SeriesFacts, StudyFacts
from medseg.reporting.fhir.bundle import to_fhir
from medseg.reporting.fhir.context import FhirContext

#: UCUM as far as quantities use it: annotations in braces, customary units in brackets, powers, one division.
UCUM = re.compile(r"^(1|%|/mm|[a-z]+\d?(/[a-z]+\d?)?(\{\w+\})?|\{px\}\d?|\[\w+'U\]\d?)$")
#: A dateTime of FHIR: a day, or a moment with its offset from UTC.
DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?$")
STUDY = StudyFacts(
    "1.2.3",
    (
        SeriesFacts("1.2.3.4", "MR", 16, "2026-01-02T03:04:05+01:00"),
        SeriesFacts("1.2.3.5", "PT", 40, "2026-01-27"),
    ),
    "2026-01-02",
)
WHO = Identity("12345", "Hospital", "Reader^Ada^M.", "1960-05-06", "female")


def bundle(record: Record, context: FhirContext | None = None) -> dict[str, Any]:
    return json.loads(to_fhir(record, context))


def resources(record: Record, kind: str, context: FhirContext | None = None) -> list[dict[str, Any]]:
    entries = bundle(record, context)["entry"]
    return [item["resource"] for item in entries if item["resource"]["resourceType"] == kind]


def numbers(record: Record, context: FhirContext | None = None) -> list[dict[str, Any]]:
    """The Observation of each Measurement, in its order."""
    return [item for item in resources(record, "Observation", context) if "hasMember" not in item]


def panels(record: Record, context: FhirContext | None = None) -> list[dict[str, Any]]:
    return [item for item in resources(record, "Observation", context) if "hasMember" in item]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a bundle."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


def value_of(shown: dict[str, Any]) -> Any:
    plain = [shown[key] for key in ("valueInteger", "valueBoolean") if key in shown]
    return plain[0] if plain else shown.get("valueQuantity", {}).get("value")


def signed(record: Record, amends: str | None = None) -> Record:
    review = Review("reviewed", "A. Reader", "Study centre", "2026-01-02T03:04:05+00:00", "ab" * 32, amends)
    return replace(record, review=review)


def with_lesion(record: Record) -> Record:
    """A lesion that meets a size criterion, one that does not, and a delineation."""
    one, two = (Target("lesion", "Soft-tissue tumour", (1,), number) for number in (1, 2))
    share = Target("label", "Soft-tissue tumour", (1,), detail="41%")
    cut = (Status.TRUNCATED_LOWER_BOUND, "the structure touches the border")
    rows = (
        Measurement(one, Quantity.VOLUME, 4.5, "ml"),
        Measurement(one, Quantity.MEETS_SIZE_CRITERION, 1, "1", method="RECIST 1.1"),
        Measurement(two, Quantity.MEETS_SIZE_CRITERION, 0, "1", method="RECIST 1.1"),
        Measurement(two, Quantity.VOXEL_COUNT, 7, "1", *cut),
        Measurement(share, Quantity.MTV, 2.5, "ml", channel="pet"),
    )
    return replace(record, measurements=(*record.measurements, *rows))


def identified() -> FhirContext:
    return FhirContext("identified", WHO, (STUDY,))


def every_bundle(record: Record) -> list[dict[str, Any]]:
    """Bundles of all ways to name the patient, with lesions, signed and not."""
    shifted = FhirContext(
        "deidentified", None, (STUDY,), (("Soft-tissue tumour", "2.25.7"),), pdf=b"%PDF-1.7"
    )
    rich = with_lesion(record)
    return [bundle(record), bundle(rich, identified()), bundle(signed(rich), shifted)]


def test_it_is_valid_and_every_number_hangs_from_the_report_once(record: Record) -> None:
    record = with_lesion(record)
    Bundle.model_validate_json(to_fhir(record, identified()))
    (report,) = resources(record, "DiagnosticReport")
    by_id = {f"urn:uuid:{item['id']}": item for item in resources(record, "Observation")}
    groups = [by_id.pop(item["reference"]) for item in report["result"]]
    members = [member["reference"] for group in groups for member in group["hasMember"]]
    assert sorted(members) == sorted(by_id)
    assert len(members) == len(record.measurements)


def test_there_is_one_group_for_each_structure_lesion_and_delineation(record: Record) -> None:
    sites = [item["bodySite"]["text"] for item in panels(with_lesion(record))]
    assert sites == [
        "Soft-tissue tumour",
        "Node",
        "Soft-tissue tumour lesion 1",
        "Soft-tissue tumour lesion 2",
        "Soft-tissue tumour, 41%",
    ]


def test_values_are_those_of_the_record(record: Record) -> None:
    record = with_lesion(record)
    for item, shown in zip(record.measurements, numbers(record), strict=True):
        assert value_of(shown) == item.value
        if "valueQuantity" in shown:
            assert shown["valueQuantity"]["code"] == item.unit


@pytest.mark.parametrize(
    ("quantity", "value", "status", "expected"),
    [
        (Quantity.VOXEL_COUNT, 7, Status.OK, {"valueInteger": 7}),
        (Quantity.BOX_MIN_I, 0, Status.OK, {"valueInteger": 0}),
        (
            Quantity.VOXEL_COUNT,
            7,
            Status.TRUNCATED_LOWER_BOUND,
            {
                "valueQuantity": {
                    "value": 7,
                    "unit": "1",
                    "system": "http://unitsofmeasure.org",
                    "code": "1",
                    "comparator": ">=",
                }
            },
        ),
        (
            Quantity.VOXEL_COUNT,
            2**31,
            Status.OK,
            {
                "valueQuantity": {
                    "value": 2**31,
                    "unit": "1",
                    "system": "http://unitsofmeasure.org",
                    "code": "1",
                }
            },
        ),
        (Quantity.MEETS_SIZE_CRITERION, 1, Status.OK, {"valueBoolean": True}),
        (Quantity.MEETS_SIZE_CRITERION, 0, Status.OK, {"valueBoolean": False}),
        (Quantity.MEETS_SIZE_CRITERION, 1, Status.TRUNCATED_LOWER_BOUND, {"valueBoolean": True}),
    ],
)
def test_a_number_has_the_form_of_its_quantity(
    quantity: Quantity, value: int, status: Status, expected: dict[str, Any], record: Record
) -> None:
    reason = None if status is Status.OK else "cut by the border"
    item = Measurement(Target("label", "Node", (2,)), quantity, value, "1", status, reason)
    (shown,) = numbers(replace(record, measurements=(item,)))
    assert {key: part for key, part in shown.items() if key.startswith("value")} == expected
    assert any("cut by the border" in note["text"] for note in shown["note"]) is (reason is not None)


def test_obs_6_a_reason_only_without_a_value(record: Record) -> None:
    seen = 0
    for item, shown in zip(record.measurements, numbers(record), strict=True):
        assert ("dataAbsentReason" in shown) is (item.value is None)
        assert any(key.startswith("value") for key in shown) is (item.value is not None)
        if item.value is None:
            seen += 1
            assert shown["dataAbsentReason"]["text"] == item.reason
    assert seen


@pytest.mark.parametrize(
    ("size", "reason", "code"),
    [
        (0.0, "Node was looked for and not found", "not-applicable"),
        (None, "the contours lie beyond the images", "error"),
        (5.0, "a single slice without a known thickness has no volume; give --slice-thickness", "unknown"),
        (
            5.0,
            "the grid is sheared (tilted gantry), so only volumes can be had; use --resample",
            "not-performed",
        ),
    ],
)
def test_why_there_is_no_value_is_coded(size: float | None, reason: str, code: str, record: Record) -> None:
    node = Target("label", "Node", (2,))
    missing = (Status.NOT_COMPUTED, reason)
    count = Measurement(node, Quantity.VOXEL_COUNT, size, "1", *(missing if size is None else ()))
    diameter = Measurement(node, Quantity.LONGEST_DIAMETER, None, "mm", *missing)
    shown = numbers(replace(record, measurements=(count, diameter)))[1]
    assert shown["dataAbsentReason"]["coding"][0]["code"] == code


def test_obs_7_an_interval_is_a_pair_of_components_with_codes_of_their_own(record: Record) -> None:
    seen = 0
    for item, shown in zip(record.measurements, numbers(record), strict=True):
        assert "referenceRange" not in shown
        assert ("component" in shown) is (item.interval is not None)
        if item.interval is None:
            continue
        seen += 1
        own = {(code["system"], code["code"]) for code in shown["code"]["coding"]}
        codes = [
            (part["code"]["coding"][0]["system"], part["code"]["coding"][0]["code"])
            for part in shown["component"]
        ]
        assert not own & set(codes)
        assert [code for _, code in codes] == ["low", "high"]
        ends = [part["valueQuantity"]["value"] for part in shown["component"]]
        assert ends == [item.interval.low, item.interval.high]
        assert "90%" in shown["component"][0]["code"]["text"]
    assert seen


def test_dom_resources_are_whole(record: Record) -> None:
    """dom-2 to dom-5: nothing is contained; dom-6: a narrative with words; ele-1: nothing is empty."""
    for whole in every_bundle(record):
        for item in (entry["resource"] for entry in whole["entry"]):
            assert "contained" not in item
            assert item["text"]["status"] == "generated"
            assert re.search(r">[^<]*\w[^<]*</div>$", item["text"]["div"]), item["resourceType"]
        for part in walk(whole):
            assert part
            assert all(value not in ("", [], {}, None) for value in part.values()), part


def test_ref_1_and_bdl_7_every_reference_is_an_entry(record: Record) -> None:
    for whole in every_bundle(record):
        urls = [entry["fullUrl"] for entry in whole["entry"]]
        assert len(set(urls)) == len(urls)
        assert urls == [f"urn:uuid:{entry['resource']['id']}" for entry in whole["entry"]]
        refers = {part["reference"] for part in walk(whole) if "reference" in part}
        assert refers <= set(urls)
        unused = set(urls) - refers - {urls[0]}
        assert not unused, "a resource that nothing refers to, beside the report"


def test_units_are_ucum(record: Record) -> None:
    units = {part["code"] for whole in every_bundle(record) for part in walk(whole) if "unit" in part}
    assert units >= {"ml", "mm", "[arb'U]"}
    assert all(UCUM.match(unit) for unit in units), units
    assert "cm3" not in units


def test_a_lower_bound_is_at_least(record: Record) -> None:
    bounds = [item.status is Status.TRUNCATED_LOWER_BOUND for item in record.measurements]
    shown = [item.get("valueQuantity", {}).get("comparator") for item in numbers(record)]
    assert shown == [">=" if bound else None for bound in bounds]
    assert any(bounds)


@pytest.mark.parametrize(
    ("review", "status", "words"),
    [
        ("none", "preliminary", "NOT REVIEWED"),
        ("signed", "final", "Reviewed by A. Reader, Study centre"),
        ("amended", "amended", "Reviewed by A. Reader"),
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


def test_the_conclusion_begins_with_the_sentences_of_the_page(record: Record) -> None:
    (report,) = resources(record, "DiagnosticReport")
    assert report["conclusion"].startswith("Soft-tissue tumour: 2.97 ml")
    assert report["conclusion"].index("Node: looked for and not found.") < report["conclusion"].index(
        "RESEARCH"
    )
    assert "Edit 1: brush" in report["conclusion"]
    assert "A slice is missing." in report["conclusion"]


@pytest.mark.parametrize(
    ("privacy", "named", "timed", "label", "tag"),
    [
        ("identified", True, True, "R", "identified"),
        ("pseudonym", False, False, "PSEUDED", "pseudonym"),
        ("deidentified", False, True, "PSEUDED", "deidentified"),
    ],
)
def test_who_and_when_are_told_only_where_they_may_be(
    privacy: Any, named: bool, timed: bool, label: str, tag: str, record: Record
) -> None:
    context = FhirContext(privacy, WHO if named else None, (STUDY,))
    whole = bundle(record, context)
    text = json.dumps(whole)
    (patient,) = resources(record, "Patient", context)
    assert patient["identifier"][0] == {"system": "urn:medseg:subject", "value": "case-0a1b2c3d"}
    assert ("Ada" in text, "12345" in text, "1960-05-06" in text) == (named,) * 3
    assert ("IDENTIFIED" in text) is named
    assert ("2026-01-02" in text) is timed
    for item in (whole, patient, resources(record, "DiagnosticReport", context)[0]):
        assert [code["code"] for code in item["meta"]["security"]] == [label, "HRESCH"]
        assert item["meta"]["tag"][0]["code"] == tag
    if named:
        assert (patient["gender"], patient["birthDate"]) == ("female", "1960-05-06")
        assert patient["name"] == [{"text": "Ada M. Reader", "family": "Reader", "given": ["Ada", "M."]}]
        assert patient["identifier"][1]["assigner"] == {"display": "Hospital"}


def test_a_number_has_the_time_of_its_own_channel(record: Record) -> None:
    """MR and PET are often days apart."""
    refs = tuple(replace(item, series_uid={"mr": "1.2.3.4"}.get(item.channel)) for item in record.inputs)
    pet = replace(refs[0], channel="pet", series_uid="1.2.3.5")
    record = replace(with_lesion(record), inputs=(pet, *refs))
    shown = numbers(record, identified())
    times = {
        item.channel: found["effectiveDateTime"]
        for item, found in zip(record.measurements, shown, strict=True)
    }
    assert times == {
        None: "2026-01-02T03:04:05+01:00",
        "mr": "2026-01-02T03:04:05+01:00",
        "pet": "2026-01-27",
    }
    (report,) = resources(record, "DiagnosticReport", identified())
    assert report["effectiveDateTime"] == "2026-01-02T03:04:05+01:00"
    everything = [
        part
        for part in walk(bundle(record, identified()))
        if "effectiveDateTime" in part or "started" in part
    ]
    assert all(DATE_TIME.match(part.get("effectiveDateTime") or part["started"]) for part in everything)


def test_the_study_is_named_with_its_series(record: Record) -> None:
    (study,) = resources(record, "ImagingStudy", identified())
    assert study["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}]
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 56)
    assert [item["uid"] for item in study["series"]] == ["1.2.3.4", "1.2.3.5"]
    assert [item["modality"]["code"] for item in study["series"]] == ["MR", "PT"]
    (report,) = resources(record, "DiagnosticReport", identified())
    assert report["imagingStudy"] == [{"reference": f"urn:uuid:{study['id']}"}]
    assert resources(record, "ImagingStudy") == []
    assert "no DICOM series was at hand" in resources(record, "DiagnosticReport")[0]["conclusion"]


def test_devices_are_what_measured_and_what_made_the_mask(record: Record) -> None:
    ours, maker = resources(record, "Device")
    assert ours["deviceName"][0]["name"] == "medseg"
    assert ours["version"]
    assert maker["deviceName"][0]["name"] == "synthetic-net"
    assert maker["identifier"] == [{"system": "urn:medseg:weights-sha256", "value": "ab" * 32}]
    assert all("not a medical device" in item["note"][0]["text"] for item in (ours, maker))
    assert {item["device"]["reference"] for item in numbers(record)} == {f"urn:uuid:{ours['id']}"}
    assert {item["device"]["reference"] for item in panels(record)} == {f"urn:uuid:{maker['id']}"}


def test_structures_have_codes_sides_and_tracking_uids(record: Record) -> None:
    organ = Label(
        2,
        "Node",
        category=Code("123037004", "Anatomical Structure"),
        type=Code("59441001", "Lymph node"),
        side="left",
    )
    tumour = Label(
        1,
        "Soft-tissue tumour",
        category=Code("49755003", "Morphologically Abnormal Structure"),
        type=Code("108369006", "Neoplasm"),
        anatomic_region=Code("61685007", "Lower limb"),
        side="unknown",
    )
    record = replace(with_lesion(record), table=LabelTable((tumour, organ)))
    context = FhirContext(tracking=(("Soft-tissue tumour lesion 1", "2.25.7"),))
    found = {
        item["description"].partition(".")[0]: item for item in resources(record, "BodyStructure", context)
    }
    assert list(found) == [
        "Soft-tissue tumour",
        "Node",
        "Soft-tissue tumour lesion 1",
        "Soft-tissue tumour lesion 2",
    ]
    lesion, node = found["Soft-tissue tumour lesion 1"], found["Node"]
    assert lesion["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:2.25.7"}]
    assert lesion["morphology"]["coding"][0]["code"] == "108369006"
    assert lesion["location"]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "61685007",
        "display": "Lower limb",
    }
    assert "locationQualifier" not in lesion
    assert "side is not known" in lesion["description"]
    assert node["location"]["coding"][0]["code"] == "59441001"
    assert node["locationQualifier"][0]["coding"][0]["code"] == "7771000"
    shown = [item for item in numbers(record, context) if item["bodySite"]["text"] == "Node, left"]
    assert {item["focus"][0]["reference"] for item in shown} == {f"urn:uuid:{node['id']}"}
    assert {item["bodySite"]["coding"][0]["code"] for item in shown} == {"59441001"}


def test_the_pages_go_along_with_their_size(record: Record) -> None:
    pdf = b"%PDF-1.7 pages"
    (report,) = resources(record, "DiagnosticReport", FhirContext(pdf=pdf))
    (form,) = report["presentedForm"]
    assert base64.b64decode(form["data"]) == pdf
    assert (form["contentType"], form["size"]) == ("application/pdf", len(pdf))
    assert base64.b64decode(form["hash"]) == hashlib.sha1(pdf, usedforsecurity=False).digest()
    assert form["title"].startswith("RESEARCH – NOT REVIEWED")
    assert "presentedForm" not in resources(record, "DiagnosticReport")[0]


def test_the_same_record_gives_the_same_bytes_and_other_ids_when_it_names_the_patient(record: Record) -> None:
    assert to_fhir(record) == to_fhir(record)
    plain = {entry["fullUrl"] for entry in bundle(record)["entry"]}
    named = {entry["fullUrl"] for entry in bundle(record, identified())["entry"]}
    assert not plain & named


def test_names_are_text(record: Record) -> None:
    table = LabelTable((Label(1, "<b>&\x07"), Label(2, "Node")))
    rows = (Measurement(Target("label", "<b>&\x07", (1,)), Quantity.VOLUME, 1.0, "ml"),)
    (shown,) = numbers(replace(record, table=table, measurements=rows))
    assert "&lt;b&gt;&amp;" in shown["text"]["div"]
    assert "\x07" not in shown["text"]["div"]


def test_a_list_of_117_structures_is_short_unless_all_is_asked_for(many: Callable[[int], Record]) -> None:
    record = many(117)
    short = to_fhir(record, FhirContext(everything=False))
    whole = to_fhir(record)
    assert len(short) < 2_000_000 < len(whole)
    said = {item["code"]["coding"][0]["code"] for item in observations_of(short) if "hasMember" not in item}
    assert {"volume", "intensity_mean"} <= said
    assert "euler_number" not in said


def observations_of(data: bytes) -> list[dict[str, Any]]:
    entries = json.loads(data)["entry"]
    return [item["resource"] for item in entries if item["resource"]["resourceType"] == "Observation"]
