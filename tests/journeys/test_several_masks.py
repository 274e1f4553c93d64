"""A patient's folder with several SEG: which of them is the reference nobody knows, and every command says so."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medseg import io
from medseg.domain import Label, LabelTable, Segmentation
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]
WORDS = "p1 (2 may be it: one.dcm, two.dcm; keep one)"


@pytest.fixture
def patients(medseg: Medseg, data: Callable[[str], Path], tmp_path: Path) -> Path:
    """Two patients with a CT each: the first with two SEG, the second with one."""
    root = tmp_path / "patients"
    for patient in ("p1", "p2"):
        folder = Path(shutil.copytree(data("dicom/dcmqi/ct-3slice"), root / patient))
        for path in folder.glob("*.dcm"):
            ds = pydicom.dcmread(path)
            ds.PatientID = patient
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
                setattr(ds, name, f"{getattr(ds, name)}.{patient[1]}")
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.save_as(path)
        grid = io.read(folder).grid
        labels = np.zeros(grid.shape, np.uint8)
        labels[10:20, 10:30, 1] = 1
        mask, record = tmp_path / f"{patient}.nii.gz", tmp_path / f"{patient}.json"
        io.write_segmentation(Segmentation(labels, grid, LabelTable((Label(1, "tumour"),))), mask)
        assert medseg("measure", mask, "--image", folder, "--out", record).code == 0
        for name in ("one", "two")[: 2 if patient == "p1" else 1]:
            seen = medseg("export", record, "--seg", "--out", tmp_path / f"{patient}{name}")
            assert seen.code == 0, seen.err
            shutil.copy(tmp_path / f"{patient}{name}" / "segmentation.dcm", folder / f"{name}.dcm")
    return root


def test_measure_says_who_is_not_measured(medseg: Medseg, patients: Path, tmp_path: Path) -> None:
    seen = medseg("measure", patients, "--out", tmp_path / "out", "--json")
    assert seen.code == 0, seen.err
    assert [item.stem for item in (tmp_path / "out").glob("*.json")] == ["p2"]
    (found,) = (item for item in seen.json["findings"] if item["code"] == "dataset.no_reference")
    assert found["severity"] == "warning"
    assert found["message"] == f"1 case has no reference mask and stands in no result: {WORDS}."


def test_info_says_it_of_the_case(medseg: Medseg, patients: Path) -> None:
    text = medseg("info", patients, "--json").out
    assert "its folder holds 2 that may be it (one.dcm, two.dcm); keep one" in text


def test_evaluate_says_it_of_the_references(medseg: Medseg, patients: Path, tmp_path: Path) -> None:
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for patient in ("p1", "p2"):
        shutil.copy(tmp_path / f"{patient}.nii.gz", predictions)
    seen = medseg("evaluate", predictions, patients, "--json")
    assert any(WORDS in item["message"] for item in seen.json["findings"])


def test_one_mask_each_is_no_matter(medseg: Medseg, patients: Path, tmp_path: Path) -> None:
    (patients / "p1" / "two.dcm").unlink()
    seen = medseg("measure", patients, "--out", tmp_path / "out", "--json")
    assert seen.code == 0, seen.err
    assert not [item for item in seen.json["findings"] if item["code"] == "dataset.no_reference"]
