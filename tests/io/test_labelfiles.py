"""Names of labels from the files of other programs, and values too large for a label."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.errors import ConfigError, InputError, LabelError
from medseg.io import read_segmentation
from medseg.io.masks import read_table

Data = Callable[[str], Path]
SHARED = [
    ("itksnap.txt", "Liver left", (255, 0, 0)),
    ("ctbl.ctbl", "liver", (255, 0, 0)),
    ("lut.txt", "Left-Hippocampus", (220, 216, 20)),
    ("dseg.tsv", "liver", (255, 0, 0)),
    ("nnunet.json", "liver", None),
]


@pytest.mark.parametrize(("name", "label", "color"), SHARED)
def test_label_files_of_the_field(name: str, label: str, color: tuple[int, ...] | None, data: Data) -> None:
    (found,) = read_table(data(f"faults/{name}")).labels
    assert (found.value, found.name, found.color) == (1, label, color)


MADE = [
    ("a.json", json.dumps({"labels": {"0": "background", "1": "liver", "2": "tumour"}}), ["liver", "tumour"]),
    ("a.yaml", "1: liver\n2: tumour\n", ["liver", "tumour"]),
    ("a.csv", "LabelValue,Name,Color_R\n1,liver,3\n2,tumour,4\n", ["liver", "tumour"]),
    ("a.txt", "1 liver 1 2 3 0\n2 liver 1 2 3 0\n", ["liver (1)", "liver (2)"]),
    ("a.txt", "1: liver\n2: tumour\n", ["liver", "tumour"]),
]


@pytest.mark.parametrize(("name", "text", "labels"), MADE)
def test_made_label_files(name: str, text: str, labels: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert [item.name for item in read_table(tmp_path / name).labels] == labels


def test_regions_of_nnunet(tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2], "core": 1, "rest": 2}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    table = read_table(tmp_path / "dataset.json")
    assert [(region.name, region.labels) for region in table.regions] == [("whole", (1, 2))]


@pytest.mark.parametrize(("name", "text"), [("a.tsv", "a\tb\n1\t2\n"), ("a.txt", "hello"), ("a.json", "[1]")])
def test_what_names_no_labels_is_one_line(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="is no table") as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_long_table_is_cut_to_the_mask(tmp_path: Path) -> None:
    lines = "\n".join(f"{value} name-{value} 1 2 3 0" for value in range(1, 1400))
    (tmp_path / "lut.txt").write_text(lines)
    array = np.zeros((4, 4, 4), np.int16)
    array[1], array[2] = 17, 1301
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "m.nii")
    found = read_segmentation(tmp_path / "m.nii", labels=tmp_path / "lut.txt")
    assert [item.name for item in found.table.labels] == ["name-17", "name-1301"]


def test_values_above_those_of_a_label(tmp_path: Path) -> None:
    array = np.zeros((4, 4, 4), np.int32)
    array[0], array[1], array[2] = 614454277, 2, 70000
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "m.nii")
    found = read_segmentation(tmp_path / "m.nii")
    assert {item.value: item.name for item in found.table.labels} == {
        1: "label 70000",
        2: "label 2",
        3: "label 614454277",
    }
    assert found.labels[2, 0, 0] == 1
    assert "labels.renumbered" in {item.code for item in found.findings}
    (tmp_path / "names.tsv").write_text("index\tname\n70000\tcortex\n2\tcord\n614454277\tnucleus\n")
    named = read_segmentation(tmp_path / "m.nii", labels=tmp_path / "names.tsv")
    assert {item.value: item.name for item in named.table.labels} == {1: "cortex", 2: "cord", 3: "nucleus"}


def test_an_image_of_many_large_values_is_no_mask(tmp_path: Path) -> None:
    array = np.arange(70**3, dtype=np.int32).reshape(70, 70, 70)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "m.nii")
    with pytest.raises(LabelError, match="65535 labels"):
        read_segmentation(tmp_path / "m.nii")


def test_a_mask_of_several_volumes_whose_structures_overlap(tmp_path: Path) -> None:
    array = np.zeros((5, 5, 5, 3), np.uint8)
    array[1:3, 1:3, 1:3, 0] = 1
    array[2:4, 1:3, 1:3, 1] = 1
    array[4, 4, 4, 2] = 7
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "m.nii.gz")
    (tmp_path / "names.yaml").write_text("1: liver\n2: tumour\n3: cyst\n")
    found = read_segmentation(tmp_path / "m.nii.gz", labels=tmp_path / "names.yaml")
    sizes = {region.name: int(np.isin(found.labels, region.labels).sum()) for region in found.table.regions}
    assert sizes == {"liver": 8, "tumour": 8}
    (cyst,) = [item for item in found.table.labels if item.name == "cyst"]
    assert int((found.labels == cyst.value).sum()) == 1
    assert "labels.layers" in {item.code for item in found.findings}


def test_a_series_of_images_is_no_mask(tmp_path: Path) -> None:
    array = np.arange(5 * 5 * 5 * 2, dtype=np.int16).reshape(5, 5, 5, 2)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "m.nii.gz")
    with pytest.raises(InputError, match="--volume"):
        read_segmentation(tmp_path / "m.nii.gz")
