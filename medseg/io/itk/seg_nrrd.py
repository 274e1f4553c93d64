"""3D Slicer's `.seg.nrrd`: one layer of labels, or several where segments overlap, with names, colours and codes.

Source of the format: "Segmentations", developer guide of 3D Slicer (fields `SegmentN_…` and `Segmentation_…`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import (
    Finding,
    Grid,
    Image,
    Label,
    LabelTable,
    Provenance,
    ReadOptions,
    Segmentation,
    Source,
)
from medseg.domain.segmentation import smallest_unsigned
from medseg.errors import InputError, LabelError
from medseg.geometry.place import place_on
from medseg.io.answers import apply_answers
from medseg.io.itk.nrrd import parse_layers
from medseg.io.itk.slicer_terms import color_of, terms_of
from medseg.io.itk.stored import Stored, read_stored
from medseg.io.overlaps import labels_of_masks
from medseg.io.sidecar import recall
from medseg.io.values import freeze
from medseg.masks.changes import changed_outside

__all__ = ["parse_seg_nrrd", "read_seg_nrrd"]

_FIELD = re.compile(r"Segment(\d{1,6})_(\w+)")
_NO_VOXELS = Finding(
    "seg_nrrd.no_voxels",
    "warning",
    "The file holds a single voxel, by which 3D Slicer says that no segment has any; size and place are unknown.",
)


@dataclass(frozen=True, slots=True)
class _Segment:
    layer: int
    value: int
    label: Label


def parse_seg_nrrd(path: Path) -> tuple[Stored, int, dict[str, str]] | None:
    """Placement, layers (0: no such axis) and pairs of a file that describes segments; None if it does not.

    Raises
    ------
    InputError
        If the header is damaged.
    """
    with path.open("rb") as file:
        head = file.read(1 << 20)
    if not head.startswith(b"NRRD") or not re.search(rb"\nSegment\d+_\w+ *:=", head):
        return None
    return parse_layers(path)


def read_seg_nrrd(
    source: Source, options: ReadOptions, on: Image | Grid | None = None
) -> Segmentation | None:
    """The mask; None if the file describes no segments.

    Segments that share voxels become disjoint parts (labels with `is_part`), each segment a Region over its
    parts. The extent fields are not needed: the header places the voxels that are there. With `on`, a mask that
    was cropped is put on the image's grid, if its voxels are the image's.

    Raises
    ------
    InputError
        If the file is damaged, or segments and layers contradict each other.
    LabelError
        If label values are no whole numbers from 0 to 65535.
    """
    path = Path(source.uri)
    found = parse_seg_nrrd(path)
    if found is None:
        return None
    stored, layers, pairs = found
    values = _whole(read_stored(stored, 0)[0], path)
    values = values if layers else values[..., None]
    segments, findings = _segments(path, pairs, max(layers, 1), values)
    labels, table, more = _combined(segments, values)
    findings = (*stored.findings, *findings, *more)
    findings += (_NO_VOXELS,) if labels.size == 1 else ()
    image = apply_answers(Image(freeze(labels), stored.grid, findings=findings, source=source), options)
    segmentation = Segmentation(labels, image.grid, table, _made_by(layers), image.findings)
    return _placed(_with_history(segmentation, path), on)


def _whole(values: NDArray[Any], path: Path) -> NDArray[Any]:
    values = values["layers"] if values.dtype.names else values
    whole = values if values.dtype.kind in "iu" else np.rint(values)
    if not np.isfinite(values).all() or (whole != values).any():
        raise LabelError(f"{path} is no mask: labels are whole numbers")
    low, high = int(whole.min()), int(whole.max())
    if low < 0 or high > 65535:
        raise LabelError(f"{path} is no mask: it holds {low if low < 0 else high}, and labels are 0 to 65535")
    return smallest_unsigned(whole.astype(np.uint16, copy=False))


def _segments(
    path: Path, pairs: dict[str, str], layers: int, values: NDArray[Any]
) -> tuple[tuple[_Segment, ...], tuple[Finding, ...]]:
    """Segments with label values that are unique over all layers; unnamed labels are added."""
    described = list(_described(path, pairs, layers))
    for layer in range(layers):
        known = {value for place, value, _ in described if place == layer}
        present = set(np.flatnonzero(np.bincount(values[..., layer].ravel()))) - {0} - known
        described += [(layer, int(value), {}) for value in sorted(present)]
    numbers = [value for _, value, _ in described]
    unique = len(set(numbers)) == len(numbers)
    segments, names = [], set[str]()
    for place, (layer, value, fields) in enumerate(described, start=1):
        number = value if unique else place
        name = " ".join(fields.get("Name", "").split()) or f"label {number}"
        name = f"{name} ({number})" if name in names else name
        names.add(name)
        label = Label(number, name, color_of(fields.get("Color", "")), **terms_of(fields.get("Tags", "")))
        segments.append(_Segment(layer, value, label))
    if unique:
        return tuple(segments), ()
    text = "Layers use the same label values for different segments; they were numbered in their order."
    return tuple(segments), (Finding("seg_nrrd.renumbered", "info", text),)


def _described(path: Path, pairs: dict[str, str], layers: int) -> Iterator[tuple[int, int, dict[str, str]]]:
    """(layer, label value, fields) of each segment in the file's order."""
    fields: dict[int, dict[str, str]] = {}
    for key, text in pairs.items():
        if found := _FIELD.fullmatch(key):
            fields.setdefault(int(found.group(1)), {})[found.group(2)] = text
    seen: set[tuple[int, int]] = set()
    for place, number in enumerate(sorted(fields)):
        # Files of before 2020 name neither: segment N is layer N there, in ones.
        layer = _number(path, fields[number].get("Layer", str(place if layers > 1 else 0)))
        value = _number(path, fields[number].get("LabelValue", "1"))
        if layer >= layers or not 1 <= value <= 65535:
            raise InputError(
                f"{path} is damaged: segment {number} has label {value} in layer {layer} of {layers}"
            )
        if (layer, value) in seen:
            raise InputError(f"{path} is damaged: two segments have label {value} in layer {layer}")
        seen.add((layer, value))
        yield layer, value, fields[number]


