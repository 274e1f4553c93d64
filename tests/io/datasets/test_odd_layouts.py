"""Datasets as they come: other letters, hidden files, older versions, several volumes. All synthetic but the last."""

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from medseg.domain import Dataset
from medseg.errors import InputError
from medseg.io import read_segmentation
from medseg.io.datasets import (
    check_case,
    check_dataset,
    is_dataset,
    open_dataset,
    read_channel,
    read_split,
    rename_channels,
)

RNG = np.random.default_rng(0)
CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def nifti(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, np.eye(4))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def noise(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape or (5, 5, 5)).astype(np.float32)


def mask() -> np.ndarray:
    values = np.zeros((5, 5, 5), np.uint8)
    values[2, 2, 2] = 1
    return values


def described(root: Path, **content: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return root


ENTRY = {"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}


@pytest.fixture
def four_dimensions(tmp_path: Path) -> Path:
    """A Decathlon set whose eleven modalities are the volumes of one file."""
    nifti(tmp_path / "imagesTr" / "a.nii.gz", noise(5, 5, 5, 11))
    nifti(tmp_path / "labelsTr" / "a.nii.gz", mask())
    return described(
        tmp_path,
        training=[ENTRY, {"image": "./imagesTr/._a.nii.gz", "label": "./labelsTr/._a.nii.gz"}],
        modality={str(number): f"m{number}" for number in range(11)},
        labels={"0": "background", "1": "tumour"},
    )


def test_a_modality_is_the_volume_of_its_number(four_dimensions: Path) -> None:
    dataset = open_dataset(four_dimensions)
    stored = np.asarray(nib.load(four_dimensions / "imagesTr" / "a.nii.gz").dataobj)
    (case,) = dataset.cases
    assert dataset.channels == tuple(f"m{number}" for number in range(11))
    for number, file in enumerate(case.images):
        np.testing.assert_array_equal(read_channel(file).array, stored[..., number])
    assert check_dataset(dataset) == {"a": ()}


@pytest.mark.parametrize("shape", [(5, 5, 5), (5, 5, 5, 3)], ids=["3D", "three volumes"])
def test_modalities_that_a_file_lacks_are_never_made_up(
    shape: tuple[int, ...], four_dimensions: Path
) -> None:
    nifti(four_dimensions / "imagesTr" / "a.nii.gz", noise(*shape))
    (findings,) = check_dataset(open_dataset(four_dimensions)).values()
    missing = [item.message for item in findings if item.code == "case.unreadable"]
    assert len(missing) == 11 - (3 if len(shape) == 4 else 1)


def test_version_1_of_nnunet_lists_cases_without_channel_numbers(tmp_path: Path) -> None:
    for number in range(2):
        nifti(tmp_path / "imagesTr" / f"a_{number:04d}.nii.gz", noise())
    nifti(tmp_path / "labelsTr" / "a.nii.gz", mask())
    described(tmp_path, training=[ENTRY], modality={"0": "CT", "1": "PET"}, labels={"0": "bg", "1": "x"})
    found = open_dataset(tmp_path)
    assert (found.kind, found.channels) == ("nnunet", ("CT", "PET"))
    assert check_dataset(found) == {"a": ()}


def test_a_decathlon_case_may_be_numbered_like_a_channel(tmp_path: Path) -> None:
    nifti(tmp_path / "imagesTr" / "a_0000.nii.gz", noise())
    described(tmp_path, training=["imagesTr/a_0000.nii.gz"], modality={"0": "CT"})
    found = open_dataset(tmp_path)
    assert (found.kind, [case.id for case in found.cases]) == ("msd", ["a_0000"])


LABELS = [
    ({"x": float("inf")}, "Infinity is no number"),
    ({"x": 1.5}, "whole number"),
    ({"x": None}, "whole number"),
    ({"x": True}, "whole number"),
    ({"x": 70000}, "65535"),
    ({"x": 1, "y": 1}, "twice"),
    ({"all": [1, [2]]}, "whole number"),
    ({"all": [{"a": 1}]}, "whole number"),
]


@pytest.mark.parametrize(("labels", "reason"), LABELS)
@pytest.mark.parametrize("layout", ["msd", "nnunet"])
def test_labels_that_make_no_sense_are_one_line(
    layout: str, labels: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    nifti(tmp_path / "imagesTr" / "a_0000.nii.gz", noise())
    own = (
        {"channel_names": {"0": "CT"}}
        if layout == "nnunet"
        else {"modality": {"0": "CT"}, "training": [ENTRY]}
    )
    with pytest.raises(InputError, match=reason) as caught:
        open_dataset(described(tmp_path, labels=labels, **own))
    assert "\n" not in str(caught.value)


DESCRIPTIONS = [
    ({"channel_names": {"a": "x"}}, "whole number"),
    ({"training": [ENTRY], "modality": {"a": "x"}}, "whole number"),
    ({"training": [ENTRY], "modality": {"0": "MR", "1": "MR"}}, "channels occur twice"),
    ({"training": [], "modality": {"0": "MR"}}, "no training cases"),
    ({"training": [{"image": "a\0.nii"}], "modality": {"0": "MR"}}, "no path"),
    ({"training": [{"image": "a.nii", "label": ["b"]}], "modality": {"0": "MR"}}, "no path"),
]


@pytest.mark.parametrize(("content", "reason"), DESCRIPTIONS)
def test_descriptions_that_make_no_sense_are_one_line(content: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        open_dataset(described(tmp_path, **content))


def picture(path: Path, *, colour: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = RNG.integers(0, 255, (8, 8, 3 if colour else 1), dtype=np.uint8)
    Picture.fromarray(np.broadcast_to(plane, (8, 8, 3)).copy()).save(path, format="PNG")
    stem, suffix = path.stem, path.suffix
    Picture.fromarray(np.eye(8, dtype=np.uint8) * 255).save(path.with_name(f"{stem}_mask{suffix}"), "PNG")


def test_pictures_are_colour_when_one_of_them_is(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"c{number}.PNG", colour=number == 1)
    (tmp_path / "._c0.PNG").write_bytes(b"x")
    (tmp_path / "._c0_mask.PNG").write_bytes(b"x")
    assert is_dataset(tmp_path)
    found = open_dataset(tmp_path)
    assert found.channels == ("R", "G", "B")
    codes = {item.code for findings in check_dataset(found).values() for item in findings}
    assert codes == {"labels.black_and_white"}


def test_what_lies_deep_in_one_folder_is_one_subject(tmp_path: Path) -> None:
    for place in ("anna/x", "anna/first/x", "anna/second/x", "bert/first/x"):
        picture(tmp_path / f"{place}.png", colour=False)
    found = open_dataset(tmp_path)
    assert [(case.id, case.subject) for case in found.cases] == [
        ("anna_first_x", "anna"),
        ("anna_second_x", "anna"),
        ("anna_x", "anna"),
        ("bert_first_x", "bert"),
    ]


@pytest.mark.parametrize("place", ["sub-1/ses-1/anat", "sub-1/ses-1", "sub-1/anat", "sub-1"])
def test_a_bids_mask_belongs_to_its_session(place: str, tmp_path: Path) -> None:
    for session in ("ses-1", "ses-2"):
        nifti(tmp_path / "sub-1" / session / "anat" / f"sub-1_{session}_T1w.nii.gz", noise())
    wanted = tmp_path / "derivatives" / "drawn" / place / "sub-1_ses-1_mask.nii.gz"
    nifti(wanted, mask())
    hidden = (wanted.with_name(f"._{wanted.name}"), tmp_path / "sub-1/ses-1/anat/._sub-1_ses-1_T1w.nii.gz")
    for path in hidden:
        path.write_bytes(b"x")
    first, second = open_dataset(tmp_path).cases
    assert [file.channel for file in first.images] == ["T1w"]
    assert (first.reference, second.reference) == (str(wanted), None)


LISTS = [
    ("cases.csv", '"id","mr"\n"a","x.nii"\n'),
    ("cases.csv", "id;mr\na;x.nii\n"),
    ("cases.csv", "\ufeffid,mr\r\na,x.nii\r\n,\r\n\r\n"),
    ("cases.csv", "id,image:mr\na,x.nii\n"),
    ("cases.json", '{"cases": [{"id": "a", "mr": "x.nii", "reference": null, "same_space": false}]}'),
]


@pytest.mark.parametrize(("name", "text"), LISTS)
def test_lists_as_spreadsheets_write_them(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert is_dataset(path)
    (case,) = open_dataset(path).cases
    assert (case.id, case.images[0].channel, case.images[0].path) == ("a", "mr", str(tmp_path / "x.nii"))


BAD_LISTS = [
    ("cases.csv", "id,mr\na,x.nii,y\n", "row 1 has more cells"),
    ("cases.csv", 'id,mr\n"a\nb",x.nii\n', "file name"),
    ("cases.csv", "id,mr,image:mr\na,x.nii,y.nii\n", "channels occur twice"),
    (
        "cases.csv",
        f"id,{','.join(f'c{n}' for n in range(1025))}\na{',x.nii' * 1025}\n",
        "1025 channel columns",
    ),
    ("cases.json", '{"cases": null}', "list of objects"),
    ("cases.json", '{"cases": [{"id": "a", "mr": {"b": 1}}]}', "a path or a word"),
    ("cases.json", '{"cases":' + "[" * 100_000, "can't be read as JSON"),
]


@pytest.mark.parametrize(("name", "text", "reason"), BAD_LISTS)
def test_broken_lists_are_one_line(name: str, text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason) as caught:
        open_dataset(tmp_path / name)
    assert "\n" not in str(caught.value)


def listed(root: Path, rows: str) -> Dataset:
    (root / "cases.csv").write_text("id,mr,pet,reference\n" + rows, encoding="utf-8")
    return open_dataset(root / "cases.csv")


def test_a_second_channel_that_two_cases_share_is_a_duplicate(tmp_path: Path) -> None:
    for name in ("m0", "m1", "p"):
        nifti(tmp_path / f"{name}.nii", noise())
    nifti(tmp_path / "r.nii", mask())
    found = check_dataset(listed(tmp_path, "a,m0.nii,p.nii,r.nii\nb,m1.nii,p.nii,r.nii\n"))
    assert found["a"] == ()
    assert [item.message for item in found["b"]] == ["It has the same voxels as case a (pet)."]


def test_a_case_that_breaks_the_check_itself_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nifti(tmp_path / "m.nii", noise())
    dataset = listed(tmp_path, "a,m.nii,,\nb,gone.nii,,\n")
    real = read_channel

    def fails(file: Any) -> Any:
        if "gone" in file.path:
            raise RuntimeError("a bug\nin two lines")
        return real(file)

    monkeypatch.setattr("medseg.io.datasets.check.read_channel", fails)
    found = check_dataset(dataset)
    assert {item.code for item in found["a"]} == {"case.channel_missing", "case.no_reference"}
    assert [item.message for item in found["b"]] == ["Checking it failed: RuntimeError: a bug"]


def test_renaming_never_makes_two_channels_one(tmp_path: Path) -> None:
    dataset = listed(tmp_path, "a,m.nii,p.nii,\n")
    with pytest.raises(InputError, match="channels occur twice"):
        rename_channels(dataset, {"mr": "pet"})


SPLITS = ["{", "[]", '{"dataset_digest": "x", "folds": [["a"], ["a"]]}', "[" * 100_000]


@pytest.mark.parametrize("text", SPLITS)
def test_a_file_that_is_no_split_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "split.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="is no split") as caught:
        read_split(tmp_path / "split.json")
    assert "\n" not in str(caught.value)


def test_the_real_sets_hold_what_they_promise(data: Callable[[str], Path]) -> None:
    listed = open_dataset(CONFIGS / "hippocampus_cases.csv", root=data("hippocampus"))
    split = read_split(CONFIGS / "hippocampus_split.json", listed)
    # Two sides of one person stand in one part of the split.
    persons = {case.id: f"person_{(int(case.id[-3:]) + 1) // 2:03}" for case in listed.cases}
    assert {case.id: case.subject for case in listed.cases} == persons
    assert sorted((*chain(*split.folds), *split.held_out)) == sorted(set(persons.values()))
    hippocampus = open_dataset(data("hippocampus"))
    assert hippocampus.table is not None
    assert [label.name.lower() for label in hippocampus.table.labels] == ["anterior", "posterior"]
    # The mask of 003 is stored as float32; its values are whole, so there is nothing to warn of.
    case = next(case for case in hippocampus.cases if case.id == "hippocampus_003")
    assert check_case(case, hippocampus.table) == ()
    sarcoma = open_dataset(CONFIGS / "sarcoma_cases.csv", root=data("sarcoma"))
    read_split(CONFIGS / "sarcoma_split.json", sarcoma)
    assert check_case(sarcoma.cases[0]) == ()
    strokes = open_dataset(data("misc/bids_stroke")).cases
    stroke = next(case for case in strokes if case.id == "sub-strokecase0009_ses-0001")
    assert int((read_segmentation(str(stroke.reference)).labels > 0).sum()) == 523
