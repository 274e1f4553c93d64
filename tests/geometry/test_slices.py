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
    ("three of four at one place", stack(5, 5, 5, 10), "duplicates", 0),
    ("all at one place", stack(5, 5, 5), "duplicates", 0),
    ("tilted", stack(0, 5, 10, tilt=0.25), "sheared", 0),
    ("a tilt of rounding", np.array([[0, 0, 0], [0, 0.01, 1], [0, 0.02, 2]]), "uniform", 0),
    ("tilted by more than three positions' rounding", stack(0, 1, 2, tilt=0.03), "sheared", 0),
    ("tilted with a gap", stack(0, 5, 15, tilt=0.25), "gap", 1),
    ("long gap, rounded positions", stack(0, 0.6, 1.19, 13.19, 13.79), "gap", 19),
    ("positions rounded by nearly a twentieth", stack(0, 5.22, 10), "uniform", 0),
    ("by a twentieth", stack(0, 5.25, 10), "uniform", 0),
    ("by more than a twentieth", stack(0, 5.28, 10), "variable spacing", 0),
    ("a twentieth of a small step", stack(0, 0.522, 1), "uniform", 0),
    ("more than a twentieth of a small step", stack(0, 0.528, 1), "variable spacing", 0),
    ("nearly at one place", stack(0, 5, 5.045, 10.045), "duplicates", 0),
    ("two slices close together", stack(0, 5, 5.06, 10.03), "variable spacing", 0),
    (
        "two slices nearly at one place, on a lattice of 0.055 mm",
        stack(0, 5, 5.055, 10.055),
        "variable spacing",
        0,
    ),
    ("on one of 0.2 mm", stack(0, 5, 5.2, 10.2), "variable spacing", 0),
    ("on one of a twentieth", stack(0, 5, 5.25, 10.25), "gap", 38),
    ("a gap that rounding explains", stack(0, 5, 15.22), "gap", 1),
    ("a gap that it does not", stack(0, 5, 10, 17.5), "variable spacing", 0),
    (
        "a little along and a little sideways",
        np.array([[0, 0, 0], [0, 0.2, 5.2], [0, 0, 10]]),
        "variable spacing",
        0,
    ),
    ("long and nearly upright", stack(*range(100), tilt=0.0009), "uniform", 0),
    ("long and tilted a little", stack(*range(100), tilt=0.0011), "sheared", 0),
    ("one slice shifted sideways", np.array([[0, 0, 0], [0, 4, 5], [0, 0, 10]]), "variable spacing", 0),
]


@pytest.mark.parametrize(("name", "positions", "verdict", "missing"), CASES, ids=[case[0] for case in CASES])
def test_verdicts(name: str, positions: np.ndarray, verdict: str, missing: int) -> None:
    found = judge_slices(positions, np.tile(AXIAL, (len(positions), 1)), [SHAPE] * len(positions))
    assert found.verdict.value == verdict
    assert found.missing == missing
    assert (np.diff(found.offsets) >= 0).all()


@pytest.mark.parametrize("tilt", [0.25, np.sqrt(3)])
def test_the_tilt_is_told_in_degrees(tilt: float) -> None:
    found = judge_slices(stack(0, 5, 10, tilt=tilt), np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arctan(tilt)))
    assert found.step == pytest.approx((0, 5 * tilt, 5))


def test_the_step_follows_a_tilted_stack_through_its_gap() -> None:
    found = judge_slices(stack(0, 5, 15, tilt=0.25), np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.25)))
    assert found.step == pytest.approx((0, 1.25, 5))


