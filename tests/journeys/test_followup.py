"""Two scans of one patient, followed as a user does: measured, matched, judged, shown; and what is refused."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import nibabel as nib
import numpy as np
import pytest

from tests.followup.scenes import motion
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
BEFORE = [((25, 30, 20), 5.0), ((45, 30, 24), 4.0), ((25, 50, 28), 3.6)]
AFTER = [((25, 30, 20), 6.5), ((45, 30, 24), 4.0), ((45, 50, 20), 4.0)]
ERRORS = """
- {quantity: volume, of: lesion, detection_mm3: 50,
   error: {kind: test-retest, low: 0.74, high: 1.35, source: "40 pairs", pairs: 40}}
- {quantity: volume, of: sum, error: {kind: test-retest, low: 0.9, high: 1.11, source: "40 pairs", pairs: 40}}
"""


def write_scan(folder: Path, name: str, balls, moved=None, step=1.0) -> None:
    """A bright body with brighter lesions, and their mask."""
    shape = tuple(int(n / step) for n in (70, 80, 48))
    affine = np.diag([step, step, step, 1.0])
    back = np.linalg.inv(np.eye(4) if moved is None else moved)
    positions = np.moveaxis(np.indices(shape), 0, -1) * step @ back[:3, :3].T + back[:3, 3]
    values = ((((positions - [35, 40, 24]) / [28, 32, 19]) ** 2).sum(axis=-1) <= 1) * 100.0
    values += values * 0.2 * np.sin(positions[..., 0] / 7) * np.cos(positions[..., 1] / 9)
    mask = np.zeros(shape, np.uint8)
    for centre, radius in balls:
        mask[np.linalg.norm(positions - centre, axis=-1) <= radius] = 1
    values[mask > 0] = 180
    values += np.random.default_rng(len(name)).normal(0, 2, shape)
    for array, stem in ((values.astype(np.float32), name), (mask, f"{name}-mask")):
        image = nib.Nifti1Image(array, affine)
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, 1)
        nib.save(image, folder / f"{stem}.nii.gz")


@pytest.fixture
def pair(medseg: Medseg, tmp_path: Path) -> Path:
    """Folder with first.json and second.json: one lesion grew, one stayed, one went, one came."""
    write_scan(tmp_path, "first", BEFORE)
    write_scan(tmp_path, "second", AFTER, motion(4.0, (2.0, -1.0, 1.0)), step=0.9)
    for name in ("first", "second"):
        seen = medseg(
            "measure", tmp_path / f"{name}-mask.nii.gz", "--image", tmp_path / f"{name}.nii.gz",
            "--lesions", "all", "--out", tmp_path / f"{name}.json",
        )  # fmt: skip
        assert seen.code == 0, seen.err
    (tmp_path / "errors.yaml").write_text(ERRORS)
    return tmp_path


def follow(medseg: Medseg, folder: Path, *more: object) -> Seen:
    return medseg(
        "followup", folder / "first.json", folder / "second.json", "--out", folder / "f.json", *more
    )


def called(folder: Path) -> dict[str, set[str]]:
    """Structure's lesion ids → what is said of their volume at the second scan."""
    found = json.loads((folder / "f.json").read_bytes())
    return {
        "+".join(map(str, group["tracks"])): {
            item["call"] for item in group["changes"] if item["quantity"] in ("volume", "lesion_total_volume")
        }
        for group in found["groups"]
    }


