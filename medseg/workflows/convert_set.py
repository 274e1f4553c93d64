"""Convert sets of pictures with masks: COCO, Pascal VOC, mappings of PNG masks, pairs; to COCO or VOC."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medseg.domain import Case, LabelTable, Run, Segmentation
from medseg.errors import InputError
from medseg.io import is_dataset, open_dataset, read_segmentation
from medseg.io.atomic import require_absent
from medseg.io.coco.write import PictureMask, write_coco
from medseg.io.datasets import read_reference
from medseg.io.datasets.labelset import labelset_of
from medseg.io.labelset.reader import open_labelset
from medseg.io.names import split_part, stem_of
from medseg.io.unfinished import together
from medseg.io.voc.write import VocMask, write_voc
from medseg.masks.flatten import Taken, flattened

__all__ = ["ConvertedSet", "convert_set", "is_set", "write_one"]


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedSet:
    """What was written.

    Parameters
    ----------
    path, pictures
        Where it stands, and how many masks are in it.
    taken
        Picture, and what one structure gave up to another in it, where overlaps were flattened (VOC).
    """

    path: Path
    pictures: int
    taken: tuple[tuple[str, Taken], ...] = ()

    @property
    def pairs(self) -> tuple[tuple[Taken, int], ...]:
        """The same per pair of structures, with the number of pictures."""
        sums: dict[tuple[str, str], list[int]] = {}
        for _, item in self.taken:
            found = sums.setdefault((item.structure, item.owner), [0, 0])
            found[0] += item.voxels
            found[1] += 1
        return tuple((Taken(one, other, voxels), count) for (one, other), (voxels, count) in sums.items())


@dataclass(frozen=True, slots=True)
class _Item:
    """One mask of a set: a name for files, what the source calls its picture, the picture, and the mask."""

    stem: str
    file_name: str
    picture: Path | None
    reference: str
    case: Case | None = None
    table: LabelTable | None = None

    def read(self) -> Segmentation:
        """The mask; where its numbers are no labels, in labels, and what nobody judged as background."""
        if self.case is None or self.case.labels is None:
            return read_segmentation(self.reference)
        return read_reference(self.case, self.table)[0]


def is_set(source: str | Path) -> bool:
    """Whether a path is a dataset, or a file of several masks; looks at names and the heads of files."""
    source = Path(source)
    return source.exists() and is_dataset(source)


def convert_set(
    source: str | Path, target: str | Path, *, force: bool = False, run: Run | None = None
) -> ConvertedSet:
    """Write all masks of a set as one COCO file (`.json`) or a Pascal VOC folder (no suffix).

    Parameters
    ----------
    source
        A dataset of pictures with masks in pixels, or the mapping of a set of PNG masks.
    target
        COCO keeps overlaps; in VOC the later in the order of the table owns the pixel.

    Raises
    ------
    InputError
        If a mask is not in pixels, or there are none.
    OutputError
        If the target exists and may not be replaced.
    """
    source, target, run = Path(source), Path(target), run or Run()
    items, table = _items(source)
    if not items:
        raise InputError(f"{source} has no masks to convert")
    taken: list[tuple[str, Taken]] = []
    masks = _masks(items, None if target.suffix else taken, run)
    with together(target):
        if target.suffix:
            require_absent(target, force=force)
            pictures = (PictureMask(_file_name(item, target), mask) for item, mask in masks)
            write_coco(pictures, target, table, force=force)
        else:
            write_voc(
                (VocMask(item.stem, mask, item.picture) for item, mask in masks), target, table, force=force
            )
    return ConvertedSet(target, len(items), tuple(taken))


def write_one(
    segmentation: Segmentation, target: Path, source: Path, picture: Path | None, *, force: bool
) -> None:
    """A set of one mask; its picture is named like the mask where none is given."""
    path, part = split_part(source)
    stem = stem_of(picture or Path(part or path.name))
    item = _Item(stem, picture.name if picture else f"{stem}.png", picture, str(source))
    if target.suffix:
        write_coco([PictureMask(_file_name(item, target), segmentation)], target, force=force)
        return

    write_voc([VocMask(stem, segmentation, picture)], target, force=force)


def _masks(
    items: list[_Item], taken: list[tuple[str, Taken]] | None, run: Run
) -> Iterator[tuple[_Item, Segmentation]]:
    """Each mask when it is its turn; with `taken`, flattened, and what that changed is added there."""
    for number, item in enumerate(items):
        run.check()
        run.progress(number, len(items), f"convert: {item.stem}")
        mask = item.read()
        if taken is not None:
            mask, given = flattened(mask)
            taken.extend((item.file_name, part) for part in given)
        yield item, mask
    run.progress(len(items), len(items), "convert")


def _items(source: Path) -> tuple[list[_Item], LabelTable | None]:
    mapping = labelset_of(source)
    if mapping is not None and not open_labelset(mapping).images:
        names = open_labelset(mapping).cases
        parts = [f"{mapping}#{name}" if len(names) > 1 else str(mapping) for name in names]
        return [_Item(name, f"{name}.png", None, part) for name, part in zip(names, parts, strict=True)], None
    dataset = open_dataset(source)
    found = []
    for case in dataset.cases:
        if case.reference is not None:
            picture = Path(case.images[0].path)
            name = case.reference.rpartition("#")[2] if dataset.kind == "coco" else picture.name
            known = picture if picture.is_file() else None
            shown = name if "/" not in name or known else picture.name
            found.append(_Item(case.id, shown, known, case.reference, case, dataset.table))
    return found, dataset.table


def _file_name(item: _Item, target: Path) -> str:
    """The picture's path from the file's folder, if it lies in it; else the name that the source has for it."""
    if item.picture is not None:
        path = os.path.relpath(item.picture.resolve(), target.resolve().parent)
        if not path.startswith(".."):
            return Path(path).as_posix()
    return item.file_name
