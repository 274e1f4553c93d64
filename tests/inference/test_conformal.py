"""Intervals of volumes: by hand, by theorem, and by drawing worlds in which the answer is known."""

import math

import numpy as np
import pytest

from medseg.domain.intervals import FoldVolume, VolumeCalibration
from medseg.errors import ConfigError
from medseg.inference.conformal import cross_fitted, guaranteed_coverage, volume_interval


def calibration(ratios: "list[float]", *, folds: int = 3, predicted: float = 1.0) -> VolumeCalibration:
    """Subjects whose reference is `ratio` times what their fold said, as good as without an offset."""
    volumes = tuple(
        FoldVolume("tumour", number % folds, predicted * ratio, predicted)
        for number, ratio in enumerate(ratios)
    )
    return VolumeCalibration(0.9, 1e-9, volumes)


def test_by_hand() -> None:
    # 19 subjects, errors of 1 to 19 %: the 2nd smallest lower end and the 18th smallest upper one.
    found = volume_interval(
        "tumour", 10.0, (10.0, 10.0, 10.0), calibration([1 + n / 100 for n in range(1, 20)])
    )
    assert found is not None
    assert found.low_ml == pytest.approx(10 / 1.18)
    assert found.high_ml == pytest.approx(10 * 1.18)
    assert (found.subjects, found.folds) == (19, 3)


def test_each_fold_counts_with_its_own_volume() -> None:
    exact = calibration([1.0] * 30)
    found = volume_interval("tumour", 10.0, (8.0, 10.0, 12.0), exact)
    assert found is not None
    assert (found.low_ml, found.high_ml) == (pytest.approx(8.0), pytest.approx(12.0))


@pytest.mark.parametrize(
    ("what", "volume", "folds", "low"),
    [
        ("the printed volume lies inside, whatever the folds say", 20.0, (10.0, 10.0, 10.0), 10 / 1.1),
        ("nothing found: it may be nothing", 0.0, (0.0, 0.1, 0.0), 0.0),
    ],
)
def test_ends(what: str, volume: float, folds: tuple[float, ...], low: float) -> None:
    found = volume_interval("tumour", volume, folds, calibration([1.1] * 40))
    assert found is not None
    assert found.low_ml == pytest.approx(low), what
    assert found.low_ml <= volume <= found.high_ml


@pytest.mark.parametrize(("subjects", "there"), [(0, False), (8, False), (9, True)])
def test_too_few_subjects_give_none(subjects: int, there: bool) -> None:
    found = volume_interval("tumour", 1.0, (1.0, 1.0, 1.0), calibration([1.1] * subjects))
    assert (found is not None) is there


def test_a_structure_that_nobody_calibrated_has_none() -> None:
    assert volume_interval("liver", 1.0, (1.0,), calibration([1.1] * 40)) is None


def test_small_and_large_are_told_apart_where_there_are_enough() -> None:
    small = [FoldVolume("t", n % 3, 1.5, 1.0 + n / 1000) for n in range(60)]
    large = [FoldVolume("t", n % 3, 101.0, 100.0 + n / 1000) for n in range(60)]
    found = volume_interval("t", 100.05, (100.05,) * 3, VolumeCalibration(0.9, 0.01, (*small, *large)))
    assert found is not None
    assert found.high_ml < 105
    assert found.subjects == 40


@pytest.mark.parametrize(
    ("subjects", "folds", "guaranteed"), [(200, 3, 0.78), (31, 5, 0.66), (10, 10, 0.8), (4, 2, 0.633)]
)
def test_what_is_guaranteed(subjects: int, folds: int, guaranteed: float) -> None:
    assert guaranteed_coverage(subjects, folds, 0.9) == pytest.approx(guaranteed, abs=0.005)


def test_coverage_in_a_world_of_known_errors() -> None:
    """1000 worlds of 60 subjects and 3 folds of their own bias each; at least the guaranteed share is covered."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(1000):
        bias = rng.normal(0, 0.05, 3)
        truth = np.exp(rng.normal(1, 0.5, 61))
        noise = rng.normal(0, 0.1, 61)
        said = [truth * np.exp(bias[fold] + noise) for fold in range(3)]
        volumes = tuple(FoldVolume("t", n % 3, float(truth[n]), float(said[n % 3][n])) for n in range(60))
        mine = [float(said[fold][60]) for fold in range(3)]
        found = volume_interval("t", float(np.mean(mine)), mine, VolumeCalibration(0.9, 0.01, volumes))
        assert found is not None
        covered += found.low_ml <= truth[60] <= found.high_ml
    assert 0.87 <= covered / 1000 <= 0.96


def test_cross_fitted_coverage_judges_nobody_by_himself() -> None:
    good = calibration([math.exp(error) for error in np.random.default_rng(1).normal(0, 0.1, 80)])
    found = cross_fitted("tumour", good)
    assert found is not None
    share, width, subjects = found
    assert 0.8 <= share <= 0.98
    assert 0.2 <= width <= 0.6
    assert subjects == 80
    # One fold that is wrong by half is not covered by the others' errors.
    off = tuple(FoldVolume("t", n % 2, 1.0 if n % 2 else 2.0, 1.0) for n in range(40))
    share, _, _ = cross_fitted("t", VolumeCalibration(0.9, 0.01, off)) or (1.0, 0.0, 0)
    assert share == pytest.approx(0.5)


@pytest.mark.parametrize(("level", "offset"), [(1.0, 0.1), (0.1, 0.1), (0.9, 0.0), (0.9, -1.0)])
def test_a_calibration_without_sense_is_refused(level: float, offset: float) -> None:
    with pytest.raises(ConfigError):
        VolumeCalibration(level, offset, ())