def test_a_pair_is_registered_followed_and_shown(medseg: Medseg, pair: Path) -> None:
    views = [part for view in ("html", "csv", "xlsx") for part in (f"--{view}", pair / f"f.{view}")]
    seen = follow(
        medseg, pair, "--days", "0,200", "--repeatability", pair / "errors.yaml", "--accept", "method", *views
    )
    assert seen.code == 0, seen.err
    sentence = seen.out.splitlines()[0]
    assert sentence.startswith("One lesion grew beyond error, one candidate new, one gone; total ")
    assert sentence.endswith("(no-change range −10 to +11 %, from test–retest), 200 days.")
    total = sentence.split("total ")[1].split(" ml, ")
    last = [line.split("\t") for line in seen.out.splitlines()][
        3
    ]  # the sum at scan 2, rounded as in the sentence
    assert last[3] == total[0].split(" → ")[1]
    assert last[5] == total[1].split(" (")[0]
    assert called(pair) == {"": {"grown"}, "1": {"grown"}, "2": {"within error"}, "3": {"gone"}, "4": set()}
    rows = list(csv.DictReader(io.StringIO((pair / "f.csv").read_text("utf-8"))))
    assert {row["event"] for row in rows if row["scan"] == "2"} == {"", "followed", "gone", "candidate new"}
    page = (pair / "f.html").read_text("utf-8")
    assert sentence in page
    assert page.count("<img ") == 4 + 1  # each lesion at both scans, and the check of the registration
    assert "taken as comparable at the user&#39;s word" in page
    assert str(pair) not in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg)
    alignment = json.loads((pair / "f.json").read_bytes())["points"][1]["alignment"]
    assert alignment["kind"] == "registration"
    assert alignment["quality"]["rotation_degrees"] == pytest.approx(4.0, abs=0.7)


def test_without_an_error_or_alike_masks_no_change_is_called(medseg: Medseg, pair: Path) -> None:
    seen = follow(medseg, pair, "--repeatability", pair / "errors.yaml")
    assert seen.code == 0, seen.err
    assert called(pair)["1"] == {"not comparable"}
    assert "No change is called, as the scans are not comparable" in seen.out
    assert "not comparable: both masks were given" in seen.out
    assert json.loads((pair / "f.json").read_bytes())["points"][1]["days"] is None
    assert follow(medseg, pair, "--accept", "method", "--force").code == 0
    assert called(pair)["1"] == {"error unknown"}


def test_a_transform_takes_the_place_of_the_registration(medseg: Medseg, pair: Path) -> None:
    import SimpleITK as sitk

    lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    there = lps @ motion(4.0, (2.0, -1.0, 1.0)) @ lps
    transform = sitk.AffineTransform(there[:3, :3].ravel().tolist(), there[:3, 3].tolist())
    sitk.WriteTransform(transform, str(pair / "t.tfm"))
    given = (
        "--accept",
        "method",
        "--repeatability",
        pair / "errors.yaml",
        "--transform",
        f"2={pair / 't.tfm'}",
    )
    assert follow(medseg, pair, *given).code == 0
    assert called(pair)["1"] == {"grown"}
    found = json.loads((pair / "f.json").read_bytes())
    assert found["points"][1]["alignment"]["kind"] == "transform"
    # Without images nothing could be registered, and a transform still does.
    for name in ("first", "second"):
        (pair / f"{name}.nii.gz").unlink()
    assert follow(medseg, pair, *given, "--force").code == 0
    assert "nothing connects" in follow(medseg, pair, "--accept", "method", "--force").line


def test_a_reader_corrects_the_links_and_it_is_recorded(medseg: Medseg, pair: Path) -> None:
    (pair / "links.csv").write_text("scan,structure,earlier,later\n2,label 1,3,3\n")
    found = follow(medseg, pair, "--links", pair / "links.csv", "--accept", "method")
    assert found.code == 0, found.err
    record = json.loads((pair / "f.json").read_bytes())
    assert [item["chosen_by"] for item in record["links"]].count("reader") == 1
    assert "A reader linked label 1 lesion 3" in found.err


