"""A record goes out as objects that hospital systems read, and all of them say the same."""

import re
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from medseg import io
from medseg.domain import Label, LabelTable, Segmentation
from medseg.io.dicom.sr.codes import sr_value
from medseg.io.dicom.sr.read import sr_groups, sr_numbers
from medseg.reporting import record_from_json
from tests.journeys.conftest import Seen
from tests.journeys.judges import complaints, judge, receiver

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]
EVERYTHING = (
    "--seg",
    "--sr-all",
    "--rtstruct",
    "--dicom-pdf",
    "--secondary-capture",
    "--key-images",
    "--fhir-all",
)
WHO = ("--name", "A. Reader", "--organization", "Study centre")


@pytest.fixture
def series(data: Data) -> Path:
    return data("dicom/mr_sag_gre_fieldmap")


@pytest.fixture
def mask(series: Path, tmp_path: Path) -> Path:
    """Two lesions of one label and another structure, on a sagittal series."""
    grid = io.read(series).grid
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:20, 10:30, 1:4] = 1
    labels[30:36, 40:50, 2:4] = 1
    labels[2:8, 50:60, 1] = 2
    table = LabelTable((Label(1, "tumour", side="left"), Label(2, "node")))
    io.write_segmentation(Segmentation(labels, grid, table), tmp_path / "mask.nii.gz")
    return tmp_path / "mask.nii.gz"


@pytest.fixture
def record(medseg: Medseg, series: Path, mask: Path, tmp_path: Path) -> Path:
    seen = medseg("measure", mask, "--image", series, "--lesions", "tumour", "--out", tmp_path / "r.json")
    assert seen.code == 0, seen.err
    return tmp_path / "r.json"


def _objects(folder: Path) -> dict[str, pydicom.Dataset]:
    return {path.stem: pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))}


