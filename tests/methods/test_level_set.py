"""Level set: a front in a range of values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.masks.seeds import field_of, place_seeds
from medseg.methods.edges import smoothed_image
from medseg.methods.front_layers import layer_of
from medseg.methods.level_set import LEVEL_SET, Range, likeness
from medseg.workflows import segment
from tests.methods.balls import (
    BOTH_BALLS,
    MIDDLE,
    ball,
    dice,
    disc,
    dumbbell,
    flat,
    points,
    sheared,
    tumour,
    turned,
)


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("noise", [0, 5, 25])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(LEVEL_SET, scan.image, prompts=MIDDLE).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:36] = True
    found = segment(LEVEL_SET, scan.image, prompts=MIDDLE, within=within).labels
    assert not found[36:].any()
    assert dice(found[:36] > 0, scan.truth[:36]) > 0.9


def test_pixels_count_like_mm() -> None:
    scans = [ball(unit=unit).image for unit in ("mm", "px")]
    in_mm, in_pixels = (segment(LEVEL_SET, scan, prompts=MIDDLE).labels for scan in scans)
    np.testing.assert_array_equal(in_mm, in_pixels)


def test_a_disc_on_a_single_slice_is_found() -> None:
    scene = disc()
    found = segment(LEVEL_SET, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.97


def test_the_same_seeds_give_the_same_mask_bit_for_bit() -> None:
    scan = ball(noise=12)
    first, second = (segment(LEVEL_SET, scan.image, prompts=MIDDLE).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    scene = tumour(data)
    found = segment(LEVEL_SET, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.7


def test_two_objects_share_a_dumbbell_and_keep_their_labels() -> None:
    answer = segment(LEVEL_SET, dumbbell(), prompts=BOTH_BALLS)
    assert [label.value for label in answer.table.labels] == [2, 5]
    assert answer.labels[18, 20, 20] == 2
    assert answer.labels[52, 20, 20] == 5
    counts = np.bincount(answer.labels.ravel(), minlength=6)
    assert counts[2] == pytest.approx(counts[5], rel=0.1)
    assert dice(answer.labels > 0, dumbbell().array > 0) > 0.85


def test_a_seed_in_the_background_gives_away_what_looks_alike_and_is_nearer_to_it() -> None:
    seeds = points((18.0, 20.0, 20.0), outside=((52.0, 20.0, 20.0),))
    found = segment(LEVEL_SET, dumbbell(), prompts=seeds, params={"smoothness_mm": 0}).labels > 0
    left = dumbbell().array > 0
    left[35:] = False
    assert dice(found, left) > 0.9
    assert not found[42:].any()


def test_a_seed_always_belongs_to_its_object() -> None:
    # A lone bright voxel is no object that a front can hold.
    spot = ball(noise=0).image.array.copy()
    spot[5, 5, 5] = 300
    seeds = points((31.0, 29.0, 30.0), (5.0, 5.0, 5.0))
    found = segment(LEVEL_SET, Image(spot, ball().image.grid), prompts=seeds).labels
    assert found[5, 5, 5] == found[31, 29, 30] == 1


def test_a_sheared_grid_is_refused() -> None:
    with pytest.raises(InputError, match="right angles"):
        segment(LEVEL_SET, sheared(), prompts=MIDDLE)


def test_the_box_that_cuts_an_object_is_told() -> None:
    answer = segment(LEVEL_SET, ball().image, prompts=MIDDLE, params={"margin_mm": 10})
    assert "method.cut_by_box" in [finding.code for finding in answer.findings]


def test_a_turned_grid_gives_the_same_voxels() -> None:
    # ITK's pull of edges turns with the image where its front does not; here nothing may turn.
    scene = turned()
    found = segment(LEVEL_SET, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.98


def test_a_given_range_is_kept_and_told() -> None:
    answer = segment(LEVEL_SET, ball().image, prompts=MIDDLE, params={"low": 60, "high": 200})
    told = dict(answer.made_by.parameters)
    assert (told["low_used_1"], told["high_used_1"]) == (60, 200)


def test_curvature_closes_what_is_thinner_than_its_radius() -> None:
    # The bar is 3 mm thin: curvature of 3 mm does not let the front through, without it the front gets through.
    seed = points((18.0, 20.0, 20.0))
    open_, closed = (
        segment(LEVEL_SET, dumbbell(), prompts=seed, params={"smoothness_mm": s}).labels for s in (0, 3)
    )
    assert open_[52, 20, 20] == 1
    assert closed[18, 20, 20] == 1
    assert closed[52, 20, 20] == 0


def test_edges_pull_the_front_that_a_range_would_let_go_on() -> None:
    # Blurred by 4 mm, values of 40 lie 3 mm beyond the edge of the ball, whose half height is 60.
    scan = ball(noise=0)
    image = Image(smoothed_image(scan.image.array, None, (1.0, 1.0, 1.0), 4.0), scan.image.grid)
    without, drawn = (
        segment(LEVEL_SET, image, prompts=MIDDLE, params={"low": 40, "high": 160, "advection": weight}).labels
        for weight in (0, 5)
    )
    assert scan.dice(drawn > 0) > scan.dice(without > 0) + 0.03


@pytest.mark.parametrize(
    ("place", "expected"),
    [((6.0, 5.0, 0.0), 1), ((34.0, 5.0, 0.0), -1), ((20.0, 5.0, 0.0), 0)],
    ids=["near the object's seed", "near the other", "midway"],
)
def test_where_values_are_alike_the_nearer_seed_is_believed(
    place: tuple[float, float, float], expected: int
) -> None:
    image = Image(np.full((41, 11, 1), 50, np.float32), Grid((41, 11, 1), np.eye(4)))
    seeds = place_seeds(points((5.0, 5.0, 0.0), outside=((35.0, 5.0, 0.0),)), image.grid, "level-set")
    field = field_of(image, seeds, np.ones(image.grid.shape, np.bool_), 45)
    layer = layer_of(field, ~field.usable, 64**3)
    # Of a value at the end of the range, where values alone say nothing.
    like = likeness(layer, field, 1, Range(20, 35, 50))
    index = tuple(np.rint(layer.grid.to_index(np.array(place))).astype(int))
    assert np.sign(np.round(like[index], 3)) == expected


@pytest.mark.parametrize(
    ("params", "prompts", "error", "words"),
    [
        ({}, Prompts(), InputError, "needs seeds"),
        ({}, points((-90.0, 0.0, 0.0)), InputError, "outside the image"),
        ({"low": 5, "high": 5}, MIDDLE, ConfigError, "nothing is between"),
        ({"high": 50}, MIDDLE, ConfigError, "beyond the limit"),
        ({"start_mm": 0}, MIDDLE, ConfigError, "start_mm"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        segment(LEVEL_SET, ball().image, params=params, prompts=prompts)


def test_a_constant_image_is_refused_and_a_cancel_heard() -> None:
    # Of one even tissue everything is object, but for the corners of the box, which curvature rounds.
    assert segment(LEVEL_SET, flat(), prompts=MIDDLE).labels.mean() > 0.99
    with pytest.raises(Cancelled):
        segment(LEVEL_SET, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
