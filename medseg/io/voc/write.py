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
from medseg.errors import InputError, MedsegError, OutputError
from medseg.io.atomic import staged_folder
from medseg.io.raster.format import PX_AFFINE
from medseg.io.read import read_segmentation
from medseg.io.voc.names import VOID, VOID_COLOR, class_name, labelmap_text
from medseg.io.voc.reader import MASK_FOLDER

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
        In pixels, of one slice each, without overlaps (see `masks.flatten`); taken one after the other.
    table
        Classes of all masks, by name; others that the masks name follow.

    Raises
    ------
    InputError
        If a mask is not in pixels, has several slices or parts of overlapping structures, or two share a stem.
    OutputError
        If the folder exists and may not be replaced, or reading a mask again gave another.
    """
    classes = _Classes(table)
    stems: list[str] = []
    with staged_folder(folder, force=force) as staged:
        for name in (MASK_FOLDER, "JPEGImages", str(_LIST.parent)):
            (staged / name).mkdir(parents=True)
        for item in masks:
            _require_picture(item)
            if item.stem in stems:
                raise InputError(f"two masks are called {item.stem}; a VOC folder holds one of a name")
            stems.append(item.stem)
            classes.learn(item.segmentation.table)
            (staged / "labelmap.txt").write_text(labelmap_text(classes.table, classes.colors), "utf-8")
            _write(item, staged, classes)
        (staged / _LIST).write_text("".join(f"{stem}\n" for stem in stems), "utf-8")
    return classes.table


class _Classes:
    """Classes in the order in which they are met, numbered from 1, with colours that tell them apart."""

    def __init__(self, table: LabelTable | None) -> None:
        self.colors: dict[int, Color] = {}
        self.numbers: dict[str, int] = {}
        self._taken: set[Color] = {(0, 0, 0), VOID_COLOR}
        if table is not None:
            self.learn(table)

    def learn(self, table: LabelTable) -> None:
        """Add the labels of a table that are new."""
        for label in table.labels:
            name = class_name(label.name)
            if name in self.numbers:
                continue
            self.numbers[name] = number = len(self.numbers) + 1
            color, tries = label.rgb, number
            while color in self._taken:
                tries += 1
                color = distinct_color(tries)
            self._taken.add(color)
            self.colors[number] = color
        if len(self.numbers) >= VOID:
            raise InputError(f"there are {len(self.numbers)} classes, and a VOC folder holds {VOID - 1}")

    @property
    def table(self) -> LabelTable:
        """As the folder says it."""
        return LabelTable(
            tuple(Label(number, name, self.colors[number]) for name, number in self.numbers.items())
        )


def _require_picture(item: VocMask) -> None:
    grid = item.segmentation.grid
    if grid.unit != "px" or not np.array_equal(grid.affine, PX_AFFINE):
        raise InputError("VOC would lose the size and place of the voxels; write .nii.gz, .nrrd or .mha")
    if grid.shape[2] != 1:
        raise InputError(f"VOC holds pictures of one slice, and there are {grid.shape[2]}")
    if any(label.is_part for label in item.segmentation.table.labels):
        raise InputError("VOC holds one class per pixel, and structures overlap; flatten them first")


def _write(item: VocMask, folder: Path, classes: _Classes) -> None:
    table, labels = item.segmentation.table, item.segmentation.labels
    lookup = np.zeros(max((*table.values, int(labels.max()))) + 1, dtype=np.uint8)
    for label in table.labels:
        lookup[label.value] = classes.numbers[class_name(label.name)]
    path = folder / MASK_FOLDER / f"{item.stem}.png"
    _write_png(np.ascontiguousarray(lookup[labels][:, :, 0].T), path, classes.colors)
    if item.picture is not None:
        shutil.copyfile(item.picture, folder / "JPEGImages" / f"{item.stem}{item.picture.suffix.lower()}")
    try:
        again = read_segmentation(path)
    except MedsegError as error:
        # Messages name the staged folder, which the user never sees.
        raise OutputError(
            f"{item.stem} was not written: {str(error).replace(str(folder), folder.name)}"
        ) from error
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
