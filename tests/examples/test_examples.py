"""The study scripts run as they stand."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(ROOT / "examples" / script), *(str(item) for item in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_folder_of_cases_to_one_table(data: Callable[[str], Path], tmp_path: Path) -> None:
    import pandas as pd

    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("hippocampus_001", "hippocampus_003"):
        (folder / f"{name}.nii.gz").write_bytes(data(f"hippocampus/imagesTr/{name}.nii.gz").read_bytes())
    (folder / "broken.nii.gz").write_bytes(b"broken")
    out = tmp_path / "volumes.csv"
    said = run("study_volumes.py", folder, "otsu", out)
    assert "2 cases measured, 1 failed" in said
    assert "broken.nii.gz" in said
    table = pd.read_csv(out)
    assert list(table["subject"]) == ["hippocampus_001", "hippocampus_003"]
    assert (table["unit"] == "ml").all()
    assert (table["value"] > 0).all()


@pytest.fixture
def records(tmp_path: Path) -> tuple[Path, Path]:
    """Two synthetic time points: a block of 8 × 10 × 10 mm grows to 10 × 10 × 10 mm."""
    import nibabel as nib
    import numpy as np

    import medseg
    from medseg.workflows import measure_files

    paths = []
    for name, end in (("first", 13), ("second", 15)):
        labels = np.zeros((20, 20, 20), np.uint8)
        labels[5:end, 5:15, 5:15] = 1
        affine = np.eye(4)
        image = nib.Nifti1Image(labels, affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / f"{name}.nii.gz")
        measure_files(tmp_path / f"{name}.nii.gz", {}, tmp_path / f"{name}.json")
        assert medseg.read_record(tmp_path / f"{name}.json").measurements
        paths.append(tmp_path / f"{name}.json")
    return paths[0], paths[1]


def test_two_time_points(records: tuple[Path, Path]) -> None:
    said = run("followup.py", *records, 365.25)
    row = ast.literal_eval(said.strip())
    assert row["change_ml"] == pytest.approx(0.2)
    assert row["percent_per_year"] == pytest.approx(25)
