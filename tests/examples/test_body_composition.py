"""The study script of body composition runs as it stands."""

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "body_composition.py"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Synthetic: 20 × 30 pixels of 1 × 1 mm, a third of them fat; one case without L3, one without a CT."""
    labels = np.zeros((40, 40, 9), np.uint8)
    labels[10:30, 5:35, 1:8] = 1
    labels[1:3, 1:3, 3:6] = 2
    values = np.full(labels.shape, 50, np.int16)
    values[:, 5:15] = -90
    save(tmp_path / "ct.nii.gz", values)
    save(tmp_path / "mask.nii.gz", labels)
    save(tmp_path / "no_level.nii.gz", np.where(labels == 2, 0, labels).astype(np.uint8))
    (tmp_path / "names.yaml").write_text("1: muscle\n2: L3\n")
    rows = [
        {"subject": "01", "ct": "ct.nii.gz", "mask": "mask.nii.gz", "height_m": 2.0},
        {"subject": "02", "ct": "ct.nii.gz", "mask": "no_level.nii.gz", "height_m": None},
        {"subject": "03", "ct": "gone.nii.gz", "mask": "mask.nii.gz", "height_m": 1.7},
    ]
    pd.DataFrame(rows).assign(labels="names.yaml").to_csv(tmp_path / "cases.csv", index=False)
    return tmp_path / "cases.csv"


def save(path: Path, values: np.ndarray) -> None:
    image = nib.Nifti1Image(values, np.diag([1.0, 1.0, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def test_one_row_per_case_and_tissue(cases: Path) -> None:
    out = cases.parent / "areas.csv"
    command = [sys.executable, str(SCRIPT), str(cases), "muscle", "L3", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 cases measured, 1 failed" in done.stdout
    assert "03: " in done.stdout
    table = pd.read_csv(out, dtype={"subject": str}).set_index(["subject", "tissue"])
    muscle, fat = table.loc[("01", "Skeletal muscle")], table.loc[("01", "Intermuscular fat")]
    assert muscle["area_cm2"] == pytest.approx(4.0)
    assert muscle["mean_hu"] == pytest.approx(50)
    assert muscle["index_cm2_m2"] == pytest.approx(1.0)
    assert (muscle["level"], muscle["slice"], muscle["status"]) == ("L3", "axial k=4", "ok")
    assert fat["area_cm2"] == pytest.approx(2.0)
    without = table.loc[("02", "Skeletal muscle")]
    assert pd.isna(without["area_cm2"])
    assert without["status"] == "not_computed"
    assert "L3 was looked for and not found" in without["reason"]