def test_targets_give_a_category(medseg: Medseg, pair: Path) -> None:
    (pair / "targets.csv").write_text("lesion,site\n1,liver\n2,lung\n")
    seen = follow(medseg, pair, "--targets", pair / "targets.csv", "--accept", "method")
    assert seen.code == 0, seen.err
    assert "RECIST 1.1, target sum: " in seen.out
    assert "Research aid" in seen.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--days", "0"), "--days has 1 numbers for 2 records"),
        (("--days", "0,-3"), "--days begins with 0 and grows"),
        (("--days", "soon"), "whole numbers"),
        (("--accept", "patient"), "can be accepted"),
        (("--transform", "nothing"), "SCAN=FILE"),
        (("--transform", "7=t.tfm"), "scan 7"),
        (("--criteria", "rano-2010"), "--targets"),
        (("--alpha", "2"), "alpha"),
        (("--margin-mm", "5", "--reach-mm", "-1"), "the margin is 0 mm or more"),
    ],
)
def test_what_makes_no_sense_is_refused(more, words, medseg: Medseg, pair: Path) -> None:
    if words == "the margin is 0 mm or more":
        more = ("--margin-mm", "-5")
    seen = follow(medseg, pair, *(() if "--transform" in more else ("--same-space",)), *more)
    assert seen.code == 2
    assert words in seen.line
    assert not (pair / "f.json").exists()


def test_a_record_twice_or_a_changed_mask_is_refused(medseg: Medseg, pair: Path) -> None:
    twice = medseg("followup", pair / "first.json", pair / "first.json", "--out", pair / "f.json")
    assert "given twice" in twice.line
    write_scan(pair, "second", BEFORE)
    changed = follow(medseg, pair)
    assert changed.code == 2
    assert "not the one that was measured" in changed.line
    assert not (pair / "f.json").exists()


def test_inputs_that_moved_are_found_by_their_digests(medseg: Medseg, pair: Path) -> None:
    elsewhere = pair / "archive"
    elsewhere.mkdir()
    for path in pair.glob("*.nii.gz"):
        path.rename(elsewhere / path.name)
    assert follow(medseg, pair, "--accept", "method").code == 2
    assert follow(medseg, pair, "--accept", "method", "--among", elsewhere).code == 0


def test_a_lesion_that_fell_below_the_least_size_is_not_gone(medseg: Medseg, pair: Path) -> None:
    write_scan(pair, "second", [(BEFORE[0][0], 5.0), (BEFORE[1][0], 2.0)])
    for name in ("first", "second"):
        seen = medseg(
            "measure", pair / f"{name}-mask.nii.gz", "--image", pair / f"{name}.nii.gz", "--lesions", "all",
            "--min-lesion-mm3", "60", "--out", pair / f"{name}.json", "--force",
        )  # fmt: skip
        assert seen.code == 0, seen.err
    assert follow(medseg, pair, "--same-space", "--accept", "method").code == 0
    found = json.loads((pair / "f.json").read_bytes())
    assert [track["events"][-1]["kind"] for track in found["tracks"]] == [
        "followed",
        "below detection",
        "gone",
    ]


def test_what_exists_is_kept_without_force(medseg: Medseg, pair: Path) -> None:
    (pair / "f.html").write_text("mine")
    seen = follow(medseg, pair, "--html", pair / "f.html", "--accept", "method")
    assert seen.code == 2
    assert (pair / "f.html").read_text() == "mine"
    assert not (pair / "f.json").exists()


def test_the_file_of_a_repeatability_study_is_read(medseg: Medseg, pair: Path) -> None:
    """What `medseg repeatability` writes of pairs of lesions is the error of lesions, of the sizes that it is about."""
    rng = np.random.default_rng(0)
    lines = ["subject,label,quantity,lesion,first,second,unit"]
    for subject in range(12):
        value = 0.2 + 0.05 * subject
        lines.append(f"s{subject},label 1,volume,1,{value:.4f},{value * np.exp(rng.normal(0, 0.1)):.4f},ml")
    (pair / "pairs.csv").write_text("\n".join(lines))
    made = medseg("repeatability", pair / "pairs.csv", "--out", pair / "study.json")
    assert made.code == 0, made.err
    seen = follow(medseg, pair, "--accept", "method", "--repeatability", pair / "study.json")
    assert seen.code == 0, seen.err
    found = json.loads((pair / "f.json").read_bytes())
    lesion = next(group for group in found["groups"] if group["tracks"] == [1])
    error = next(item["error"] for item in lesion["changes"] if item["quantity"] == "volume")
    assert error["kind"] == "test-retest"
    assert 1.1 < error["high"] < 2
    assert error["low"] == pytest.approx(1 / error["high"])
    assert "12 subjects" in error["source"]
    assert "fewer than 35: preliminary" in seen.err


