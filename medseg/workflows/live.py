"""Numbers of a mask while it is being changed: what a stroke changes at once, the rest when there is time.

Counts, place, principal axes and border are sums of whole numbers: those of the voxels that changed are taken away and
added. All other rows of a changed label are stale until it is measured again. Both give what `measure` gives for the
whole mask, in every digit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, LabelTable, Measurement, Quantity, Record, Run, Segmentation, Target
from medseg.domain.plan import MeasurePlan
from medseg.geometry import same_grid
from medseg.measuring.field import outside_of
from medseg.measuring.regions import measure_sums
from medseg.measuring.tally import Box, Tally, tally
from medseg.workflows.channels import Images, as_mapping
from medseg.workflows.measure import (
    MeasureInputs,
    asked_plan,
    draft_record,
    measure_inputs,
    measured_record,
)

__all__ = ["LiveNumbers", "LiveRow", "measure_again", "start_measuring", "take_change"]

#: Of a label or region, but worked out from other rows or objects.
_NOT_OF_A_STRUCTURE = {
    *(Quantity.LESION_COUNT, Quantity.LESION_VOLUME, Quantity.LESION_DIAMETERS),
    *(Quantity.VOLUME_BY_ICV, Quantity.VOLUME_BY_HEIGHT, Quantity.VOLUME_BY_SURFACE),
}
#: Kinds that may depend on other labels too: a reference region, a level.
_OF_SEVERAL_LABELS = ("pet", "tissue")


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A Measurement, and whether the mask has changed since in a way that it may depend on."""

    item: Measurement
    is_stale: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LiveNumbers:
    """Numbers of a mask as it was last measured, and what has changed since; its voxels are not kept.

    Parameters
    ----------
    images
        By channel, in the space of the mask.
    grid, table, not_read
        Of the mask as it was measured.
    weighs
        Whether volumes were weighed by probabilities, so that each depends on all voxels.
    record
        Of the mask that was measured last.
    rows
        Of the mask as it is now.
    touched
        Values of labels that lost or gained voxels since.
    sums
        Kept up with every change; None where the mask lies on another array than the images' and every change must
        wait for a measurement.
    """

    images: Mapping[str, Image]
    grid: Grid
    table: LabelTable
    not_read: Mapping[str, str]
    weighs: bool
    record: Record
    rows: tuple[LiveRow, ...]
    touched: frozenset[int]
    sums: Tally | None
    outside: NDArray[np.bool_] | None

    @property
    def is_fresh(self) -> bool:
        """Whether no row is stale."""
        return not self.touched and not any(row.is_stale for row in self.rows)

    def agrees_with(self, labels: NDArray[Any]) -> bool:
        """Whether the sums are those of these labels (I, J, K), so that no change was missed. Cost: one pass."""
        if self.sums is None:
            return True
        return _same_sums(self.sums, tally(labels, self.outside))


def start_measuring(
    segmentation: Segmentation,
    images: Images | None = None,
    *,
    plan: MeasurePlan | None = None,
    subject: str | None = None,
    same_space: bool = False,
    run: Run | None = None,
) -> LiveNumbers:
    """Measure a mask as `measure` does, and keep what is needed to follow its changes."""
    inputs = measure_inputs(segmentation, {} if images is None else as_mapping(images), declared=same_space)
    draft = draft_record(inputs, subject=subject, plan=asked_plan(plan, inputs.mask.table))
    return _measured(inputs, segmentation, draft, run or Run(), {})


def take_change(
    numbers: LiveNumbers, labels: NDArray[Any], box: Box, before: NDArray[Any], table: LabelTable
) -> LiveNumbers:
    """The numbers after voxels in a box were changed: sums are right at once, what else may depend on it is stale.

    Parameters
    ----------
    labels
        (I, J, K) the mask as it is now.
    box, before
        Where, and the values there of before.
    table
        Names as they are now; a label without one is `label N`.
    """
    differs = labels[box] != before
    if not differs.any():
        return numbers
    changed = {*np.unique(labels[box][differs]).tolist(), *np.unique(before[differs]).tolist()} - {0}
    touched = numbers.touched | changed
    if numbers.sums is None:
        return replace(numbers, touched=touched, rows=tuple(_aged(numbers.rows, touched, {})))
    sums = numbers.sums.updated(before, box, labels, numbers.outside)
    present = tuple(int(value) for value in np.flatnonzero(sums.count) if value)
    named = _targets(table.completed(present))
    # Also what earlier strokes touched: its sums are as right as those of this one.
    wanted = [(target, target.labels) for target in named if not touched.isdisjoint(target.labels)]
    fresh = {_key(item): item for item in measure_sums(sums, numbers.grid, wanted, refused=numbers.not_read)}
    rows = tuple(_aged(numbers.rows, touched, fresh))
    return replace(numbers, rows=rows, touched=touched, sums=sums)


