"""Folders, datasets and case lists: one bad case is named and the rest goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

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
