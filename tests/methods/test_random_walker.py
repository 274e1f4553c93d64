"""Random walker: the seed that a walk meets first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point, Stroke
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods.harmonic import harmonic
from medseg.methods.random_walker import RANDOM_WALKER
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dice, dumbbell, points


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("noise", [0, 5, 12])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(RANDOM_WALKER, scan.image, prompts=MIDDLE).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:36] = True
    found = segment(RANDOM_WALKER, scan.image, prompts=MIDDLE, within=within).labels
    assert not found[36:].any()
    assert dice(found[:36] > 0, scan.truth[:36]) > 0.9


def test_pixels_count_like_mm() -> None:
    scans = [ball(unit=unit).image for unit in ("mm", "px")]
    in_mm, in_pixels = (segment(RANDOM_WALKER, scan, prompts=MIDDLE).labels for scan in scans)
    np.testing.assert_array_equal(in_mm, in_pixels)


def test_a_disc_on_a_single_slice_is_found() -> None:
    at = np.stack(np.indices((80, 90, 1)), axis=-1)
    truth = np.hypot(at[..., 0] - 40, at[..., 1] - 45) <= 18
    values = np.where(truth, 90.0, 30.0) + np.random.default_rng(3).normal(0, 5, truth.shape)
    image = Image(values.astype(np.float32), Grid((80, 90, 1), np.eye(4), unit="px"))
    found = segment(RANDOM_WALKER, image, prompts=points((40.0, 45.0, 0.0))).labels > 0
    assert dice(found, truth) > 0.97


def test_the_same_seeds_give_the_same_mask_bit_for_bit() -> None:
    scan = ball(noise=12)
    first, second = (segment(RANDOM_WALKER, scan.image, prompts=MIDDLE).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    from medseg.workflows.files import read, read_segmentation

    image = read(data("sarcoma/STS_012/PET_image.nii.gz"))
    truth = read_segmentation(data("sarcoma/STS_012/PET_mask.nii.gz")).labels > 0
    middle = np.argwhere(truth).mean(axis=0)
    line = [image.grid.to_position(middle + np.array([0, 0, step])) for step in (-6, 0, 6)]
    stroke = Stroke(tuple((float(p[0]), float(p[1]), float(p[2])) for p in line), 5.0)
    found = segment(RANDOM_WALKER, image, prompts=Prompts(strokes=(stroke,))).labels > 0
    assert dice(found, truth) > 0.7


def test_two_objects_share_a_dumbbell_and_keep_their_labels() -> None:
    prompts = Prompts(points=(Point((18.0, 20.0, 20.0), label=2), Point((52.0, 20.0, 20.0), label=5)))
    answer = segment(RANDOM_WALKER, dumbbell(), prompts=prompts)
    assert [label.value for label in answer.table.labels] == [2, 5]
    assert answer.labels[18, 20, 20] == 2
    assert answer.labels[52, 20, 20] == 5
    counts = np.bincount(answer.labels.ravel(), minlength=6)
    assert counts[2] == pytest.approx(counts[5], rel=0.1)
    assert dice(answer.labels > 0, dumbbell().array > 0) > 0.85


def test_between_equal_values_a_walk_spreads_alike_in_mm() -> None:
    # On thick slices of one value the border lies midway in mm between two planes of seeds, not in voxels.
    array = np.zeros((9, 9, 12), np.float32)
    array[0, 0, 0] = 1
    image = Image(array, Grid(array.shape, np.diag([1.0, 1.0, 4.0, 1.0])))
    low = Stroke(((4.0, 4.0, 0.0),), 8.0, label=1)
    high = Stroke(((4.0, 4.0, 44.0),), 8.0, label=2)
    params = {"box_is_background": False, "seed_mm": 0}
    prompts = Prompts(strokes=(low, high), points=(Point((8.0, 8.0, 0.0), positive=False),))
    found = segment(RANDOM_WALKER, image, prompts=prompts, params=params).labels
    assert (found[4, 4, :5] == 1).all()
    assert (found[4, 4, 7:] == 2).all()


def test_a_resistor_line_has_the_closed_form() -> None:
    # Two resistors of 1 and 3 in series from 0 to 8: the node between is at 2.
    line = np.array([0, 0, 8], np.float32)[:, None, None]
    ends = np.array([1, 0, 1], np.bool_)[:, None, None]
    links = (
        np.array([1, 1 / 3], np.float32)[:, None, None],
        np.ones((3, 0, 1), np.float32),
        np.ones((3, 1, 0), np.float32),
    )
    assert harmonic(links, ends, line, rounds=5, run=Run())[1, 0, 0] == pytest.approx(2)


def test_a_pull_holds_where_no_seed_is_near() -> None:
    # One free node between 0 and 8 by links of 1, pulled to 5 by a link of 2: (0 + 8 + 2 × 5) / 4.
    line = np.array([0, 0, 8], np.float32)[:, None, None]
    ends = np.array([1, 0, 1], np.bool_)[:, None, None]
    links = np.ones((2, 1, 1), np.float32), np.ones((3, 0, 1), np.float32), np.ones((3, 1, 0), np.float32)
    found = harmonic(links, ends, line, rounds=5, run=Run(), pull=(np.full_like(line, 5), 2.0))
    assert found.ravel() == pytest.approx([0, 4.5, 8])


@pytest.mark.parametrize("margin", [30, 60, 90])
def test_one_seed_finds_a_large_ball_whatever_the_box(margin: int) -> None:
    at = np.stack(np.indices((96, 96, 96)), axis=-1)
    truth = np.linalg.norm(at - 48.0, axis=-1) <= 28
    values = np.where(truth, 100.0, 20.0) + np.random.default_rng(4).normal(0, 12, truth.shape)
    image = Image(values.astype(np.float32), Grid(truth.shape, np.eye(4)))
    prompts = points((48.0, 48.0, 48.0))
    found = segment(RANDOM_WALKER, image, prompts=prompts, params={"margin_mm": margin}).labels > 0
    assert dice(found, truth) > 0.95


@pytest.mark.parametrize(
    ("params", "prompts", "error", "words"),
    [
        ({}, Prompts(), InputError, "needs seeds"),
        ({}, points((-90.0, 0.0, 0.0)), InputError, "outside the image"),
        ({"box_is_background": False}, MIDDLE, InputError, "mark some background"),
        ({"sigma": 0}, MIDDLE, ConfigError, "sigma"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        segment(RANDOM_WALKER, ball().image, params=params, prompts=prompts)


def test_a_constant_image_is_refused_and_a_cancel_heard() -> None:
    flat = Image(np.ones((60, 60, 60), np.float32), Grid((60, 60, 60), np.eye(4)))
    with pytest.raises(InputError, match="box around the seeds is constant"):
        segment(RANDOM_WALKER, flat, prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(RANDOM_WALKER, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
