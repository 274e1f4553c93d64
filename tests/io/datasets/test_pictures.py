"""COCO, Pascal VOC and mappings of PNG masks as datasets: cases, subjects, channels, references that are read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medseg.domain import Dataset
from medseg.errors import InputError
from medseg.io import is_dataset, open_dataset, read_segmentation
from medseg.io.datasets import check_dataset, make_split, read_channel

NAMES = ("p1/s1.png", "p1/s2.png", "p2/s1.png")


def picture(path: Path, *, colour: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (6, 8, 3) if colour else (6, 8)
    seed = sum(map(ord, str(path.name + path.parent.name)))
    Picture.fromarray(np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)).save(path)


def coco(path: Path, names: tuple[str, ...] = NAMES, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    outline = [[0, 0, 3, 0, 3, 2, 0, 2]]
    content = {
        "images": [
            {"id": number, "file_name": name, "width": 8, "height": 6} for number, name in enumerate(names)
        ],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "segmentation": outline}
            for number in range(len(names))
        ],
        "licenses": [{"name": "CC BY 4.0"}],
    }
    path.write_text(json.dumps(content | more))
    return path


def voc(root: Path, lists: dict[str, str] | None = None) -> Path:
    for name in ("a", "b", "c"):
        picture(root / f"JPEGImages/{name}.jpg", colour=True)
        rows = np.zeros((6, 8), np.uint8)
        rows[:2, :3], rows[5] = 15, 255
        (root / "SegmentationClass").mkdir(exist_ok=True)
        indexed = Picture.fromarray(rows)
        indexed.putpalette(list(range(256)) * 3)
        indexed.save(root / f"SegmentationClass/{name}.png")
    for name, text in (lists or {}).items():
        (root / "ImageSets/Segmentation").mkdir(parents=True, exist_ok=True)
        (root / f"ImageSets/Segmentation/{name}.txt").write_text(text)
    return root


def labelset(root: Path) -> Path:
    for name in ("a", "b"):
        picture(root / f"images/{name}.png")
        (root / "masks").mkdir(exist_ok=True)
        rows = np.zeros((6, 8), np.uint8)
        rows[:2, :3] = 63
        Picture.fromarray(rows).save(root / f"masks/{name}.png")
    path = root / "set.yaml"
    path.write_text("schema: medseg.labelset/1.0\nimages: images\nmasks: masks\nclasses:\n  cell: 63\n")
    return path


def coco_of(root: Path) -> Path:
    for name in NAMES:
        picture(root / "images" / name)
    return coco(root / "annotations/instances_all.json")


LAYOUTS: dict[str, tuple[Callable[[Path], Path], str, int, tuple[str, ...]]] = {
    "coco": (coco_of, "cell", 3, ("image",)),
    "voc": (voc, "person", 3, ("R", "G", "B")),
    "labelset": (labelset, "cell", 2, ("image",)),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_case_has_its_picture_and_its_mask_on_one_grid(tmp_path: Path, kind: str) -> None:
    make, name, count, channels = LAYOUTS[kind]
    path = make(tmp_path)
    assert is_dataset(path)
    dataset = open_dataset(path)
    assert (dataset.kind, len(dataset.cases), dataset.channels) == (kind, count, channels)
    assert dataset.table is not None
    assert name in {label.name for label in dataset.table.labels}
    for case in dataset.cases:
        assert case.reference is not None
        mask = read_segmentation(case.reference)
        image = read_channel(case.images[0])
        assert mask.grid.shape == image.grid.shape
        assert np.array_equal(mask.grid.affine, image.grid.affine)
        (value,) = mask.present
        assert mask.table.name_of(value) == name
        assert mask.mask(value).sum() == 6
    severe = [item for found in check_dataset(dataset).values() for item in found if item.severity == "error"]
    assert not severe
    assert make_split(dataset, folds=2).folds


def test_a_folder_is_opened_by_its_annotations(tmp_path: Path) -> None:
    coco_of(tmp_path)
    assert [case.id for case in open_dataset(tmp_path).cases] == ["p1_s1", "p1_s2", "p2_s1"]
    coco(tmp_path / "annotations/more.json")
    with pytest.raises(InputError, match=r"holds 2 COCO files; name one: instances_all\.json, more\.json"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("names", "subjects"),
    [
        (NAMES, ("p1", "p2")),
        (("images/p1/a.png", "images/p2/b.png"), ("p1", "p2")),
        (("train/a.png", "val/b.png"), ("a", "b")),
        (("a.png", "b.png"), ("a", "b")),
        (("x/p1/a.png", "x/p2/a.png"), ("p1", "p2")),
    ],
    ids=["folders", "a common folder", "parts of a split", "flat", "a common parent"],
)
def test_subjects_are_folders(tmp_path: Path, names: tuple[str, ...], subjects: tuple[str, ...]) -> None:
    for name in names:
        picture(tmp_path / name)
    dataset = open_dataset(coco(tmp_path / "a.json", names))
    assert dataset.subjects == subjects
    assert dataset.licence == "CC BY 4.0"


@pytest.mark.parametrize("place", ["", "images", "train2017", "images/train2017"])
def test_pictures_are_found_where_coco_has_them(tmp_path: Path, place: str) -> None:
    for name in NAMES:
        picture(tmp_path / place / name)
    dataset: Dataset = open_dataset(coco(tmp_path / "annotations/instances_train2017.json"))
    assert all(Path(case.images[0].path).is_file() for case in dataset.cases)


def test_pictures_that_are_not_there_are_said_by_the_check(tmp_path: Path) -> None:
    dataset = open_dataset(coco(tmp_path / "a.json"))
    codes = {item.code for found in check_dataset(dataset).values() for item in found}
    assert "case.unreadable" in codes


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "a\0b.png"])
def test_a_picture_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"leads out of its folder|can be no path"):
        open_dataset(coco(tmp_path / "a.json", (name,)))


def test_names_that_are_no_file_names_or_stand_twice(tmp_path: Path) -> None:
    names = ("a:b.png", "a_b.png", "..png", "p/ä .png")
    ids = sorted(case.id for case in open_dataset(coco(tmp_path / "a.json", names)).cases)
    assert ids == ["a_b", "a_b-2", "case", "p_ä"]


def test_lists_of_voc_choose_the_cases(tmp_path: Path) -> None:
    dataset = open_dataset(voc(tmp_path, {"train": "a\n\n", "val": "c\n"}))
    assert [case.id for case in dataset.cases] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "words"), [("a\nd\n", "names 'd', and SegmentationClass has no"), ("../../x\n", "leads out of")]
)
def test_wrong_lists_of_voc(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_dataset(voc(tmp_path, {"train": text}))


def test_a_mapping_without_pictures_is_no_dataset(tmp_path: Path) -> None:
    path = labelset(tmp_path)
    path.write_text(path.read_text().replace("images: images\n", ""))
    with pytest.raises(InputError, match="names no 'images'"):
        open_dataset(path)


def test_a_training_configuration_reads_them(tmp_path: Path) -> None:
    """The reference of every layout is a path that the training room reads as it reads any other."""
    from medseg.training.cases import load_case

    class Channel:
        name = "image"

    class Data:
        ignore = None

    class Config:
        channels = (Channel(),)
        data = Data()
        reference = "image"
        labels = open_dataset(coco_of(tmp_path)).table

    dataset = open_dataset(tmp_path)
    loaded = load_case(dataset.cases[0], Config(), {"image": "image"})  # type: ignore[arg-type]
    assert int((loaded.labels == 1).sum()) == 6
