"""Named rule sets of size, case by case."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from medseg.definitions.size import RULES, node_category
from medseg.domain import Grid
from medseg.geometry import affine_orientation
from medseg.measuring.lesions.rules import axial_box, is_axial, judge_size, known_thickness


def grid(
    spacing: tuple[float, float, float] = (1, 1, 3), thickness: float | None = 3.0, letters: str = "RAS"
) -> Grid:
    return Grid((40, 40, 20), affine_orientation(spacing, letters), slice_thickness=thickness)


def on(count: int) -> Callable[[float, float], int]:
    return lambda long, short: count


#: Rule, slice thickness, longest and perpendicular diameter, slices that fulfil it → meets the criterion.
CASES = [
    ("recist-1.1", 3.0, 10.0, 2.0, 1, 1),
    ("recist-1.1", 3.0, 9.99, 9.0, 9, 0),
    ("recist-1.1", 5.0, 10.0, 2.0, 1, 1),
    ("recist-1.1", 6.0, 11.9, 9.0, 9, 0),
    ("recist-1.1", 6.0, 12.0, 2.0, 1, 1),
    ("recist-1.1-node", 3.0, 30.0, 15.0, 1, 1),
    ("recist-1.1-node", 3.0, 30.0, 14.9, 1, 0),
    ("recist-1.1-node", 3.0, 30.0, 9.0, 1, 0),
    ("rano-2010", 3.0, 10.0, 10.0, 2, 1),
    ("rano-2010", 3.0, 10.0, 10.0, 1, 0),
    ("rano-2010", 3.0, 20.0, 9.9, 5, 0),
    ("rano-2010", 5.0, 10.0, 10.0, 2, 1),
    ("rano-2010", 6.0, 11.9, 11.9, 5, 0),
    ("rano-2010", 6.0, 12.0, 12.0, 2, 1),
    ("rano-bm", 3.0, 10.0, 5.0, 2, 1),
    ("rano-bm", 3.0, 9.9, 9.0, 2, 0),
    ("rano-bm", 3.0, 20.0, 4.9, 5, 0),
    ("rano-bm", 3.0, 20.0, 8.0, 1, 0),
]


@pytest.mark.parametrize(("rule", "thickness", "long", "short", "slices", "meets"), CASES)
def test_the_criterion(
    rule: str, thickness: float, long: float, short: float, slices: int, meets: int
) -> None:
    place = grid((1, 1, thickness), thickness)
    verdict = judge_size(RULES[rule], place, (long, short), on(slices), cut=False)  # type: ignore[index]
    assert verdict.value == meets
    assert "target lesion" not in verdict.words


def test_the_slices_are_counted_by_the_lengths_that_the_thickness_asks_for() -> None:
    asked = []

    def count(long: float, short: float) -> int:
        asked.append((long, short))
        return 2

    judge_size(RULES["rano-2010"], grid((1, 1, 7), 7.0), (30, 30), count, cut=False)
    assert asked == [(14.0, 14.0)]


@pytest.mark.parametrize(
    ("spacing", "stated", "counts"), [(3.0, None, None), (3.0, 5.0, 5.0), (6.0, 5.0, 6.0), (3.0, 3.0, 3.0)]
)
def test_the_larger_of_spacing_and_thickness_counts(
    spacing: float, stated: float | None, counts: float | None
) -> None:
    assert known_thickness(grid((1, 1, spacing), stated)) == counts


def test_a_single_slice_has_its_stated_thickness() -> None:
    assert known_thickness(Grid((9, 9, 1), np.diag([1, 1, 8.0, 1]), slice_thickness=4.0)) == 4.0


WITHHELD = {
    "no thickness": ("recist-1.1", grid(thickness=None), "--slice-thickness"),
    "no thickness, RANO": ("rano-2010", grid(thickness=None), "--slice-thickness"),
    "px": ("recist-1.1", Grid((9, 9, 1), np.diag([-1.0, -1, 1, 1]), unit="px"), "px"),
    "no orientation": (
        "rano-2010",
        Grid((9, 9, 9), np.eye(4), slice_thickness=1.0, orientation_known=False),
        "--orientation",
    ),
    "two slices of one": ("rano-2010", Grid((9, 9, 1), np.eye(4), slice_thickness=1.0), "single"),
}


@pytest.mark.parametrize("name", WITHHELD)
def test_what_can_not_be_answered_says_why(name: str) -> None:
    rule, place, word = WITHHELD[name]
    verdict = judge_size(RULES[rule], place, (90, 90), on(9), cut=False)  # type: ignore[index]
    assert verdict.value is None
    assert word in verdict.words


@pytest.mark.parametrize("rule", ["recist-1.1-node", "rano-bm"])
def test_a_rule_without_thickness_needs_none(rule: str) -> None:
    verdict = judge_size(RULES[rule], grid(thickness=None), (90, 90), on(9), cut=False)  # type: ignore[index]
    assert verdict.value == 1


@pytest.mark.parametrize(("long", "value"), [(10.0, 1), (9.0, None)])
def test_a_cut_lesion_can_meet_a_criterion_and_never_miss_it(long: float, value: int | None) -> None:
    verdict = judge_size(RULES["recist-1.1"], grid(), (long, 5), on(1), cut=True)
    assert verdict.value == value
    assert value or "cut" in verdict.words


@pytest.mark.parametrize(
    ("short", "word"),
    [(15.0, "target size"), (14.99, "pathological, non-target"), (10.0, "pathological"), (9.99, "normal")],
)
def test_nodes_have_three_categories(short: float, word: str) -> None:
    assert word in node_category(short)
    verdict = judge_size(RULES["recist-1.1-node"], grid(), (40, short), on(1), cut=False)
    assert word in verdict.words


@pytest.mark.parametrize(
    ("letters", "spacing", "axial"),
    [
        ("RAS", (1, 1, 3), True),
        ("SPL", (3, 1, 1), True),
        ("PSR", (1, 1, 3), False),
        ("RSA", (1, 1, 3), False),
    ],
)
def test_the_acquired_plane_is_axial_or_not(
    letters: str, spacing: tuple[float, float, float], axial: bool
) -> None:
    assert is_axial(grid(spacing, letters=letters)) is axial


@pytest.mark.parametrize(("degrees", "axial"), [(0, True), (14, True), (16, False)])
def test_slices_tilted_by_more_than_15_degrees_are_not_axial(degrees: float, axial: bool) -> None:
    angle = math.radians(degrees)
    affine = np.eye(4)
    affine[:3, :3] = np.array(
        [[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]]
    ) * (1, 1, 3)
    assert is_axial(Grid((9, 9, 9), affine)) is axial


def test_a_resliced_ball_is_where_it_was() -> None:
    place = grid((1.0, 1.0, 2.0), letters="PSR")
    points = place.to_position(np.stack(np.indices(place.shape), axis=-1))
    centre = place.to_position((np.array(place.shape) - 1) / 2)
    mask, axial = axial_box(np.linalg.norm(points - centre, axis=-1) <= 12, place)
    assert axial.orientation == "RAS"
    assert np.allclose(axial.spacing, (1, 1, 1))
    found = axial.to_position(np.argwhere(mask))
    assert np.allclose(found.mean(axis=0), centre, atol=0.2)
    assert len(found) * axial.voxel_volume == pytest.approx(4 / 3 * math.pi * 12**3, rel=0.03)


def test_what_is_thinner_than_a_pixel_may_vanish() -> None:
    mask = np.ones((1, 1, 1), np.bool_)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.array([[1.0, 0.4, 0.3], [0.2, 1, 0.5], [0.3, 0.1, 1]]))[0]
    resliced, _ = axial_box(mask, Grid((1, 1, 1), affine))
    assert resliced.sum() <= 1
