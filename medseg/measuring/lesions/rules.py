"""Rule sets of size applied: in which plane a lesion is measured, and whether it meets the size criterion.

Size alone: whether a lesion may be chosen for follow-up (bone, cystic, necrotic, irradiated) needs a reader.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.size import SizeRule, node_category
from medseg.domain import Grid
from medseg.geometry.resample import resample
from medseg.masks import slice_axis

__all__ = ["SizeVerdict", "axial_box", "is_axial", "judge_size", "known_thickness"]

#: A plane tilted by less than this (degrees) against the transverse one is called axial.
AXIAL_DEGREES = 15.0
NO_THICKNESS = (
    "the thickness of a slice is not known, and the criterion depends on it; give --slice-thickness MM"
)
NOT_PHYSICAL = "the criterion is in mm and the image has no physical size (px); give --spacing if it is known"
NO_ORIENTATION = "the rule measures axial slices and the file does not say which are; give --orientation"
ONE_SLICE = "the rule asks for two slices and the image is a single one"


@dataclass(frozen=True, slots=True)
class SizeVerdict:
    """1, 0, or None with the reason; `words` says what was compared with what."""

    value: int | None
    words: str


def known_thickness(grid: Grid) -> float | None:
    """Thickness that counts, mm: the larger of slice spacing and stated thickness; None where none is stated.

    >>> known_thickness(Grid((9, 9, 9), np.diag([1.0, 1.0, 3.0, 1.0]), slice_thickness=5.0))
    5.0
    """
    if grid.slice_thickness is None:
        return None
    axis = slice_axis(grid)
    return max(grid.slice_thickness, grid.spacing[axis] if grid.shape[axis] > 1 else 0.0)


def is_axial(grid: Grid) -> bool:
    """Whether the slices of a grid lie within 15 degrees of the transverse plane."""
    upright = abs(float(grid.direction[2, slice_axis(grid)]))
    return grid.orientation_known and upright >= math.cos(math.radians(AXIAL_DEGREES))


def axial_box(mask: NDArray[np.bool_], grid: Grid) -> tuple[NDArray[np.bool_], Grid]:
    """A mask's box on axial slices: (I, J, K) bool and its RAS grid; slices lie across its last axis.

    Linear interpolation at 0.5. Pixels are square, as small as the grid's smallest spacing within its most
    transverse axes; slices are as far apart as the steps of the axis nearest to head-foot. What is thinner than
    a pixel may vanish: then nothing is set.
    Memory: the box in float32, twice.
    """
    padded = np.pad(mask, 1)
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_position(np.array([-1.0, -1.0, -1.0]))
    source = replace(grid, shape=_shape(padded.shape), affine=affine)
    up = next(axis for axis in range(3) if grid.orientation[axis] in "SI")
    pixel = min(step for axis, step in enumerate(grid.spacing) if axis != up)
    spacing = np.array([pixel, pixel, grid.spacing[up]])
    low, high = source.corners.min(axis=0), source.corners.max(axis=0)
    target_affine = np.diag([*spacing, 1.0])
    # Off the old centres by a quarter: halfway between two of them the value is 0.5 exactly, neither in nor out.
    target_affine[:3, 3] = low + spacing / 4
    extent = np.ceil((high - low) / spacing - 1e-6).astype(int) + 1
    target = replace(grid, shape=_shape(extent), affine=target_affine)
    return resample(padded, source, target, interpolation="linear") > 0.5, target


def _shape(extent: tuple[int, ...] | NDArray[np.intp]) -> tuple[int, int, int]:
    i, j, k = (int(n) for n in extent)
    return i, j, k


def judge_size(
    rule: SizeRule,
    grid: Grid,
    axes: tuple[float, float],
    slices: Callable[[float, float], int],
    *,
    cut: bool,
) -> SizeVerdict:
    """Whether a lesion meets a rule set's size criterion.

    Parameters
    ----------
    rule
        The criterion.
    grid
        The lesion's own grid (not a resliced one): unit, thickness, orientation.
    axes
        Longest diameter and perpendicular, free chords, mm.
    slices
        Called with the lengths asked for: on how many slices the lesion shows (and reaches both, where
        the rule says so).
    cut
        Whether the lesion leaves the field of view: then its lengths are lower bounds, so the criterion can
        be met but never missed for certain.
    """
    if reason := _unanswerable(rule, grid):
        return SizeVerdict(None, reason)
    thickness = known_thickness(grid) or 0.0
    least = 2 * thickness if rule.twice_thickness else 0.0
    long, short = (max(length, least) if length else 0.0 for length in (rule.long_mm, rule.short_mm))
    met = axes[0] >= long and axes[1] >= short
    if met and rule.slices > 1:
        met = slices(long, short) >= rule.slices
    words = _words(rule, long, short, thickness)
    if cut and not met:
        return SizeVerdict(
            None,
            f"the lesion is cut by the border, and its visible part does not meet the criterion ({words}); "
            "whether the whole does is unknown",
        )
    if rule.long_mm == 0:
        words += f"; this node: {node_category(axes[1])}" if not cut else ""
    return SizeVerdict(int(met), words)


def _unanswerable(rule: SizeRule, grid: Grid) -> str | None:
    if grid.unit == "px":
        return NOT_PHYSICAL
    if rule.plane == "axial" and not grid.orientation_known:
        return NO_ORIENTATION
    if rule.slices > 1 and grid.shape[slice_axis(grid)] == 1:
        return ONE_SLICE
    if rule.twice_thickness and known_thickness(grid) is None:
        return NO_THICKNESS
    return None


def _words(rule: SizeRule, long: float, short: float, thickness: float) -> str:
    parts = []
    if long:
        parts.append(f"longest diameter of {long:g} mm or more")
    if short:
        parts.append(f"{'perpendicular' if long else 'short axis'} of {short:g} mm or more")
    if rule.slices > 1:
        parts.append(f"{'both ' if rule.both_on_each else ''}on at least {rule.slices} axial slices")
    if rule.twice_thickness:
        parts.append(f"lengths being the larger of 10 mm and twice the slice thickness of {thickness:g} mm")
    return ", ".join(parts)
