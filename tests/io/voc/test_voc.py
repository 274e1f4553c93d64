"""Pascal VOC in and out: numbers and colours of classes, undecided pixels, names beside the masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medseg.domain import Grid, Label, LabelTable, Region, Segmentation
from medseg.errors import InputError, OutputError
from medseg.io import inspect, read, read_segmentation
from medseg.io.raster.format import PX_AFFINE
from medseg.io.voc.names import voc_color
from medseg.io.voc.write import VocMask, write_voc

ROWS = np.array([[0, 1, 1, 255], [15, 15, 0, 255]], np.uint8)
MAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncell:10,20,30::\nvessel:200,0,0:part:act\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("SegmentationClass", "JPEGImages", "ImageSets/Segmentation"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def mask_file(root: Path, rows: np.ndarray, colors: dict[int, tuple[int, int, int]] | None = None) -> Path:
    """An indexed PNG with the palette of the challenge, or another."""
    picture = Picture.fromarray(rows)
    palette = [part for number in range(256) for part in (colors or {}).get(number, voc_color(number))]
    picture.putpalette(palette)
    path = root / "SegmentationClass" / "a.png"
    picture.save(path)
    return path


def test_class_numbers_have_the_names_of_the_challenge(root: Path) -> None:
    path = mask_file(root, ROWS)
    found = read_segmentation(path)
    assert found.labels[:, :, 0].T.tolist() == [[0, 1, 1, 0], [15, 15, 0, 0]]
    assert (found.table.name_of(1), found.table.name_of(15)) == ("aeroplane", "person")
    assert len(found.table.labels) == 20
    assert found.table.labels[14].color == (192, 128, 128)
    assert [(item.code, item.detail("pixels")) for item in found.findings] == [("voc.void", 2)]
    assert found.grid.unit == "px"
    assert np.array_equal(read(path).array, found.labels)
    assert inspect(path)[0].format == "pascalvoc"


@pytest.mark.parametrize("form", ["indexed", "colours", "grey"])
def test_a_labelmap_names_the_classes(root: Path, form: str) -> None:
    (root / "labelmap.txt").write_text(MAP)
    # Indexed with a palette in another order than the list: the colours decide.
    colors = {1: (200, 0, 0), 2: (10, 20, 30), 255: (224, 224, 192)}
    rows = np.array([[0, 1, 2, 255]], np.uint8)
    path = mask_file(root, rows, colors)
    if form == "colours":
        Picture.open(path).convert("RGB").save(path)
    if form == "grey":
        Picture.fromarray(np.array([[0, 2, 1, 255]], np.uint8)).save(path)
    found = read_segmentation(path)
    assert found.labels[:, 0, 0].tolist() == [0, 2, 1, 0]
    assert [(item.value, item.name, item.color) for item in found.table.labels] == [
        (1, "cell", (10, 20, 30)),
        (2, "vessel", (200, 0, 0)),
    ]


DAMAGED = {
    "a strange colour": (MAP, {1: (1, 2, 3)}, "holds colour"),
    "no line of a class": ("cell 1,2,3\n", {}, "is no class; a line is name"),
    "colour beyond 255": ("cell:999,2,3::\n", {}, "is no class"),
    "no classes": ("background:0,0,0::\n", {}, "holds colour"),
    "too many classes": ("".join(f"c{n}:{n},1,1::\n" for n in range(255)), {}, "names 255 classes"),
    "a name twice": ("a:1,2,3::\na:3,2,1::\n", {}, "names of labels"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_line(root: Path, name: str) -> None:
    text, colors, words = DAMAGED[name]
    (root / "labelmap.txt").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_segmentation(mask_file(root, ROWS, colors))
    assert "\n" not in str(caught.value)


def test_a_png_elsewhere_is_a_plain_picture(tmp_path: Path) -> None:
    (tmp_path / "SegmentationClass").mkdir()
    path = mask_file(tmp_path, ROWS)
    assert inspect(path)[0].format == "raster"
    assert read_segmentation(path).present == (1, 15, 255)


def mask(labels: np.ndarray, table: LabelTable) -> Segmentation:
    grid = Grid((*labels.shape, 1), PX_AFFINE, unit="px", orientation_known=False)
    return Segmentation(labels[..., None], grid, table)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    table = LabelTable(
        (Label(3, "cell", (9, 8, 7)), Label(7, "a: b", (9, 8, 7)), Label(300, "black", (0, 0, 0)))
    )
    labels = np.random.default_rng(0).choice([0, 3, 7, 300], (9, 5)).astype(np.uint16)
    Picture.fromarray(np.zeros((5, 9), np.uint8)).save(tmp_path / "one.PNG")
    written = write_voc([VocMask("one", mask(labels, table), tmp_path / "one.PNG")], tmp_path / "voc")
    found = read_segmentation(tmp_path / "voc" / "SegmentationClass" / "one.png")
    assert found.table == written
    assert [(item.value, item.name) for item in found.table.labels] == [(1, "cell"), (2, "a b"), (3, "black")]
    assert found.table.labels[0].color == (9, 8, 7)
    assert len({item.color for item in found.table.labels} | {(0, 0, 0)}) == 4
    for ours, theirs in ((3, 1), (7, 2), (300, 3)):
        assert np.array_equal(labels == ours, found.labels[:, :, 0] == theirs)
    assert (tmp_path / "voc/ImageSets/Segmentation/trainval.txt").read_text() == "one\n"
    assert (tmp_path / "voc/JPEGImages/one.png").is_file()
    with pytest.raises(OutputError, match="--force"):
        write_voc([VocMask("one", mask(labels, table))], tmp_path / "voc")


def test_an_empty_mask_may_come_first(tmp_path: Path) -> None:
    empty = mask(np.zeros((3, 3), np.uint8), LabelTable(()))
    full = mask(np.ones((3, 3), np.uint8), LabelTable((Label(1, "cell"),)))
    write_voc([VocMask("a", empty), VocMask("b", full)], tmp_path / "voc")
    for name, present in (("a", ()), ("b", (1,))):
        found = read_segmentation(tmp_path / f"voc/SegmentationClass/{name}.png")
        assert found.present == present
        assert [item.name for item in found.table.labels] == ["cell"]


def test_overlaps_sizes_and_names_are_refused(tmp_path: Path) -> None:
    parts = LabelTable((Label(1, "p", is_part=True),), (Region("a", (1,)),))
    one = np.ones((2, 2), np.uint8)
    with pytest.raises(InputError, match="flatten them first"):
        write_voc([VocMask("a", mask(one, parts))], tmp_path / "voc")
    plain = LabelTable((Label(1, "a"),))
    with pytest.raises(InputError, match="two masks are called a"):
        write_voc([VocMask("a", mask(one, plain))] * 2, tmp_path / "voc")
    sized = Segmentation(one[..., None], Grid((2, 2, 1), np.eye(4)), plain)
    with pytest.raises(InputError, match="lose the size"):
        write_voc([VocMask("a", sized)], tmp_path / "voc")
    assert not (tmp_path / "voc").exists()


def test_colours_of_too_many_classes(tmp_path: Path) -> None:
    table = LabelTable(tuple(Label(number, f"c{number}") for number in range(1, 256)))
    with pytest.raises(InputError, match="255 classes"):
        write_voc([VocMask("a", mask(np.ones((2, 2), np.uint8), table))], tmp_path / "voc")
