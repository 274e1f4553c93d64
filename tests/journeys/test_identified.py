"""Identity is in no Record: views name the patient when they are asked to, and every page of them is marked."""

import csv
import io as streams
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pikepdf
import pydicom
import pypdfium2
import pytest

from medseg import io
from medseg.domain import Label, LabelTable, Segmentation
from medseg.io.dicom.page.capture import pages_of
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
NAME, PATIENT, DAY = "Reader^Ada", "MRN-774411", "2024-03-05"
#: What tells who it is or when; in nothing that was not asked to name the patient.
TELLING = ("Reader", "Ada", PATIENT, "1960-05-06", "19600506", DAY, "20240305")


def name_patient(folder: Path, name: str = NAME, patient: str = PATIENT) -> None:
    for path in folder.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = name, patient, "19600506", "F"
        ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DAY.replace("-", "")
        ds.save_as(path)


@pytest.fixture
def series(data: Callable[[str], Path], tmp_path: Path) -> Path:
    """A real CT of three slices that names a patient."""
    folder = Path(shutil.copytree(data("dicom/dcmqi/ct-3slice"), tmp_path / "ct"))
    name_patient(folder)
    return folder


@pytest.fixture
def record(medseg: Medseg, series: Path, tmp_path: Path) -> Path:
    grid = io.read(series).grid
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:20, 10:30, 1] = 1
    mask = Segmentation(labels, grid, LabelTable((Label(1, "tumour"),)))
    io.write_segmentation(mask, tmp_path / "mask.nii.gz")
    seen = medseg("measure", tmp_path / "mask.nii.gz", "--image", series, "--out", tmp_path / "r.json")
    assert seen.code == 0, seen.err
    return tmp_path / "r.json"


def views(medseg: Medseg, record: Path, out: Path, *options: object) -> dict[str, Path]:
    """Every view of a record, by the command."""
    paths = {name: out / f"r.{name}" for name in ("html", "pdf", "csv", "xlsx")}
    asked = (word for name, path in paths.items() for word in (f"--{name}", path))
    seen = medseg("report", record, *asked, *options)
    assert seen.code == 0, seen.err
    return paths


def pages(pdf: bytes) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]


def beside(pdf: bytes) -> dict[str, str]:
    """What a PDF holds beside its pages: the record in it, its title, its metadata."""
    with pikepdf.open(streams.BytesIO(pdf)) as found:
        (kept,) = (item.get_file().read_bytes().decode() for item in found.attachments.values())
        return {
            "record": kept,
            "info": str(dict(found.docinfo.items())),
            "metadata": str(found.open_metadata()),
        }


def told(path: Path) -> str:
    """All text of a view."""
    if path.suffix == ".pdf":
        data = path.read_bytes()
        return "\n".join([*pages(data), *beside(data).values()])
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        cells = (str(cell.value) for sheet in book for row in sheet for cell in row)
        return "\n".join([*cells, *(sheet.oddHeader.center.text or "" for sheet in book)])
    return path.read_text("utf-8")


