"""Lesion by lesion: which of the reference were found, which of the prediction are false, how well they fit.

Lesions are connected components of a label's mask, in either mask by the same connectivity and minimum size,
numbered by size from 1. Two rules pair them, each lesion at most once:

- **found**: a lesion of the reference and one of the prediction whose IoU is at least `LesionRule.iou` (0.1 by
  default). As many pairs as possible are formed, and of those the ones with the largest sum of IoU. The low
  threshold asks for the place, not the outline, as is usual for lesions in 3D (Jaeger 2020, arXiv 1811.08661;
  Baumgartner 2021, arXiv 2106.00817; Maier-Hein 2024, doi 10.1038/s41592-023-02151-z). IoU, unlike a share of the
  reference that is covered, does not reward one blob over everything.
- **panoptic**: IoU above 0.5, where at most one pair per lesion is possible (Kirillov 2019, arXiv 1801.00868);
  panoptic quality alone uses it.

=================  ===============  ==========================  ==========================
lesions            none in either   none in the prediction      none in the reference
=================  ===============  ==========================  ==========================
sensitivity        not computed     0                           not computed
precision          not computed     not computed                0
F1, panoptic       1 (they agree)   0                           0
Dice of found      not computed     not computed                not computed
=================  ===============  ==========================  ==========================
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Measurement, Quantity, Segmentation, Target
from medseg.errors import ConfigError
from medseg.masks.matching import ObjectMatches, match_objects
from medseg.metrics.boxes import boxes_of
from medseg.metrics.evaluate import (
    Pair,
    pair_number,
    pair_of,
    pair_targets,
    refused,
    require_one_grid,
)

__all__ = ["LesionRule", "evaluate_lesions"]

#: IoU above which a pair counts for panoptic quality.
PANOPTIC_IOU = 0.5


@dataclass(frozen=True, slots=True)
class LesionRule:
    """How masks become lesions, and when a lesion is found.

    Parameters
    ----------
    connectivity
        Voxels that share a face (6), an edge (18) or a corner (26) are one lesion.
    minimum_mm3
        Smaller components are no lesions, in either mask; mm³ (px³ on `px` grids).
    iou
        Smallest IoU of a lesion that is found; above 0, at most 0.5.
    bins_ml
        Edges between size bins in ml, rising; a lesion on an edge belongs to the larger bin. No bins on
        `px` grids.
    """

    connectivity: Literal[6, 18, 26] = 26
    minimum_mm3: float = 0.0
    iou: float = 0.1
    bins_ml: tuple[float, ...] = (0.1, 1.0, 10.0)

    def __post_init__(self) -> None:
        if self.connectivity not in (6, 18, 26):
            raise ConfigError(f"connectivity is 6, 18 or 26, not {self.connectivity}")
        if not self.minimum_mm3 >= 0:
            raise ConfigError(f"the minimum size is 0 mm³ or more, not {self.minimum_mm3}")
        if not 0 < self.iou <= PANOPTIC_IOU:
            raise ConfigError(f"the IoU of a found lesion lies above 0 and up to 0.5, not {self.iou}")
        if list(self.bins_ml) != sorted(set(self.bins_ml)) or min(self.bins_ml, default=1) <= 0:
            raise ConfigError(f"edges of size bins rise from above 0 ml, not {self.bins_ml}")

    def what(self, grid: Grid) -> str:
        """What a lesion is, in words."""
        return f"components at connectivity {self.connectivity}, from {self.minimum_mm3:g} {grid.unit}³"

    def text(self, grid: Grid) -> str:
        """The rule in words, for `Measurement.method`."""
        return f"{self.what(grid)}; found: one to one with IoU ≥ {self.iou:g}, most pairs first, then largest IoU"

    @property
    def bins(self) -> tuple[tuple[str, float, float], ...]:
        """Name, lower and upper edge in ml of each size bin."""
        edges = (0.0, *self.bins_ml, float("inf"))
        names = [f"{low:g}–{high:g} ml" for low, high in pairwise(edges)]
        names[0] = f"under {edges[1]:g} ml"
        names[-1] = f"from {edges[-2]:g} ml"
        return tuple(zip(names, edges, edges[1:], strict=False)) if self.bins_ml else ()


def evaluate_lesions(
    *, prediction: Segmentation, reference: Segmentation, rule: LesionRule | None = None
) -> tuple[Measurement, ...]:
    """Compare two segmentations lesion by lesion, per label and region.

    Parameters
    ----------
    prediction, reference
        On grids that agree; see `geometry.compare_grids`. Sheared grids are fine: only volumes count.
    rule
        Connectivity, minimum size, IoU of a found lesion, size bins; see `LesionRule`.

    Returns
    -------
    tuple of Measurement
        Per structure: lesions in the reference, found, sensitivity, false positives, precision, F1, panoptic
        quality, mean Dice of found lesions; sensitivity and false positives per size bin (`detail`: the bin, by
        the size in the reference, of false positives by their own); and per lesion of the reference (`lesion`:
        its number) Dice and volume error, where a missed one has Dice 0 and loses its whole volume.

    Raises
    ------
    GridMismatchError
        If the grids differ.
    """
    require_one_grid(reference.grid, prediction.grid)
    known = rule or LesionRule()
    boxes = boxes_of(prediction.labels), boxes_of(reference.labels)
    rows: list[Measurement] = []
    for target in pair_targets(prediction.table, reference.table):
        pair = pair_of(target, prediction, reference, boxes)
        matched = _match(pair, known)
        rows += _totals(target, matched, pair.grid, known)
        rows += _per_bin(target, matched, pair.grid, known)
        rows += _per_lesion(target, matched, pair.grid, known)
    return tuple(rows)


def _match(pair: Pair, rule: LesionRule) -> ObjectMatches:
    return match_objects(
        pair.reference,
        pair.prediction,
        connectivity=rule.connectivity,
        least_voxels=rule.minimum_mm3 / pair.grid.voxel_volume,
        iou=rule.iou,
    )


def _totals(target: Target, matched: ObjectMatches, grid: Grid, rule: LesionRule) -> list[Measurement]:
    dice = [share for _, share in matched.partners.values()]
    wanted, given, found = matched.first_sizes.size, matched.second_sizes.size, len(dice)
    f1 = 2 * found / (wanted + given) if wanted + given else 1.0
    counts = (
        (Quantity.LESIONS_IN_REFERENCE, wanted),
        (Quantity.LESIONS_FOUND, found),
        (Quantity.LESION_FALSE_POSITIVES, given - found),
    )
    none_given = "the prediction has no lesion"
    return [
        *(pair_number(target, quantity, count, grid, rule.text(grid)) for quantity, count in counts),
        _ratio(target, Quantity.LESION_SENSITIVITY, (found, wanted), grid, _none("", rule, grid)),
        _ratio(target, Quantity.LESION_PRECISION, (found, given), grid, (none_given, rule.text(grid))),
        pair_number(target, Quantity.LESION_F1, f1, grid, f"{rule.text(grid)}; 1 when neither has lesions"),
        _panoptic(target, matched, grid, rule),
        _ratio(
            target,
            Quantity.MEAN_MATCHED_DICE,
            (sum(dice), found),
            grid,
            (
                "no lesion was found: nothing to measure the fit of",
                f"{rule.text(grid)}; missed lesions do not count",
            ),
        ),
    ]


def _panoptic(target: Target, matched: ObjectMatches, grid: Grid, rule: LesionRule) -> Measurement:
    wanted, given = matched.first_sizes.size, matched.second_sizes.size
    good = matched.iou[matched.iou > PANOPTIC_IOU]
    quality = float(good.sum()) / ((wanted + given) / 2) if wanted + given else 1.0
    method = (
        f"{rule.what(grid)}; pairs with IoU > 0.5; sum of "
        "their IoU / (TP + FP/2 + FN/2) (Kirillov 2019); 1 when neither has lesions"
    )
    return pair_number(target, Quantity.PANOPTIC_QUALITY, quality, grid, method)


def _per_bin(target: Target, matched: ObjectMatches, grid: Grid, rule: LesionRule) -> list[Measurement]:
    if grid.unit != "mm":
        return []
    ml = grid.voxel_volume / 1000
    is_found = np.isin(np.arange(matched.first_sizes.size), matched.first[matched.paired])
    is_false = ~np.isin(np.arange(matched.second_sizes.size), matched.second[matched.paired])
    rows = []
    for name, low, high in rule.bins:
        part = Target(target.kind, target.name, target.labels, detail=name)
        here = _between(matched.first_sizes * ml, low, high)
        false = int((is_false & _between(matched.second_sizes * ml, low, high)).sum())
        wanted, found = int(here.sum()), int((here & is_found).sum())
        rows += [
            pair_number(part, Quantity.LESIONS_IN_REFERENCE, wanted, grid, rule.text(grid)),
            pair_number(part, Quantity.LESIONS_FOUND, found, grid, rule.text(grid)),
            pair_number(
                part, Quantity.LESION_FALSE_POSITIVES, false, grid, f"{rule.text(grid)}; by their own size"
            ),
            _ratio(
                part, Quantity.LESION_SENSITIVITY, (found, wanted), grid, _none(" of this size", rule, grid)
            ),
        ]
    return rows


def _per_lesion(target: Target, matched: ObjectMatches, grid: Grid, rule: LesionRule) -> list[Measurement]:
    found = matched.partners
    ml = grid.voxel_volume / 1000
    rows = []
    for index, size in enumerate(matched.first_sizes.tolist()):
        lesion = Target(target.kind, target.name, target.labels, lesion=index + 1)
        partner, dice = found.get(index, (None, 0.0))
        method = f"missed; {rule.text(grid)}" if partner is None else rule.text(grid)
        error = (0 if partner is None else int(matched.second_sizes[partner])) - size
        rows.append(pair_number(lesion, Quantity.DICE, dice, grid, method))
        if grid.unit == "mm":
            rows.append(pair_number(lesion, Quantity.VOLUME_ERROR, error * ml, grid, method))
        rows.append(pair_number(lesion, Quantity.RELATIVE_VOLUME_ERROR, 100 * error / size, grid, method))
    return rows


def _ratio(
    target: Target, quantity: Quantity, parts: tuple[float, int], grid: Grid, words: tuple[str, str]
) -> Measurement:
    """Share of two counts; where there is nothing to divide by, the first of the words is the reason."""
    reason, method = words
    if not parts[1]:
        return refused(target, quantity, grid, reason)
    return pair_number(target, quantity, parts[0] / parts[1], grid, method)


def _none(what: str, rule: LesionRule, grid: Grid) -> tuple[str, str]:
    return f"the reference has no lesion{what}", rule.text(grid)


def _between(sizes: NDArray[np.floating], low: float, high: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (sizes >= low) & (sizes < high)
    return inside
