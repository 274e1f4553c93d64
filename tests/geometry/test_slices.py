"""Verdicts on slice positions, by tables."""

import numpy as np
import pytest

from medseg.geometry.slices import judge_slices

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
SHAPE = (8, 8)


def stack(*z: float, tilt: float = 0.0) -> np.ndarray:
    return np.array([[10.0, 20.0 + tilt * place, place] for place in z])


CASES = [
    ("uniform", stack(0, 5, 10), "uniform", 0),
    ("any order", stack(10, 0, 5), "uniform", 0),
    ("one slice", stack(3), "uniform", 0),
    ("rounded positions", stack(0, 3.3, 6.59, 9.9), "uniform", 0),
    ("one missing", stack(0, 5, 15), "gap", 1),
    ("three missing", stack(0, 2, 4, 12), "gap", 3),
    ("positions 5, 5, 10", stack(0, 5, 10, 20), "gap", 1),
    ("uneven", stack(0, 5, 12), "variable spacing", 0),
    ("twice at one place", stack(0, 5, 5, 10), "duplicates", 0),
    ("all at one place", stack(5, 5, 5), "duplicates", 0),
    ("tilted", stack(0, 5, 10, tilt=0.25), "sheared", 0),
    ("a tilt of rounding", np.array([[0, 0, 0], [0, 0.01, 1], [0, 0.02, 2]]), "uniform", 0),
    ("tilted with a gap", stack(0, 5, 15, tilt=0.25), "gap", 1),
    ("long gap, rounded positions", stack(0, 0.6, 1.19, 13.19, 13.79), "gap", 19),
    ("one slice shifted sideways", np.array([[0, 0, 0], [0, 4, 5], [0, 0, 10]]), "variable spacing", 0),
]


@pytest.mark.parametrize(("name", "positions", "verdict", "missing"), CASES, ids=[case[0] for case in CASES])
def test_verdicts(name: str, positions: np.ndarray, verdict: str, missing: int) -> None:
    found = judge_slices(positions, np.tile(AXIAL, (len(positions), 1)), [SHAPE] * len(positions))
    assert found.verdict.value == verdict
    assert found.missing == missing
    assert (np.diff(found.offsets) >= 0).all()


def test_the_tilt_is_told_in_degrees() -> None:
    found = judge_slices(stack(0, 5, 10, tilt=0.25), np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.25)))
    assert found.step == pytest.approx((0, 1.25, 5))


def test_the_step_follows_a_tilted_stack_through_its_gap() -> None:
    found = judge_slices(stack(0, 5, 15, tilt=0.25), np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.25)))
    assert found.step == pytest.approx((0, 1.25, 5))


def test_a_tilt_that_rounding_explains_is_turned_onto_the_normal() -> None:
    positions = np.array([[0, 0, 0], [0, 0.01, 1], [0, 0.02, 2]])
    found = judge_slices(positions, np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.step == pytest.approx((0, 0, 1))


def test_slices_off_the_line_say_how_far() -> None:
    positions = np.array([[0, 0, 0], [0, 4, 5], [0, 0, 10]])
    found = judge_slices(positions, np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.sideways_mm == pytest.approx(4)


@pytest.mark.parametrize(
    ("orientations", "shapes"),
    [([AXIAL, CORONAL], [SHAPE, SHAPE]), ([AXIAL, AXIAL], [SHAPE, (8, 9)])],
    ids=["orientations", "shapes"],
)
def test_mixed_stacks(orientations: list[tuple[int, ...]], shapes: list[tuple[int, int]]) -> None:
    assert judge_slices(stack(0, 5), np.array(orientations), shapes).verdict.value == "mixed orientations"


def test_nothing_is_no_volume() -> None:
    assert judge_slices(np.zeros((0, 3)), np.zeros((0, 6)), []).verdict.value == "not a volume"


def test_k_grows_along_the_normal() -> None:
    found = judge_slices(np.array([[0, 0, 0], [0, 5, 0], [0, 10, 0]]), np.tile(CORONAL, (3, 1)), [SHAPE] * 3)
    assert found.order == (0, 1, 2)
    assert found.step == pytest.approx((0, 5, 0))
