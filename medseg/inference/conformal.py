"""CV+ intervals of volumes: every fold's own volume of a scan, widened by what that fold got wrong on others.

Barber et al. 2021 (Predictive inference with the jackknife+, Ann Stat 49:486, arXiv 1905.02928), with the error of a
volume on a logarithmic scale: |log((reference + c) / (predicted + c))|.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from medseg.domain.intervals import FoldVolume, VolumeCalibration, VolumeInterval

__all__ = ["cross_fitted", "guaranteed_coverage", "volume_interval"]

#: Subjects that a bin by predicted size must have; with fewer, all sizes are pooled.
_IN_BIN = 30


def volume_interval(
    target: str, volume_ml: float, fold_volumes_ml: Sequence[float], calibration: VolumeCalibration
) -> VolumeInterval | None:
    """Interval of one volume, widened to hold it; None where there are too few subjects for the level.

    Parameters
    ----------
    target
        Name of the label or region.
    volume_ml
        As printed: of all folds together.
    fold_volumes_ml
        Of each fold's network alone on the same scan, by its number.
    calibration
        Of the model.

    Notes
    -----
    Subjects are taken from the third of predicted sizes that the volume lies in where each third has 30, else all.
    The lower end is 0 or more; of an empty prediction it is 0.
    """
    known = _of_this_size(calibration.of(target), volume_ml)
    ends = _cv_plus(known, fold_volumes_ml, calibration)
    if ends is None:
        return None
    low, high = ends
    low = 0.0 if volume_ml == 0 else max(0.0, min(low, volume_ml))
    folds = len({item.fold for item in known})
    return VolumeInterval(
        target,
        volume_ml,
        low,
        max(high, volume_ml),
        calibration.level,
        guaranteed_coverage(len(known), folds, calibration.level),
        len(known),
        folds,
    )


def guaranteed_coverage(subjects: int, folds: int, level: float) -> float:
    """What CV+ holds for certain of exchangeable subjects (Barber et al. 2021, theorem 4); at least 0.

    >>> round(guaranteed_coverage(200, 3, 0.9), 2), round(guaranteed_coverage(31, 5, 0.9), 2)
    (0.78, 0.66)
    """
    lost = min(
        2 * (1 - 1 / folds) / (subjects / folds + 1),
        (1 - folds / subjects) / (folds + 1),
    )
    return max(0.0, 1 - 2 * (1 - level) - lost)


def cross_fitted(target: str, calibration: VolumeCalibration) -> tuple[float, float, int] | None:
    """(share of subjects whose reference lies in the interval that the others give, median width in ml, subjects).

    Each subject's volume by its own fold is widened by the errors of the other folds' subjects, so nobody judges
    himself; it is what can be measured without new scans. None where too few are left.
    """
    known = calibration.of(target)
    inside, widths = [], []
    for one in known:
        others = [item for item in _of_this_size(known, one.predicted_ml) if item.fold != one.fold]
        volumes = {item.fold: one.predicted_ml for item in others}
        ends = _cv_plus(others, volumes, calibration)
        if ends is None:
            return None
        low, high = max(0.0, min(ends[0], one.predicted_ml)), max(ends[1], one.predicted_ml)
        inside.append(low <= one.reference_ml <= high)
        widths.append(high - low)
    if not inside:
        return None
    return float(np.mean(inside)), float(np.median(widths)), len(inside)


def _cv_plus(
    known: Sequence[FoldVolume],
    fold_volumes_ml: Sequence[float] | Mapping[int, float],
    calibration: VolumeCalibration,
) -> tuple[float, float] | None:
    """The ⌊α (n + 1)⌋ smallest of all lower ends, and the ⌈(1 − α) (n + 1)⌉ smallest of all upper ones."""
    count, offset = len(known), calibration.offset_ml
    alpha = 1 - calibration.level
    # A millionth: 0.1 × 30 is less than 3 in floating point.
    first, last = math.floor(alpha * (count + 1) + 1e-6), math.ceil(calibration.level * (count + 1) - 1e-6)
    if first < 1 or last > count:
        return None
    errors = np.array([abs(_log_ratio(item, offset)) for item in known])
    centres = np.log(np.array([fold_volumes_ml[item.fold] for item in known]) + offset)
    low, high = np.sort(centres - errors)[first - 1], np.sort(centres + errors)[last - 1]
    return math.exp(low) - offset, math.exp(high) - offset


def _log_ratio(item: FoldVolume, offset: float) -> float:
    return math.log((item.reference_ml + offset) / (item.predicted_ml + offset))


def _of_this_size(known: Sequence[FoldVolume], volume_ml: float) -> tuple[FoldVolume, ...]:
    """Subjects of the same third of predicted sizes, where each third is large enough."""
    if len(known) < 3 * _IN_BIN:
        return tuple(known)
    edges = np.quantile([item.predicted_ml for item in known], (1 / 3, 2 / 3))
    mine = int(np.searchsorted(edges, volume_ml))
    return tuple(item for item in known if int(np.searchsorted(edges, item.predicted_ml)) == mine)
