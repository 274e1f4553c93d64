"""Writing COCO: every structure of every picture an annotation of packed run lengths, exact to the pixel."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg import __version__
from medseg.domain import Label, LabelTable, Segmentation
from medseg.errors import InputError, OutputError
from medseg.io.atomic import staged_file
from medseg.io.coco import coco_segmentation
from medseg.io.coco_file import CocoFile, parse_coco
from medseg.io.raster import PX_AFFINE
from medseg.io.rle import counts_of, pack
from medseg.masks.flatten import Structure, numbers_of, structures_of

__all__ = ["PictureMask", "write_coco"]


@dataclass(frozen=True, slots=True, eq=False)
class PictureMask:
    """A mask and the name of the picture that it belongs to, as a COCO file says it."""

    file_name: str
    segmentation: Segmentation


def write_coco(
    masks: Iterable[PictureMask], path: str | Path, table: LabelTable | None = None, *, force: bool = False
) -> Path:
    """Write one JSON for all pictures; it is read again and compared before it gets its name.

    Parameters
    ----------
    masks
        In pixels, of one slice each. A structure of `instances` gives an annotation per instance, another one.
        Structures that overlap stay so.
    table
        Which category has which id, by name; by default the labels' values.

    Raises
    ------
    InputError
        If a mask is not in pixels or has several slices.
    OutputError
        If the file exists and may not be replaced, or reading it again gave another mask.
    """
    path = Path(path)
    kept = list(masks)
    numbers = _numbers(kept, table)
    content = {
        "info": {"description": "masks", "version": f"medseg {__version__}"},
        "licenses": [],
        "images": [
            {
                "id": number,
                "file_name": item.file_name,
                "width": item.segmentation.grid.shape[0],
                "height": item.segmentation.grid.shape[1],
            }
            for number, item in enumerate(kept, start=1)
        ],
        "categories": _categories(kept, table, numbers),
        "annotations": _annotations(kept, numbers),
    }
    with staged_file(path, force=force) as staged:
        staged.write_text(json.dumps(content), encoding="utf-8")
        _require_same(parse_coco(staged), kept, path)
    return path


def _numbers(masks: list[PictureMask], table: LabelTable | None) -> dict[str, int]:
    """Category id by name: of the table, then as the masks number them, then the lowest free."""
    numbers = {} if table is None else numbers_of(table)
    for item in masks:
        _require_picture(item)
        for name, number in numbers_of(item.segmentation.table).items():
            if name not in numbers:
                taken = set(numbers.values())
                numbers[name] = number if number not in taken else max(taken) + 1
    return numbers


def _require_picture(item: PictureMask) -> None:
    grid = item.segmentation.grid
    if grid.unit != "px" or not np.array_equal(grid.affine, PX_AFFINE):
        raise InputError("COCO would lose the size and place of the voxels; write .nii.gz, .nrrd or .mha")
    if grid.shape[2] != 1:
        raise InputError(f"COCO holds pictures of one slice, and there are {grid.shape[2]}")


def _categories(
    masks: list[PictureMask], table: LabelTable | None, numbers: Mapping[str, int]
) -> list[dict[str, Any]]:
    colors: dict[str, list[int]] = {}
    for part in (table, *(item.segmentation.table for item in masks)):
        for structure in structures_of(part) if part else ():
            if structure.color is not None:
                colors.setdefault(structure.name, list(structure.color))
    found = []
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        entry: dict[str, Any] = {"id": number, "name": name, "supercategory": ""}
        found.append(entry | ({"color": colors[name]} if name in colors else {}))
    return found


def _annotations(masks: list[PictureMask], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for picture, item in enumerate(masks, start=1):
        for structure in structures_of(item.segmentation.table):
            for mask in _objects(item.segmentation, structure):
                entry = {"id": len(found) + 1, "image_id": picture, "category_id": numbers[structure.name]}
                found.append(entry | _outline(mask))
    return found


def _labels(item: Structure) -> tuple[int, ...]:
    return (item.value,) if isinstance(item, Label) else item.labels


def _objects(segmentation: Segmentation, structure: Structure) -> list[NDArray[np.bool_]]:
    """(width, height) masks of a structure: each of its instances, or all of it."""
    mask = segmentation.mask(*_labels(structure))[:, :, 0]
    if not mask.any():
        return []
    if segmentation.instances is None:
        return [mask]
    ids = segmentation.instances[:, :, 0]
    numbers = np.unique(ids[mask])
    return [mask & (ids == number) for number in numbers]


def _outline(mask: NDArray[np.bool_]) -> dict[str, Any]:
    columns, rows = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return {
        "segmentation": {"size": [mask.shape[1], mask.shape[0]], "counts": pack(counts_of(mask))},
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
    }


def _require_same(file: CocoFile, masks: list[PictureMask], path: Path) -> None:
    for name, item in zip(file.pictures, masks, strict=True):
        again = coco_segmentation(file, name)
        theirs = {structure.name: again.mask(*_labels(structure)) for structure in structures_of(again.table)}
        for structure in structures_of(item.segmentation.table):
            ours = item.segmentation.mask(*_labels(structure))
            other = theirs.get(" ".join(structure.name.split()))
            if ours.any() and (other is None or not np.array_equal(ours, other)):
                raise OutputError(f"{path} was not written: reading it again gave another {structure.name}")
