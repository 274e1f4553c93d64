"""Overlapping structures for formats that hold one label per voxel: who gives voxels to whom."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from medseg.domain import Finding, Label, LabelTable, Region, Segmentation
from medseg.domain.labels import distinct_color
from medseg.domain.values import as_details

__all__ = ["Structure", "Taken", "flattened", "numbers_of", "structures_of", "taken_findings", "values_of"]

Structure: TypeAlias = Label | Region


@dataclass(frozen=True, slots=True)
class Taken:
    """So many voxels of `structure` belong to `owner` alone once overlaps are flattened."""

    structure: str
    owner: str
    voxels: int


def structures_of(table: LabelTable) -> tuple[Structure, ...]:
    """What a table is about: each label that is no mere part, then each region made of parts.

    Regions over labels that stand for themselves follow from those and are left out.
    """
    parts = {label.value for label in table.labels if label.is_part}
    whole = [label for label in table.labels if not label.is_part]
    return (*whole, *(region for region in table.regions if parts & set(region.labels)))


def values_of(item: Structure) -> tuple[int, ...]:
    """Label values that a structure is made of."""
    return (item.value,) if isinstance(item, Label) else item.labels


def numbers_of(table: LabelTable) -> dict[str, int]:
    """A label value for every structure by name: labels keep theirs, regions take the lowest that are free."""
    found = structures_of(table)
    numbers = {item.name: item.value for item in found if isinstance(item, Label)}
    taken = set(numbers.values())
    free = (value for value in range(1, 65536) if value not in taken)
    return numbers | {item.name: next(free) for item in found if isinstance(item, Region)}


def flattened(segmentation: Segmentation) -> tuple[Segmentation, tuple[Taken, ...]]:
    """One label for every structure; where structures overlap, the later in the order of the table owns the voxel.

    Returns
    -------
    The segmentation, itself if no structures overlap, and what each structure gave up: one entry per pair, in
    the order of the table. Instances and probabilities, which follow the parts, are dropped. Regions over
    labels that stand for themselves stay.

    Examples
    --------
    >>> from medseg.domain import Grid
    >>> parts = tuple(Label(value, f"part {value}", is_part=True) for value in (3, 4, 5))
    >>> table = LabelTable(parts, (Region("green", (3, 4)), Region("orange", (4, 5))))
    >>> labels = np.array([3, 4, 4, 5], np.uint8).reshape(4, 1, 1)
    >>> flat, taken = flattened(Segmentation(labels, Grid((4, 1, 1), np.eye(4)), table))
    >>> flat.labels.ravel().tolist(), taken
    ([1, 2, 2, 2], (Taken(structure='green', owner='orange', voxels=2),))
    """
    table = segmentation.table
    if not any(label.is_part for label in table.labels):
        return segmentation, ()
    structures, numbers = structures_of(table), numbers_of(table)
    counts = np.bincount(segmentation.labels.ravel(order="K"), minlength=max(table.values) + 1)
    lookup = np.zeros(len(counts), dtype=np.uint16)
    given: dict[tuple[str, str], int] = {}
    for value in table.values:
        owners = [item.name for item in structures if value in values_of(item)]
        if not owners:
            continue
        lookup[value] = numbers[owners[-1]]
        for name in owners[:-1]:
            given[name, owners[-1]] = given.get((name, owners[-1]), 0) + int(counts[value])
    flat = replace(
        segmentation,
        labels=lookup[segmentation.labels],
        table=_flat_table(table, structures, numbers),
        instances=None,
        probabilities=None,
    )
    order = {item.name: place for place, item in enumerate(structures)}
    taken = [Taken(name, owner, count) for (name, owner), count in given.items() if count]
    return flat, tuple(sorted(taken, key=lambda item: (order[item.structure], order[item.owner])))


def taken_findings(taken: tuple[Taken, ...]) -> tuple[Finding, ...]:
    """One sentence per pair of structures."""
    return tuple(
        Finding(
            "overlap.flattened",
            "warning",
            f"{item.voxels} voxel{'s' * (item.voxels != 1)} of {item.structure} now "
            f"{'belong' if item.voxels != 1 else 'belongs'} to {item.owner}.",
            as_details(structure=item.structure, owner=item.owner, voxels=item.voxels),
        )
        for item in taken
    )


def _flat_table(
    table: LabelTable, structures: tuple[Structure, ...], numbers: Mapping[str, int]
) -> LabelTable:
    made = {item.name for item in structures if isinstance(item, Region)}
    whole = {item.value for item in structures if isinstance(item, Label)}
    labels = tuple(_as_label(item, numbers[item.name]) for item in structures)
    kept = tuple(
        region for region in table.regions if region.name not in made and set(region.labels) <= whole
    )
    return LabelTable(labels, kept)


def _as_label(item: Structure, value: int) -> Label:
    if isinstance(item, Label):
        return item
    return Label(
        value,
        item.name,
        item.color or distinct_color(item.labels[0]),
        item.category,
        item.type,
        item.anatomic_region,
        item.side,
    )
