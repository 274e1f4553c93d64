"""Writing `.seg.nrrd`: every structure a segment, in as few layers as overlaps allow."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, LabelTable, ReadOptions, Segmentation, Source
from medseg.domain.labels import distinct_color
from medseg.domain.segmentation import smallest_unsigned
from medseg.errors import InputError, OutputError
from medseg.geometry import Agreement, compare_grids, flip_affine
from medseg.io.itk.seg_nrrd import read_seg_nrrd
from medseg.io.itk.slicer_terms import color_text, tags_text
from medseg.masks.flatten import Structure, numbers_of, structures_of, values_of

__all__ = ["write_seg_nrrd"]

_TYPES = {1: "unsigned char", 2: "unsigned short"}


def write_seg_nrrd(segmentation: Segmentation, path: Path) -> Segmentation:
    """Write a mask to a path that is free, and read it again; returns what was read.

    Structures that overlap (regions over parts) go into layers of their own; a structure without voxels stays a
    segment. Values of labels are kept; a region over parts takes the lowest that is free.

    Raises
    ------
    InputError
        If the grid is in pixels or of unknown orientation, or there are no structures to name.
    OutputError
        If reading it again gave other voxels.
    """
    grid = segmentation.grid
    if grid.unit != "mm" or not grid.orientation_known:
        lacking = "size" if grid.unit != "mm" else "orientation"
        remedy = "--spacing, or write .png or .tif" if grid.unit != "mm" else "--orientation"
        raise InputError(f"{path} would claim a known {lacking}, and there is none; give {remedy}")
    structures, numbers = structures_of(segmentation.table), numbers_of(segmentation.table)
    layers = _layers(structures)
    values = np.stack(
        [_layer_values(segmentation.labels, segmentation.table, layer, numbers) for layer in layers]
    )
    values = smallest_unsigned(values)
    header = _header(values, grid) + _fields(structures, layers, numbers, values)
    data = values[0] if len(values) == 1 else values
    with path.open("xb") as file:
        file.write(header.encode() + b"\n" + gzip.compress(data.tobytes(order="F"), 6, mtime=0))
    return _reread(segmentation, structures, path)


def _layers(structures: tuple[Structure, ...]) -> list[list[Structure]]:
    """Each structure in the first layer in which it overlaps none."""
    layers: list[list[Structure]] = []
    taken: list[set[int]] = []
    for item in structures:
        for layer, values in zip(layers, taken, strict=True):
            if not values & set(values_of(item)):
                layer.append(item)
                values.update(values_of(item))
                break
        else:
            layers.append([item])
            taken.append(set(values_of(item)))
    return layers or [[]]


def _layer_values(
    labels: NDArray[Any], table: LabelTable, layer: list[Structure], numbers: Mapping[str, int]
) -> NDArray[np.uint16]:
    lookup = np.zeros(max((*table.values, int(labels.max()))) + 1, dtype=np.uint16)
    for item in layer:
        lookup[list(values_of(item))] = numbers[item.name]
    found: NDArray[np.uint16] = lookup[labels]
    return found


def _header(values: NDArray[Any], grid: Grid) -> str:
    several = len(values) > 1
    lps = flip_affine(grid.affine)
    directions = ["none"] * several + [_vector(lps[:3, axis]) for axis in range(3)]
    sizes = [len(values)] * several + list(grid.shape)
    lines = [
        "NRRD0004",
        f"type: {_TYPES[values.dtype.itemsize]}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(directions)}",
        f"kinds: {' '.join(['list'] * several + ['domain'] * 3)}",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(lps[:3, 3])}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _vector(column: NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(part)) for part in column) + ")"


def _fields(
    structures: tuple[Structure, ...],
    layers: list[list[Structure]],
    numbers: Mapping[str, int],
    values: NDArray[Any],
) -> str:
    place = {item.name: number for number, layer in enumerate(layers) for item in layer}
    boxes = [_boxes(layer) for layer in values]
    pairs: dict[str, str] = {}
    for number, item in enumerate(structures):
        value, layer = numbers[item.name], place[item.name]
        color = item.color or distinct_color(values_of(item)[0])
        pairs[f"Segment{number}_ID"] = f"Segment_{value}"
        pairs[f"Segment{number}_Name"] = " ".join(item.name.split())
        pairs[f"Segment{number}_Color"] = color_text(color)
        pairs[f"Segment{number}_Extent"] = boxes[layer].get(value, "0 -1 0 -1 0 -1")
        pairs[f"Segment{number}_LabelValue"] = str(value)
        pairs[f"Segment{number}_Layer"] = str(layer)
        pairs[f"Segment{number}_Tags"] = (
            tags_text(item.category, item.type, item.anatomic_region, item.side) or "|"
        )
    pairs["Segmentation_ContainedRepresentationNames"] = "Binary labelmap|"
    pairs["Segmentation_MasterRepresentation"] = "Binary labelmap"
    pairs["Segmentation_ReferenceImageExtentOffset"] = "0 0 0"
    return "".join(f"{key}:={text}\n" for key, text in pairs.items())


def _boxes(layer: NDArray[Any]) -> dict[int, str]:
    """Extent of each label value: first and last index along each axis."""
    from scipy.ndimage import find_objects

    found = find_objects(layer.astype(np.int32))
    return {
        value: " ".join(f"{part.start} {part.stop - 1}" for part in box)
        for value, box in enumerate(found, start=1)
        if box is not None
    }


def _reread(segmentation: Segmentation, structures: tuple[Structure, ...], path: Path) -> Segmentation:
    again = read_seg_nrrd(Source(str(path), "itk"), ReadOptions())
    if again is None:
        raise InputError(f"{path} is not written: the mask has no structure to name")
    same = compare_grids(again.grid, segmentation.grid).agreement in (Agreement.SAME, Agreement.SNAPPED)
    if not same or again.labels.shape != segmentation.labels.shape:
        raise OutputError(f"{path} was not written: reading it again gave another placement")
    theirs = {" ".join(item.name.split()): values_of(item) for item in structures_of(again.table)}
    for item in structures:
        values = theirs.get(" ".join(item.name.split()), ())
        lost = not values and bool(segmentation.mask(*values_of(item)).any())
        if lost or (values and not _same_mask(segmentation, values_of(item), again, values)):
            raise OutputError(f"{path} was not written: reading it again gave other voxels of {item.name}")
    return again


def _same_mask(
    ours: Segmentation, values: tuple[int, ...], theirs: Segmentation, others: tuple[int, ...]
) -> bool:
    return bool(np.array_equal(ours.mask(*values), theirs.mask(*others)))
