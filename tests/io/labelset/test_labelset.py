"""Sets of PNG masks by a mapping: grey values, colours, files and folders as classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image as Picture

from medseg.domain import ReadOptions
from medseg.errors import InputError
from medseg.io import inspect, read, read_segmentation
from medseg.io.labelset.file import LABELSET_SCHEMA

GREY = np.array([[0, 63, 63], [126, 0, 9]], np.uint8)
RED, GREEN = [255, 0, 0], [0, 255, 0]


def picture(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.array(values, np.uint8)).save(path)
    return path


def mapping(folder: Path, **content: Any) -> Path:
    path = folder / "set.yaml"
    path.write_text(yaml.safe_dump({"schema": LABELSET_SCHEMA, **content}, sort_keys=False))
    return path


def rows(path: Path | str) -> list[list[int]]:
    found: list[list[int]] = read_segmentation(path).labels[:, :, 0].T.tolist()
    return found


def test_grey_values(tmp_path: Path) -> None:
    picture(tmp_path / "masks/a.png", GREY)
    path = mapping(tmp_path, masks="masks", classes={"liver": 63, "spleen": {"value": 126, "label": 7}})
    found = read_segmentation(path)
    assert found.labels[:, :, 0].T.tolist() == [[0, 1, 1], [7, 0, 0]]
    assert [(item.value, item.name) for item in found.table.labels] == [(1, "liver"), (7, "spleen")]
    (finding,) = found.findings
    assert (finding.code, finding.detail("pixels")) == ("labelset.unnamed", 1)
    assert found.grid.unit == "px"
    assert np.array_equal(read(path).array, found.labels)


def test_what_is_background_is_no_finding(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", GREY)
    path = mapping(tmp_path, classes={"liver": 63}, background=[126, 9])
    assert not read_segmentation(path).findings
    path = mapping(tmp_path, classes={"liver": 63, "other": 126}, background=9)
    assert not read_segmentation(path).findings


def test_colours_are_classes_and_their_colours(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", [[[0, 0, 0], RED], [GREEN, [255, 255, 255]]])
    path = mapping(
        tmp_path, classes={"vessel": RED, "nerve": {"value": GREEN, "color": [1, 2, 3]}, "white": [255] * 3}
    )
    found = read_segmentation(path)
    assert found.labels[:, :, 0].T.tolist() == [[0, 1], [2, 3]]
    assert [item.color for item in found.table.labels] == [(255, 0, 0), (1, 2, 3), (255, 255, 255)]
    assert not found.findings


def test_a_palette_picture_is_its_colours(tmp_path: Path) -> None:
    indexed = Picture.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    indexed.putpalette([0, 0, 0, *RED, *GREEN])
    indexed.save(tmp_path / "a.png")
    assert rows(mapping(tmp_path, classes={"g": GREEN, "r": RED})) == [[0, 2], [1, 2]]


def test_a_file_or_a_folder_for_each_class_may_overlap(tmp_path: Path) -> None:
    picture(tmp_path / "tumour/a.png", [[255, 255, 0]])
    picture(tmp_path / "cysts/a_cyst.png", [[0, 7, 7]])
    picture(tmp_path / "per/a/edge.png", [[0, 0, 1]])
    path = mapping(
        tmp_path,
        classes={"tumour": "tumour", "cyst": "cysts/*_cyst.png", "edge": {"files": "per/*/edge.png"}},
    )
    found = read_segmentation(path)
    masks = {item.name: found.mask(*item.labels)[:, 0, 0].tolist() for item in found.table.regions}
    assert masks == {"tumour": [True, True, False], "cyst": [False, True, True], "edge": [False, False, True]}


def test_cases_are_volumes(tmp_path: Path) -> None:
    picture(tmp_path / "img/a.png", np.zeros((2, 3)))
    picture(tmp_path / "img/b.png", np.zeros((2, 3)))
    for name in "abc":
        picture(tmp_path / f"masks/{name}_seg.png", GREY)
    path = mapping(tmp_path, images="img", masks="masks", suffix="_seg", classes={"liver": 63})
    assert [item.volume for item in inspect(path)] == ["a", "b"]
    with pytest.raises(InputError, match="choose with --volume: a"):
        read_segmentation(path)
    assert read_segmentation(path, options=ReadOptions(volume="b")).present == (1,)
    assert read_segmentation(f"{path}#a").present == (1,)


def test_json_too(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", GREY)
    (tmp_path / "set.json").write_text(f'{{"schema": "{LABELSET_SCHEMA}", "classes": {{"liver": 63}}}}')
    assert rows(tmp_path / "set.json") == [[0, 1, 1], [0, 0, 0]]


LIVER = {"liver": 63}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no classes": ({}, "'classes' names at least one"),
    "a value of words": ({"classes": {"liver": {"value": "red"}}}, "is a grey value, or a colour"),
    "a value too large": ({"classes": {"liver": 10**9}}, "is a grey value, or a colour"),
    "value and files": ({"classes": {"liver": {"value": 1, "files": "x"}}}, "either a value"),
    "the same label twice": (
        {"classes": {"a": {"value": 1, "label": 3}, "b": {"value": 2, "label": 3}}}, "different whole numbers"
    ),
    "an unknown key": ({"classes": LIVER, "place": "x"}, "'place' is none of"),
    "an unknown key of a class": ({"classes": {"a": {"value": 1, "colour": RED}}}, "'colour' is none of"),
    "climbing out": ({"classes": LIVER, "masks": "../.."}, "leads out of the folder"),
    "absolute": ({"classes": {"a": "/etc/*.png"}}, "leads out of the folder"),
    "climbing in a pattern": ({"classes": {"a": "../*/x.png"}}, "leads out of the folder"),
    "two stars": ({"classes": {"a": "*/*.png"}}, "have one"),
    "no such folder": ({"classes": LIVER, "masks": "nowhere"}, "is not there"),
    "no mask": ({"classes": LIVER, "suffix": "_none"}, "finds no mask"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_mapping_is_one_line(tmp_path: Path, name: str) -> None:
    content, words = REFUSED[name]
    picture(tmp_path / "a.png", GREY)
    with pytest.raises(InputError, match=words) as caught:
        read_segmentation(mapping(tmp_path, **content))
    assert "set.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["x: [", "[" * 20_000, "&a [*a, *a]", "1"])
def test_damaged_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "set.yaml").write_text(f"# {LABELSET_SCHEMA}\n{text}")
    with pytest.raises(InputError) as caught:
        read_segmentation(tmp_path / "set.yaml")
    assert "\n" not in str(caught.value)


def test_pictures_that_do_not_fit(tmp_path: Path) -> None:
    picture(tmp_path / "a/x.png", [[1, 0]])
    picture(tmp_path / "b/x.png", [[1, 0, 0]])
    with pytest.raises(InputError, match="different sizes: 2 × 1, 3 × 1 pixels"):
        read_segmentation(mapping(tmp_path, classes={"a": "a", "b": "b"}))
    picture(tmp_path / "m/x.jpg", GREY)
    with pytest.raises(InputError, match="JPEG changes values"):
        read_segmentation(mapping(tmp_path, masks="m", classes=LIVER))
    picture(tmp_path / "c/x.png", [[RED, GREEN]])
    with pytest.raises(InputError, match="names grey value 63"):
        read_segmentation(mapping(tmp_path, masks="c", classes=LIVER))
