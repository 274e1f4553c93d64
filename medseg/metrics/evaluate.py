"""One prediction against one reference, label by label."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, LabelTable, Measurement, Quantity, Segmentation, Status, Target
from medseg.geometry import require_same_grid
from medseg.metrics.surface import SurfaceDistances, surface_distances

__all__ = ["evaluate"]

_DISTANCES = (Quantity.HD, Quantity.HD95, Quantity.ASSD)
_DICE = "2|A∩B| / (|A|+|B|) by voxels; both empty 1, one empty 0"
_SURFACE = "faces of voxels weighted by area, distances in true mm (after Nikolov 2018)"


def evaluate(
    *, prediction: Segmentation, reference: Segmentation, tolerance_mm: float = 2.0
) -> tuple[Measurement, ...]:
    """Compare two segmentations on one grid.

    Every label that either table names is compared, under the reference's name for it, and every region of
    the reference's table (else the prediction's). Rules for empty masks stand in `medseg.metrics`.

    Parameters
    ----------
    prediction, reference
        On grids that agree; see `geometry.compare_grids`.
    tolerance_mm
        Of the surface Dice (pixels on `px` grids).

    Raises
    ------
    GridMismatchError
        If the grids differ; the message names the likely fault.
    """
    require_same_grid(reference.grid, prediction.grid, "prediction")
    rows: list[Measurement] = []
    for target in _targets(prediction.table, reference.table):
        rows += _compare(
            target,
            prediction.mask(*target.labels),
            reference.mask(*target.labels),
            reference.grid,
            tolerance_mm,
        )
    return tuple(rows)


def _targets(prediction: LabelTable, reference: LabelTable) -> tuple[Target, ...]:
    names = {label.value: label.name for label in (*prediction.labels, *reference.labels)}
    labels = [Target("pair", names[value], (value,)) for value in sorted(names)]
    known = set(names)
    regions = reference.regions or prediction.regions
    return (
        *labels,
        *(Target("pair", item.name, item.labels) for item in regions if set(item.labels) <= known),
    )


def _compare(
    target: Target, ours: NDArray[np.bool_], theirs: NDArray[np.bool_], grid: Grid, tolerance: float
) -> list[Measurement]:
    our_count, their_count = int(ours.sum()), int(theirs.sum())
    total = our_count + their_count
    dice = 2 * int((ours & theirs).sum()) / total if total else 1.0
    rows = [_number(target, Quantity.DICE, dice, grid, _DICE)]
    rows += _surface_rows(target, ours, theirs, grid, tolerance)
    if grid.unit == "mm":
        error = (our_count - their_count) * grid.voxel_volume / 1000
        rows.append(
            _number(target, Quantity.VOLUME_ERROR, error, grid, "prediction − reference, voxel volumes")
        )
    else:
        rows.append(_refused(target, Quantity.VOLUME_ERROR, grid, "the masks have no physical size (px)"))
    if their_count:
        relative = 100 * (our_count - their_count) / their_count
        rows.append(_number(target, Quantity.RELATIVE_VOLUME_ERROR, relative, grid, "by voxel counts"))
    else:
        rows.append(_refused(target, Quantity.RELATIVE_VOLUME_ERROR, grid, "the reference is empty"))
    return rows


def _surface_rows(
    target: Target, ours: NDArray[np.bool_], theirs: NDArray[np.bool_], grid: Grid, tolerance: float
) -> list[Measurement]:
    here, there = bool(ours.any()), bool(theirs.any())
    method = f"{_SURFACE}; tolerance {tolerance:g} {grid.unit}; both empty 1, one empty 0"
    if not (here and there):
        agree = 1.0 if here == there else 0.0
        reason = "both masks are empty" if here == there else _one_empty(predicted=here)
        return [
            _number(target, Quantity.SURFACE_DICE, agree, grid, method),
            *(_refused(target, quantity, grid, reason) for quantity in _DISTANCES),
        ]
    box = _box(ours | theirs)
    distances: SurfaceDistances = surface_distances(ours[box], theirs[box], grid)
    return [
        _number(target, Quantity.SURFACE_DICE, distances.surface_dice(tolerance), grid, method),
        _number(target, Quantity.HD, distances.hausdorff, grid, _SURFACE),
        _number(target, Quantity.HD95, distances.percentile(95), grid, _SURFACE),
        _number(target, Quantity.ASSD, distances.average, grid, _SURFACE),
    ]


def _one_empty(*, predicted: bool) -> str:
    if predicted:
        return "the reference is empty: a false positive has no distance"
    return "the prediction is empty: a missed structure has no distance"


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    slices = []
    for axis, extent in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        # An axis of several slices stays one, or its faces would be lost.
        low, high = int(used[0]), int(used[-1]) + 1
        if extent > 1 and high - low == 1:
            low, high = (low - 1, high) if low else (low, high + 1)
        slices.append(slice(low, high))
    return tuple(slices)


def _number(target: Target, quantity: Quantity, value: float, grid: Grid, method: str) -> Measurement:
    return Measurement(target, quantity, value, _unit(quantity, grid), method=method)


def _refused(target: Target, quantity: Quantity, grid: Grid, reason: str) -> Measurement:
    return Measurement(target, quantity, None, _unit(quantity, grid), Status.NOT_COMPUTED, reason)


def _unit(quantity: Quantity, grid: Grid) -> str:
    info = quantity.info
    return info.unit if grid.unit == "mm" else info.px_unit or info.unit