def measure_again(
    numbers: LiveNumbers,
    segmentation: Segmentation,
    *,
    plan: MeasurePlan | None = None,
    run: Run | None = None,
) -> LiveNumbers:
    """Measure the mask as it is now; what no change has touched keeps its rows.

    Parameters
    ----------
    segmentation
        As it is now, on the same grid.
    plan
        What to measure from now on; None keeps what was asked.
    """
    inputs = measure_inputs(segmentation, numbers.images, declared=True)
    plan = asked_plan(numbers.record.plan if plan is None else plan, inputs.mask.table)
    draft = draft_record(inputs, subject=numbers.record.subject, plan=plan)
    alike = same_grid(inputs.mask.grid, numbers.grid) and not numbers.weighs and not _weighs(inputs)
    known = _known(numbers) if alike else {}
    return _measured(inputs, segmentation, draft, run or Run(), known)


def _measured(
    inputs: MeasureInputs,
    segmentation: Segmentation,
    draft: Record,
    run: Run,
    known: dict[Target, list[Measurement]],
) -> LiveNumbers:
    record = measured_record(inputs, draft, run, known)
    run.check()
    mask, sums, outside = inputs.mask, None, None
    if same_grid(mask.grid, segmentation.grid):
        outside = outside_of(inputs.images, mask.grid)
        sums = tally(mask.labels, outside)
    return LiveNumbers(
        images=inputs.images,
        grid=mask.grid,
        table=mask.table,
        not_read=mask.not_read,
        weighs=_weighs(inputs),
        record=record,
        rows=tuple(LiveRow(item) for item in record.measurements),
        touched=frozenset(),
        sums=sums,
        outside=outside,
    )


def _known(numbers: LiveNumbers) -> dict[Target, list[Measurement]]:
    """Rows, as measured, of labels and regions that were not touched."""
    found: dict[Target, list[Measurement]] = defaultdict(list)
    for item in numbers.record.measurements:
        structure = item.target.kind in ("label", "region") and item.target.detail is None
        of_another = item.quantity in _NOT_OF_A_STRUCTURE or item.quantity.info.kind in _OF_SEVERAL_LABELS
        if structure and not of_another:
            found[item.target].append(replace(item, placement=None))
    return {target: items for target, items in found.items() if numbers.touched.isdisjoint(target.labels)}


def _aged(
    rows: Iterable[LiveRow], touched: frozenset[int], fresh: dict[object, Measurement]
) -> Iterable[LiveRow]:
    """Rows with those that are known anew; the others that a change may have touched are stale."""
    left = dict(fresh)
    for row in rows:
        item = left.pop(_key(row.item), None)
        if item is not None:
            yield LiveRow(replace(item, placement=row.item.placement), row.item.placement is not None)
        else:
            yield replace(row, is_stale=row.is_stale or _depends(row.item, touched))
    yield from (LiveRow(item) for item in left.values())


def _depends(item: Measurement, touched: frozenset[int]) -> bool:
    of_any = (
        item.quantity in _NOT_OF_A_STRUCTURE
        or item.quantity.info.kind in _OF_SEVERAL_LABELS
        or item.placement is not None
    )
    return of_any or not touched.isdisjoint(item.target.labels)


def _key(item: Measurement) -> object:
    return item.target, item.quantity, item.channel


def _targets(table: LabelTable) -> tuple[Target, ...]:
    labels = [Target("label", label.name, (label.value,)) for label in table.labels if not label.is_part]
    return (*labels, *(Target("region", region.name, region.labels) for region in table.regions))


def _weighs(inputs: MeasureInputs) -> bool:
    return inputs.mask.probabilities is not None


def _same_sums(one: Tally, other: Tally) -> bool:
    size = max(one.count.size, other.count.size)
    return all(
        np.array_equal(a[1:], b[1:])
        for a, b in (
            (_filled(one.count, size), _filled(other.count, size)),
            (_filled(one.first, size), _filled(other.first, size)),
            (_filled(one.second, size), _filled(other.second, size)),
        )
    )


def _filled(array: NDArray[Any], size: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), array.dtype)])
