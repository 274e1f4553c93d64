"""Writing COCO: every structure of every picture an annotation of packed run lengths, exact to the pixel."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg import __version__
from medseg.domain import LabelTable, Segmentation
from medseg.errors import InputError, OutputError
from medseg.io.atomic import staged_file
from medseg.io.coco.file import parse_coco
from medseg.io.coco.rle import counts_of, mask_of, pack
from medseg.io.raster.format import PX_AFFINE
from medseg.masks.flatten import Structure, numbers_of, structures_of, values_of

__all__ = ["PictureMask", "write_coco"]


@dataclass(frozen=True, slots=True, eq=False)
class PictureMask:
    """A mask and the name of the picture that it belongs to, as a COCO file says it."""

    file_name: str
    segmentation: Segmentation


def write_coco(
    masks: Iterable[PictureMask], path: str | Path, table: LabelTable | None = None, *, force: bool = False
) -> Path:
    """Write one JSON for all pictures; every outline is unpacked again and compared before the file gets its name.

    Parameters
    ----------
    masks
        In pixels, of one slice each, taken one after the other. A structure of `instances` gives an annotation
        per instance, another one.
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
    categories = _Categories(table)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, item in enumerate(masks, start=1):
        _require_picture(item)
        width, height, _ = item.segmentation.grid.shape
        images.append({"id": number, "file_name": item.file_name, "width": width, "height": height})
        for category, mask in categories.objects(item.segmentation):
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": category}
            annotations.append(entry | _outline(mask, path))
    content = {
        "info": {"description": "masks", "version": f"medseg {__version__}"},
        "licenses": [],
        "images": images,
        "categories": categories.entries(),
        "annotations": annotations,
    }
    with staged_file(path, force=force) as staged:
        staged.write_text(json.dumps(content), encoding="utf-8")
        parse_coco(staged)
    return path


def _require_picture(item: PictureMask) -> None:
    grid = item.segmentation.grid
    if grid.unit != "px" or not np.array_equal(grid.affine, PX_AFFINE):
        raise InputError("COCO would lose the size and place of the voxels; write .nii.gz, .nrrd or .mha")
    if grid.shape[2] != 1:
        raise InputError(f"COCO holds pictures of one slice, and there are {grid.shape[2]}")


class _Categories:
    """Ids by name: of the table, then as the masks number them, then the next one free."""

    def __init__(self, table: LabelTable | None) -> None:
        self._numbers = {} if table is None else numbers_of(table)
        self._colors = {} if table is None else {item.name: item.color for item in structures_of(table)}

    def objects(self, segmentation: Segmentation) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """(category id, mask) of everything that a picture shows."""
        own = numbers_of(segmentation.table)
        for structure in structures_of(segmentation.table):
            if structure.name not in self._numbers:
                taken = set(self._numbers.values())
                number = own[structure.name]
                self._numbers[structure.name] = number if number not in taken else max(taken) + 1
            self._colors.setdefault(structure.name, structure.color)
            for mask in _objects(segmentation, structure):
                yield self._numbers[structure.name], mask

    def entries(self) -> list[dict[str, Any]]:
        """The list of categories."""
        found = []
        for name, number in sorted(self._numbers.items(), key=lambda item: item[1]):
            entry: dict[str, Any] = {"id": number, "name": name, "supercategory": ""}
            color = self._colors.get(name)
            found.append(entry | ({} if color is None else {"color": list(color)}))
        return found


def _objects(segmentation: Segmentation, structure: Structure) -> list[NDArray[np.bool_]]:
    """(width, height) masks of a structure: each of its instances, or all of it."""
    mask = segmentation.mask(*values_of(structure))[:, :, 0]
    if not mask.any():
        return []
    if segmentation.instances is None:
        return [mask]
    ids = segmentation.instances[:, :, 0]
    numbers = np.unique(ids[mask])
    return [mask & (ids == number) for number in numbers]


def _outline(mask: NDArray[np.bool_], path: Path) -> dict[str, Any]:
    columns, rows = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    packed = pack(counts_of(mask))
    if not np.array_equal(mask_of(packed, (mask.shape[0], mask.shape[1])), mask):
        raise OutputError(f"{path} was not written: reading it again gave another mask")
    return {
        "segmentation": {"size": [mask.shape[1], mask.shape[0]], "counts": packed},
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
    }
