"""Geodesic active contour: a front that edges hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point, Stroke
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods.geodesic_contour import GEODESIC_CONTOUR
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dice, dumbbell, points


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
    at = np.stack(np.indices((80, 90, 1)), axis=-1)
    truth = np.hypot(at[..., 0] - 40, at[..., 1] - 45) <= 18
    values = np.where(truth, 90.0, 30.0) + np.random.default_rng(3).normal(0, 5, truth.shape)
    image = Image(values.astype(np.float32), Grid((80, 90, 1), np.eye(4), unit="px"))
    found = segment(GEODESIC_CONTOUR, image, prompts=points((40.0, 45.0, 0.0))).labels > 0
    assert dice(found, truth) > 0.97


def test_the_same_seeds_give_the_same_mask_bit_for_bit() -> None:
    scan = ball(noise=12)
    first, second = (segment(GEODESIC_CONTOUR, scan.image, prompts=MIDDLE).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    from medseg.workflows.files import read, read_segmentation

    image = read(data("sarcoma/STS_012/PET_image.nii.gz"))
    truth = read_segmentation(data("sarcoma/STS_012/PET_mask.nii.gz")).labels > 0
    middle = np.argwhere(truth).mean(axis=0)
    line = [image.grid.to_position(middle + np.array([0, 0, step])) for step in (-6, 0, 6)]
    stroke = Stroke(tuple((float(p[0]), float(p[1]), float(p[2])) for p in line), 5.0)
    found = segment(GEODESIC_CONTOUR, image, prompts=Prompts(strokes=(stroke,))).labels > 0
    assert dice(found, truth) > 0.6


def test_two_objects_share_a_dumbbell_and_keep_their_labels() -> None:
    prompts = Prompts(points=(Point((18.0, 20.0, 20.0), label=2), Point((52.0, 20.0, 20.0), label=5)))
    answer = segment(GEODESIC_CONTOUR, dumbbell(), prompts=prompts)
    assert [label.value for label in answer.table.labels] == [2, 5]
    assert answer.labels[18, 20, 20] == 2
    assert answer.labels[52, 20, 20] == 5
    counts = np.bincount(answer.labels.ravel(), minlength=6)
    assert counts[2] == pytest.approx(counts[5], rel=0.1)
    assert dice(answer.labels > 0, dumbbell().array > 0) > 0.8


def test_a_sheared_grid_is_refused() -> None:
    affine = np.eye(4)
    affine[1, 2] = 0.25
    image = Image(ball().image.array, Grid((60, 60, 60), affine))
    with pytest.raises(InputError, match="right angles"):
        segment(GEODESIC_CONTOUR, image, prompts=MIDDLE)


def test_the_box_that_cuts_an_object_is_told() -> None:
    answer = segment(GEODESIC_CONTOUR, ball().image, prompts=MIDDLE, params={"margin_mm": 10})
    assert "method.cut_by_box" in [finding.code for finding in answer.findings]


def test_a_turned_grid_gives_the_same_voxels() -> None:
    # ITK's pull of edges turns with the image where its front does not; here nothing may turn.
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn
    scan = ball()
    position = turn @ np.array([31.0, 29.0, 30.0])
    prompts = points((float(position[0]), float(position[1]), float(position[2])))
    turned = segment(GEODESIC_CONTOUR, Image(scan.image.array, Grid((60, 60, 60), affine)), prompts=prompts)
    assert scan.dice(turned.labels > 0) > 0.98


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
    flat = Image(np.ones((60, 60, 60), np.float32), Grid((60, 60, 60), np.eye(4)))
    with pytest.raises(InputError, match="single value"):
        segment(GEODESIC_CONTOUR, flat, prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(GEODESIC_CONTOUR, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
