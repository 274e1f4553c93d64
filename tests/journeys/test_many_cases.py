"""Folders, datasets and case lists: one bad case is named and the rest goes on."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


def test_a_folder_with_one_bad_file(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    scans, masks, records = tmp_path / "scans", tmp_path / "masks", tmp_path / "records"
    scans.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(ball, scans / f"{name}.nii.gz")
    (scans / "b.nii.gz").write_bytes(b"no scan at all")
    seen = medseg("segment", "otsu", scans, "--out", masks)
    assert seen.code == 3
    assert "1 of 3 cases failed" in seen.err
    assert {item.name for item in masks.glob("*.nii.gz")} == {"a.nii.gz", "c.nii.gz"}
    again = medseg("segment", "otsu", scans, "--out", masks)
    assert again.out.count("kept") == 2
    seen = medseg("measure", masks, "--image", scans, "--out", records)
    assert seen.code == 0
    assert {item.name for item in records.iterdir()} == {"a.json", "c.json", "measurements.csv"}


def test_report_on_a_folder_of_records(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    scans, masks, records = tmp_path / "scans", tmp_path / "masks", tmp_path / "records"
    scans.mkdir()
    for name in ("a", "b"):
        shutil.copy(ball, scans / f"{name}.nii.gz")
    medseg("segment", "otsu", scans, "--out", masks)
    medseg("measure", masks, "--image", scans, "--out", records)
    content = json.loads((records / "b.json").read_text("utf-8"))
    for row in content["measurements"]:
        if row["quantity"] == "volume":
            row.update(status="truncated_lower_bound", reason="cut")
    (records / "b.json").write_text(json.dumps(content), "utf-8")
    shutil.copy(records / "a.json", records / "index.json")
    files = {name: tmp_path / name for name in ("cases.csv", "long.csv", "cases.xlsx")}
    views = ("--csv", files["cases.csv"], "--csv-long", files["long.csv"], "--xlsx", files["cases.xlsx"])
    seen = medseg("report", records, "--html", tmp_path / "pages", *views)
    assert seen.code == 3
    assert "index.json would have the page index.html" in " ".join(seen.out.split())
    rows = list(csv.DictReader(io.StringIO(files["cases.csv"].read_text("utf-8"))))
    assert [row["case"] for row in rows] == ["a", "b", "index"]
    (column,) = [name for name in rows[0] if name.endswith(" volume (ml)") and "mesh" not in name][:1]
    assert [row[f"{column} usable"] for row in rows] == ["yes", "lower bound", "yes"]
    long = list(csv.DictReader(io.StringIO(files["long.csv"].read_text("utf-8"))))
    assert {row["subject"] for row in long} == {"a", "b"}
    assert len(long) > 2 * len(rows[0]) / 4
    sheet = (tmp_path / "pages" / "index.html").read_text("utf-8")
    assert sheet.count('<img src="data:image/png;base64,') == 2
    assert 'href="a.html"' in sheet
    assert str(tmp_path) not in sheet
    assert ".nii" not in sheet
    for option, name in (("--csv-long", "x.csv"), ("--csv", "y.csv")):
        assert medseg("report", records / "a.json", option, tmp_path / name).code == 0
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_a_table_of_before_the_column_usable_is_replaced(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    masks, records = tmp_path / "masks", tmp_path / "records"
    medseg("segment", "otsu", ball, "--out", masks / "a.nii.gz")
    assert medseg("measure", masks, "--out", records).code == 0
    table = records / "measurements.csv"
    whole = table.read_text("utf-8")
    table.write_text(whole.replace(",usable,", ",", 1), "utf-8")
    assert medseg("measure", masks, "--out", records).code == 0
    assert table.read_text("utf-8") == whole
    table.write_text("my,own,table\n", "utf-8")
    assert medseg("measure", masks, "--out", records).code == 2


def test_evaluate_two_folders(medseg: Medseg, ball: Path, tmp_path: Path) -> None:
    scans, one, two = tmp_path / "scans", tmp_path / "one", tmp_path / "two"
    scans.mkdir()
    shutil.copy(ball, scans / "a.nii.gz")
    shutil.copy(ball, scans / "b.nii.gz")
    medseg("segment", "otsu", scans, "--out", one)
    medseg("segment", "otsu", scans, "--out", two)
    seen = medseg("evaluate", one, two, "--json")
    assert seen.code == 0
    dice = [row["value"] for row in seen.json["result"]["measurements"] if row["quantity"] == "dice"]
    assert dice == [1.0, 1.0]
    (one / "b.nii.gz").unlink()
    seen = medseg("evaluate", one, two)
    assert seen.code == 3
    assert "no prediction" in seen.err


def test_a_model_ranks_a_folder_for_review(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path
) -> None:
    """A scan that is blurred away stands before one as it is; the second time, masks say the same."""
    scans, masks, records = (tmp_path / name for name in ("scans", "masks", "records"))
    scans.mkdir()
    shutil.copy(data("hippocampus/imagesTr/hippocampus_001.nii.gz"), scans / "clear.nii.gz")
    image = nib.load(scans / "clear.nii.gz")
    noise = np.random.default_rng(0).normal(0, 3 * image.get_fdata().std(), image.shape)
    nib.save(
        nib.Nifti1Image((image.get_fdata() + noise).astype(np.float32), image.affine), scans / "noisy.nii.gz"
    )
    seen = medseg("segment", "hippocampus", scans, "--out", masks, "--json")
    rows = {row["case"]: row["expected_dice"] for row in seen.json["result"]["cases"]}
    assert 0 < rows["noisy"] < rows["clear"] < 1
    again = medseg("segment", "hippocampus", scans, "--out", masks)
    order = again.out.partition("the most doubtful first")[2]
    assert order.index("noisy") < order.index(f"{rows['noisy']:.3f}") < order.index("clear")
    medseg("measure", masks, "--image", scans, "--out", records)
    medseg("report", records, "--csv", tmp_path / "cases.csv")
    table = list(csv.DictReader(io.StringIO((tmp_path / "cases.csv").read_text("utf-8"))))
    assert {row["case"]: float(row["expected_dice"]) for row in table} == rows
    plain = medseg("segment", "otsu", scans, "--out", tmp_path / "otsu", "--json")
    assert all("expected_dice" not in row for row in plain.json["result"]["cases"])