def _number(path: Path, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise InputError(f"{path} is damaged: {text[:40]!r} is no layer or label of a segment")
    return int(text)


def _combined(
    segments: tuple[_Segment, ...], values: NDArray[Any]
) -> tuple[NDArray[Any], LabelTable, tuple[Finding, ...]]:
    structures = tuple(item.label for item in segments)
    if values.shape[-1] == 1:
        lookup = np.zeros(int(values.max()) + 1, dtype=np.uint16)
        for item in segments:
            if item.value < len(lookup):
                lookup[item.value] = item.label.value
        return lookup[values[..., 0]], LabelTable(structures), ()
    whole = (slice(None),) * 3
    masks = ((item.label.value, whole, values[..., item.layer] == item.value) for item in segments)
    return labels_of_masks(structures, masks, values.shape[:3])


def _made_by(layers: int) -> Provenance:
    return Provenance(parameters=(("format", "seg.nrrd"), ("layers", max(layers, 1))))


def _with_history(segmentation: Segmentation, path: Path) -> Segmentation:
    """What the sidecar knows beyond the file, if it belongs to these voxels and to the file's names."""
    recalled = recall(path, segmentation.labels, segmentation.grid)
    findings = (*segmentation.findings, *recalled.findings)
    sidecar = recalled.sidecar
    if sidecar is None:
        return replace(segmentation, findings=findings)
    same = _shown(sidecar.table) == _shown(segmentation.table)
    found = replace(
        segmentation,
        labels=recalled.values,
        grid=recalled.grid,
        table=sidecar.table if same else segmentation.table,
        made_by=sidecar.made_by,
        findings=tuple(dict.fromkeys((*sidecar.findings, *findings))),
    )
    if sidecar.footprint is None or not recalled.changed:
        return found
    return changed_outside(found, sidecar.footprint)


def _shown(table: LabelTable) -> list[tuple[int, str, object]]:
    """What Slicer may have changed: a sidecar with other names or colours is older than the file."""
    return [(item.value, item.name, None if item.is_part else item.rgb) for item in table.labels]


def _placed(segmentation: Segmentation, on: Image | Grid | None) -> Segmentation:
    grid = on.grid if isinstance(on, Image) else on
    if grid is None or grid.shape == segmentation.grid.shape:
        return segmentation
    labels = place_on(segmentation.labels, segmentation.grid, grid)
    return segmentation if labels is None else replace(segmentation, labels=labels, grid=grid)
