"""Rules for the model's grid: which spacing, and which patch of it."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.training.planning.budget import Budget
from medseg.training.planning.fingerprint import Fingerprint, count_vanishing

__all__ = ["Grid3", "choose_spacing", "median_shape"]

#: Slices this many times thicker than the pixels, in volumes with few of them, hold detail that a median would blur.
_ANISOTROPIC = 3.0
#: Percentile taken for the thick axis of such sets (nnU-Net's rule: Isensee et al. 2021, Nat Methods 18:203).
_THICK_PERCENTILE = 10
#: A step of coarsening, and the share of objects that it may lose.
_STEP = 1.02
_MOST_LOST = 0.05
#: Spacings are written with so many digits; a finer figure would only look exact.
_DIGITS = 3
_SAME = 1e-3


@dataclass(frozen=True, slots=True)
class Grid3:
    """A spacing in mm (None: as the pixels are), the median case's shape on it, and why."""

    spacing: tuple[float, float, float] | None
    shape: tuple[int, int, int]
    why: str


def choose_spacing(fingerprint: Fingerprint, budget: Budget, dimensions: int, run: Run) -> Grid3:
    """Median spacing of the set, coarser where a median case would be too large for the budget.

    A coarser spacing that loses more than 5 % of the separate objects is taken back half-way, and again.
    """
    shape = np.median(fingerprint.shapes, axis=0)
    if fingerprint.unit == "px":
        return Grid3(None, _rounded_shape(shape), "the images have no physical size, so pixels stay pixels")
    median, why = _median(fingerprint)
    extent = np.median(fingerprint.shapes * fingerprint.spacings, axis=0)
    wanted = _coarsened(median, extent, budget.case_voxels[dimensions], dimensions, fingerprint)
    if np.allclose(wanted, median, rtol=_SAME):
        return Grid3(_rounded(median), _rounded_shape(extent / median), why)
    spacing, lost = _kept_objects(fingerprint, median, wanted, run)
    why += (
        f", made coarser so that a median case of {_times(extent / median)} voxels has {_times(extent / spacing)}, "
        f"which the budget can train on; {lost}"
    )
    return Grid3(_rounded(spacing), _rounded_shape(extent / spacing), why)


def median_shape(
    fingerprint: Fingerprint, spacing: tuple[float, float, float] | None
) -> tuple[int, int, int]:
    """Median shape of the cases on a spacing (None: their own)."""
    if spacing is None:
        return _rounded_shape(np.median(fingerprint.shapes, axis=0))
    return _rounded_shape(np.median(fingerprint.shapes * fingerprint.spacings, axis=0) / np.array(spacing))


def _median(fingerprint: Fingerprint) -> tuple[NDArray[np.float64], str]:
    spacings = fingerprint.spacings
    median = np.median(spacings, axis=0)
    low, high = spacings.min(axis=0), spacings.max(axis=0)
    if np.allclose(low, high, rtol=_SAME):
        return median, "the spacing that all cases have"
    why = f"the median of the set, whose spacings run from {_times(low)} to {_times(high)} mm"
    thick = int(np.argmax(median))
    others = np.delete(median, thick)
    shape = np.median(fingerprint.shapes, axis=0)
    if (
        median[thick] > _ANISOTROPIC * others.max()
        and shape[thick] * _ANISOTROPIC < np.delete(shape, thick).min()
    ):
        median = median.copy()
        median[thick] = max(float(np.percentile(spacings[:, thick], _THICK_PERCENTILE)), float(others.max()))
        why += f"; its thick axis takes the {_THICK_PERCENTILE}th percentile, so that thin slices keep their detail"
    return median, why


def _coarsened(
    median: NDArray[np.float64],
    extent: NDArray[np.float64],
    most: int,
    dimensions: int,
    fingerprint: Fingerprint,
) -> NDArray[np.float64]:
    """The finest axes grow first, until all are equal; then all together, until a median case fits."""
    spacing = median.copy()
    free = np.ones(3, np.bool_)
    if dimensions == 2:
        free[fingerprint.cases[0].slice_axis] = False
    while prod(_rounded_shape(np.where(free, extent / spacing, 1.0))) > most:
        finest = free & (spacing <= spacing[free].min() * _STEP)
        spacing[finest] *= _STEP
    return spacing


def _kept_objects(
    fingerprint: Fingerprint, median: NDArray[np.float64], wanted: NDArray[np.float64], run: Run
) -> tuple[NDArray[np.float64], str]:
    spacing = wanted
    for _ in range(3):
        counts = count_vanishing(fingerprint, _rounded(spacing), run).values()
        total, kept = (sum(row[place] for row in counts) for place in (0, 1))
        if total - kept <= _MOST_LOST * total:
            break
        spacing = np.sqrt(spacing * median)
    if kept == total:
        return spacing, f"all {total} separate objects of the masks survive it"
    return spacing, f"{total - kept} of {total} separate objects of the masks vanish at it"


def _rounded(spacing: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(step), _DIGITS) for step in spacing)
    return x, y, z


def _rounded_shape(shape: NDArray[np.float64]) -> tuple[int, int, int]:
    i, j, k = (max(1, round(float(size))) for size in shape)
    return i, j, k


def _times(values: NDArray[np.float64]) -> str:
    return " × ".join(f"{value:.3g}" for value in values)
