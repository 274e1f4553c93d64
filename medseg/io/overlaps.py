"""Masks of structures, which may overlap, as one label array: parts and regions where they do."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Label, LabelTable, Region
from medseg.io.dicom.structures.overlaps import Atoms
from medseg.io.dicom.structures.segments import Segment

__all__ = ["labels_of_masks"]


def labels_of_masks(
    structures: tuple[Label, ...],
    masks: Iterable[tuple[int, tuple[slice, ...], NDArray[np.bool_]]],
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.uint16], LabelTable, tuple[Finding, ...]]:
    """Labels, table and findings of masks given one after the other.

    Parameters
    ----------
    structures
        What each value means. A structure whose voxels no other shares keeps its value; the others become
        regions of their names over disjoint parts.
    masks
        (value, box, bool of the box's shape); three slices of the array, and what of them the structure fills.
        Several of one value are united.
    shape
        (I, J, K) of the array.
    """
    atoms = Atoms(tuple(Segment(item.value, item.name, (item.value,)) for item in structures))
    labels = np.zeros(shape, dtype=np.uint16, order="F")
    for value, box, mask in masks:
        part = labels[box]
        for k in np.flatnonzero(mask.any(axis=(0, 1))):
            atoms.add(part[:, :, k].T, mask[:, :, k].T, value)
    labels, table, findings = atoms.finished(labels)
    known = {item.name: item for item in structures}
    return labels, _described(table, known), findings


def _described(table: LabelTable, known: dict[str, Label]) -> LabelTable:
    """The table with the colours and codes of the structures; parts stay as they are."""
    return LabelTable(
        tuple(item if item.is_part else known[item.name] for item in table.labels),
        tuple(_as_region(region, known[region.name]) for region in table.regions),
    )


def _as_region(region: Region, item: Label) -> Region:
    return replace(
        region,
        color=item.color,
        category=item.category,
        type=item.type,
        anatomic_region=item.anatomic_region,
        side=item.side,
    )
