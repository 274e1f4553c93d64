"""FHIR beside the DICOM objects of one export: the same structures, studies, days and pages."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from medseg import io
from medseg.domain import Label, LabelTable, Segmentation
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
NAME, PATIENT = "Reader^Ada", "MRN-774411"


@pytest.fixture
def series(data: Callable[[str], Path], tmp_path: Path) -> Path:
    """A real CT of three slices that names a patient, acquired on two days in another time zone."""
    folder = tmp_path / "ct"
    folder.mkdir()
    for number, path in enumerate(sorted(data("dicom/dcmqi/ct-3slice").glob("*.dcm"))):
        ds = pydicom.dcmread(path)
        ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = NAME, PATIENT, "19600506", "F"
        ds.StudyDate = ds.SeriesDate = "20240305"
        ds.AcquisitionDate, ds.AcquisitionTime = f"202403{5 + number // 2:02d}", "235900"
        ds.ContentDate = ds.AcquisitionDate
        ds.TimezoneOffsetFromUTC = "+0100"
        ds.save_as(folder / path.name)
    return folder


@pytest.fixture
def record(medseg: Medseg, series: Path, tmp_path: Path) -> Path:
    grid = io.read(series).grid
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:20, 10:30, 1] = 1
    labels[30:36, 40:50, 1] = 1
    io.write_segmentation(
        Segmentation(labels, grid, LabelTable((Label(1, "tumour", side="left"),))), tmp_path / "mask.nii.gz"
    )
    asked = ("measure", tmp_path / "mask.nii.gz", "--image", series, "--lesions", "tumour")
    seen = medseg(*asked, "--rule", "recist-1.1", "--out", tmp_path / "r.json")
    assert seen.code == 0, seen.err
    return tmp_path / "r.json"


def export(medseg: Medseg, record: Path, out: Path, *options: object) -> dict[str, list[dict[str, Any]]]:
    """Resources by type."""
    seen = medseg("export", record, "--fhir-all", *options, "--out", out)
    assert seen.code == 0, seen.err
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads((out / "report.fhir.json").read_text("utf-8"))["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def tracked(out: Path) -> dict[str, str]:
    """Structure → tracking UID, of the SEGs."""
    return {
        str(item.TrackingID): f"urn:oid:{item.TrackingUID}"
        for name in ("segmentation.dcm", "lesions.dcm")
        for item in pydicom.dcmread(out / name).SegmentSequence
    }


def structures(found: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    return {item["description"]: item["identifier"][0]["value"] for item in found["BodyStructure"]}


def test_structures_have_the_tracking_uids_of_the_seg(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    found = export(medseg, record, tmp_path / "out", "--seg", "--sr")
    assert structures(found) == tracked(tmp_path / "out")
    assert set(structures(found)) == {"tumour", "tumour lesion 1", "tumour lesion 2"}
    text = str(pydicom.dcmread(tmp_path / "out" / "measurements.dcm"))
    assert all(uid.removeprefix("urn:oid:") in text for uid in structures(found).values())
    alone = export(medseg, record, tmp_path / "alone")
    assert all("identifier" not in item for item in alone["BodyStructure"])


def test_the_criterion_is_a_boolean_or_unknown(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    """Both lesions leave the field of view: of the smaller one nobody knows whether the whole meets it."""
    found = export(medseg, record, tmp_path / "out")
    one, two = (item for item in found["Observation"] if item["code"]["text"] == "Meets the size criterion")
    assert one["valueBoolean"] is True
    assert any("truncated_lower_bound" in note["text"] for note in one["note"])
    assert two["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_it_names_the_patient_and_the_day_only_when_asked(
    medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    source = pydicom.dcmread(next(series.glob("*.dcm")))
    plain = export(medseg, record, tmp_path / "plain")
    named = export(medseg, record, tmp_path / "named", "--identified")
    text = json.dumps(plain)
    assert not [word for word in ("Ada", PATIENT, "1960-05-06", "2024") if word in text]
    assert plain["ImagingStudy"][0]["identifier"][0]["value"] == f"urn:oid:{source.StudyInstanceUID}"
    (patient,), (report,) = named["Patient"], named["DiagnosticReport"]
    assert (patient["name"][0]["family"], patient["birthDate"], patient["gender"]) == (
        "Reader",
        "1960-05-06",
        "female",
    )
    assert patient["identifier"][1]["value"] == PATIENT
    # The earliest slice, not the first one.
    assert report["effectiveDateTime"] == "2024-03-05T23:59:00+01:00"
    assert {item["effectiveDateTime"] for item in named["Observation"]} == {report["effectiveDateTime"]}
    assert "IDENTIFIED" in report["conclusion"]
    assert NAME not in record.read_text("utf-8")


def test_identity_is_read_again_and_not_remembered(
    medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    for path in series.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.PatientName = "Corrected^Ada"
        ds.save_as(path)
    (patient,) = export(medseg, record, tmp_path / "named", "--identified")["Patient"]
    assert patient["name"][0]["family"] == "Corrected"


def test_under_a_disguise_it_agrees_with_the_objects_beside_it(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    found = export(
        medseg, record, out, "--seg", "--sr", "--dicom-pdf", "--deidentify", "--key", tmp_path / "k.json"
    )
    sources = [pydicom.dcmread(path) for path in sorted((out / "source").rglob("*.dcm"))]
    (study,), (report,) = found["ImagingStudy"], found["DiagnosticReport"]
    assert study["identifier"][0]["value"] == f"urn:oid:{sources[0].StudyInstanceUID}"
    assert study["series"][0]["uid"] == sources[0].SeriesInstanceUID
    assert study["numberOfInstances"] == len(sources) == 3
    day = min(ds.AcquisitionDate for ds in sources)
    assert report["effectiveDateTime"] == f"{day[:4]}-{day[4:6]}-{day[6:]}T23:59:00+01:00"
    assert not day.startswith("2024")
    assert structures(found) == tracked(out)
    assert found["Patient"][0]["identifier"][0]["value"] == sources[0].PatientID
    assert base64.b64decode(report["presentedForm"][0]["data"]).startswith(b"%PDF-")


def test_the_pages_are_those_of_the_encapsulated_pdf(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    found = export(medseg, record, tmp_path / "out", "--dicom-pdf")
    (form,) = found["DiagnosticReport"][0]["presentedForm"]
    beside = pydicom.dcmread(tmp_path / "out" / "report.dcm")
    pdf = base64.b64decode(form["data"])
    assert pdf == beside.EncapsulatedDocument[: beside.EncapsulatedDocumentLength]
    assert form["size"] == len(pdf)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seg", "--identified"), "--identified is for --fhir"),
        (("--fhir-all", "--identified", "--deidentify"), "not together with --deidentify"),
    ],
)
def test_identity_where_it_has_no_place_is_refused(
    options: tuple[str, ...], words: str, medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    seen = medseg("export", record, *options, "--out", tmp_path / "out")
    assert seen.code == 2
    assert words in seen.line
    assert not (tmp_path / "out").exists()


def test_without_a_series_numbers_go_out_and_nobody_is_named(
    medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    """A mask and a record of NIfTI; the DICOM folder gives what they lack."""
    turned = nib.as_closest_canonical(nib.load(tmp_path / "mask.nii.gz"))
    nib.save(turned, tmp_path / "ras.nii.gz")
    medseg("measure", tmp_path / "ras.nii.gz", "--out", tmp_path / "ras.json")
    found = export(medseg, tmp_path / "ras.json", tmp_path / "plain")
    assert "ImagingStudy" not in found
    assert "no DICOM series was at hand" in found["DiagnosticReport"][0]["conclusion"]
    seen = medseg("export", tmp_path / "ras.json", "--fhir-all", "--identified", "--out", tmp_path / "none")
    assert seen.code == 2
    assert "give the source with --dicom FOLDER" in seen.line
    given = export(medseg, tmp_path / "ras.json", tmp_path / "given", "--identified", "--dicom", series)
    assert given["Patient"][0]["name"][0]["family"] == "Reader"
    assert given["ImagingStudy"][0]["numberOfInstances"] == 3
