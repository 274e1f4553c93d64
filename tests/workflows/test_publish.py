"""One folder holds mask, record and every view: as the command line writes them, whole or not at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from medseg.cli.everything import app
from medseg.domain import Grid, Image, Run, Segmentation
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.errors import Cancelled, InputError, OutputError
from medseg.io.dicom.sr.read import sr_numbers
from medseg.reporting.purpose import PageLook
from medseg.workflows import read, read_record, read_segmentation, segment, write
from medseg.workflows.publish import PublishOptions, obstacles, publish, sign_published
from medseg.workflows.verify import verify_files

TABLES = ("html", "csv", "xlsx")
OBJECTS = ("seg", "sr", "rtstruct", "key-images", "fhir")
WHO: dict[str, Any] = {"name": "A. Reader", "organization": "Study centre"}


def command(*words: object) -> None:
    seen = CliRunner().invoke(app, [str(word) for word in words])
    assert seen.exit_code == 0, seen.output


@pytest.fixture
def scan(tmp_path: Path) -> Image:
    """A ball of 400 in noise around 100, in a file."""
    place = np.indices((24, 22, 20)).transpose(1, 2, 3, 0) - (12, 11, 10)
    array = np.where((place**2).sum(axis=-1) <= 36, 400, 100).astype(np.int16)
    array += np.random.default_rng(0).integers(-5, 5, array.shape, np.int16)
    affine = np.diag([-1.5, -1.5, 2.0, 1.0])
    write(Image(array, Grid(array.shape, affine), modality="MR"), tmp_path / "mr.nii.gz")
    return read(tmp_path / "mr.nii.gz", channel="mr")


@pytest.fixture
def mask(scan: Image) -> Segmentation:
    return segment("otsu", scan)


def test_every_view_is_byte_for_byte_that_of_the_command_line(
    scan: Image, mask: Segmentation, tmp_path: Path
) -> None:
    plan = MeasurePlan(lesions=LesionPlan(rule="recist-1.1"))
    look = PageLook(windows=(("mr", 50.0, 450.0),))
    made = publish(
        mask, {"mr": scan}, tmp_path / "out", PublishOptions(TABLES, subject="P1", plan=plan, look=look)
    )
    other = tmp_path / "out" / "other.json"
    lesions = ("--lesions", "all", "--rule", "recist-1.1", "--subject", "P1")
    command(
        "measure", made.files["mask"], "--channel", f"mr={tmp_path / 'mr.nii.gz'}", *lesions, "--out", other
    )
    assert made.record_path.read_bytes() == other.read_bytes()
    views = [word for view in TABLES for word in (f"--{view}", tmp_path / f"other.{view}")]
    command("report", other, *views, "--window", "mr=50:450")
    for view in TABLES:
        assert made.files[view].read_bytes() == (tmp_path / f"other.{view}").read_bytes(), view
    assert "L 250 W 400" in made.files["html"].read_text("utf-8")
    assert "set by the reader" in made.files["html"].read_text("utf-8")


def test_objects_say_the_digits_of_the_command_line(data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = data("dicom/mr_sag_gre_fieldmap")
    scan = read(folder)
    mask = segment("otsu", scan)
    made = publish(mask, {"image": scan}, tmp_path / "out", PublishOptions((), OBJECTS))
    words = [f"--{kind}" for kind in OBJECTS]
    command("export", made.record_path, *words, "--out", tmp_path / "other")
    ours, theirs = made.folder, tmp_path / "other"
    assert {path.name for path in theirs.iterdir()} < {path.name for path in ours.iterdir()}
    numbers = [sr_numbers(pydicom.dcmread(where / "measurements.dcm")) for where in (ours, theirs)]
    assert numbers[0] == numbers[1]
    assert numbers[0]
    pixels = [pydicom.dcmread(where / "segmentation.dcm").PixelData for where in (ours, theirs)]
    assert pixels[0] == pixels[1]
    bundles = [json.loads((where / "report.fhir.json").read_bytes()) for where in (ours, theirs)]
    found = [[entry["resource"].get("valueQuantity") for entry in item["entry"]] for item in bundles]
    assert found[0] == found[1]


@pytest.mark.parametrize("key", [None, "key.pem"], ids=["by digest", "with a key"])
def test_what_is_signed_holds_and_every_view_names_the_reader(
    key: str | None, scan: Image, mask: Segmentation, tmp_path: Path
) -> None:
    made = publish(mask, {"mr": scan}, tmp_path / "out", PublishOptions(("html", "csv")))
    assert "NOT REVIEWED" in made.files["html"].read_text("utf-8")
    path = None if key is None else tmp_path / key
    signed = sign_published(made, mask, {"mr": scan}, **WHO, key=path)
    assert all(check.holds for check in verify_files(signed.record_path, key=path))
    assert (signed.record.review.key is None) == (key is None)
    assert "A. Reader" in signed.files["html"].read_text("utf-8")
    with pytest.raises(InputError, match="signed already"):
        sign_published(signed, mask, {"mr": scan}, **WHO)


def test_nothing_is_signed_after_a_file_was_changed(scan: Image, mask: Segmentation, tmp_path: Path) -> None:
    made = publish(mask, {"mr": scan}, tmp_path / "out", PublishOptions())
    page = made.files["html"].read_bytes()
    labels = mask.labels.copy()
    labels[0, 0, 0] = 1
    write(replace(mask, labels=labels), made.files["mask"], force=True)
    with pytest.raises(InputError, match="not signed: mask"):
        sign_published(made, mask, {"mr": scan}, **WHO)
    assert read_record(made.record_path).review.state == "not reviewed"
    assert made.files["html"].read_bytes() == page


def test_what_replaces_a_signed_record_says_so_and_is_not_reviewed(
    scan: Image, mask: Segmentation, tmp_path: Path
) -> None:
    made = publish(mask, {"mr": scan}, tmp_path / "out", PublishOptions())
    signed = sign_published(made, mask, {"mr": scan}, **WHO)
    options = PublishOptions(replaces=signed.record.review, force=True)
    again = publish(mask, {"mr": scan}, tmp_path / "out", options)
    found = read_record(again.record_path)
    assert (found.review.state, found.review.amends) == ("not reviewed", signed.record.review.digest)
    assert "review.outdated" in {item.code for item in found.findings}
    signed = sign_published(again, mask, {"mr": scan}, **WHO)
    assert signed.record.review.amends is not None


@pytest.mark.parametrize("at", ["the first step", "the last step"])
def test_stopped_it_leaves_no_file(at: str, scan: Image, mask: Segmentation, tmp_path: Path) -> None:
    seen: list[int] = []
    last = at == "the last step"
    run = Run(
        progress=lambda done, _total, _what: seen.append(done),
        cancel=lambda: bool(seen) and (not last or seen[-1] == 3),
    )
    with pytest.raises(Cancelled):
        publish(mask, {"mr": scan}, tmp_path / "out", PublishOptions(TABLES), run)
    assert not list((tmp_path / "out").glob("*"))


def test_a_name_that_is_taken_leaves_the_folder_as_it_was(
    scan: Image, mask: Segmentation, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.html").write_text("mine", "utf-8")
    with pytest.raises(OutputError, match="exists already"):
        publish(mask, {"mr": scan}, folder, PublishOptions())
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    assert (folder / "report.html").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("unit", "dtype", "copy"),
    [
        ("mm", np.float32, "image-mr.nii.gz"),
        ("px", np.uint8, "image-mr.png"),
        ("px", np.float32, "image-mr.tif"),
    ],
)
def test_an_image_that_no_file_holds_is_written_beside_and_verified(
    unit: Any, dtype: type, copy: str, tmp_path: Path
) -> None:
    array = np.full((20, 30, 1), 10, dtype)
    array[5:9, 10:20] = 200
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    drawn = Image(array, Grid(array.shape, affine, unit=unit, orientation_known=False), channel="mr")
    made = publish(segment("otsu", drawn), {"mr": drawn}, tmp_path / "out", PublishOptions())
    assert made.copied == ("mr",)
    assert (made.folder / copy).is_file()
    assert all(check.holds for check in verify_files(made.record_path))
    assert read_segmentation(made.files["mask"]).labels.sum() == 40


def test_what_cannot_be_written_is_told_before(
    scan: Image, mask: Segmentation, data: Callable[[str], Path]
) -> None:
    series = read(data("dicom/mr_sag_gre_fieldmap"))
    assert obstacles(series.grid, {"image": series}, is_empty=False) == {}
    assert set(obstacles(series.grid, {"image": series}, is_empty=True)) == {"seg", "rtstruct", "key-images"}
    told = obstacles(mask.grid, {"mr": scan}, is_empty=False)
    assert {"seg", "sr", "rtstruct", "dicom-pdf", "secondary-capture", "key-images"} == set(told)
    assert "no image here is a DICOM series" in told["seg"]
    assert "does not lie on the slices" in obstacles(mask.grid, {"image": series}, is_empty=False)["sr"]
    stack = Grid((20, 30, 4), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px", orientation_known=False)
    told = obstacles(stack, {}, is_empty=False)
    assert "no size in mm" in told["seg"]
    assert "can't say that a pixel has no size" in told["mask"]
