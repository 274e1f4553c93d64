"""Lesions: the separate objects of a label or region, each with its size, axes and size criterion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, LabelTable, Measurement, Quantity, Run, Segmentation, Target
from medseg.domain.plan import LesionPlan
from medseg.errors import InputError, LabelError
from medseg.masks import slice_axis
from medseg.masks.components import label_parts
from medseg.masks.sizes import SAME_VOLUME
from medseg.masks.split import split_touching
from medseg.masks.voxels import pixel_area
from medseg.measuring.lesions.axes import add_lesion_axes
from medseg.measuring.regions import measure_regions
from medseg.measuring.rows import Rows
from medseg.measuring.structure import NOT_PHYSICAL

__all__ = ["Lesions", "find_lesions", "measure_lesions"]

Box = tuple[slice, slice, slice]

#: Sums over the lesions of a structure, and of what.
_TOTALS = {
    Quantity.LESION_VOLUME: Quantity.VOLUME,
    Quantity.LESION_DIAMETERS: Quantity.LONGEST_DIAMETER,
}
#: What is measured of a lesion beside its axes.
_QUANTITIES = frozenset(quantity for quantity in Quantity if quantity.info.of_lesions)


@dataclass(frozen=True, slots=True, eq=False)
class Lesions:
    """Numbered lesions; iterating gives each target with its mask on the whole grid.

    Parameters
    ----------
    ids
        (I, J, K) unsigned: `n` is the lesion `targets[n - 1]`, 0 is none.
    targets
        One per lesion, by structure, then by number (largest first).
    boxes
        Slices of the array that hold each lesion.
    structures
        Labels and regions that were looked into, also those without a lesion.
    """

    ids: NDArray[Any]
    targets: tuple[Target, ...]
    boxes: tuple[Box, ...]
    structures: tuple[Target, ...]

    def __iter__(self) -> Iterator[tuple[Target, NDArray[np.bool_]]]:
        for number, target in enumerate(self.targets, start=1):
            yield target, self.ids == number

    def __len__(self) -> int:
        return len(self.targets)


def find_lesions(segmentation: Segmentation, plan: LesionPlan, run: Run | None = None) -> Lesions:
    """Separate objects of the labels or regions that a plan names.

    Parameters
    ----------
    segmentation
        Labels on their native grid.
    plan
        Names, connectivity, least size in mm³ (px³ on `px`), depth of a neck that splits.
    run
        Progress by structure, and whether to stop.

    Returns
    -------
    Lesions
        Numbered within each structure by size, largest first; of equal size by position (towards left, back,
        foot first), so numbers do not depend on how a file is stored. None found gives zeros.

    Raises
    ------
    LabelError
        If a name is neither label nor region, could not be read, or two named structures overlap.
    InputError
        If a least size is asked of a single slice without a thickness, or splitting of a sheared grid.

    Notes
    -----
    Own definition; least size counts after splitting. Memory: the ids, and one structure's mask and ids.
    """
    structures = tuple(_structure(segmentation.table, name) for name in plan.names) or tuple(
        Target("label", label.name, (label.value,))
        for label in segmentation.table.labels
        if not label.is_part and label.name not in segmentation.not_read
    )
    if unknown := [item.name for item in structures if item.name in segmentation.not_read]:
        raise LabelError(f"lesions of {unknown[0]!r} are not known: {segmentation.not_read[unknown[0]]}")
    ids = np.zeros(segmentation.grid.shape, np.uint32)
    targets: list[Target] = []
    boxes: list[Box] = []
    least = _least_voxels(segmentation.grid, plan.minimum_mm3)
    run = run or Run()
    for done, structure in enumerate(structures):
        run.check()
        run.progress(done, len(structures), f"looking for lesions of {structure.name}")
        mask = segmentation.mask(*structure.labels)
        box = _box_of(mask)
        if box is None:
            continue
        part = mask[box]
        if bool(ids[box][part].any()):
            raise LabelError(
                f"{structure.name!r} overlaps another structure named for lesions; name one of them"
            )
        corner = _sub_grid(segmentation.grid, box)
        found = _objects(part, corner, plan)
        for number, (object_id, place) in enumerate(_ordered(found, corner, least), start=1):
            targets.append(replace(structure, kind="lesion", lesion=number))
            boxes.append(_shifted(place, box))
            ids[boxes[-1]][found[place] == object_id] = len(targets)
    small = np.uint8 if len(targets) < 2**8 else np.uint16 if len(targets) < 2**16 else np.uint32
    return Lesions(ids.astype(small, copy=False), tuple(targets), tuple(boxes), structures)


def measure_lesions(
    segmentation: Segmentation,
    images: Mapping[str, Image] | None,
    plan: LesionPlan,
    lesions: Lesions | None = None,
    *,
    run: Run | None = None,
) -> tuple[Measurement, ...]:
    """Count the lesions of each structure, and measure each: size, place, axes, size criterion, intensities.

    Parameters
    ----------
    segmentation
        Labels on their native grid.
    images
        Images by channel, in the same world space.
    plan
        How labels become lesions, and the rule set.
    lesions
        What `find_lesions` gave for this segmentation and plan; found here where left out.
    run
        Progress by lesion, and whether to stop.

    Returns
    -------
    tuple of Measurement
        Per structure its count and sums, then per lesion its rows. Without a rule set there is no size criterion. A
        cut lesion's lengths are lower bounds; it meets a criterion that its visible part meets, else
        the criterion is `not_computed`. On sheared grids axes are refused, on `px` and of a PET alone the
        criterion.

    Notes
    -----
    Sources: see `definitions.size`. Memory: one lesion's box, beside the ids.
    """
    found = find_lesions(segmentation, plan, run) if lesions is None else lesions
    grid = segmentation.grid
    pairs = [(target, (number,)) for number, target in enumerate(found.targets, start=1)]
    by_lesion: dict[Target, list[Measurement]] = {target: [] for target in found.targets}
    run = run or Run()
    for item in measure_regions(found.ids, grid, pairs, images, only=_QUANTITIES, run=run) if pairs else ():
        by_lesion[item.target].append(item)
    cut = {target: _is_cut(items) for target, items in by_lesion.items()}
    pet_alone = bool(images) and all(image.is_pet for image in (images or {}).values())
    each: dict[Target, list[Measurement]] = {}
    for number, (target, box) in enumerate(zip(found.targets, found.boxes, strict=True), start=1):
        run.check()
        rows = Rows(target, grid, cut=cut[target])
        add_lesion_axes(rows, found.ids[box] == number, box, plan.rule, pet_alone=pet_alone)
        items = by_lesion[target]
        sizes = [item for item in items if item.channel is None]
        each[target] = [*sizes, *rows.items, *(item for item in items if item.channel is not None)]
    measured: list[Measurement] = []
    for structure in found.structures:
        own = [
            target
            for target in found.targets
            if (target.name, target.labels) == (structure.name, structure.labels)
        ]
        count = Rows(structure, grid, cut=any(cut[target] for target in own))
        count.add(Quantity.LESION_COUNT, len(own), method=_how(plan, grid))
        for total, quantity in _TOTALS.items():
            _add_total(
                count, total, [item for target in own for item in each[target] if item.quantity is quantity]
            )
        measured += count.items
    return (*measured, *(item for items in each.values() for item in items))


def _add_total(rows: Rows, total: Quantity, items: list[Measurement]) -> None:
    """The sum of a quantity over all lesions of a structure; null where one of them has none."""
    if rows.grid.unit == "px" and total.info.px_unit is None:
        rows.refuse(total, NOT_PHYSICAL)
        return
    missing = next((item for item in items if item.value is None), None)
    if missing is not None:
        rows.refuse(total, f"lesion {missing.target.lesion}: {missing.reason}")
        return
    noun = "lesion" if len(items) == 1 else "lesions"
    rows.add(total, sum(float(item.value or 0) for item in items), method=f"sum over {len(items)} {noun}")


def _structure(table: LabelTable, name: str) -> Target:
    for label in table.labels:
        if label.name == name:
            return Target("label", name, (label.value,))
    for region in table.regions:
        if region.name == name:
            return Target("region", name, region.labels)
    known = [*(label.name for label in table.labels), *(region.name for region in table.regions)]
    raise LabelError(f"no label or region is called {name!r}; there are {known}")


def _least_voxels(grid: Grid, minimum: float) -> float:
    if minimum == 0:
        return 0.0
    voxel = grid.voxel_volume
    if grid.unit == "mm" and 1 in grid.shape:
        if grid.slice_thickness is None:
            raise InputError(
                "a least size in mm³ needs the thickness of a single slice; give --slice-thickness MM"
            )
        voxel = pixel_area(grid, slice_axis(grid)) * grid.slice_thickness
    return minimum / voxel * (1 - SAME_VOLUME)


def _objects(mask: NDArray[np.bool_], grid: Grid, plan: LesionPlan) -> NDArray[Any]:
    """Ids of a mask's objects, in any order."""
    if plan.split_mm is not None:
        return split_touching(mask, grid, plan.split_mm, plan.connectivity)
    found: NDArray[Any] = label_parts(mask, plan.connectivity)[0]
    return found