def test_dates_of_dicom_give_order_and_days(medseg: Medseg, data, tmp_path: Path) -> None:
    """Two copies of a real series, 200 days apart, in one frame of reference: days are kept, dates are not."""
    import pydicom

    for name, day in (("late", "20200719"), ("early", "20200101")):
        folder = tmp_path / name
        folder.mkdir()
        for path in sorted(data("dicom/dicom2nifti/hitachi/anatomical/001").glob("*")):
            ds = pydicom.dcmread(path)
            for keyword in ("AcquisitionDate", "SeriesDate", "ContentDate", "StudyDate"):
                setattr(ds, keyword, day)
            ds.FrameOfReferenceUID = "1.2.3"
            if "AcquisitionDateTime" in ds:
                del ds.AcquisitionDateTime
            pixels = np.array(ds.pixel_array)
            pixels[0, 0] += name == "late"  # two scans are never alike to the last voxel
            ds.set_pixel_data(pixels, ds.PhotometricInterpretation, ds.BitsStored)
            ds.save_as(folder / path.name)
        assert medseg("segment", "otsu", folder, "--out", tmp_path / f"{name}.nii.gz").code == 0
        arguments = ("--image", folder, "--lesions", "all", "--min-lesion-mm3", "20000", "--subject", "p1")
        seen = medseg("measure", tmp_path / f"{name}.nii.gz", *arguments, "--out", tmp_path / f"{name}.json")
        assert seen.code == 0, seen.err
    wrong = medseg("followup", tmp_path / "late.json", tmp_path / "early.json", "--out", tmp_path / "f.json")
    assert "was acquired 200 days before the baseline" in wrong.line
    right = medseg("followup", tmp_path / "early.json", tmp_path / "late.json", "--out", tmp_path / "f.json")
    assert right.code == 0, right.err
    text = (tmp_path / "f.json").read_text("utf-8")
    found = json.loads(text)
    assert [point["days"] for point in found["points"]] == [0, 200]
    assert found["points"][1]["alignment"]["kind"] == "same frame"
    assert "2020" not in text
    assert {event["kind"] for track in found["tracks"] for event in track["events"]} == {
        "first seen",
        "followed",
    }


