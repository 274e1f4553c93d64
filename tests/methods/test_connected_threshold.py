"""Connected threshold: which part a seed takes, and where two seeds share one."""

from typing import Any

import numpy as np
import pytest

from medseg.domain import Image, Prompts
from medseg.domain.prompts import Box, Point
from medseg.errors import ConfigError, InputError
from medseg.methods.connected_threshold import CONNECTED_THRESHOLD
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dumbbell, points

BAR = {"low": 50}


def run(image: Image, prompts: Prompts, params: dict[str, Any] | None = None, **more: Any) -> np.ndarray:
    return segment(CONNECTED_THRESHOLD, image, params=params, prompts=prompts, **more).labels


@pytest.mark.parametrize("thickness", [1, 5])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int) -> None:
    scan = ball(thickness)
    assert scan.dice(run(scan.image, MIDDLE, {"low": 60}) > 0) >= min(0.95, scan.ceiling - 0.005)


def test_without_bounds_the_edge_lies_halfway_between_seeds_and_the_box() -> None:
    scan = ball(noise=5)
    answer = segment(CONNECTED_THRESHOLD, scan.image, prompts=MIDDLE)
    assert scan.dice(answer.labels > 0) > 0.99
    assert dict(answer.made_by.parameters)["low_used"] == pytest.approx((100 + 20) / 2, abs=2)


def test_where_seeds_do_not_stand_out_otsu_decides() -> None:
    # A seed in what fills most of the box has the box's own median: halfway would be within the noise.
    scan = ball(noise=5)
    outside = run(scan.image, points((2.0, 2.0, 2.0)), {"margin_mm": 100}) > 0
    assert scan.dice(~outside) > 0.99


def test_what_reaches_the_end_of_the_box_is_said_to_be_cut() -> None:
    answers = [
        segment(CONNECTED_THRESHOLD, ball().image, prompts=MIDDLE, params={"low": 60, "margin_mm": margin})
        for margin in (10, 100)
    ]
    assert [[finding.code for finding in answer.findings] for answer in answers] == [
        ["method.cut_by_box"],
        [],
    ]


@pytest.mark.parametrize(
    ("prompts", "bounds"),
    [
        (points((18.0, 20.0, 20.0)), (6, 64)),
        (points((18.0, 20.0, 20.0), outside=((52.0, 20.0, 20.0),)), (6, 35)),
        (points((52.0, 20.0, 20.0), outside=((18.0, 20.0, 20.0),)), (35, 64)),
        (points((18.0, 20.0, 20.0), outside=((2.0, 2.0, 2.0),)), (6, 64)),
    ],
)
def test_a_negative_seed_cuts_what_reaches_it_at_the_neck(prompts: Prompts, bounds: tuple[int, int]) -> None:
    found = np.flatnonzero(run(dumbbell(), prompts, BAR).any(axis=(1, 2)))
    assert (found[0], found[-1]) == pytest.approx(bounds, abs=1.5)


def test_two_objects_share_a_part_at_its_neck() -> None:
    prompts = Prompts(points=(Point((18.0, 20.0, 20.0), label=1), Point((52.0, 20.0, 20.0), label=3)))
    answer = segment(CONNECTED_THRESHOLD, dumbbell(), params=BAR, prompts=prompts)
    assert answer.present == (1, 3)
    assert [label.name for label in answer.table.labels] == ["object 1", "object 3"]
    left, right = (answer.mask(value) for value in (1, 3))
    # A voxel halfway goes to the lower label, so the halves differ by one layer of the bar at most.
    assert abs(int(left.sum()) - int(right.sum())) <= 40


def test_nothing_lies_outside_within_or_the_box() -> None:
    image = dumbbell()
    within = np.zeros(image.grid.shape, np.bool_)
    within[:25] = True
    assert not run(image, points((18.0, 20.0, 20.0)), BAR, within=within)[25:].any()
    boxed = Prompts(boxes=(Box((4.0, 4.0, 4.0), (30.0, 36.0, 36.0)),))
    found = run(image, boxed, BAR)
    assert found.any()
    assert not found[31:].any()


def test_units_are_pixels_where_nothing_is_in_mm() -> None:
    scan = ball(unit="px")
    assert scan.dice(run(scan.image, MIDDLE, {"low": 60}) > 0) > 0.99


@pytest.mark.parametrize(
    ("params", "prompts", "error", "words"),
    [
        ({"low": 5, "high": 1}, MIDDLE, ConfigError, "low = 5 lies above high = 1"),
        ({"low": 500}, MIDDLE, InputError, "no seed lies"),
        ({}, Prompts(), InputError, "needs seeds"),
        ({}, points(outside=((3.0, 3.0, 3.0),)), InputError, "inside the object"),
        ({}, points((300.0, 3.0, 3.0)), InputError, "outside the image"),
        ({"connectivity": 7}, MIDDLE, ConfigError, "connectivity"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(ball().image, prompts, params)
