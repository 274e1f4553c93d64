"""Layouts that people have: a folder per patient, nnU-Net's images alone, its list, its colour pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from medseg.errors import InputError
from medseg.io import is_dataset, open_dataset
from medseg.workflows.cases import cases_of_files, find_cases

Data = Callable[[str], Path]


def volume(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), path)
    return path


def test_a_folder_per_patient(tmp_path: Path) -> None:
    for patient in ("BraTS_001", "BraTS_002"):
        for name in ("t1", "flair", "seg"):
            volume(tmp_path / patient / f"{patient}_{name}.nii.gz")
    found = open_dataset(tmp_path)
    assert [case.id for case in found.cases] == ["BraTS_001", "BraTS_002"]
    assert found.channels == ("flair", "t1")
    assert found.cases[0].reference == str(tmp_path / "BraTS_001" / "BraTS_001_seg.nii.gz")
    volume(tmp_path / "BraTS_001" / "other_mask.nii.gz")
    with pytest.raises(InputError, match="2 masks"):
        open_dataset(tmp_path)


def test_a_folder_per_patient_of_dicom(data: Data, tmp_path: Path) -> None:
    import pydicom

    for number in (1, 2):
        folder = tmp_path / f"p{number}" / "ct"
        folder.mkdir(parents=True)
        for file in data("faults/ex_plain").iterdir():
            ds = pydicom.dcmread(file)
            ds.PatientID = str(number)
            ds.save_as(folder / file.name)
    cases = find_cases(tmp_path)
    assert cases is not None
    assert [case.id for case in cases] == ["p1", "p2"]


def test_folders_of_one_study_are_no_patients(data: Data, tmp_path: Path) -> None:
    import shutil

    for name in ("a", "b"):
        shutil.copytree(data("faults/ex_plain"), tmp_path / name)
    assert not is_dataset(tmp_path)


def test_images_of_nnunet_alone(tmp_path: Path) -> None:
    for case in ("a", "b"):
        for number in ("0000", "0001"):
            volume(tmp_path / "imagesTs" / f"{case}_{number}.nii.gz")
    found = open_dataset(tmp_path / "imagesTs")
    assert [case.id for case in found.cases] == ["a", "b"]
    assert found.channels == ("0000", "0001")
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}}))
    assert open_dataset(tmp_path / "imagesTs").channels == ("T1", "T2")


def test_slices_by_number_are_no_channels(tmp_path: Path) -> None:
    for number in ("0000", "0001"):
        volume(tmp_path / "scans" / f"a_{number}.nii.gz")
    assert not is_dataset(tmp_path / "scans")


def test_the_list_of_nnunet(tmp_path: Path) -> None:
    volume(tmp_path / "x" / "one.nii.gz")
    content = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1},
        "file_ending": ".nii.gz",
        "dataset": {"one": {"images": ["x/one.nii.gz"], "label": "y/one.nii.gz"}},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (case,) = open_dataset(tmp_path).cases
    assert case.images[0].path == str(tmp_path / "x" / "one.nii.gz")
    content["dataset"] = {"one": {"images": ["../out.nii.gz"]}}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="leads out"):
        open_dataset(tmp_path)


def test_a_colour_picture_per_case(tmp_path: Path) -> None:
    (tmp_path / "imagesTr").mkdir()
    Picture.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "imagesTr" / "a_0000.png")
    names = {"0": "red", "1": "green", "2": "blue"}
    content = {"channel_names": names, "labels": {"background": 0, "road": 1}, "file_ending": ".png"}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (case,) = open_dataset(tmp_path).cases
    assert [(file.channel, file.volume) for file in case.images] == [
        ("red", "R"),
        ("green", "G"),
        ("blue", "B"),
    ]


def test_an_image_that_is_only_called_a_mask(tmp_path: Path) -> None:
    for name in ("a", "a_seg", "b_seg"):
        volume(tmp_path / f"{name}.nii.gz")
    cases = find_cases(tmp_path)
    assert cases is not None
    assert [case.id for case in cases] == ["a", "b_seg"]


def test_several_files_are_cases(tmp_path: Path) -> None:
    paths = [volume(tmp_path / f"{name}.nii.gz") for name in "ab"]
    cases = cases_of_files(paths)
    assert cases is not None
    assert [case.id for case in cases] == ["a", "b"]
    assert cases_of_files(paths[:1]) is None
    assert cases_of_files([paths[0], tmp_path / "c.dcm"]) is None
