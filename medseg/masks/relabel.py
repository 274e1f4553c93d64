"""Who owns which voxel after an edit: a label changes its own voxels, takes background, and leaves others alone."""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Label, LabelTable, Region, Segmentation
from medseg.domain.segmentation import voxels_with
from medseg.errors import InputError, LabelError

__all__ = ["NamedLabels", "apply_parts", "find_labels", "objects_as_labels"]


@dataclass(frozen=True, slots=True)
class NamedLabels:
    """A label, or a region as the union of its labels."""

    name: str
    values: tuple[int, ...]


def find_labels(table: LabelTable, name: str) -> NamedLabels:
    """The label or region of this name.

    Raises
    ------
    LabelError
        If there is none; the nearest is named.
    """
    for label in table.labels:
        if label.name == name:
            return NamedLabels(name, (label.value,))
    for region in table.regions:
        if region.name == name:
            return NamedLabels(name, region.labels)
    known = _names(table)
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
    raise LabelError(f"the mask has no label or region {name!r}; {hint}")


def apply_parts(
    segmentation: Segmentation,
    target: NamedLabels,
    parts: NDArray[Any],
    *,
    take: tuple[int, ...] | None,
    merged: bool,
) -> tuple[Segmentation, int, tuple[Label, ...]]:
    """A segmentation in which a target has become `parts`.

    Parameters
    ----------
    segmentation, target
        What it was.
    parts
        (I, J, K) bool, or numbers of parts: 1 keeps the label, 2 and on become labels of their own.
    take
        Other labels whose voxels may be taken; None means all.
    merged
        Whether labels taken from are dropped when nothing is left of them.

    Returns
    -------
    (segmentation without instances and probabilities, voxels left to other labels, labels that were made)

    Raises
    ------
    InputError
        If a region of several labels would gain voxels or be split: nobody says which label they are of.
    """
    old = segmentation.labels
    own = segmentation.mask(*target.values)
    wanted = parts > 0
    gained = wanted & ~own
    free = np.ones(old.shape, np.bool_) if take is None else (old == 0) | voxels_with(old, take)
    left = int((gained & ~free).sum())
    gained &= free
    count = int(parts.max(initial=0))
    if len(target.values) > 1 and (gained.any() or count > 1):
        raise InputError(
            f"{target.name} is a region of several labels, and the operation would add to it or split it; "
            "name one of its labels"
        )
    labels = old.astype(np.uint16)
    labels[own & ~wanted] = 0
    labels[gained] = target.values[0]
    made = _new_labels(segmentation.table, target, count - 1)
    for number, label in enumerate(made, start=2):
        labels[parts == number] = label.value
    dropped: tuple[int, ...] = ()
    if merged and take:
        dropped = tuple(value for value in take if value not in target.values and not (labels == value).any())
    table = _table(segmentation.table, target, made, dropped)
    after = replace(segmentation, labels=labels, table=table, instances=None, probabilities=None)
    return after, left, made


def objects_as_labels(segmentation: Segmentation) -> Segmentation:
    """A segmentation whose objects are labels, so that a file holds them and each is measured.

    The objects of `lesion` become `lesion 1`, `lesion 2` and on, with its codes and side, in the order of their ids;
    `lesion` is then the region of them all. A label without objects keeps its name. Regions keep their extent.

    Raises
    ------
    InputError
        If there are no instances, or more of them than labels can be.
    """
    if segmentation.instances is None:
        raise InputError("this segmentation has no objects with numbers of their own")
    labels = np.zeros(segmentation.grid.shape, np.uint32)
    made: list[Label] = []
    regions: list[Region] = []
    new_values: dict[int, tuple[int, ...]] = {}
    for old in segmentation.table.labels:
        inside = segmentation.mask(old.value)
        ids, place = np.unique(segmentation.instances[inside], return_inverse=True)
        first = len(made) + 1
        if len(made) + len(ids) > np.iinfo(np.uint16).max:
            raise InputError(f"{old.name} has {len(ids)} objects, which are too many to become labels")
        labels[inside] = place.ravel() + first
        parts = _object_labels(old, ids, first)
        new_values[old.value] = tuple(part.value for part in parts)
        made += parts
        if len(parts) > 1 or parts[0].name != old.name:
            regions.append(Region(old.name, new_values[old.value], old.color))
    regions += [
        replace(region, labels=tuple(new for value in region.labels for new in new_values[value]))
        for region in segmentation.table.regions
    ]
    table = LabelTable(tuple(made), tuple(regions))
    return replace(segmentation, labels=labels, table=table, instances=None, probabilities=None)


def _object_labels(label: Label, ids: NDArray[Any], first: int) -> list[Label]:
    """One label for each id; what has the id 0 is of no object and keeps the name with `rest`."""
    if not ids.any():
        return [replace(label, value=first)]
    return [
        replace(label, value=first + n, name=f"{label.name} {int(one) or 'rest'}", color=None)
        for n, one in enumerate(ids)
    ]


def _names(table: LabelTable) -> list[str]:
    return [label.name for label in table.labels] + [region.name for region in table.regions]


def _new_labels(table: LabelTable, target: NamedLabels, count: int) -> tuple[Label, ...]:
    """Labels `NAME 2`, `NAME 3` and on, with the codes of the one they come from."""
    if count < 1:
        return ()
    first = next(label for label in table.labels if label.value == target.values[0])
    taken = _names(table)
    free = (name for name in (f"{target.name} {n}" for n in range(2, 1 << 17)) if name not in taken)
    top = max(table.values)
    if top + count > np.iinfo(np.uint16).max:
        raise InputError(f"{target.name} falls into {count + 1} parts: too many to become labels")
    return tuple(replace(first, value=top + n, name=next(free), color=None) for n in range(1, count + 1))


def _table(
    table: LabelTable, target: NamedLabels, made: tuple[Label, ...], dropped: tuple[int, ...]
) -> LabelTable:
    """Regions keep their extent: new labels join those of the old one, and a merged label is the one it went to."""
    labels = tuple(label for label in table.labels if label.value not in dropped)
    regions = tuple(_region(region, target, made, dropped) for region in table.regions)
    return LabelTable((*labels, *made), regions)


def _region(region: Region, target: NamedLabels, made: tuple[Label, ...], dropped: tuple[int, ...]) -> Region:
    values = list(region.labels)
    if set(values) & set(dropped):
        values = [value for value in values if value not in dropped]
        values += [value for value in target.values[:1] if value not in values]
    if target.values[0] in values and len(target.values) == 1:
        values += [label.value for label in made]
    return replace(region, labels=tuple(values))
