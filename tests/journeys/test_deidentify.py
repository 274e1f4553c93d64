"""A scan goes out without its patient: nothing planted is in any output, log, file name or page."""

import base64
import gzip
import json
import re
import shutil
import subprocess
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
#: Planted into a copy of a real CT; every one is looked for as it stands, in any case of letters.
PLANTED = {
    "PatientName": "Plantagenova^Johanna",
    "PatientID": "MRN-774411",
    "PatientBirthDate": "19511109",
    "OtherPatientIDs": "OLD-99812",
    "PatientAddress": "17 Elm Street, Plantville",
    "PatientTelephoneNumbers": "+1 555 0147 88",
    "PatientComments": "Comes with her sister Mathilda",
    "PatientMotherBirthName": "Lancaster^Blanche",
    "Occupation": "Lighthouse-man",
    "AdditionalPatientHistory": "Fell off a ladder in Oslo",
    "AccessionNumber": "ACC-2231-88",
    "StudyID": "STUDY-4411",
    "StudyDescription": "Follow-up for Dr Gruberova",
    "SeriesDescription": "Thorax Johanna venous",
    "ProtocolName": "Gruberova special 5",
    "InstitutionName": "Plantation General Hospital",
    "InstitutionAddress": "1 Hospital Road, Plantville",
    "InstitutionalDepartmentName": "Radiology West Wing",
    "StationName": "CTROOM-0042",
    "ReferringPhysicianName": "Gruberova^Hanna",
    "OperatorsName": "Technikova^Tina",
    "RequestingPhysician": "Askerson^Anna",
    "DeviceSerialNumber": "SN-88421-X",
    "ImageComments": "Refused contrast, see Tina",
    "RequestedProcedureID": "RP-3341-Z",
    "AdmissionID": "ADM-77123",
    "PatientBirthName": "Tudorova^Katarina",
    "ResponsiblePerson": "Guardianson^Gudrun",
    "NameOfPhysiciansReadingStudy": "Readerby^Rolf",
    "PerformingPhysicianName": "Performova^Petra",
    "MedicalAlerts": "Alerts-Penicillin-77",
    "Allergies": "Allergic to Quincewood",
    "PatientReligiousPreference": "Quakerly-12",
    "PerformedProcedureStepDescription": "Repeat for Mr Askersen",
    "PerformedProcedureStepID": "PPS-99114",
    "CurrentPatientLocation": "Bed 14 Westhall",
    "IssuerOfPatientID": "HOSP-ISSUER-31",
    "PlateID": "PLATE-66123",
    "StudyInstanceUID": "1.2.840.99999.5551212.1",
    "DeviceUID": "1.2.840.99999.5551213.2",
    "StudyDate": "20240305",
    "SeriesDate": "20240306",
    "AcquisitionDate": "20240307",
    "ContentDate": "20240307",
}
#: Planted deeper: private tags, nested sequences, names of folders and files, the subject, the one who signs.
DEEPER = (
    "PRIVATE-8812",
    "Nested Clinic",
    "SPS-8841",
    "PRIVATE-DEEP-31",
    "OLD-NAME-5512",
    "REFERENCED-6631",
    "OVERLAY-7741",
    "OVERLAY-LABEL-88",
    "META-AE-9921",
    "META-PRIVATE-31",
    "1.2.840.99999.5551214.3",
    "plantagenova_scan",
    "plantagenova_mask",
    "Signatory",
    "Signing Ward",
)
KINDS = ("--seg", "--sr-all", "--rtstruct", "--key-images", "--fhir-all")


