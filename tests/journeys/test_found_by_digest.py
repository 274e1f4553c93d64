"""A record whose files were moved, or that names none: its inputs are found by their voxels among files given."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg import io
from medseg.domain import Label, LabelTable, Segmentation
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
WHO = ("--name", "A. Reader", "--organization", "Study centre")


@pytest.fixture
def moved(medseg: Medseg, ball: Path, tmp_path: Path) -> Path:
    """A record of a NIfTI pair; scan and mask lie elsewhere now, renamed, among others of the same shape."""
    mask, record = tmp_path / "mask.nii.gz", tmp_path / "home" / "r.json"
    record.parent.mkdir()
    assert medseg("segment", "otsu", ball, "--out", mask).code == 0
    assert medseg("measure", mask, "--image", ball, "--out", record).code == 0
    other = tmp_path / "archive" / "deep"
    other.mkdir(parents=True)
    image = nib.load(ball)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.float32), image.affine), other / "a-decoy.nii.gz")
    ball.rename(other / "scan-1.nii.gz")
    mask.rename(other.parent / "labels-1.nii.gz")
    mask.with_name("mask.seg.json").unlink()
    return record


def rows(seen: Seen) -> dict[str, bool]:
    return {row["what"]: row["holds"] for row in seen.json["result"]["checks"]}


def test_verify_finds_them_in_a_folder_however_deep(medseg: Medseg, moved: Path, tmp_path: Path) -> None:
    assert medseg("verify", moved).code == 2
    seen = medseg("verify", moved, tmp_path / "archive", "--json")
    assert seen.code == 0, seen.err
    assert rows(seen) == {
        "record (not reviewed)": True,
        "image image ../archive/deep/scan-1.nii.gz": True,
        "mask ../archive/labels-1.nii.gz": True,
        "numbers": True,
    }


def test_files_may_be_named_in_any_order(medseg: Medseg, moved: Path, tmp_path: Path) -> None:
    files = (tmp_path / "archive/deep/scan-1.nii.gz", tmp_path / "archive/labels-1.nii.gz")
    assert medseg("verify", moved, *files).code == medseg("verify", moved, *reversed(files)).code == 0


def test_the_page_has_its_pictures_again(medseg: Medseg, moved: Path, tmp_path: Path) -> None:
    assert medseg("report", moved, "--html", tmp_path / "without.html").code == 0
    assert medseg("report", moved, tmp_path / "archive", "--html", tmp_path / "with.html").code == 0
    assert "No pictures" in (tmp_path / "without.html").read_text("utf-8")
    page = (tmp_path / "with.html").read_text("utf-8")
    assert "No pictures" not in page
    assert "scan-1" not in page


def test_a_record_is_signed_by_what_was_found_and_keeps_its_own_places(
    medseg: Medseg, moved: Path, tmp_path: Path
) -> None:
    before = json.loads(moved.read_bytes())["inputs"]
    assert "not signed" in medseg("sign", moved, *WHO).line
    seen = medseg("sign", moved, tmp_path / "archive", *WHO)
    assert seen.code == 0, seen.err
    after = json.loads(moved.read_bytes())
    assert after["review"]["state"] == "reviewed"
    assert after["inputs"] == before


def test_pages_of_many_records_find_theirs_too(medseg: Medseg, moved: Path, tmp_path: Path) -> None:
    lost = json.loads(moved.read_bytes())
    lost["inputs"][1]["digest"] = "0" * 64
    moved.with_name("lost.json").write_text(json.dumps(lost), "utf-8")
    pages = tmp_path / "pages"
    words = ("report", moved.parent, tmp_path / "archive", "--html", pages)
    seen = medseg(*words)
    assert seen.code == 3, seen.err
    assert "not found among the files given: mask (digest 00000000)" in " ".join(seen.out.split())
    assert "No pictures" not in (pages / "r.html").read_text("utf-8")
    assert not (pages / "lost.html").exists()
    assert medseg(*words).out.count("kept") == 2  # the page and the sheet
    (tmp_path / "archive/labels-1.nii.gz").rename(tmp_path / "archive/labels-2.nii.gz")
    assert medseg(*words).out.count("kept") == 2  # found again, wherever it lies


@pytest.mark.parametrize("command", ["verify", "report", "sign", "export"])
def test_what_was_not_found_is_named(command: str, medseg: Medseg, moved: Path, tmp_path: Path) -> None:
    (tmp_path / "archive/labels-1.nii.gz").unlink()
    out = tmp_path / "out"
    more = {
        "report": ("--html", out),
        "sign": WHO,
        "export": ("--seg", "--out", out),
    }
    seen = medseg(command, moved, tmp_path / "archive", *more.get(command, ()))
    digest = json.loads(moved.read_bytes())["inputs"][1]["digest"]
    assert seen.code == 2
    assert f"not found among the files given: mask (digest {digest[:8]})" in seen.line
    assert not out.exists()


def test_a_path_that_is_not_there_is_named(medseg: Medseg, moved: Path, tmp_path: Path) -> None:
    assert "nowhere is not there" in medseg("verify", moved, tmp_path / "nowhere").line


def test_a_deidentified_record_finds_its_mask_in_the_objects_beside_it(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path
) -> None:
    series = Path(shutil.copytree(data("dicom/dcmqi/ct-3slice"), tmp_path / "ct"))
    grid = io.read(series).grid
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:20, 10:30, 1] = 1
    mask = Segmentation(labels, grid, LabelTable((Label(1, "tumour"),)))
    io.write_segmentation(mask, tmp_path / "mask.nii.gz")
    medseg("measure", tmp_path / "mask.nii.gz", "--image", series, "--out", tmp_path / "r.json")
    sent = tmp_path / "sent"
    assert medseg("export", tmp_path / "r.json", "--seg", "--deidentify", "--out", sent).code == 0
    assert medseg("verify", sent / "record.json").code == 2
    seen = medseg("verify", sent / "record.json", sent, "--json")
    assert seen.code == 0, seen.out
    assert "mask segmentation.dcm" in rows(seen)


def test_a_series_is_found_by_one_of_its_slices_and_exported(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path
) -> None:
    series = Path(shutil.copytree(data("dicom/dcmqi/ct-3slice"), tmp_path / "ct"))
    assert medseg("segment", "otsu", series, "--out", tmp_path / "mask.nii.gz").code == 0
    medseg("measure", tmp_path / "mask.nii.gz", "--image", series, "--out", tmp_path / "r.json")
    series.rename(tmp_path / "away")
    slices = sorted((tmp_path / "away").glob("*.dcm"))
    assert medseg("export", tmp_path / "r.json", "--seg", "--out", tmp_path / "none").code == 2
    seen = medseg("export", tmp_path / "r.json", slices[0], "--seg", "--out", tmp_path / "out")
    assert seen.code == 0, seen.err
    assert (tmp_path / "out/segmentation.dcm").is_file()
