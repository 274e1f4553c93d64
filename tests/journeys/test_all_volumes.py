"""An image of several volumes is segmented and measured volume by volume, and every output says which it is."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Three volumes in time; the bright box grows by one slice in each."""
    values = np.zeros((10, 9, 8, 3), np.float32)
    for number in range(3):
        values[2:6, 2:6, 2 : 4 + number, number] = 100
    path = tmp_path / "perfusion.nii.gz"
    nib.save(nib.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0])), path)
    return path


NAMES = [f"perfusion_volume-{number}" for number in range(3)]


def voxels(folder: Path) -> list[float]:
    records = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES]
    rows = [row for record in records for row in record["measurements"]]
    return [
        row["value"] for row in rows if row["quantity"] == "voxel_count" and row["target"]["kind"] == "label"
    ]


def test_segmented_and_measured(medseg: Medseg, series: Path, tmp_path: Path) -> None:
    seen = medseg("segment", "threshold", series, "-p", "low=50", "--out", tmp_path / "masks")
    assert seen.code == 2
    for number in range(3):
        assert f"volume {number} of 3" in seen.line
    assert "--volume all" in seen.line
    words = ("segment", "threshold", series, "-p", "low=50", "--volume", "all", "--out", tmp_path / "masks")
    seen = medseg(*words)
    assert seen.code == 0, seen.err
    assert sorted(path.name for path in (tmp_path / "masks").glob("*.nii.gz")) == [
        f"{name}.nii.gz" for name in NAMES
    ]
    assert medseg(*words).out.count("kept") == 3
    seen = medseg(
        "measure", tmp_path / "masks", "--image", series, "--volume", "all", "--out", tmp_path / "all"
    )
    assert seen.code == 0, seen.err
    assert voxels(tmp_path / "all") == [32, 48, 64]
    assert {medseg("verify", tmp_path / "all" / f"{name}.json").code for name in NAMES} == {0}


def test_one_mask_on_every_volume(medseg: Medseg, series: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.nii.gz"
    medseg("segment", "threshold", series, "-p", "low=50", "--volume", "2", "--out", mask)
    seen = medseg("measure", mask, "--image", series, "--volume", "all", "--out", tmp_path / "all")
    assert seen.code == 0, seen.err
    assert voxels(tmp_path / "all") == [64, 64, 64]
    means = [json.loads((tmp_path / "all" / f"{name}.json").read_text())["measurements"] for name in NAMES]
    found = [row["value"] for rows in means for row in rows if row["quantity"] == "intensity_mean"]
    assert found == [50, 75, 100]
    assert medseg("measure", mask, "--volume", "all", "--out", tmp_path / "no").code == 2


def test_a_series_of_dicom(medseg: Medseg, data: Callable[[str], Path], tmp_path: Path) -> None:
    scan = data("dicom/dicom2nifti/philips/dti/001")
    seen = medseg("segment", "otsu", scan, "--volume", "all", "--out", tmp_path / "masks")
    assert seen.code == 0, seen.err
    assert len(list((tmp_path / "masks").glob("001_volume-*.nii.gz"))) == 4
    assert "[folder.aside]" not in seen.err


def test_a_mask_of_overlapping_channels_is_a_structure_per_channel(medseg: Medseg, tmp_path: Path) -> None:
    values = np.zeros((10, 9, 8, 2), np.uint8)
    values[2:6, 2:6, 2:6, 0] = 1
    values[4:8, 2:6, 2:6, 1] = 1
    mask, names = tmp_path / "mask.nii.gz", tmp_path / "names.yaml"
    nib.save(nib.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0])), mask)
    names.write_text("1: organ\n2: tumour\n", encoding="utf-8")
    seen = medseg("measure", mask, "--labels", names, "--out", tmp_path / "r.json")
    assert seen.code == 0, seen.err
    rows = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["measurements"]
    found = {row["target"]["name"]: row["value"] for row in rows if row["quantity"] == "voxel_count"}
    assert (found["organ"], found["tumour"]) == (64, 64)
