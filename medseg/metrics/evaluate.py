"""One prediction against one reference, label by label."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, LabelTable, Measurement, Quantity, Segmentation, Status, Target
from medseg.domain.segmentation import voxels_with
from medseg.errors import ConfigError, GridMismatchError
from medseg.geometry import Agreement, compare_grids
from medseg.metrics.boxes import Box, boxes_of
from medseg.metrics.surface import surface_distances

__all__ = ["Pair", "evaluate", "pair_number", "pair_of", "pair_targets", "refused", "require_one_grid"]

#: `Target.detail` of the two volumes that a volume error is the difference of.
PREDICTED, REFERRED = "prediction", "reference"

_DISTANCES = (Quantity.HD, Quantity.HD95, Quantity.ASSD)
_DICE = "2|A∩B| / (|A|+|B|) by voxels (Dice 1945); both empty 1, one empty 0"
_SURFACE = "marching-cubes surface elements weighted by area, distances in true mm (Nikolov 2018)"
_SHEARED = "the grid is sheared: its spacing does not tell distances; resample it"
_VOXELS = "voxel count times |det| of the affine (IBSI YEKZ)"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two masks of one structure in the box that holds both; the grid is that of the whole image."""

    prediction: NDArray[np.bool_]
    reference: NDArray[np.bool_]
    grid: Grid

    @property
    def counts(self) -> tuple[int, int, int]:
        """Voxels of the prediction, of the reference, and of both at once."""
        masks = (self.prediction, self.reference, self.prediction & self.reference)
        ours, theirs, both = (int(np.count_nonzero(mask)) for mask in masks)
        return ours, theirs, both


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

    Returns
    -------
    tuple of Measurement
        Per structure: Dice, surface Dice, Hausdorff distance, HD95, ASSD, volume error, relative volume
        error, and on `mm` grids both volumes with `detail` "prediction" and "reference". On a sheared grid
        surface Dice and distances are not computed.

    Raises
    ------
    GridMismatchError
        If the grids differ; the message names the likely fault.
    """
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise ConfigError(f"the tolerance of the surface Dice is 0 mm or more, not {tolerance_mm}")
    require_one_grid(reference.grid, prediction.grid)
    boxes = boxes_of(prediction.labels), boxes_of(reference.labels)
    rows: list[Measurement] = []
    for target in pair_targets(prediction.table, reference.table):
        pair = pair_of(target, prediction, reference, boxes)
        rows += (*_overlap_rows(target, pair), *_surface_rows(target, pair, tolerance_mm))
        rows += _volume_rows(target, pair)
    return tuple(rows)


def pair_targets(prediction: LabelTable, reference: LabelTable) -> tuple[Target, ...]:
    """Structures to compare: labels of both tables under the reference's names, then regions."""
    names = {label.value: label.name for label in (*prediction.labels, *reference.labels)}
    labels = [Target("pair", names[value], (value,)) for value in sorted(names)]
    known = set(names)
    regions = reference.regions or prediction.regions
    return (
        *labels,
        *(Target("pair", item.name, item.labels) for item in regions if set(item.labels) <= known),
    )


def pair_of(
    target: Target,
    prediction: Segmentation,
    reference: Segmentation,
    boxes: tuple[dict[int, Box], dict[int, Box]] | None = None,
) -> Pair:
    """Masks of one structure in the box around both; of two empty ones a single voxel.

    `boxes` are those of each label in either array, where the caller has many structures.
    """
    known = boxes or (boxes_of(prediction.labels), boxes_of(reference.labels))
    found = [held[value] for held in known for value in target.labels if value in held]
    box = tuple(
        slice(
            min((one[axis].start for one in found), default=0),
            max((one[axis].stop for one in found), default=1),
        )
        for axis in range(3)
    )
    ours, theirs = (voxels_with(item.labels[box], target.labels) for item in (prediction, reference))
    return Pair(ours, theirs, reference.grid)


