"""COCO in and out: outlines of every form to pixels, overlaps kept, hostile files refused in one line."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, ReadOptions, Segmentation
from medseg.errors import InputError, OutputError
from medseg.io import inspect, read, read_segmentation
from medseg.io.coco.rle import counts_of, mask_of, pack, unpack
from medseg.io.coco.write import PictureMask, write_coco
from medseg.io.raster.format import PX_AFFINE

WIDTH, HEIGHT = 8, 6


def content(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A file of one picture and two categories."""
    return {
        "info": {"description": "synthetic"},
        "images": [{"id": 5, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "green", "color": [0, 255, 0]}, {"id": 9, "name": "orange"}],
        "annotations": [
            {"id": number, "image_id": 5, "category_id": 3, **item}
            for number, item in enumerate(annotations, start=100)
        ],
    } | more


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """(rows, columns) by corners."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


BOX = [[1, 2, 5, 2, 5, 4, 1, 4]]
OUTLINES = {
    "rectangle": (BOX, rectangle(1, 2, 5, 4)),
    "two polygons are one": ([*BOX, [4, 0, 7, 0, 7, 3, 4, 3]], rectangle(1, 2, 5, 4) | rectangle(4, 0, 7, 3)),
    "half pixels: centres decide": ([[1.4, 1.4, 3.6, 1.4, 3.6, 2.6, 1.4, 2.6]], rectangle(1, 1, 4, 3)),
    "beyond the border": ([[-50, -50, 3, -50, 3, 99, -50, 99]], rectangle(0, 0, 3, 6)),
    "outside": ([[20, 20, 30, 20, 30, 30]], rectangle(0, 0, 0, 0)),
    "plain run lengths": (
        {"size": [HEIGHT, WIDTH], "counts": [8, 2, 4, 2, 4, 2, 4, 2, 20]}, rectangle(1, 2, 5, 4)
    ),
    "packed run lengths": (
        {"size": [HEIGHT, WIDTH], "counts": pack([8, 2, 4, 2, 4, 2, 4, 2, 20])}, rectangle(1, 2, 5, 4)
    ),
    "on from the first pixel": ({"size": [HEIGHT, WIDTH], "counts": [0, 48]}, rectangle(0, 0, 8, 6)),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTLINES)
def test_outlines(tmp_path: Path, name: str) -> None:
    outline, expected = OUTLINES[name]
    found = read_segmentation(write(tmp_path / "a.json", content({"segmentation": outline})))
    assert np.array_equal(found.labels[:, :, 0].T == 3, expected)
    assert found.grid.unit == "px"
    assert [(item.value, item.name, item.color) for item in found.table.labels] == [
        (3, "green", (0, 255, 0)),
        (9, "orange", None),
    ]


def test_run_lengths_there_and_back() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        width, height = random.integers(1, 40, 2)
        mask = random.random((width, height)) < random.random()
        counts = counts_of(mask)
        assert unpack(pack(counts)) == counts
        assert np.array_equal(mask_of(pack(counts), (width, height)), mask)


def test_run_lengths_are_those_of_pycocotools() -> None:
    theirs = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    random = np.random.default_rng(1)
    for _ in range(100):
        mask = random.random(tuple(random.integers(1, 40, 2))) < random.random()
        packed = theirs.encode(np.asfortranarray(mask.T.astype(np.uint8)))["counts"].decode()
        assert packed == pack(counts_of(mask))


def test_categories_that_overlap_become_parts_and_regions(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        content({"segmentation": BOX}, {"segmentation": [[4, 2, 8, 2, 8, 4, 4, 4]], "category_id": 9}),
    )
    found = read_segmentation(path)
    regions = {item.name: found.mask(*item.labels)[:, :, 0].T for item in found.table.regions}
    assert np.array_equal(regions["green"], rectangle(1, 2, 5, 4))
    assert np.array_equal(regions["orange"], rectangle(4, 2, 8, 4))
    assert found.instances is None


def test_outlines_that_share_no_pixel_are_instances(tmp_path: Path) -> None:
    apart = [{"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}, {"segmentation": [[3, 3, 5, 3, 5, 5, 3, 5]]}]
    found = read_segmentation(write(tmp_path / "a.json", content(*apart)))
    assert found.instances is not None
    assert sorted(np.unique(found.instances)) == [0, 1, 2]
    crowd = content(apart[0], {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [40, 8]}, "iscrowd": 1})
    found = read_segmentation(write(tmp_path / "b.json", crowd))
    assert found.instances is None
    assert [item.code for item in found.findings] == ["coco.crowd"]
    assert found.mask(3).sum() == 12


def test_several_pictures_are_volumes(tmp_path: Path) -> None:
    pictures = [
        {"id": 1, "file_name": "x/a.png", "width": 8, "height": 6},
        {"id": 2, "file_name": "b#2.png", "width": 3, "height": 4},
    ]
    outline = {"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]], "image_id": 2}
    path = write(tmp_path / "a.json", content(outline, images=pictures))
    assert [(item.volume, item.grid.shape) for item in inspect(path) if item.grid] == [
        ("x/a.png", (8, 6, 1)),
        ("b#2.png", (3, 4, 1)),
    ]
    with pytest.raises(InputError, match=r"2 volumes; choose with --volume"):
        read_segmentation(path)
    for found in (
        read_segmentation(path, options=ReadOptions(volume="b#2.png")),
        read_segmentation(f"{path}#b#2.png"),
    ):
        assert found.labels.shape == (3, 4, 1)
        assert found.mask(3).sum() == 4
    assert not read_segmentation(f"{path}#x/a.png").present
    assert np.array_equal(read(f"{path}#b#2.png").array, found.labels)


def test_a_size_may_be_stated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", content({"segmentation": BOX}))
    found = read_segmentation(path, options=ReadOptions(spacing=(0.5, 0.5, 1.0)))
    assert found.grid.unit == "mm"
    assert found.grid.spacing == (0.5, 0.5, 1.0)


def test_ids_that_are_no_labels_are_renumbered(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "a"}, {"id": 70000, "name": "a"}]
    path = write(
        tmp_path / "a.json", content({"segmentation": BOX, "category_id": 70000}, categories=categories)
    )
    found = read_segmentation(path)
    assert [(item.value, item.name) for item in found.table.labels] == [(1, "a"), (2, "a (70000)")]
    assert found.present == (2,)
    assert [item.code for item in found.findings] == ["coco.renumbered"]


def test_outlines_without_an_area_are_said(tmp_path: Path) -> None:
    found = read_segmentation(write(tmp_path / "a.json", content({"segmentation": [[1, 1, 2, 2]]})))
    assert not found.present
    assert [item.code for item in found.findings] == ["coco.no_area"]


ANY = {"segmentation": BOX}
HOSTILE: dict[str, tuple[Any, str]] = {
    "a box only": (content({"bbox": [1, 1, 3, 3]}), "annotation 100: it has a box and no outline"),
    "an empty outline": (content({"segmentation": []}), "it has a box and no outline"),
    "counts of another size": (content({"segmentation": {"size": [6, 9], "counts": [54]}}), r"its size is \[6, 9\]"),
    "counts too few": (content({"segmentation": {"size": [6, 8], "counts": [3]}}), "add up to 3 pixels"),
    "counts of 10**30": (content({"segmentation": {"size": [6, 8], "counts": [10**30]}}), "add up to"),
    "negative counts": (content({"segmentation": {"size": [6, 8], "counts": [50, -2]}}), "whole numbers from 0"),
    "counts of words": (content({"segmentation": {"size": [6, 8], "counts": ["a"]}}), "whole numbers from 0"),
    "packed damage": (content({"segmentation": {"size": [6, 8], "counts": "\u00e9~"}}), "packed run lengths"),
    "packed endless": (content({"segmentation": {"size": [6, 8], "counts": "o" * 99}}), "packed run lengths"),
    "packed cut": (content({"segmentation": {"size": [6, 8], "counts": "0o"}}), "packed run lengths end"),
    "odd numbers": (content({"segmentation": [[1, 2, 3]]}), "x and y in turn"),
    "words for numbers": (content({"segmentation": [["a", "b"]]}), "x and y in turn"),
    "far away": (content({"segmentation": [[1, 2, 1e300, 2, 3, 4]]}), "far outside"),
    "not a number": (json.dumps(content({"segmentation": [[1, 2, float("nan"), 2, 3, 4]]})), "NaN is no number"),
    "infinite": (json.dumps(content({"segmentation": [[1, 2, 3, 4, 3, 0]]})).replace("[1, 2", "[1e999, 2"), "beyond"),
    "strange image": (content(ANY | {"image_id": 6}), "names image 6"),
    "strange category": (content(ANY | {"category_id": 4}), "names category 4"),
    "no categories": (content(ANY, categories=None), "'categories' is a list"),
    "no images": (content(images=[]), "lists no images"),
    "huge picture": (
        content(images=[{"id": 5, "file_name": "a", "width": 10**9, "height": 10**9}]), "there are from 1"
    ),
    "no size": (content(images=[{"id": 5, "file_name": "a", "width": 0, "height": 5}]), "0 × 5 pixels"),
    "size of words": (content(images=[{"id": 5, "file_name": "a", "width": "8", "height": 5}]), "is a whole number"),
    "no name": (content(images=[{"id": 5, "width": 8, "height": 5}]), "no file name"),
    "the same id twice": (content(images=content()["images"] * 2), "same id"),
    "two categories of an id": (content(categories=[{"id": 1}, {"id": 1}]), "two categories have id 1"),
    "deep": ('{"images": ' + "[" * 100_000, "can't be read as JSON"),
    "cut": ('{"images": [{"id": 5', "can't be read as JSON"),
    "a number of a million digits": ('{"images": ' + "9" * 1_000_000 + "}", "can't be read as JSON"),
    "a list": ('{"images": [], "annotations": [], "categories": [1]}', "'categories' is a list of objects"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_line(tmp_path: Path, name: str) -> None:
    value, words = HOSTILE[name]
    path = write(tmp_path / "a.json", value)
    with pytest.raises(InputError, match=words) as caught:
        read_segmentation(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "a.json" in str(caught.value)


def picture(labels: np.ndarray, table: LabelTable, instances: np.ndarray | None = None) -> Segmentation:
    grid = Grid((*labels.shape, 1), PX_AFFINE, unit="px", orientation_known=False)
    ids = None if instances is None else instances[..., None]
    return Segmentation(labels[..., None], grid, table, instances=ids)


TABLE = LabelTable((Label(2, "cell", (9, 8, 7)), Label(5, "vessel"), Label(40, "absent")))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    masks = [
        PictureMask(
            f"p{number}.png", picture(random.choice([0, 2, 5], (30, 20 + number)).astype(np.uint8), TABLE)
        )
        for number in range(3)
    ]
    path = write_coco(masks, tmp_path / "out.json")
    for item in masks:
        again = read_segmentation(f"{path}#{item.file_name}")
        assert np.array_equal(again.labels, item.segmentation.labels)
        assert again.table == TABLE
    entry = json.loads(path.read_text())["annotations"][0]
    mask = masks[0].segmentation.mask(2)[:, :, 0]
    assert entry["area"] == mask.sum()
    assert entry["bbox"] == [0, 0, 30, 20]
    with pytest.raises(OutputError, match="--force"):
        write_coco(masks, path)


def test_instances_are_annotations_of_their_own(tmp_path: Path) -> None:
    labels, ids = np.zeros((10, 9), np.uint8), np.zeros((10, 9), np.uint32)
    labels[0:3, 0:3], labels[5:7, 5:7], labels[8, 0] = 2, 2, 5
    ids[0:3, 0:3], ids[5:7, 5:7], ids[8, 0] = 1, 2, 3
    path = write_coco([PictureMask("a.png", picture(labels, TABLE, ids))], tmp_path / "out.json")
    assert [item["area"] for item in json.loads(path.read_text())["annotations"]] == [9, 4, 1]
    again = read_segmentation(path)
    assert again.instances is not None
    assert np.array_equal(again.instances[:, :, 0], ids)


def test_overlaps_survive_the_round_trip(tmp_path: Path) -> None:
    source = content({"segmentation": BOX}, {"segmentation": [[4, 2, 8, 2, 8, 4, 4, 4]], "category_id": 9})
    first = read_segmentation(write(tmp_path / "a.json", source))
    again = read_segmentation(write_coco([PictureMask("a.png", first)], tmp_path / "b.json"))
    assert np.array_equal(again.labels > 0, first.labels > 0)
    for ours, theirs in zip(first.table.regions, again.table.regions, strict=True):
        assert (ours.name, ours.color) == (theirs.name, theirs.color)
        assert np.array_equal(first.mask(*ours.labels), again.mask(*theirs.labels))


def test_only_pictures_in_pixels(tmp_path: Path) -> None:
    deep = Segmentation(
        np.ones((2, 2, 2), np.uint8), Grid((2, 2, 2), PX_AFFINE, unit="px"), LabelTable((Label(1, "a"),))
    )
    with pytest.raises(InputError, match="one slice, and there are 2"):
        write_coco([PictureMask("a.png", deep)], tmp_path / "a.json")
    flat = Segmentation(
        np.ones((2, 2, 1), np.uint8), Grid((2, 2, 1), np.eye(4)), LabelTable((Label(1, "a"),))
    )
    with pytest.raises(InputError, match="lose the size and place"):
        write_coco([PictureMask("a.png", flat)], tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


def test_many_outlines_on_a_large_picture_need_little_memory(tmp_path: Path) -> None:
    import resource

    squares = [
        {"segmentation": [[x, y, x + 4, y, x + 4, y + 4, x, y + 4]]}
        for x in range(0, 4000, 100)
        for y in range(0, 3000, 100)
    ]
    images = [{"id": 5, "file_name": "a.png", "width": 4000, "height": 3000}]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read_segmentation(write(tmp_path / "a.json", content(*squares, images=images)))
    assert found.mask(3).sum() == 16 * len(squares)
    scale = 1024 if sys.platform == "darwin" else 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / scale < 600_000
