"""Chan–Vese: two regions with the least boundary."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods.chan_vese import CHAN_VESE
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dice, disc, flat, points, tumour


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("noise", [0, 5, 25])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(CHAN_VESE, scan.image, prompts=MIDDLE).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:36] = True
    found = segment(CHAN_VESE, scan.image, prompts=MIDDLE, within=within).labels
    assert not found[36:].any()
    assert dice(found[:36] > 0, scan.truth[:36]) > 0.9


def test_pixels_count_like_mm() -> None:
    scans = [ball(unit=unit).image for unit in ("mm", "px")]
    in_mm, in_pixels = (segment(CHAN_VESE, scan, prompts=MIDDLE).labels for scan in scans)
    np.testing.assert_array_equal(in_mm, in_pixels)


def test_a_disc_on_a_single_slice_is_found() -> None:
    scene = disc()
    found = segment(CHAN_VESE, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.97


def test_the_same_seeds_give_the_same_mask_bit_for_bit() -> None:
    scan = ball(noise=12)
    first, second = (segment(CHAN_VESE, scan.image, prompts=MIDDLE).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tumour_is_outlined_after_a_few_seeds(data: Callable[[str], Path]) -> None:
    scene = tumour(data)
    found = segment(CHAN_VESE, scene.image, prompts=scene.prompts).labels > 0
    assert dice(found, scene.truth) > 0.7


@pytest.mark.parametrize("thickness", [1, 5])
def test_without_prompts_it_starts_from_the_threshold(thickness: int) -> None:
    scan = ball(thickness, noise=12)
    found = segment(CHAN_VESE, scan.image).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)
    dark = segment(CHAN_VESE, scan.image, params={"side": "below"}).labels > 0
    assert (dark ^ found).mean() > 0.99


def test_a_ball_below_three_times_the_smoothness_vanishes_and_a_larger_one_stays() -> None:
    # Energy of a ball: −(4/3) π r³ + smoothness × 4 π r² is above 0, that of nothing, below r = 3 × smoothness.
    at = np.stack(np.indices((80, 40, 40)), axis=-1).astype(float)
    small, large = (np.linalg.norm(at - (x, 20, 20), axis=-1) <= r for x, r in ((15, 5), (55, 14)))
    image = Image(np.where(small | large, 100, 0).astype(np.int16), Grid((80, 40, 40), np.eye(4)))
    found = segment(CHAN_VESE, image, params={"smoothness_mm": 3}).labels > 0
    assert not found[small].any()
    assert found[55, 20, 20]
    assert segment(CHAN_VESE, image, params={"smoothness_mm": 0.5}).labels[15, 20, 20] == 1


def test_only_the_part_that_holds_a_seed_is_kept() -> None:
    at = np.stack(np.indices((80, 40, 40)), axis=-1).astype(float)
    left, right = (np.linalg.norm(at - (x, 20, 20), axis=-1) <= 10 for x in (20, 60))
    image = Image(np.where(left | right, 100, 0).astype(np.int16), Grid((80, 40, 40), np.eye(4)))
    found = segment(CHAN_VESE, image, prompts=points((20.0, 20.0, 20.0))).labels > 0
    assert dice(found, left) > 0.97
    assert not found[right].any()


@pytest.mark.parametrize(
    ("params", "prompts", "error", "words"),
    [
        ({}, points((-90.0, 0.0, 0.0)), InputError, "outside the image"),
        ({"smoothness_mm": -1}, MIDDLE, ConfigError, "smoothness_mm"),
        (
            {},
            Prompts(points=(Point((31.0, 29.0, 30.0)), Point((5.0, 5.0, 5.0), label=2))),
            InputError,
            "one object at a time",
        ),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        segment(CHAN_VESE, ball().image, params=params, prompts=prompts)


def test_a_constant_image_is_refused_and_a_cancel_heard() -> None:
    with pytest.raises(InputError, match="one mean"):
        segment(CHAN_VESE, flat(), prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(CHAN_VESE, ball().image, prompts=MIDDLE, run=Run(cancel=lambda: True))