def _overlap_rows(target: Target, pair: Pair) -> list[Measurement]:
    ours, theirs, both = pair.counts
    dice = 2 * both / (ours + theirs) if ours + theirs else 1.0
    return [pair_number(target, Quantity.DICE, dice, pair.grid, _DICE)]


def _surface_rows(target: Target, pair: Pair, tolerance: float) -> list[Measurement]:
    grid, (ours, theirs, _) = pair.grid, pair.counts
    if grid.is_sheared:
        return [refused(target, item, grid, _SHEARED) for item in (Quantity.SURFACE_DICE, *_DISTANCES)]
    method = f"{_SURFACE}; tolerance {tolerance:g} {grid.unit}; both empty 1, one empty 0"
    if not (ours and theirs):
        agree = 1.0 if bool(ours) == bool(theirs) else 0.0
        reason = "both masks are empty" if agree else _one_empty(predicted=bool(ours))
        return [
            pair_number(target, Quantity.SURFACE_DICE, agree, grid, method),
            *(refused(target, quantity, grid, reason) for quantity in _DISTANCES),
        ]
    distances = surface_distances(pair.prediction, pair.reference, grid)
    return [
        pair_number(target, Quantity.SURFACE_DICE, distances.surface_dice(tolerance), grid, method),
        pair_number(target, Quantity.HD, distances.hausdorff, grid, _SURFACE),
        pair_number(target, Quantity.HD95, distances.percentile(95), grid, _SURFACE),
        pair_number(target, Quantity.ASSD, distances.average, grid, _SURFACE),
    ]


def _volume_rows(target: Target, pair: Pair) -> list[Measurement]:
    grid, (ours, theirs, _) = pair.grid, pair.counts
    rows = []
    if grid.unit == "mm":
        voxel_ml = grid.voxel_volume / 1000
        method = "prediction − reference, voxel volumes"
        rows.append(pair_number(target, Quantity.VOLUME_ERROR, (ours - theirs) * voxel_ml, grid, method))
        for detail, count in ((PREDICTED, ours), (REFERRED, theirs)):
            part = Target(target.kind, target.name, target.labels, detail=detail)
            how = f"volume of the {detail}: {_VOXELS}"
            rows.append(pair_number(part, Quantity.VOLUME, count * voxel_ml, grid, how))
    else:
        rows.append(refused(target, Quantity.VOLUME_ERROR, grid, "the masks have no physical size (px)"))
    if theirs:
        relative = 100 * (ours - theirs) / theirs
        rows.append(pair_number(target, Quantity.RELATIVE_VOLUME_ERROR, relative, grid, "by voxel counts"))
    else:
        rows.append(refused(target, Quantity.RELATIVE_VOLUME_ERROR, grid, "the reference is empty"))
    return rows


def _one_empty(*, predicted: bool) -> str:
    if predicted:
        return "the reference is empty: a false positive has no distance"
    return "the prediction is empty: a missed structure has no distance"


def pair_number(target: Target, quantity: Quantity, value: float, grid: Grid, method: str) -> Measurement:
    """A number in the unit that the quantity has on this grid."""
    return Measurement(target, quantity, value, _unit(quantity, grid), method=method)


def refused(target: Target, quantity: Quantity, grid: Grid, reason: str) -> Measurement:
    """Null, with its reason."""
    return Measurement(target, quantity, None, _unit(quantity, grid), Status.NOT_COMPUTED, reason)


def _unit(quantity: Quantity, grid: Grid) -> str:
    info = quantity.info
    return info.unit if grid.unit == "mm" else info.px_unit or info.unit


def require_one_grid(reference: Grid, prediction: Grid) -> None:
    """Refuse two masks that do not lie on one grid.

    Raises
    ------
    GridMismatchError
        Naming the likely fault; what it says of two grids says it of the reference first.
    """
    found = compare_grids(reference, prediction)
    if found.agreement is Agreement.OTHER:
        raise GridMismatchError(
            f"the prediction is on another grid than the reference: {found.fault} (reference first); "
            "bring both onto one grid before they are compared"
        )