def test_everything_that_is_asked_for_is_written(
    medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    judge("dciodvfy")
    seen = medseg("export", record, *EVERYTHING, "--out", tmp_path / "out", "--json")
    assert seen.code == 0, seen.err
    written = seen.json["result"]
    assert written["segmentation.dcm"]["frames"] == 4
    assert written["lesions.dcm"]["frames"] == 5
    found = _objects(tmp_path / "out")
    assert [
        found[name].Modality for name in ("segmentation", "measurements", "structures", "report", "page-1")
    ] == [
        "SEG",
        "SR",
        "RTSTRUCT",
        "DOC",
        "OT",
    ]
    source = pydicom.dcmread(next(series.glob("*.dcm")), stop_before_pixels=True)
    known = set().union(*(complaints(file) for file in series.glob("*.dcm")))
    today = datetime.now().astimezone().strftime("%Y%m%d")
    for name, ds in found.items():
        assert ds.StudyInstanceUID == source.StudyInstanceUID, name
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID, name
        assert ds.SeriesDescription.startswith("RESEARCH – NOT REVIEWED"), name
        assert UID(ds.SOPInstanceUID).is_valid, name
        assert (ds.SeriesDate, bool(ds.SeriesTime)) == (today, True), name
        assert complaints(tmp_path / "out" / f"{name}.dcm") - known == set(), name
    assert len({ds.SOPInstanceUID for ds in found.values()}) == len(found)


def test_objects_say_what_the_record_says(
    medseg: Medseg, record: Path, mask: Path, series: Path, tmp_path: Path
) -> None:
    assert medseg("export", record, *EVERYTHING, "--out", tmp_path / "out").code == 0
    ours, image = io.read_segmentation(mask), io.read(series)
    for name in ("segmentation", "structures"):
        on = io.read_segmentation(tmp_path / "out" / f"{name}.dcm", on=image)
        assert np.array_equal(on.labels, ours.labels), name
    lesions = io.read_segmentation(tmp_path / "out" / "lesions.dcm", on=ours.grid)
    assert [item.name for item in lesions.table.labels] == ["tumour lesion 1", "tumour lesion 2"]
    assert [item.side for item in lesions.table.labels] == ["left", "left"]
    assert np.array_equal(lesions.labels > 0, ours.labels == 1)
    # Positions are LPS there; the same numbers otherwise.
    values = [sr_value(item) for item in record_from_json(record.read_bytes()).measurements]
    read = sr_numbers(pydicom.dcmread(tmp_path / "out" / "measurements.dcm"))
    assert sorted(value for value in read if value is not None) == sorted(
        value for value in values if value is not None
    )
    assert read.count(None) == values.count(None)


def test_the_sr_refers_to_the_lesions_by_the_uids_of_their_segments(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    assert medseg("export", record, "--seg", "--sr", "--out", tmp_path / "out").code == 0
    found = _objects(tmp_path / "out")
    uids = {
        str(item.TrackingUID) for name in ("segmentation", "lesions") for item in found[name].SegmentSequence
    }
    text = str(found["measurements"])
    assert all(uid in text for uid in uids)
    assert str(found["lesions"].SOPInstanceUID) in text


def test_the_report_is_the_same_document_and_its_pages(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    assert medseg("export", record, "--dicom-pdf", "--secondary-capture", "--out", tmp_path / "out").code == 0
    found = _objects(tmp_path / "out")
    report = found.pop("report")
    assert report.EncapsulatedDocument.startswith(b"%PDF-")
    assert report.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert report.DocumentTitle.startswith("RESEARCH")
    assert (report.BurnedInAnnotation, report.VerificationFlag) == ("NO", "UNVERIFIED")
    assert [page.InstanceNumber for page in found.values()] == list(range(1, len(found) + 1))
    first = found["page-1"].pixel_array
    assert first.shape[2] == 3
    assert first.shape[0] / first.shape[1] == pytest.approx(297 / 210, abs=0.01)  # A4
    assert first.min() < 60 < 250 < first.max()


def test_a_subject_that_is_the_patient_is_burned_in(
    medseg: Medseg, mask: Path, series: Path, tmp_path: Path
) -> None:
    patient = str(pydicom.dcmread(next(series.glob("*.dcm")), stop_before_pixels=True).PatientID)
    medseg("measure", mask, "--image", series, "--subject", patient, "--out", tmp_path / "r.json")
    assert medseg("export", tmp_path / "r.json", "--dicom-pdf", "--out", tmp_path / "out").code == 0
    assert _objects(tmp_path / "out")["report"].BurnedInAnnotation == "YES"


def test_signed_records_are_verified_and_approved(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    assert medseg("sign", record, *WHO).code == 0
    assert medseg("export", record, *EVERYTHING, "--out", tmp_path / "out").code == 0
    found = _objects(tmp_path / "out")
    assert found["measurements"].VerificationFlag == "VERIFIED"
    assert found["report"].VerificationFlag == "VERIFIED"
    assert found["structures"].ApprovalStatus == "APPROVED"
    assert str(found["structures"].ReviewerName) == "Reader^A."
    for name, ds in found.items():
        assert ds.SeriesDescription.startswith("RESEARCH – reviewed by A. Reader"), name


@pytest.mark.slow
def test_stable_uids_are_the_same_each_time(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    kinds = ("--seg", "--sr", "--rtstruct", "--dicom-pdf")
    for name in ("one", "two"):
        assert medseg("export", record, *kinds, "--stable-uids", "--out", tmp_path / name).code == 0
    assert medseg("export", record, *kinds, "--out", tmp_path / "random").code == 0
    one, two, random = (_objects(tmp_path / name) for name in ("one", "two", "random"))
    for name, ds in one.items():
        assert ds.SOPInstanceUID == two[name].SOPInstanceUID != random[name].SOPInstanceUID
        assert ds.SeriesInstanceUID == two[name].SeriesInstanceUID
    tracks = [[item.TrackingUID for item in found["lesions"].SegmentSequence] for found in (one, two)]
    assert tracks[0] == tracks[1]


def test_a_nifti_made_from_the_series_is_brought_back_to_it(
    medseg: Medseg, mask: Path, series: Path, tmp_path: Path
) -> None:
    """Another program stored scan and mask in RAS; the DICOM folder is all that is needed."""
    turned = nib.as_closest_canonical(nib.load(mask))
    assert nib.aff2axcodes(turned.affine) != nib.aff2axcodes(nib.load(mask).affine)
    nib.save(turned, tmp_path / "ras.nii.gz")
    medseg("measure", tmp_path / "ras.nii.gz", "--out", tmp_path / "ras.json")
    seen = medseg("export", tmp_path / "ras.json", "--seg", "--out", tmp_path / "out")
    assert seen.code == 2
    assert "give the source with --dicom FOLDER" in seen.line
    assert not (tmp_path / "out").exists()
    seen = medseg(
        "export", tmp_path / "ras.json", "--seg", "--rtstruct", "--dicom", series, "--out", tmp_path / "out"
    )
    assert seen.code == 0, seen.err
    again = io.read_segmentation(tmp_path / "out" / "segmentation.dcm", on=io.read(series))
    assert np.array_equal(again.labels, io.read_segmentation(mask).labels)


def test_another_series_is_refused(medseg: Medseg, record: Path, data: Data, tmp_path: Path) -> None:
    seen = medseg(
        "export", record, "--seg", "--dicom", data("dicom/dcmqi/ct-3slice"), "--out", tmp_path / "out"
    )
    assert seen.code == 2
    assert "the mask lies on the voxels of none of the 1 DICOM series" in seen.line
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_when_one_name_is_taken(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "structures.dcm").write_bytes(b"mine")
    seen = medseg("export", record, "--seg", "--rtstruct", "--out", tmp_path / "out")
    assert seen.code == 2
    assert "structures.dcm exists already" in seen.line
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["structures.dcm"]
    assert medseg("export", record, "--seg", "--rtstruct", "--out", tmp_path / "out", "--force").code == 0


@pytest.mark.parametrize("tag", ["PixelData", "SOPInstanceUID"])
def test_a_source_that_changed_is_refused(
    tag: str, medseg: Medseg, mask: Path, series: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "series"
    shutil.copytree(series, copy)
    medseg("measure", mask, "--image", copy, "--out", tmp_path / "r.json")
    first = sorted(copy.glob("*.dcm"))[0]
    ds = pydicom.dcmread(first)
    if tag == "PixelData":
        ds.PixelData = bytes(len(ds.PixelData))
        ds.save_as(first)
    else:
        first.unlink()
    seen = medseg("export", tmp_path / "r.json", *EVERYTHING, "--out", tmp_path / "out")
    assert seen.code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.enable_socket  # to find a free port on loopback; the programs talk to each other
def test_a_store_receives_every_object(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    sender = judge("dcmsend")
    judge("storescp")
    assert medseg("export", record, *EVERYTHING, "--out", tmp_path / "out").code == 0
    sent = sorted((tmp_path / "out").glob("*.dcm"))
    with receiver(tmp_path / "store") as port:
        command = [sender, "--verbose", "127.0.0.1", str(port), *map(str, sent)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    received = {str(pydicom.dcmread(path).SOPInstanceUID) for path in (tmp_path / "store").iterdir()}
    assert received == {str(pydicom.dcmread(path).SOPInstanceUID) for path in sent}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("seg.dcm", "half", "damaged|truncated|can't be read|bytes"),
        ("seg.dcm", "frames", "claims 1000000 frames"),
        ("rt.dcm", "half", "damaged|truncated|can't be read|bytes|not say"),
        ("rt.dcm", "alone", "are not beside it; give their series with --image"),
    ],
)
def test_masks_that_can_not_be_read_are_one_line(
    name: str, content: str, words: str, medseg: Medseg, data: Data, tmp_path: Path
) -> None:
    source = data(
        "dicom/dcmqi/23x38x3/seg/label.seg" if name == "seg.dcm" else "dicom/rt_utils/mock_data/rt.dcm"
    )
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    path = folder / name
    whole = source.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == "half" else whole)
    if content == "frames":
        ds = pydicom.dcmread(path)
        ds.NumberOfFrames = 1_000_000
        ds.save_as(path)
    seen = medseg("convert", path, tmp_path / "mask.nii.gz", "--mask")
    assert seen.code == 2
    assert re.search(words, seen.line), seen.line
    assert not (tmp_path / "mask.nii.gz").exists()


def test_a_foreign_mask_is_declared_and_never_manual_by_itself(
    medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    """SEG, SR, structure set and page agree."""
    said = ("--made-by", "nnU-Net 2.8", "--by", "automatic")
    wanted = {
        "unknown": ("AUTOMATIC", "unknown origin (given mask)", ""),
        "said": ("AUTOMATIC", "nnU-Net 2.8", "AUTOMATIC"),
    }
    for folder, options in (("unknown", ()), ("said", said)):
        out = tmp_path / folder
        seen = medseg("export", record, "--seg", "--sr", "--rtstruct", *options, "--out", out)
        assert seen.code == 0, seen.err
        found = _objects(out)
        kind, name, roi_kind = wanted[folder]
        for part in ("segmentation", "lesions"):
            for item in found[part].SegmentSequence:
                assert (item.SegmentAlgorithmType, item.SegmentAlgorithmName) == (kind, name)
        for item in found["structures"].StructureSetROISequence:
            assert (item.ROIGenerationAlgorithm, item.ROIGenerationDescription) == (roi_kind, name)
        named = [
            item.TextValue
            for group in sr_groups(found["measurements"])
            for item in group.ContentSequence
            if item.ConceptNameCodeSequence[0].get("CodeValue") == "111001"  # Algorithm Name
        ]
        assert set(named) == {name}
    assert medseg("report", record, "--html", tmp_path / "r.html").code == 0
    page = re.sub(r"<(script|style).*?</\1>", "", (tmp_path / "r.html").read_text("utf-8"), flags=re.DOTALL)
    assert "given mask" in page
    assert "manual" not in page.lower()
    seen = medseg("export", record, "--seg", "--made-by", "nnU-Net 2.8", "--out", tmp_path / "half")
    assert seen.code != 0
    assert "--by automatic, semiautomatic or manual" in seen.err


def test_a_page_names_the_images_that_it_was_made_from(
    medseg: Medseg, record: Path, series: Path, tmp_path: Path
) -> None:
    assert medseg("export", record, "--dicom-pdf", "--secondary-capture", "--out", tmp_path / "out").code == 0
    found = _objects(tmp_path / "out")
    images = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in series.glob("*")}
    report, page = found["report"], found["page-1"]
    assert {str(item.ReferencedSOPInstanceUID) for item in report.SourceInstanceSequence} == images
    assert {str(item.ReferencedSOPInstanceUID) for item in page.SourceImageSequence} == images
    purposes = {item.PurposeOfReferenceCodeSequence[0].CodeValue for item in page.SourceImageSequence}
    assert purposes == {"121322"}
    assert "PatientOrientation" in page
    assert any(keyword in page for keyword in ("Laterality", "ImageLaterality", "BodyPartExamined"))


def test_the_sr_is_short_unless_all_is_asked_for(medseg: Medseg, record: Path, tmp_path: Path) -> None:
    numbers = {}
    for option in ("--sr", "--sr-all"):
        seen = medseg("export", record, option, "--out", tmp_path / option)
        assert seen.code == 0, seen.err
        numbers[option] = sr_numbers(_objects(tmp_path / option)["measurements"])
    rows = record_from_json(record.read_bytes()).measurements
    assert len(numbers["--sr-all"]) == len(rows)
    assert len(numbers["--sr"]) == sum(item.quantity.info.brief for item in rows) < len(rows) / 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ""),
        (("--seg-type", "labelmap"), "is a label map, which OHIF 3.13 loads and older viewers may not"),
        (("--seg-type", "LABELMAP", "--seg-compress", "none"), "is a label map"),
    ],
)
def test_an_export_says_which_viewers_can_not_show_it(
    options: tuple[str, ...], words: str, medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    seen = medseg("export", record, "--seg", *options, "--out", tmp_path / "out", "--json")
    assert seen.code == 0, seen.err
    found = [item["message"] for item in seen.json["findings"] if item["message"].startswith("segmentation")]
    assert len(found) == bool(words)
    assert words in "".join(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seg-type", "BITS"), "--seg-type is AUTO, BINARY, FRACTIONAL or LABELMAP, not 'BITS'"),
        (("--seg-compress", "zip"), "--seg-compress is AUTO, RLE or NONE, not 'ZIP'"),
        (("--seg-type", "BINARY", "--seg-compress", "rle"), "RLE can't pack; write a LABELMAP"),
    ],
)
def test_kinds_of_seg_that_there_are_not_are_one_line(
    options: tuple[str, ...], words: str, medseg: Medseg, record: Path, tmp_path: Path
) -> None:
    seen = medseg("export", record, "--seg", *options, "--out", tmp_path / "out")
    assert seen.code == 2
    assert words in seen.line
    assert not (tmp_path / "out").exists()
