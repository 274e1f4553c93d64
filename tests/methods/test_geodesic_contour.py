"""Geodesic active contour: a front that edges hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Image, Prompts, Run
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods.geodesic_contour import GEODESIC_CONTOUR
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
@pytest.mark.parametrize("noise", [0, 5, 12])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(GEODESIC_CONTOUR, scan.image, prompts=MIDDLE).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:36] = True
    found = segment(GEODESIC_CONTOUR, scan.image, prompts=MIDDLE, within=within).labels
    assert not found[36:].any()
    assert dice(found[:36] > 0, scan.truth[:36]) > 0.9


def test_pixels_count_like_mm() -> None:
    scans = [ball(unit=unit).image for unit in ("mm", "px")]
    in_mm, in_pixels = (segment(GEODESIC_CONTOUR, scan, prompts=MIDDLE).labels for scan in scans)
    np.testing.assert_array_equal(in_mm, in_pixels)


def test_a_disc_on_a_single_slice_is_found() -> None:
    scene = disc()
    found = segment(GEODESIC_CONTOUR, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.97


def test_the_same_seeds_give_the_same_mask_bit_for_bit() -> None:
    scan = ball(noise=12)
    first, second = (segment(GEODESIC_CONTOUR, scan.image, prompts=MIDDLE).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    scene = tumour(data)
    found = segment(GEODESIC_CONTOUR, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.6


def test_two_objects_share_a_dumbbell_and_keep_their_labels() -> None:
    answer = segment(GEODESIC_CONTOUR, dumbbell(), prompts=BOTH_BALLS)
    assert [label.value for label in answer.table.labels] == [2, 5]
    assert answer.labels[18, 20, 20] == 2
    assert answer.labels[52, 20, 20] == 5
    counts = np.bincount(answer.labels.ravel(), minlength=6)
    assert counts[2] == pytest.approx(counts[5], rel=0.1)
    assert dice(answer.labels > 0, dumbbell().array > 0) > 0.8


def test_a_seed_in_the_background_gives_away_what_looks_alike_and_is_nearer_to_it() -> None:
    seeds = points((18.0, 20.0, 20.0), outside=((52.0, 20.0, 20.0),))
    found = segment(GEODESIC_CONTOUR, dumbbell(), prompts=seeds, params={"smoothness_mm": 0}).labels > 0
    left = dumbbell().array > 0
    left[35:] = False
    assert dice(found, left) > 0.9
    assert not found[42:].any()


def test_a_seed_always_belongs_to_its_object() -> None:
    # A lone bright voxel is no object that a front can hold.
    spot = ball(noise=0).image.array.copy()
    spot[5, 5, 5] = 300
    seeds = points((31.0, 29.0, 30.0), (5.0, 5.0, 5.0))
    found = segment(GEODESIC_CONTOUR, Image(spot, ball().image.grid), prompts=seeds).labels
    assert found[5, 5, 5] == found[31, 29, 30] == 1


def test_a_sheared_grid_is_refused() -> None:
    with pytest.raises(InputError, match="right angles"):
        segment(GEODESIC_CONTOUR, sheared(), prompts=MIDDLE)


def test_the_box_that_cuts_an_object_is_told() -> None:
    answer = segment(GEODESIC_CONTOUR, ball().image, prompts=MIDDLE, params={"margin_mm": 10})
    assert "method.cut_by_box" in [finding.code for finding in answer.findings]


def test_a_turned_grid_gives_the_same_voxels() -> None:
    # ITK's pull of edges turns with the image where its front does not; here nothing may turn.
    scene = turned()
    found = segment(GEODESIC_CONTOUR, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.98


@pytest.mark.parametrize(
    ("params", "prompts", "error", "words"),
    [
        ({}, Prompts(), InputError, "needs seeds"),
        ({}, points((-90.0, 0.0, 0.0)), InputError, "outside the image"),
        ({"edge": 0}, MIDDLE, ConfigError, "edge"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        segment(GEODESIC_CONTOUR, ball().image, params=params, prompts=prompts)


def test_a_constant_image_is_refused_and_a_cancel_heard() -> None:
    with pytest.raises(InputError, match="single value"):
        segment(GEODESIC_CONTOUR, flat(), prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(GEODESIC_CONTOUR, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
