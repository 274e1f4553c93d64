"""Datasets of every layout, on real data and on small synthetic ones with planted faults."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.errors import InputError
from medseg.io.datasets import (
    check_dataset,
    is_dataset,
    make_split,
    open_dataset,
    read_channel,
    read_split,
    rename_channels,
    write_split,
)

Data = Callable[[str], Path]
CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def parent(mask: Path) -> str:
    return mask.parent.name


def own_name(mask: Path) -> str:
    return mask.name.partition(".")[0]


def first_part(mask: Path) -> str:
    return mask.name.partition("_")[0]


#: Folder, layout, channels, where its masks lie, and whose a mask is. How many there are is for the data to say.
REAL = [
    ("hippocampus", "msd", ("MRI",), "labelsTr/*.nii.gz", own_name),
    ("lgg", "pairs", ("R", "G", "B"), "*/*_mask.png", parent),
    ("misc/bids_stroke", "bids", ("adc", "dwi", "flair"), "derivatives/**/*_msk.nii.gz", first_part),
]


@pytest.mark.parametrize(("name", "kind", "channels", "masks", "subject"), REAL)
def test_real_layouts(
    name: str, kind: str, channels: tuple[str, ...], masks: str, subject: Callable[[Path], str], data: Data
) -> None:
    path = data(name)
    assert is_dataset(path)
    found = open_dataset(path)
    assert (found.kind, found.channels) == (kind, channels)
    there = list(path.glob(masks))
    assert there
    # Every mask is the reference of one case, of its subject, and there is no other case.
    assert sorted((str(case.reference), case.subject) for case in found.cases) == sorted(
        (str(mask), subject(mask)) for mask in there
    )
    assert len({case.id for case in found.cases}) == len(there)
    assert found.subjects == tuple(sorted({subject(mask) for mask in there}))
    for case in found.cases:
        assert tuple(file.channel for file in case.images) == channels
        assert all(Path(file.path).is_file() for file in case.images)


def test_every_folder_of_slices_is_a_patient(data: Data) -> None:
    path = data("lgg")
    found = open_dataset(path)
    assert set(found.subjects) == {folder.name for folder in path.iterdir() if folder.is_dir()}
    for case in found.cases:
        mask = Path(str(case.reference))
        assert {Path(file.path) for file in case.images} == {mask.with_name(f"{case.id}.png")}


def test_the_sarcoma_case_list_declares_one_space(data: Data) -> None:
    found = open_dataset(CONFIGS / "sarcoma_cases.csv", root=data("sarcoma"))
    assert {case.subject for case in found.cases} == {
        folder.name for folder in data("sarcoma").iterdir() if folder.is_dir()
    }
    assert found.channels == ("mr", "pet")
    assert all(case.same_space for case in found.cases)
    assert all(Path(file.path).is_file() for case in found.cases for file in case.images)


def test_a_stroke_case_is_checked(data: Data) -> None:
    found = check_dataset(open_dataset(data("misc/bids_stroke")))
    findings = found["sub-strokecase0009_ses-0001"]
    assert "case.space_unknown" in {item.code for item in findings}


def test_grey_pictures_stand_for_each_colour(data: Data) -> None:
    case = open_dataset(data("lgg")).cases[0]
    planes = [read_channel(file) for file in case.images]
    assert [plane.channel for plane in planes] == ["R", "G", "B"]
    assert {plane.grid.unit for plane in planes} == {"px"}


def test_channels_are_renamed(data: Data) -> None:
    found = rename_channels(open_dataset(data("lgg")), {"R": "pre", "G": "flair", "B": "post"})
    assert found.channels == ("pre", "flair", "post")
    assert found.cases[0].images[1].volume == "G"
    with pytest.raises(InputError, match="not X"):
        rename_channels(found, {"X": "y"})


def nifti(path: Path, values: np.ndarray) -> None:
    import nibabel as nib

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@pytest.fixture
def nnunet(tmp_path: Path) -> Path:
    """A synthetic nnU-Net folder with planted faults, two channels, three cases."""
    root = tmp_path / "Dataset001_Test"
    rng = np.random.default_rng(0)
    for number in range(3):
        for channel in range(2):
            values = rng.normal(size=(6, 6, 6)).astype(np.float32)
            nifti(root / "imagesTr" / f"case{number}_{channel:04d}.nii.gz", values)
        labels = np.zeros((6, 6, 6), np.uint8)
        labels[2:4, 2:4, 2:4] = 1
        nifti(root / "labelsTr" / f"case{number}.nii.gz", labels)
    content = {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "whole": [1, 2], "core": 2},
        "file_ending": ".nii.gz",
        "numTraining": 3,
    }
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def test_nnunet_with_regions(nnunet: Path) -> None:
    found = open_dataset(nnunet)
    assert found.kind == "nnunet"
    assert [case.id for case in found.cases] == ["case0", "case1", "case2"]
    assert found.table is not None
    assert found.table.values == (1, 2)
    assert found.table.regions[0].name == "whole"
    assert not any(findings for findings in check_dataset(found).values())


def plant(root: Path, fault: str) -> None:
    image = root / "imagesTr" / "case1_0000.nii.gz"
    label = root / "labelsTr" / "case1.nii.gz"
    ones = np.ones((6, 6, 6), np.uint8)
    if fault == "case.channel_missing":
        (root / "imagesTr" / "case1_0001.nii.gz").unlink()
    elif fault == "case.unreadable":
        image.write_bytes(b"broken")
    elif fault == "image.constant":
        nifti(image, ones.astype(np.float32))
    elif fault == "case.duplicate":
        image.write_bytes((root / "imagesTr" / "case0_0000.nii.gz").read_bytes())
    elif fault == "reference.unknown_label":
        nifti(label, ones * 7)
    elif fault == "reference.empty":
        nifti(label, ones * 0)
    elif fault == "reference.unreadable":
        nifti(label, np.full((6, 6, 6), 0.4, np.float32))
    elif fault == "reference.grid":
        nifti(label, np.ones((5, 6, 6), np.uint8))
    elif fault == "case.no_reference":
        label.unlink()


FAULTS = [
    "case.channel_missing",
    "case.unreadable",
    "image.constant",
    "case.duplicate",
    "reference.unknown_label",
    "reference.empty",
    "reference.unreadable",
    "reference.grid",
    "case.no_reference",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named_and_the_rest_is_checked(fault: str, nnunet: Path) -> None:
    plant(nnunet, fault)
    found = check_dataset(open_dataset(nnunet))
    assert fault in {item.code for item in found["case1"]}
    assert not found["case0"]
    assert not found["case2"]


def test_nan_is_named(nnunet: Path) -> None:
    values = np.zeros((6, 6, 6), np.float32)
    values[0, 0, 0] = np.nan
    nifti(nnunet / "imagesTr" / "case1_0000.nii.gz", values)
    messages = [item.message for item in check_dataset(open_dataset(nnunet))["case1"]]
    assert any("NaN" in text or "no numbers" in text for text in messages)


HOSTILE = [
    ({"training": [{"image": "../../etc/passwd"}], "modality": {"0": "MR"}}, "leads out"),
    ({"training": [{"image": "/etc/passwd"}], "modality": {"0": "MR"}}, "leads out"),
    ({"training": [{"label": "a"}], "modality": {"0": "MR"}}, "no image"),
    ({"training": [], "modality": []}, "object"),
    ({"training": [{"image": "a.nii"}]}, "no modality"),
    ([], "not an object"),
    ({"something": 1}, "neither"),
]


@pytest.mark.parametrize(("content", "reason"), HOSTILE)
def test_hostile_descriptions_are_one_line(content: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        open_dataset(tmp_path)


BAD_LISTS = [
    ("id,mr\na,../x.nii\n", "leads out"),
    ("id,mr\n../a,x.nii\n", "file name"),
    ("id,mr\na,\n", "no image"),
    ("id,mr,same_space\na,x.nii,perhaps\n", "yes or no"),
    ("id,subject\na,b\n", "no channel columns"),
    ("id,mr\na,x.nii\na,y.nii\n", "occur twice"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_LISTS)
def test_bad_case_lists_are_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        open_dataset(path)


def test_a_json_case_list(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text(
        json.dumps({"cases": [{"id": "a", "subject": "s", "image:mr": "a.nii"}]}), encoding="utf-8"
    )
    found = open_dataset(path)
    assert found.channels == ("mr",)
    assert found.cases[0].images[0].path == str(tmp_path / "a.nii")


def test_a_split_keeps_subjects_together_and_is_bound_to_its_dataset(data: Data, tmp_path: Path) -> None:
    dataset = open_dataset(data("lgg"))
    split = make_split(dataset, folds=4, seed=1, held_out=("TCGA_CS_4943_20000902",))
    everyone = [subject for fold in split.folds for subject in fold]
    assert sorted([*everyone, "TCGA_CS_4943_20000902"]) == list(dataset.subjects)
    assert make_split(dataset, folds=4, seed=1, held_out=("TCGA_CS_4943_20000902",)) == split
    path = write_split(split, tmp_path / "split.json")
    assert read_split(path, dataset) == split
    with pytest.raises(InputError, match="other cases"):
        read_split(path, open_dataset(data("hippocampus")))


@pytest.mark.parametrize(("subjects", "folds", "expected"), [(1, 5, 1), (2, 5, 2), (3, 5, 3), (7, 5, 5)])
def test_few_subjects_give_few_folds(subjects: int, folds: int, expected: int, tmp_path: Path) -> None:
    rows = "".join(f"c{number},x{number}.nii\n" for number in range(subjects))
    (tmp_path / "cases.csv").write_text("id,mr\n" + rows, encoding="utf-8")
    assert len(make_split(open_dataset(tmp_path / "cases.csv"), folds=folds).folds) == expected
