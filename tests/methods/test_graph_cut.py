"""Graph cut: seeds parted at the least cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point, Stroke
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods.graph_cut import GRAPH_CUT, least_cut
from medseg.methods.paths import neighbours
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dice, dumbbell, points


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("noise", [0, 5, 12])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(GRAPH_CUT, scan.image, prompts=MIDDLE).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


@pytest.mark.parametrize("outside", [(), ((49.0, 29.0, 30.0), (31.0, 47.0, 30.0), (31.0, 29.0, 49.0))])
def test_seeds_beside_the_border_do_not_mix_the_sides(outside: tuple[tuple[float, ...], ...]) -> None:
    # Within 3 mm of each of these lie values of both sides.
    scan = ball(noise=12)
    inner = ((46.0, 29.0, 30.0), (31.0, 44.0, 30.0), (31.0, 29.0, 45.0))
    prompts = points((31.0, 29.0, 30.0), *inner, outside=outside)
    found = segment(GRAPH_CUT, scan.image, prompts=prompts).labels > 0
    assert scan.dice(found) > 0.97


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:36] = True
    found = segment(GRAPH_CUT, scan.image, prompts=MIDDLE, within=within).labels
    assert not found[36:].any()
    assert dice(found[:36] > 0, scan.truth[:36]) > 0.9


def test_pixels_count_like_mm() -> None:
    scans = [ball(unit=unit).image for unit in ("mm", "px")]
    in_mm, in_pixels = (segment(GRAPH_CUT, scan, prompts=MIDDLE).labels for scan in scans)
    np.testing.assert_array_equal(in_mm, in_pixels)


def test_a_disc_on_a_single_slice_is_found() -> None:
    at = np.stack(np.indices((80, 90, 1)), axis=-1)
    truth = np.hypot(at[..., 0] - 40, at[..., 1] - 45) <= 18
    values = np.where(truth, 90.0, 30.0) + np.random.default_rng(3).normal(0, 5, truth.shape)
    image = Image(values.astype(np.float32), Grid((80, 90, 1), np.eye(4), unit="px"))
    found = segment(GRAPH_CUT, image, prompts=points((40.0, 45.0, 0.0))).labels > 0
    assert dice(found, truth) > 0.97


def test_the_same_seeds_give_the_same_mask_bit_for_bit() -> None:
    scan = ball(noise=12)
    first, second = (segment(GRAPH_CUT, scan.image, prompts=MIDDLE).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    from medseg.workflows.files import read, read_segmentation

    image = read(data("sarcoma/STS_012/PET_image.nii.gz"))
    truth = read_segmentation(data("sarcoma/STS_012/PET_mask.nii.gz")).labels > 0
    middle = np.argwhere(truth).mean(axis=0)
    line = [image.grid.to_position(middle + np.array([0, 0, step])) for step in (-6, 0, 6)]
    stroke = Stroke(tuple((float(p[0]), float(p[1]), float(p[2])) for p in line), 5.0)
    found = segment(GRAPH_CUT, image, prompts=Prompts(strokes=(stroke,))).labels > 0
    assert dice(found, truth) > 0.7


def test_two_objects_share_a_dumbbell_and_keep_their_labels() -> None:
    prompts = Prompts(points=(Point((18.0, 20.0, 20.0), label=2), Point((52.0, 20.0, 20.0), label=5)))
    answer = segment(GRAPH_CUT, dumbbell(), prompts=prompts)
    assert [label.value for label in answer.table.labels] == [2, 5]
    assert answer.labels[18, 20, 20] == 2
    assert answer.labels[52, 20, 20] == 5
    counts = np.bincount(answer.labels.ravel(), minlength=6)
    assert counts[2] == pytest.approx(counts[5], rel=0.1)
    assert dice(answer.labels > 0, dumbbell().array > 0) > 0.9


def test_the_cut_is_the_cheapest_of_all() -> None:
    # By trying all 2^8 labellings of a small block.
    rng = np.random.default_rng(5)
    costs = rng.uniform(0, 2, (2, 2, 2, 2)).astype(np.float32)
    boundary = (
        rng.uniform(0, 1, (1, 2, 2)).astype(np.float32),
        rng.uniform(0, 1, (2, 1, 2)).astype(np.float32),
        rng.uniform(0, 1, (2, 2, 1)).astype(np.float32),
    )
    every = [np.array([n >> bit & 1 for bit in range(8)]).reshape(2, 2, 2) for n in range(256)]
    best = min(every, key=lambda labels: _energy(labels, costs, boundary))
    np.testing.assert_array_equal(least_cut(costs, boundary), best)


def test_expansion_over_three_labels_never_costs_more_than_its_start() -> None:
    rng = np.random.default_rng(6)
    costs = rng.uniform(0, 2, (3, 2, 2, 2)).astype(np.float32)
    boundary = tuple(np.full(shape, 0.4, np.float32) for shape in ((1, 2, 2), (2, 1, 2), (2, 2, 1)))
    found = least_cut(costs, boundary)
    every = [np.array([n // 3**bit % 3 for bit in range(8)]).reshape(2, 2, 2) for n in range(3**8)]
    least = min(_energy(labels, costs, boundary) for labels in every)
    assert least - 1e-5 <= _energy(found, costs, boundary) <= 1.05 * least


def _energy(labels: np.ndarray, costs: np.ndarray, boundary: Any) -> float:
    total = float(np.take_along_axis(costs, labels[None].astype(np.intp), axis=0).sum())
    for axis in range(3):
        here, there = neighbours(axis)
        total += float((boundary[axis] * (labels[here] != labels[there])).sum())
    return total


def test_more_smoothness_leaves_less_surface() -> None:
    scan = ball(noise=60)
    surfaces = []
    for smoothness in (0.1, 3):
        found = (
            segment(GRAPH_CUT, scan.image, prompts=MIDDLE, params={"smoothness_mm": smoothness}).labels > 0
        )
        surfaces.append(sum(int(np.diff(found.astype(int), axis=axis).__abs__().sum()) for axis in range(3)))
    assert surfaces[1] < 0.8 * surfaces[0]


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
        segment(GRAPH_CUT, ball().image, params=params, prompts=prompts)


def test_a_constant_image_is_refused_and_a_cancel_heard() -> None:
    flat = Image(np.ones((60, 60, 60), np.float32), Grid((60, 60, 60), np.eye(4)))
    with pytest.raises(InputError, match="box around the seeds is constant"):
        segment(GRAPH_CUT, flat, prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(GRAPH_CUT, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
