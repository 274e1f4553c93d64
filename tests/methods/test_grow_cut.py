"""GrowCut: seeds that meet where values differ."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point, Stroke
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods.grow_cut import GROW_CUT
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dice, dumbbell, points


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("noise", [0, 5, 12])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(GROW_CUT, scan.image, prompts=MIDDLE).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_between_equal_values_the_nearer_seed_wins_in_mm() -> None:
    # A flat stretch of thick slices: 12 voxels of 1 mm are nearer than 3 of 5 mm.
    array = np.zeros((41, 41, 21), np.float32)
    array[0] = 1
    image = Image(array, Grid(array.shape, np.diag([1.0, 1.0, 5.0, 1.0])))
    prompts = Prompts(points=(Point((32.0, 20.0, 50.0), label=1), Point((20.0, 20.0, 65.0), label=2)))
    found = segment(GROW_CUT, image, prompts=prompts, params={"sigma_mm": 0}).labels
    assert found[20, 20, 10] == 1


def test_objects_and_background_meet_at_the_neck_or_midway() -> None:
    prompts = points((18.0, 20.0, 20.0), outside=((52.0, 20.0, 20.0),))
    found = segment(GROW_CUT, dumbbell(), prompts=prompts).labels > 0
    assert np.flatnonzero(found.any(axis=(1, 2)))[-1] == pytest.approx(35, abs=2)


def test_an_object_may_reach_the_rim_when_the_background_is_marked() -> None:
    image = Image(
        np.where(np.indices((30, 30, 1))[0] < 15, 50, 0).astype(np.int16), Grid((30, 30, 1), np.eye(4))
    )
    prompts = points((7.0, 15.0, 0.0), outside=((22.0, 15.0, 0.0),))
    params = {"box_is_background": False, "sigma_mm": 0}
    answer = segment(GROW_CUT, image, prompts=prompts, params=params)
    np.testing.assert_array_equal(answer.labels > 0, image.array > 0)
    assert not answer.findings


def test_an_object_that_the_box_cuts_is_told() -> None:
    answer = segment(GROW_CUT, ball().image, prompts=MIDDLE, params={"margin_mm": 1})
    assert [finding.code for finding in answer.findings] == ["method.cut_by_box"]


def test_a_large_box_is_coarsened_and_says_so() -> None:
    array = np.zeros((130, 130, 130), np.uint8)
    array[40:90, 40:90, 40:90] = 100
    image = Image(array, Grid(array.shape, np.eye(4)))
    answer = segment(GROW_CUT, image, prompts=points((65.0, 65.0, 65.0)), params={"margin_mm": 64})
    assert "method.coarsened" in [finding.code for finding in answer.findings]
    assert dice(answer.labels > 0, array > 0) > 0.95


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:32] = True
    found = segment(GROW_CUT, scan.image, prompts=MIDDLE, within=within).labels
    assert found[:32].any()
    assert not found[32:].any()


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    from medseg.workflows.files import read, read_segmentation

    image = read(data("sarcoma/STS_010/PET_image.nii.gz"))
    truth = read_segmentation(data("sarcoma/STS_010/PET_mask.nii.gz")).labels > 0
    middle = np.argwhere(truth).mean(axis=0)
    line = [image.grid.to_position(middle + np.array([0, 0, step])) for step in (-6, 0, 6)]
    stroke = Stroke(tuple((float(p[0]), float(p[1]), float(p[2])) for p in line), 5.0)
    found = segment(GROW_CUT, image, prompts=Prompts(strokes=(stroke,))).labels > 0
    assert dice(found, truth) > 0.7


@pytest.mark.parametrize(
    ("params", "prompts", "error", "words"),
    [
        ({}, Prompts(), InputError, "needs seeds"),
        ({"box_is_background": False}, MIDDLE, InputError, "mark some background"),
        ({"reach_mm": 0}, MIDDLE, ConfigError, "reach_mm"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        segment(GROW_CUT, ball().image, params=params, prompts=prompts)


def test_a_constant_image_is_refused_and_a_cancel_heard() -> None:
    flat = Image(np.ones((60, 60, 60), np.float32), Grid((60, 60, 60), np.eye(4)))
    with pytest.raises(InputError, match="box around the seeds is constant"):
        segment(GROW_CUT, flat, prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(GROW_CUT, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