@pytest.fixture
def two_days(medseg: Medseg, data, tmp_path: Path) -> Path:
    """A real CT and a copy of it 200 days later, one voxel unlike; two made lesions on each, one of which grows."""
    import pydicom
    from pydicom.uid import generate_uid

    from medseg import io as files
    from medseg.domain import Label, LabelTable, Segmentation
    from medseg.domain.provenance import Provenance

    for name, day, radius in (("early", "20200101", 9.0), ("late", "20200719", 14.0)):
        folder = tmp_path / name
        folder.mkdir()
        for path in sorted(data("dicom/ibsi_sts002/CT").rglob("*.dcm")):
            ds = pydicom.dcmread(path)
            if ds.get("Modality") != "CT":
                continue
            for keyword in ("AcquisitionDate", "SeriesDate", "ContentDate", "StudyDate"):
                setattr(ds, keyword, day)
            if name == "late":
                pixels = np.array(ds.pixel_array)
                pixels[0, 0] += 1
                ds.set_pixel_data(pixels, ds.PhotometricInterpretation, ds.BitsStored)
                ds.SeriesInstanceUID = generate_uid(entropy_srcs=[ds.SeriesInstanceUID])
                ds.SOPInstanceUID = generate_uid(entropy_srcs=[ds.SOPInstanceUID])
                ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.save_as(folder / path.name)
        image = files.read(folder)
        positions = image.grid.to_position(np.moveaxis(np.indices(image.grid.shape), 0, -1))
        middle = image.grid.to_position((np.array(image.grid.shape) - 1) / 2)
        labels = np.linalg.norm(positions - middle, axis=-1) <= radius
        labels |= np.linalg.norm(positions - middle - np.array([45.0, 0.0, 0.0]), axis=-1) <= 6.0
        made = Provenance("net", weights_digest="ab" * 32)
        mask = Segmentation(labels.astype(np.uint8), image.grid, LabelTable((Label(1, "tumour"),)), made)
        files.write_segmentation(mask, tmp_path / f"{name}.nii.gz")
        seen = medseg(
            "measure", tmp_path / f"{name}.nii.gz", "--image", folder, "--lesions", "tumour", "--subject", "p1",
            "--out", tmp_path / f"{name}.json",
        )  # fmt: skip
        assert seen.code == 0, seen.err
    (tmp_path / "errors.yaml").write_text(ERRORS)
    return tmp_path


def numbers_of(sr) -> dict[str, list[str]]:
    """Tracking UID of each group → the texts in it."""
    found: dict[str, list[str]] = {}

    def texts(items):
        for item in items:
            if item.ValueType == "TEXT":
                yield str(item.TextValue)
            yield from texts(item.get("ContentSequence") or ())

    def walk(items):
        for item in items:
            inside = item.get("ContentSequence") or ()
            uids = [str(child.UID) for child in inside if child.ValueType == "UIDREF"]
            if uids:
                found.setdefault(uids[0], []).extend(texts(inside))
            walk(inside)

    walk(sr.ContentSequence)
    return found


def test_earlier_values_and_tracking_uids_go_into_dicom(medseg: Medseg, two_days: Path) -> None:
    import pydicom

    where = two_days
    seen = medseg(
        "followup", where / "early.json", where / "late.json", "--out", where / "f.json", "--repeatability",
        where / "errors.yaml", "--record", where / "told.json", "--html", where / "f.html",
    )  # fmt: skip
    assert seen.code == 0, seen.err
    assert seen.out.startswith("One lesion grew beyond error; total ")
    assert "200 days" in seen.out
    found = json.loads((where / "f.json").read_bytes())
    uids = {track["id"]: track["uid"] for track in found["tracks"]}
    assert medseg("verify", where / "told.json").code == 0
    for name, record in (("then", "early.json"), ("now", "told.json")):
        export = medseg(
            "export",
            where / record,
            "--sr",
            "--seg",
            "--fhir",
            "--followup",
            where / "f.json",
            "--out",
            where / name,
        )
        assert export.code == 0, export.err
    objects = {
        name: [pydicom.dcmread(path) for path in sorted((where / name).glob("*.dcm"))]
        for name in ("then", "now")
    }
    reports = {name: next(ds for ds in those if ds.Modality == "SR") for name, those in objects.items()}
    assert set(uids.values()) <= set(numbers_of(reports["then"])) & set(numbers_of(reports["now"]))
    told = " ".join(numbers_of(reports["now"])[uids[1]])
    assert "earlier: " in told
    assert "200 days before, ok, change +" in told
    assert "from test–retest: 40 pairs" in told
    assert "earlier" not in " ".join(numbers_of(reports["then"])[uids[1]])
    segments = {
        str(item.TrackingUID)
        for ds in objects["now"]
        if ds.Modality == "SEG"
        for item in ds.SegmentSequence
        if "lesion" in str(item.get("TrackingID", ""))
    }
    assert segments == set(uids.values())
    fhir = next((where / "now").glob("*.json")).read_text("utf-8")
    assert "Days from the earlier scan to this one" in fhir
    assert uids[1] in fhir