def _ordered(found: NDArray[Any], grid: Grid, least: float) -> list[tuple[int, Box]]:
    """Objects that are large enough, by size and position: their ids and boxes."""
    import cc3d

    statistics = cc3d.statistics(found)
    counts = np.asarray(statistics["voxel_counts"][1:]).astype(np.int64)
    centres = grid.to_position(np.asarray(statistics["centroids"][1:])).round(6)
    order = np.lexsort((*centres.T[::-1], -counts))
    return [(int(n) + 1, statistics["bounding_boxes"][n + 1]) for n in order if counts[n] >= least]


def _box_of(mask: NDArray[np.bool_]) -> Box | None:
    sides = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not used.size:
            return None
        sides.append(slice(int(used[0]), int(used[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _sub_grid(grid: Grid, box: Box) -> Grid:
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_position(np.array([side.start for side in box]))
    i, j, k = (side.stop - side.start for side in box)
    return replace(grid, shape=(i, j, k), affine=affine)


def _shifted(inner: Box, box: Box) -> Box:
    i, j, k = (
        slice(int(one.start) + two.start, int(one.stop) + two.start)
        for one, two in zip(inner, box, strict=True)
    )
    return i, j, k


def _is_cut(items: list[Measurement]) -> bool:
    return any(item.quantity is Quantity.BORDER_VOXELS and bool(item.value) for item in items)


def _how(plan: LesionPlan, grid: Grid) -> str:
    unit = "mm³" if grid.unit == "mm" else "px³"
    parts = [f"objects of {plan.connectivity}-connected voxels"]
    if plan.split_mm is not None:
        parts.append(
            f"split at necks whose inscribed radius is at least {plan.split_mm:g} {grid.unit} smaller than on both "
            "sides (seeded watershed on the distance to the background)"
        )
    parts.append(f"of at least {plan.minimum_mm3:g} {unit}" if plan.minimum_mm3 else "of any size")
    return ", ".join(parts)
