"""Folders of SEG files: each finds its images by the series that it names, whatever the files are called."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
Data = Callable[[str], Path]
SERIES = ("sg_plain", "sg_469")


@pytest.fixture
def clinic(data: Data, tmp_path: Path) -> Path:
    """Two patients with a CT each in `scans`, and a SEG of each in `masks`, which is named by chance."""
    (tmp_path / "masks").mkdir()
    for number, name in enumerate(SERIES):
        for file in data(f"faults/{name}/ct").iterdir():
            ds = pydicom.dcmread(file)
            ds.PatientID = f"patient {number}"
            place = tmp_path / "scans" / f"p{number}" / "ct"
            place.mkdir(parents=True, exist_ok=True)
            ds.save_as(place / file.name)
        shutil.copy(data(f"faults/{name}/seg.dcm"), tmp_path / "masks" / f"1.2.{9 - number}.dcm")
    return tmp_path


def means(folder: Path) -> dict[str, bool]:
    """Record → whether the image was measured."""
    return {
        path.stem: any(item["channel"] == "image" for item in json.loads(path.read_text())["measurements"])
        for path in folder.glob("*.json")
    }


def test_measured_on_the_series_that_they_name(medseg: Medseg, clinic: Path) -> None:
    seen = medseg("measure", clinic / "masks", "--image", clinic / "scans", "--out", clinic / "out")
    assert seen.code == 0, seen.err + seen.out
    assert means(clinic / "out") == {"1.2.8": True, "1.2.9": True}


def test_a_folder_per_patient_with_its_mask_is_a_data_set(medseg: Medseg, clinic: Path) -> None:
    for number in (0, 1):
        shutil.copy(clinic / "masks" / f"1.2.{9 - number}.dcm", clinic / "scans" / f"p{number}" / "x.dcm")
    seen = medseg("measure", clinic / "scans", "--out", clinic / "out")
    assert seen.code == 0, seen.err + seen.out
    assert means(clinic / "out") == {"p0": True, "p1": True}
    seen = medseg("evaluate", clinic / "masks", clinic / "scans", "--json")
    assert seen.code == 0, seen.err + seen.out
    rows = [row for row in seen.json["result"]["measurements"] if row["quantity"] == "dice"]
    assert {(row["case"], row["value"]) for row in rows} == {("p0", 1.0), ("p1", 1.0)}
    seen = medseg("info", clinic / "scans")
    assert "reference.grid" not in seen.out
