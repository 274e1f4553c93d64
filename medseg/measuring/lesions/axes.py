"""A lesion's long and short axis in the plane of a rule set, and its size criterion, as rows."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.size import RULES, SizeRule
from medseg.domain import Grid, Measurement, Quantity, Status
from medseg.domain.plan import RuleSet
from medseg.masks import slice_axis
from medseg.masks.diameters import PlaneDiameters, count_slices, plane_diameters
from medseg.measuring.lesions.rules import axial_box, is_axial, judge_size
from medseg.measuring.rows import Rows
from medseg.measuring.structure import SHEARED, plane_name

__all__ = ["add_lesion_axes"]

_BOUNDARY = "boundary points lie midway between a voxel centre inside and one outside"
_LONG = f"largest distance between two boundary points of one 8-connected component of one slice; {_BOUNDARY}"
_SHORT = "longest chord at right angles to the longest diameter, same slice and component"
_FREE = "; free chord, it leaves the mask on its way"
_KEPT = "; free chord, and it stays inside the mask"
_INSIDE = "; this one never leaves the mask"
_VANISHED = "the lesion is too thin for axial slices: nothing is left of it after reslicing"
_PET_ALONE = "{rule} measures size on CT or MR, and only a PET was given"
_ALL = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER, Quantity.BIDIMENSIONAL_PRODUCT)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A lesion as it is measured: its box, native or resliced, and the words for its plane."""

    mask: NDArray[np.bool_]
    grid: Grid
    axis: int
    words: str
    first: int | None

    def name(self, found: PlaneDiameters) -> str:
        if self.first is None:
            return f"axial resliced z={float(found.long_points[0, 2]):.1f} mm"
        return f"{plane_name(self.grid, self.axis)} {'ijk'[self.axis]}={found.index + self.first}"


def add_lesion_axes(
    rows: Rows,
    mask: NDArray[np.bool_],
    box: tuple[slice, slice, slice],
    rule_set: RuleSet | None,
    *,
    pet_alone: bool = False,
) -> None:
    """Longest diameter, perpendicular, their product, and whether they meet the rule set's size criterion.

    `mask` is the lesion in its `box` of the rows' grid. The inside chords have rows only where the free ones
    leave the mask. Of a PET alone no criterion is judged.
    """
    rule = RULES[rule_set] if rule_set else None
    if rows.grid.is_sheared:
        _refuse(rows, rule, SHEARED)
        return
    view = _view(mask, box, rows.grid, rule)
    found = plane_diameters(view.mask, view.grid, view.axis)
    if found is None:
        _refuse(rows, rule, _VANISHED)
        return
    _add_lengths(rows, found, view)
    if rule is not None and pet_alone:
        rows.refuse(Quantity.MEETS_SIZE_CRITERION, _PET_ALONE.format(rule=rule.title))
    elif rule is not None:
        _add_criterion(rows, rule, found, view)


def _refuse(rows: Rows, rule: SizeRule | None, reason: str) -> None:
    for quantity in (*_ALL, *((Quantity.MEETS_SIZE_CRITERION,) if rule else ())):
        rows.refuse(quantity, reason)


def _view(
    mask: NDArray[np.bool_], box: tuple[slice, slice, slice], grid: Grid, rule: SizeRule | None
) -> _View:
    axis = slice_axis(grid)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_position(np.array([side.start for side in box]))
    own = replace(grid, shape=(mask.shape[0], mask.shape[1], mask.shape[2]), affine=affine)
    source = f" ({rule.title}: {rule.source})" if rule else ""
    physical = grid.unit == "mm" and grid.orientation_known and 1 not in grid.shape
    if rule is None or rule.plane == "acquired" or not physical:
        return _View(mask, own, axis, f"; plane of acquisition{source}", box[axis].start)
    if is_axial(grid):
        return _View(mask, own, axis, f"; axial slices as acquired{source}", box[axis].start)
    words = f"; resliced to axial slices, linear at 0.5, as the acquired slices are not axial{source}"
    resliced, target = axial_box(mask, replace(own, shape=own.shape))
    return _View(resliced, target, 2, words, None)


def _add_lengths(rows: Rows, found: PlaneDiameters, view: _View) -> None:
    plane = view.name(found)
    long_note = _KEPT if found.long_inside is None else _FREE
    short_note = _KEPT if found.short_inside is None else _FREE
    for quantity, value, points, method in (
        (Quantity.LONGEST_DIAMETER, found.long, found.long_points, _LONG + long_note),
        (Quantity.SHORT_DIAMETER, found.short, found.short_points, _SHORT + short_note),
        (Quantity.LONGEST_INSIDE, found.long_inside, found.long_inside_points, _LONG + _INSIDE),
        (Quantity.SHORT_INSIDE, found.short_inside, found.short_inside_points, _SHORT + _INSIDE),
    ):
        if value is not None and points is not None:
            ends = tuple((float(x), float(y), float(z)) for x, y, z in points)
            rows.add(quantity, value, method=method + view.words, plane=plane, points_mm=ends)
    product = "longest diameter × perpendicular, free chords of one slice" + view.words
    rows.add(Quantity.BIDIMENSIONAL_PRODUCT, found.long * found.short, method=product, plane=plane)


def _add_criterion(rows: Rows, rule: SizeRule, found: PlaneDiameters, view: _View) -> None:
    def slices(long: float, short: float) -> int:
        if not rule.both_on_each:
            others = tuple(axis for axis in range(3) if axis != view.axis)
            return int(view.mask.any(axis=others).sum())
        return count_slices(view.mask, view.grid, view.axis, long=long, short=short, enough=rule.slices)

    verdict = judge_size(rule, rows.grid, (found.long, found.short), slices, cut=rows.cut)
    if verdict.value is None:
        rows.refuse(Quantity.MEETS_SIZE_CRITERION, verdict.words)
        return
    # A cut lesion that already meets the criterion meets it, but its row says that it is cut.
    status = Status.TRUNCATED_LOWER_BOUND if rows.cut else Status.OK
    reason = "the lesion is cut by the border; its visible part already meets the criterion"
    rows.items.append(
        Measurement(
            rows.target,
            Quantity.MEETS_SIZE_CRITERION,
            verdict.value,
            "1",
            status,
            reason if rows.cut else None,
            f"size alone, {rule.title} ({rule.source}): {verdict.words}",
            plane=view.name(found),
        )
    )