def test_a_tilt_that_rounding_explains_is_turned_onto_the_normal() -> None:
    positions = np.array([[0, 0, 0], [0, 0.01, 1], [0, 0.02, 2]])
    found = judge_slices(positions, np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.step == pytest.approx((0, 0, 1))


def test_a_tilt_below_the_tolerance_is_kept() -> None:
    found = judge_slices(stack(*range(100), tilt=0.0009), np.tile(AXIAL, (100, 1)), [SHAPE] * 100)
    assert found.step == pytest.approx((0, 0.0009, 1), abs=1e-9)
    assert found.tilt_degrees == 0


def test_a_tilt_that_rounding_explains_is_turned_onto_the_normal_over_a_gap_too() -> None:
    positions = np.array([[0, 0, 0], [0, 0.05, 5], [0, 0.15, 15]])
    found = judge_slices(positions, np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert (found.verdict.value, found.missing, found.tilt_degrees) == ("gap", 1, 0)
    assert found.step == pytest.approx((0, 0, 5))


def test_rounding_explains_less_over_a_long_gap() -> None:
    positions = np.array([[0, 0, 0], [0, 0.1, 5], [0, 0.3, 15]])
    found = judge_slices(positions, np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.02)))
    assert found.step == pytest.approx((0, 0.1, 5))


def test_the_step_of_uneven_slices_is_their_smallest() -> None:
    found = judge_slices(stack(0, 5, 12, tilt=0.25), np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.verdict.value == "variable spacing"
    assert found.step == pytest.approx((0, 1.25, 5))
    assert found.offsets.tolist() == [0, 5, 12]
    assert found.tilt_degrees == pytest.approx(np.degrees(np.arctan(0.25)))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_what_is_no_stack_has_no_step(count: int) -> None:
    found = judge_slices(stack(*[5.0] * count).reshape(-1, 3), np.tile(AXIAL, (count, 1)), [SHAPE] * count)
    assert found.step.tolist() == [0, 0, 0]
    assert found.offsets.tolist() == [0] * count
    assert found.order == tuple(range(count))
    assert (found.missing, found.tilt_degrees, found.sideways_mm) == (0, 0, 0)


def test_slices_off_the_line_say_how_far() -> None:
    positions = np.array([[0, 0, 0], [0, 4, 5], [0, 0, 10]])
    found = judge_slices(positions, np.tile(AXIAL, (3, 1)), [SHAPE] * 3)
    assert found.sideways_mm == pytest.approx(4)


@pytest.mark.parametrize(
    ("orientations", "shapes"),
    [
        ([AXIAL, CORONAL], [SHAPE, SHAPE]),
        ([AXIAL, AXIAL, CORONAL], [SHAPE] * 3),
        ([CORONAL, AXIAL, AXIAL], [SHAPE] * 3),
        ([AXIAL, (1, 0.0011, 0, 0, 1, 0)], [SHAPE, SHAPE]),
        ([AXIAL, AXIAL], [SHAPE, (8, 9)]),
    ],
    ids=["orientations", "the last", "the first", "just another", "shapes"],
)
def test_mixed_stacks(orientations: list[tuple[int, ...]], shapes: list[tuple[int, int]]) -> None:
    count = len(orientations)
    found = judge_slices(stack(*range(count)), np.array(orientations), shapes)
    assert found.verdict.value == "mixed orientations"
    assert found.order == tuple(range(count))
    assert found.step.tolist() == [0, 0, 0]
    assert found.offsets.tolist() == [0] * count


def test_cosines_rounded_to_three_digits_are_one_orientation() -> None:
    found = judge_slices(stack(0, 5), np.array([AXIAL, (1, 0.001, 0, 0, 1, 0)]), [SHAPE, SHAPE])
    assert found.verdict.value == "uniform"


def test_nothing_is_no_volume() -> None:
    assert judge_slices(np.zeros((0, 3)), np.zeros((0, 6)), []).verdict.value == "not a volume"


def test_k_grows_along_the_normal() -> None:
    found = judge_slices(np.array([[0, 0, 0], [0, 5, 0], [0, 10, 0]]), np.tile(CORONAL, (3, 1)), [SHAPE] * 3)
    assert found.order == (0, 1, 2)
    assert found.step == pytest.approx((0, 5, 0))
