"""Writing a Pascal VOC folder: masks with a palette, their names and colours, and the list of pictures."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Label, LabelTable, Segmentation
from medseg.domain.labels import Color, distinct_color
from medseg.errors import InputError, OutputError
from medseg.io.atomic import staged_folder
from medseg.io.raster import PX_AFFINE
from medseg.io.read import read_segmentation
from medseg.io.voc import MASK_FOLDER
from medseg.io.voc_names import VOID, VOID_COLOR, labelmap_text

__all__ = ["VocMask", "write_voc"]

_LIST = Path("ImageSets") / "Segmentation" / "trainval.txt"


@dataclass(frozen=True, slots=True, eq=False)
class VocMask:
    """One mask: the stem of its files, and its picture if there is one."""

    stem: str
    segmentation: Segmentation
    picture: Path | None = None


def write_voc(
    masks: Iterable[VocMask], folder: str | Path, table: LabelTable | None = None, *, force: bool = False
) -> LabelTable:
    """Write a folder: `SegmentationClass`, `ImageSets`, `labelmap.txt`, and the pictures as they are.

    Classes are numbered from 1 in the order of the table, as the format wants; the returned table has these
    numbers. A colour that stands twice, or is that of background or undecided pixels, is replaced by another.

    Parameters
    ----------
    masks
        In pixels, of one slice each, without overlaps (see `masks.flatten`).
    table
        Classes of all masks, by name; by default those of the first.

    Raises
    ------
    InputError
        If a mask is not in pixels, has several slices or parts of overlapping structures, or two share a stem.
    OutputError
        If the folder exists and may not be replaced, or reading a mask again gave another.
    """
    kept = list(masks)
    classes = _classes(table or kept[0].segmentation.table, kept)
    colors = _colors(classes)
    if len({item.stem for item in kept}) < len(kept):
        raise InputError("two masks have the same name; a VOC folder holds one of a name")
    with staged_folder(folder, force=force) as staged:
        for name in (MASK_FOLDER, "JPEGImages", str(_LIST.parent)):
            (staged / name).mkdir(parents=True)
        (staged / "labelmap.txt").write_text(labelmap_text(classes, colors), "utf-8")
        for item in kept:
            _write(item, staged, classes, colors)
        (staged / _LIST).write_text("".join(f"{item.stem}\n" for item in kept), "utf-8")
    return LabelTable(tuple(Label(item.value, item.name, colors[item.value]) for item in classes.labels))


def _classes(table: LabelTable, masks: list[VocMask]) -> LabelTable:
    found = {label.name: label.color for label in table.labels}
    for item in masks:
        _require_picture(item)
        for label in item.segmentation.table.labels:
            found.setdefault(label.name, label.color)
    if len(found) >= VOID:
        raise InputError(f"there are {len(found)} classes, and a VOC folder holds {VOID - 1}")
    return LabelTable(tuple(Label(number, name, found[name]) for number, name in enumerate(found, start=1)))


def _require_picture(item: VocMask) -> None:
    grid = item.segmentation.grid
    if grid.unit != "px" or not np.array_equal(grid.affine, PX_AFFINE):
        raise InputError("VOC would lose the size and place of the voxels; write .nii.gz, .nrrd or .mha")
    if grid.shape[2] != 1:
        raise InputError(f"VOC holds pictures of one slice, and there are {grid.shape[2]}")
    if any(label.is_part for label in item.segmentation.table.labels):
        raise InputError("VOC holds one class per pixel, and structures overlap; flatten them first")


def _colors(classes: LabelTable) -> dict[int, Color]:
    colors: dict[int, Color] = {}
    taken: set[Color] = {(0, 0, 0), VOID_COLOR}
    for label in classes.labels:
        color, number = label.rgb, label.value
        while color in taken:
            number += 1
            color = distinct_color(number)
        colors[label.value] = color
        taken.add(color)
    return colors


def _write(item: VocMask, folder: Path, classes: LabelTable, colors: dict[int, Color]) -> None:
    numbers = {label.name: label.value for label in classes.labels}
    table, labels = item.segmentation.table, item.segmentation.labels
    lookup = np.zeros(max((*table.values, int(labels.max()))) + 1, dtype=np.uint8)
    for label in table.labels:
        lookup[label.value] = numbers[label.name]
    path = folder / MASK_FOLDER / f"{item.stem}.png"
    _write_png(np.ascontiguousarray(lookup[labels][:, :, 0].T), path, colors)
    if item.picture is not None:
        shutil.copyfile(item.picture, folder / "JPEGImages" / f"{item.stem}{item.picture.suffix.lower()}")
    again = read_segmentation(path)
    if not np.array_equal(again.labels, lookup[labels]):
        raise OutputError(f"{item.stem} was not written: reading it again gave another mask")


def _write_png(rows: NDArray[Any], path: Path, colors: dict[int, Color]) -> None:
    from PIL import Image as Picture

    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[VOID] = VOID_COLOR
    for number, color in colors.items():
        palette[number] = color
    picture = Picture.fromarray(rows)
    picture.putpalette(palette.ravel().tolist())
    picture.save(path, format="PNG")