def test_the_record_with_earlier_values_needs_days(medseg: Medseg, pair: Path) -> None:
    seen = follow(medseg, pair, "--accept", "method", "--record", pair / "told.json")
    assert seen.code == 2
    assert "give them with --days" in seen.line
    assert not (pair / "f.json").exists()


def test_another_records_followup_gives_no_uids(medseg: Medseg, two_days: Path, pair: Path) -> None:
    assert follow(medseg, pair, "--accept", "method").code == 0
    seen = medseg(
        "export", two_days / "late.json", "--sr", "--followup", pair / "f.json", "--out", two_days / "out"
    )
    assert seen.code == 2
    assert "none of its scans has the mask of this record" in seen.line


def segmented(medseg: Medseg, folder: Path, name: str, low: int) -> None:
    """A scan segmented by a threshold, with its lesions measured."""
    mask = folder / f"{name}-found.nii.gz"
    assert (
        medseg(
            "segment",
            "threshold",
            folder / f"{name}.nii.gz",
            "--out",
            mask,
            "--force",
            "--param",
            f"low={low}",
        ).code
        == 0
    )
    seen = medseg(
        "measure", mask, "--image", folder / f"{name}.nii.gz", "--lesions", "all", "--out", folder / f"{name}.json",
        "--force",
    )  # fmt: skip
    assert seen.code == 0, seen.err


def test_an_earlier_scan_is_measured_again_as_the_last_one_was(medseg: Medseg, pair: Path) -> None:
    """Thresholds of 165 and 150 make other volumes; with one threshold for both the change can be called."""
    segmented(medseg, pair, "first", 165)
    segmented(medseg, pair, "second", 150)
    before = (pair / "first.json").read_bytes()
    judged = ("--days", "0,200", "--repeatability", pair / "errors.yaml")
    assert follow(medseg, pair, *judged).code == 0
    assert called(pair)["1"] == {"not comparable"}
    seen = follow(medseg, pair, *judged, "--force", "--remeasure", pair / "again")
    assert seen.code == 0, seen.err
    assert called(pair)["1"] == {"grown"}
    assert "Scan 1 was segmented and measured again as the last one was, by threshold" in seen.out + seen.err
    assert (pair / "first.json").read_bytes() == before
    assert sorted(path.name for path in (pair / "again").iterdir()) == [
        "first-again.json", "first-again.nii.gz", "first-again.seg.json",
    ]  # fmt: skip
    assert medseg("verify", pair / "again/first-again.json").code in (0, 1)
    segmented(medseg, pair, "first", 150)
    expected = {
        (row["target"]["name"], row["target"].get("lesion"), row["quantity"]): row["value"]
        for row in json.loads((pair / "first.json").read_bytes())["measurements"]
    }
    found = json.loads((pair / "again/first-again.json").read_bytes())["measurements"]
    assert {
        (row["target"]["name"], row["target"].get("lesion"), row["quantity"]): row["value"] for row in found
    } == expected
    points = json.loads((pair / "f.json").read_bytes())["points"]
    assert points[0]["record"] == "again/first-again.json"


def test_what_can_not_be_measured_again_is_said_and_nothing_is_written(medseg: Medseg, pair: Path) -> None:
    segmented(medseg, pair, "first", 165)
    seen = follow(medseg, pair, "--remeasure", pair / "again")
    assert (seen.code, "the last mask was given" in seen.err) == (2, True)
    segmented(medseg, pair, "second", 150)
    (pair / "first.nii.gz").rename(pair / "elsewhere.nii.gz")
    seen = follow(medseg, pair, "--remeasure", pair / "again")
    assert (seen.code, "say where with --among" in seen.err) == (2, True)
    assert not (pair / "again").exists()
    assert not (pair / "f.json").exists()
    assert follow(medseg, pair, "--remeasure", pair / "again", "--among", pair).code == 0