def test_every_page_of_every_view_names_the_patient_and_says_so(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    (tmp_path / "named").mkdir()
    found = views(medseg, record, tmp_path / "named", "--identified", "--full")
    line = f"IDENTIFIED – Reader, Ada · ID {PATIENT} · born 1960-05-06 · female"
    assert line in told(found["html"])
    assert f"acquired {DAY}" in told(found["html"])
    printed = pages(found["pdf"].read_bytes())
    assert len(printed) > 2
    assert all(PATIENT in page and "IDENTIFIED" in page for page in printed)
    rows = list(csv.DictReader(streams.StringIO(found["csv"].read_text("utf-8"))))
    assert {
        (row["patient_name"], row["patient_id"], row["patient_birth_date"], row["patient_sex"])
        for row in rows
    } == {("Reader, Ada", PATIENT, "1960-05-06", "female")}
    assert {row["acquired"] for row in rows} == {DAY}
    book = openpyxl.load_workbook(found["xlsx"])
    assert [cell.value for cell in book["measurements"][1]] == list(rows[0])
    assert all(str(sheet.oddHeader.center.text).startswith("IDENTIFIED: Reader, Ada") for sheet in book)


def test_nothing_else_says_who_it_is(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    """The record before and after, the record inside the named PDF, and every view that was not asked."""
    (tmp_path / "named").mkdir()
    (tmp_path / "plain").mkdir()
    before = record.read_bytes()
    named = views(medseg, record, tmp_path / "named", "--identified")
    plain = views(medseg, record, tmp_path / "plain")
    assert record.read_bytes() == before
    texts = {"record": before.decode(), **beside(named["pdf"].read_bytes())}
    texts |= {name: told(path) for name, path in plain.items()}
    assert {name: [word for word in TELLING if word in text] for name, text in texts.items()} == {
        name: [] for name in texts
    }
    assert "IDENTIFIED – Volumetric report" in texts["info"]


def test_pages_in_dicom_name_the_patient_when_asked(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    kinds = ("--dicom-pdf", "--secondary-capture")
    assert medseg("export", record, *kinds, "--identified", "--out", tmp_path / "named").code == 0
    assert medseg("export", record, *kinds, "--out", tmp_path / "plain").code == 0
    for folder, burned in (("named", "YES"), ("plain", "NO")):
        report = pydicom.dcmread(tmp_path / folder / "report.dcm")
        data = report.EncapsulatedDocument[: report.EncapsulatedDocumentLength]
        assert all(("IDENTIFIED" in text) == (burned == "YES") for text in pages(data))
        objects = [report, pydicom.dcmread(tmp_path / folder / "page-1.dcm")]
        assert [ds.BurnedInAnnotation for ds in objects] == [burned, burned]
        assert {str(ds.PatientID) for ds in objects} == {PATIENT}, "the header is the source's either way"
        assert np.array_equal(objects[1].pixel_array, pages_of(data)[0])


def test_identity_is_what_the_source_says_today(
    medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    name_patient(series, "Corrected^Ada")
    seen = medseg("report", record, "--html", tmp_path / "r.html", "--identified")
    assert seen.code == 0, seen.err
    assert "Corrected, Ada" in told(tmp_path / "r.html")


@pytest.mark.parametrize("command", ["report", "export"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("moved", "without the source that was measured"),
        ("other voxels", "is not the one that was measured"),
        ("nameless", "neither a name nor an id"),
        ("de-identified", "was de-identified"),
        ("two patients", "different patients"),
    ],
)
def test_nobody_is_named_by_another_source(
    command: str, damage: str, words: str, medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    if damage == "moved":
        series.rename(tmp_path / "elsewhere")
    for number, path in enumerate(sorted(series.glob("*.dcm"))):
        ds = pydicom.dcmread(path)
        if damage == "other voxels":
            ds.PixelData = bytes(len(ds.PixelData))
        elif damage == "nameless":
            ds.PatientName = ds.PatientID = ""
        elif damage == "de-identified":
            ds.PatientIdentityRemoved = "YES"
        elif damage == "two patients":
            ds.PatientID = f"MRN-{number}"
        ds.save_as(path)
    out = tmp_path / "out"
    asked = ("--html", out) if command == "report" else ("--fhir", "--out", out)
    seen = medseg(command, record, "--identified", *asked)
    assert seen.code == 2
    assert words in seen.line
    assert not [word for word in TELLING if word in seen.line]
    assert not out.exists()


def test_an_image_that_is_no_dicom_names_nobody(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    mask = record.parent / "mask.nii.gz"
    medseg("measure", mask, "--out", tmp_path / "alone.json")
    seen = medseg("report", tmp_path / "alone.json", "--html", tmp_path / "r.html", "--identified")
    assert seen.code == 2
    assert "no DICOM series says who the patient is; measure on the DICOM series" in seen.line


def test_a_folder_of_records_names_nobody(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    seen = medseg("report", record.parent, "--html", tmp_path / "pages", "--identified")
    assert seen.code == 2
    assert "give one record, not a folder" in seen.line


def test_identity_leaves_no_trace_in_json_output(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    seen = medseg("report", record, "--html", tmp_path / "r.html", "--identified", "--json")
    assert seen.code == 0
    assert not [word for word in TELLING if word in json.dumps(seen.json) + seen.err]