@pytest.fixture
def record(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A signed record of a mask on three slices of a real CT, all named after a patient; made once, then copied."""
    made = tmp_path_factory.getbasetemp() / "deidentify" / "Plantagenova_Johanna"
    if not (made / "plantagenova.json").is_file():
        shutil.rmtree(made, ignore_errors=True)
        scan, mask, path = (
            made / "plantagenova_scan",
            made / "plantagenova_mask.nii.gz",
            made / "plantagenova.json",
        )
        plant(data("dicom/dcmqi/ct-3slice"), scan)
        assert medseg("segment", "otsu", scan, "--out", mask).code == 0
        measured = ("measure", mask, "--image", scan, "--subject", "Johanna Plantagenova", "--out", path)
        assert medseg(*measured).code == 0
        assert medseg("sign", path, "--name", "S. Signatory", "--organization", "Signing Ward").code == 0
    shutil.copytree(made, tmp_path / made.name)
    return tmp_path / made.name / "plantagenova.json"


@pytest.fixture
def scan(record: Path) -> Path:
    """The folder with the slices."""
    return record.parent / "plantagenova_scan"


def plant(source: Path, folder: Path) -> None:
    """Copies of real slices with identifiers in every place, in files named after the patient."""
    folder.mkdir(parents=True)
    for number, path in enumerate(sorted(source.glob("*.dcm"))):
        ds = pydicom.dcmread(path)
        for keyword, value in PLANTED.items():
            setattr(ds, keyword, value)
        ds.private_block(0x0019, "PLANTED VENDOR", create=True).add_new(0x01, "LO", "PRIVATE-8812")
        request, performer = Dataset(), Dataset()
        performer.InstitutionName = "Nested Clinic"
        request.ScheduledProcedureStepID = "SPS-8841"
        request.ScheduledPerformingPhysicianIdentificationSequence = [performer]
        ds.RequestAttributesSequence = [request]
        plant_deeper(ds)
        ds.BodyPartExamined = "HEAD"
        ds.save_as(folder / f"johanna_{number}.dcm")


def plant_deeper(ds: Any) -> None:
    """Sequences in private tags, what was changed before, other objects' words, overlays, the file's own header."""
    inner, changed, before, patient = Dataset(), Dataset(), Dataset(), Dataset()
    inner.PatientComments = "PRIVATE-DEEP-31"
    ds.private_block(0x0021, "PLANTED VENDOR", create=True).add_new(0x02, "SQ", [inner])
    before.PatientID = "OLD-NAME-5512"
    changed.ModifiedAttributesSequence = [before]
    ds.OriginalAttributesSequence = [changed]
    patient.ReferencedSOPClassUID, patient.PurposeOfReferenceCodeSequence = "1.2.840.10008.3.1.2.1.1", []
    patient.ImageComments = "REFERENCED-6631"
    ds.ReferencedPatientSequence = [patient]
    ds.add_new(0x60000022, "LO", "OVERLAY-7741")
    ds.add_new(0x60001500, "LO", "OVERLAY-LABEL-88")
    ds.file_meta.SourceApplicationEntityTitle = "META-AE-9921"
    ds.file_meta.PrivateInformationCreatorUID = "1.2.840.99999.5551214.3"
    ds.file_meta.PrivateInformation = b"META-PRIVATE-31 "


def words() -> list[str]:
    """What is looked for: values, parts of names, dates in either form, and what stands deeper."""
    found = [*PLANTED.values(), *DEEPER, "2024-03-05", "1951-11-09"]
    return found + [
        part for value in PLANTED.values() if "^" in value for part in value.split("^") if part != "Anna"
    ]


def leaks(out: Path) -> list[tuple[str, str]]:
    """Planted words in names and bytes of files, pixels left out: they were compared byte by byte."""
    found = []
    for path in sorted(item for item in out.rglob("*") if item.is_file()):
        content = path.read_bytes()
        if path.suffix == ".dcm":
            ds = pydicom.dcmread(path)
            content = content.replace(bytes(ds.get("PixelData") or b"\0\0"), b"")
        haystack = b"\n".join([str(path.relative_to(out)).encode(), *layers(content)]).lower()
        found += [
            (path.name, word)
            for word in words()
            if any(word.lower().encode(code) in haystack for code in ("utf-8", "utf-16-be", "utf-16-le"))
        ]
    return found


def layers(content: bytes, depth: int = 3) -> Iterator[bytes]:
    """Bytes, and what is packed in them: members of zips, gzip, streams of PDF and PNG, base64 of pages."""
    yield content
    if not depth:
        return
    packed: list[bytes] = []
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            packed += [archive.read(name) for name in archive.namelist()]
    if content.startswith(b"\x1f\x8b"):
        packed.append(gzip.decompress(content))
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        with suppress(zlib.error):
            packed.append(zlib.decompressobj().decompress(stream))
    for text in re.findall(rb";base64,([A-Za-z0-9+/=]+)", content):
        packed.append(base64.b64decode(text + b"=" * (-len(text) % 4)))
    for part in packed:
        yield from layers(part, depth - 1)


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: data,
        gzip.compress,
        lambda data: b"<img src='data:image/png;base64," + base64.b64encode(data) + b"'>",
        lambda data: b"%PDF\nstream\n" + zlib.compress(data) + b"\nendstream",
        lambda data: zipped(gzip.compress(data)),
        lambda data: data.decode().encode("utf-16-be"),
    ],
    ids=["plain", "gzip", "base64", "pdf", "zip of gzip", "utf-16"],
)
def test_a_leak_would_be_seen(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(pack(b"said by Technikova"))
    assert leaks(tmp_path) == [("x.bin", "Technikova")]


def zipped(data: bytes) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", data)
    return made.getvalue()


def objects(out: Path) -> dict[str, Any]:
    return {str(path.relative_to(out)): pydicom.dcmread(path) for path in sorted(out.rglob("*.dcm"))}


def test_nothing_planted_is_found_anywhere(
    medseg: Medseg, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, out, page = tmp_path / "logs", tmp_path / "out", tmp_path / "page"
    logs.mkdir()
    monkeypatch.setenv("MEDSEG_LOG_DIR", str(logs))
    assert len({*PLANTED.values(), *DEEPER}) > 40
    seen = medseg("export", record, *KINDS, "--deidentify", "--out", out, "--json")
    assert seen.code == 0, seen.err
    assert {item["code"] for item in seen.json["findings"]} == {"deid.face"}
    assert leaks(out) == []
    assert leaks(logs) == []
    shown = seen.out.replace(str(tmp_path), "") + seen.err.replace(str(tmp_path), "")
    assert not [word for word in words() if word.lower() in shown.lower()]
    views = ("--html", page / "r.html", "--csv", page / "r.csv", "--xlsx", page / "r.xlsx")
    assert medseg("report", out / "record.json", *views).code == 0
    mask = page / "mask.nii.gz"
    assert medseg("convert", out / "segmentation.dcm", mask).code == 0
    assert leaks(page) == []
    assert "anon-" in (page / "r.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pages_are_drawn_anew_without_the_identity(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen = medseg("export", record, "--dicom-pdf", "--secondary-capture", "--deidentify", "--out", out)
    assert seen.code == 0, seen.err
    assert leaks(out) == []
    (tmp_path / "report.pdf").write_bytes(objects(out)["report.dcm"].EncapsulatedDocument)
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (apt poppler-utils) is not here")
    text = run("pdftotext", tmp_path / "report.pdf", "-")
    assert "anon-" in text
    assert not [word for word in words() if word.lower() in text.lower()]


def test_objects_still_refer_to_each_other(medseg: Medseg, record: Path, scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert medseg("export", record, *KINDS, "--deidentify", "--out", out).code == 0
    found = objects(out)
    sources = {name: ds for name, ds in found.items() if name.startswith("source")}
    assert len(sources) == 3
    uids = {str(ds.SOPInstanceUID) for ds in sources.values()}
    seg, sr, rt = (found[name] for name in ("segmentation.dcm", "measurements.dcm", "structures.dcm"))
    series = seg.ReferencedSeriesSequence[0]
    assert {str(item.ReferencedSOPInstanceUID) for item in series.ReferencedInstanceSequence} == uids
    named = {str(element.value) for element in sr.iterall() if element.VR == "UI"}
    assert {str(seg.SOPInstanceUID), *uids} <= named
    assert {str(item.TrackingUID) for item in seg.SegmentSequence} <= named
    frame = rt.ReferencedFrameOfReferenceSequence[0]
    images = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
    assert {str(item.ReferencedSOPInstanceUID) for item in images} == uids
    assert len({str(ds.StudyInstanceUID) for ds in found.values()}) == 1
    assert len({str(ds.FrameOfReferenceUID) for ds in (*sources.values(), seg, rt)}) == 1
    assert len({str(ds.PatientID) for ds in found.values()}) == 1
    bare = json.loads((out / "record.json").read_text(encoding="utf-8"))
    assert bare["subject"] == str(seg.PatientID)
    assert bare["inputs"][0]["series_uid"] == str(next(iter(sources.values())).SeriesInstanceUID)
    assert bare["review"]["state"] == "not reviewed"
    assert str(seg.SeriesDescription).startswith("RESEARCH – NOT REVIEWED")


def test_sources_keep_pixels_and_intervals(medseg: Medseg, record: Path, scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert medseg("export", record, "--seg", "--deidentify", "--out", out).code == 0
    before = {place(ds): ds for ds in (pydicom.dcmread(path) for path in scan.iterdir())}
    shifts = set()
    for name, ds in objects(out).items():
        if name.startswith("source"):
            old = before[place(ds)]
            assert ds.PixelData == old.PixelData
            assert ds.AcquisitionTime == old.AcquisitionTime
            shifts |= {
                days(ds, key) - days(old, key) for key in ("StudyDate", "SeriesDate", "AcquisitionDate")
            }
    assert len(shifts) == 1
    # What was made of them was made today, a day that is known; shifted, it would give the shift away.
    seg = objects(out)["segmentation.dcm"]
    assert (
        days(seg, "StudyDate") == days(before[place(next(iter(before.values())))], "StudyDate") + shifts.pop()
    )
    assert seg.ContentDate == max(ds.ContentDate for ds in objects(out).values())


def place(ds: Any) -> float:
    return float(ds.ImagePositionPatient[2])


def days(ds: Any, keyword: str) -> int:
    return datetime.strptime(str(ds[keyword].value)[:8], "%Y%m%d").toordinal()  # noqa: DTZ007 - a day


def test_a_key_gives_the_same_again_and_another_key_another(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    key, other = tmp_path / "keys" / "key.json", tmp_path / "keys" / "other.json"
    shared = ("export", record, "--seg", "--stable-uids", "--deidentify")
    for name, secret in (("one", key), ("two", key), ("three", other)):
        assert medseg(*shared, "--key", secret, "--out", tmp_path / name).code == 0
    one, two, three = (uids_of(objects(tmp_path / name)) for name in ("one", "two", "three"))
    assert one == two
    assert not one & three
    assert key.stat().st_mode & 0o777 == 0o600
    # The key knows the studies that it was used for, and no names.
    assert {word for _, word in leaks(key.parent)} == {PLANTED["StudyInstanceUID"]}


def uids_of(found: dict[str, Any]) -> set[str]:
    return {
        str(uid)
        for ds in found.values()
        for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID)
    }


def test_derived_objects_alone_need_a_key_that_knows_the_source(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key.json"
    alone = ("export", record, "--seg", "--deidentify", "--without-sources", "--key", key)
    seen = medseg(*alone, "--out", tmp_path / "refused")
    assert seen.code == 2
    assert "would refer to images that nobody has" in seen.line
    assert not (tmp_path / "refused").exists()
    assert (
        medseg("export", record, "--seg", "--deidentify", "--key", key, "--out", tmp_path / "all").code == 0
    )
    assert medseg(*alone, "--out", tmp_path / "alone").code == 0
    assert {path.name for path in (tmp_path / "alone").iterdir()} == {"segmentation.dcm", "record.json"}
    first, later = (objects(tmp_path / name)["segmentation.dcm"] for name in ("all", "alone"))
    assert first.ReferencedSeriesSequence == later.ReferencedSeriesSequence


def test_a_source_that_is_de_identified_already_may_stay_as_it_is(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    assert medseg("export", record, "--seg", "--deidentify", "--out", out).code == 0
    mask, bare = tmp_path / "mask.nii.gz", tmp_path / "bare.json"
    assert medseg("segment", "otsu", out / "source", "--out", mask).code == 0
    assert medseg("measure", mask, "--image", out / "source", "--out", bare).code == 0
    seen = medseg("export", bare, "--seg", "--deidentify", "--without-sources", "--out", again)
    assert seen.code == 0, seen.err
    seg, source = objects(again)["segmentation.dcm"], objects(out / "source")
    named = {
        str(item.ReferencedSOPInstanceUID)
        for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert named == {str(ds.SOPInstanceUID) for ds in source.values()}
    assert seg.PatientIdentityRemoved == "YES"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned into its pixels"),
        ({"PatientID": "SOMEONE-ELSE"}, "different patients"),
    ],
)
def test_what_is_not_safe_is_refused_whole(
    change: dict[str, str], reason: str, medseg: Medseg, record: Path, scan: Path, tmp_path: Path
) -> None:
    path = sorted(scan.iterdir())[1]
    ds = pydicom.dcmread(path)
    for keyword, value in change.items():
        setattr(ds, keyword, value)
    ds.save_as(path)
    seen = medseg("export", record, "--seg", "--deidentify", "--out", tmp_path / "out")
    assert (seen.code, reason in seen.line) == (2, True), seen.line
    assert not (tmp_path / "out").exists()


def test_a_structure_named_after_the_patient_is_refused(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    side = record.parent / "plantagenova_mask.seg.json"
    side.write_text(
        side.read_text(encoding="utf-8").replace('"foreground"', '"tumour of Johanna"'), encoding="utf-8"
    )
    mask, scan = record.parent / "plantagenova_mask.nii.gz", record.parent / "plantagenova_scan"
    medseg("measure", mask, "--image", scan, "--out", record, "--force")
    seen = medseg("export", record, "--seg", "--deidentify", "--out", tmp_path / "out")
    assert seen.code == 2
    assert "would still say the PatientName of the source" in seen.line
    assert "Johanna" not in seen.line
    assert not (tmp_path / "out").exists()


def test_the_key_does_not_go_with_the_files_and_old_files_are_not_among_new_ones(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    seen = medseg("export", record, "--seg", "--deidentify", "--key", out / "key.json", "--out", out)
    assert (seen.code, "given away" in seen.line) == (2, True)
    seen = medseg("export", record, "--seg", "--deidentify", "--force", "--out", record.parent)
    assert (seen.code, "exists already" in seen.line) == (2, True)
    assert record.is_file()
    seen = medseg("export", record, "--seg", "--key", tmp_path / "k.json", "--out", out)
    assert "belong to --deidentify" in seen.line


def test_others_find_nothing_to_complain_of_and_nothing_planted(
    medseg: Medseg, record: Path, scan: Path, tmp_path: Path
) -> None:
    if not (shutil.which("dciodvfy") and shutil.which("dcmdump")):
        pytest.skip("dciodvfy (apt dicom3tools) and dcmdump (apt dcmtk) are not both here")
    out, plain = tmp_path / "out", tmp_path / "plain"
    kinds = ("--seg", "--sr", "--rtstruct")
    assert medseg("export", record, *kinds, "--out", plain).code == 0
    assert medseg("export", record, *kinds, "--deidentify", "--out", out).code == 0
    before = {name: plain / name for name in ("segmentation.dcm", "measurements.dcm", "structures.dcm")}
    for name in objects(out):
        old = before.get(name, sorted(scan.iterdir())[0])
        assert faults(out / name) - faults(old) == set(), name
        text = run("dcmdump", "+L", "-M", out / name).lower()
        assert not [word for word in words() if word.lower() in text], name


def faults(path: Path) -> set[str]:
    return {line for line in run("dciodvfy", "-new", path).splitlines() if line.startswith("Error")}


def run(*command: object) -> str:
    seen = subprocess.run([str(part) for part in command], capture_output=True, timeout=60, check=False)
    return (seen.stdout + seen.stderr).decode("utf-8", "replace")


def test_percist_does_not_tell_sex_and_size_unless_they_are_kept(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "pet"
    folder.mkdir()
    for path in sorted(data("dicom/ibsi_sts002/PET/image").glob("*.dcm"))[:16]:
        shutil.copy(path, folder)
    mask, path = tmp_path / "mask.nii.gz", tmp_path / "r.json"
    medseg("segment", "threshold", folder, "--out", mask, "-p", "low=0.2")
    body = ("--sex", "female", "--height-m", "1.6171", "--weight-kg", "71.713")
    pet = ("--pet", "percist", "--pet", "41%", "--liver", "foreground")
    assert medseg("measure", mask, "--image", folder, "--out", path, *pet, *body).code == 0
    given = json.loads(path.read_text("utf-8"))
    by_percist = [row for row in given["measurements"] if row["target"].get("detail") == "percist"]
    assert any("from female, 1.6171 m given, 71.713 kg given" in row["method"] for row in by_percist)
    for more, kept in (((), False), (("--keep-patient-characteristics",), True)):
        out = tmp_path / f"out-{kept}"
        seen = medseg("export", path, "--seg", "--sr-all", "--deidentify", *more, "--out", out)
        assert seen.code == 0, seen.err
        record = json.loads((out / "record.json").read_text("utf-8"))
        assert record["plan"]["pet"].get("sex") == ("female" if kept else None)
        details = {row["target"].get("detail") for row in record["measurements"]}
        assert ("percist" in details, "41%" in details) == (kept, True)
        text = (out / "record.json").read_text("utf-8")
        assert [word in text for word in ("female", "1.6171", "71.713")] == [kept] * 3
        sr = (out / "measurements.dcm").read_bytes()
        assert (b"from female" in sr) == kept


def test_pet_loses_its_suv_inputs_unless_they_are_kept(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "pet"
    folder.mkdir()
    for path in sorted(data("dicom/ibsi_sts002/PET/image").glob("*.dcm"))[:4]:
        shutil.copy(path, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weight = pydicom.dcmread(next(folder.iterdir())).get("PatientWeight")
    mask, path = tmp_path / "mask.nii.gz", tmp_path / "r.json"
    medseg("segment", "otsu", folder, "--out", mask)
    medseg("measure", mask, "--image", folder, "--out", path)
    bare = medseg("export", path, "--seg", "--deidentify", "--out", tmp_path / "bare", "--json")
    assert "deid.suv_inputs" in {item["code"] for item in bare.json["findings"]}
    kept = ("export", path, "--seg", "--deidentify", "--keep-patient-characteristics", "--json")
    seen = medseg(*kept, "--out", tmp_path / "kept")
    assert "deid.suv_inputs" not in {item["code"] for item in seen.json["findings"]}
    one, other = (next(iter(objects(tmp_path / name / "source").values())) for name in ("bare", "kept"))
    assert "PatientWeight" not in one
    assert other.get("PatientWeight") == weight
    assert re.fullmatch(r"anon-[0-9a-f]{12}", str(one.PatientID))
