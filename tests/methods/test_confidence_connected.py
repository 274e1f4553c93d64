"""Confidence connected: a region that knows its own spread."""

from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Point
from medseg.errors import ConfigError, InputError
from medseg.methods.confidence_connected import CONFIDENCE_CONNECTED
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dumbbell, points


@pytest.mark.parametrize(("thickness", "least"), [(1, 0.99), (5, 0.95)])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, least: float) -> None:
    # At three deviations nearly all of the ball's own voxels belong; layers half full do not.
    scan = ball(thickness, noise=12)
    found = segment(CONFIDENCE_CONNECTED, scan.image, params={"multiplier": 3}, prompts=MIDDLE)
    assert scan.dice(found.labels > 0) >= least * scan.ceiling


def test_the_range_is_that_of_the_region() -> None:
    scan = ball(noise=5)
    answer = segment(CONFIDENCE_CONNECTED, scan.image, prompts=MIDDLE)
    low, high = (dict(answer.made_by.parameters)[f"{end}_used_1"] for end in ("low", "high"))
    assert low == pytest.approx(100 - 3.5 * 5, abs=2)
    assert high == pytest.approx(100 + 3.5 * 5, abs=2)


def test_it_follows_itk_where_a_millimetre_is_a_voxel() -> None:
    import SimpleITK as sitk

    from medseg.geometry.sitk import from_sitk, to_sitk

    scan = ball(noise=8)
    # A radius of 1.8 mm takes in the neighbours at edges and corners: ITK's cube of radius 1.
    ours = segment(
        CONFIDENCE_CONNECTED, scan.image, prompts=MIDDLE, params={"multiplier": 2.5, "sample_mm": 1.8}
    )
    theirs = from_sitk(sitk.ConfidenceConnected(to_sitk(scan.image.array), [(31, 29, 30)], 4, 2.5, 1, 1))
    assert (ours.labels > 0)[theirs > 0].mean() > 0.99
    assert (theirs > 0)[ours.labels > 0].mean() > 0.99


def test_the_first_radius_is_in_mm() -> None:
    # A slope along thick slices: a ball of 6 mm reaches one slice up and down, one of 11 mm two.
    values = np.broadcast_to(np.arange(21.0) * 10, (21, 21, 21))
    image = Image(values.astype(np.float32), Grid(values.shape, np.diag([1.0, 1.0, 5.0, 1.0])))
    used = [
        dict(
            segment(
                CONFIDENCE_CONNECTED,
                image,
                params={"sample_mm": radius, "rounds": 0, "multiplier": 1},
                prompts=points((10.0, 10.0, 50.0)),
            ).made_by.parameters
        )["high_used_1"]
        for radius in (6, 11)
    ]
    assert 100 < used[0] < 110 <= used[1] < 120


def test_the_range_ends_halfway_to_the_box() -> None:
    # Ten deviations of 5 would reach 50, and layers half full with it; halfway from 100 to 20 is 60.
    answer = segment(CONFIDENCE_CONNECTED, ball(noise=5).image, prompts=MIDDLE, params={"multiplier": 10})
    assert dict(answer.made_by.parameters)["low_used_1"] == pytest.approx(60, abs=2)


def test_constant_values_around_a_seed_are_enough() -> None:
    answer = segment(
        CONFIDENCE_CONNECTED, dumbbell(), prompts=points((18.0, 20.0, 20.0)), params={"margin_mm": 60}
    )
    np.testing.assert_array_equal(answer.labels > 0, dumbbell().array == 100)


def test_seeds_cut_each_other() -> None:
    prompts = Prompts(points=(Point((18.0, 20.0, 20.0), label=1), Point((52.0, 20.0, 20.0), label=2)))
    answer = segment(CONFIDENCE_CONNECTED, dumbbell(), prompts=prompts)
    assert not answer.mask(1)[40:].any()
    assert not answer.mask(2)[:32].any()
    cut = segment(
        CONFIDENCE_CONNECTED, dumbbell(), prompts=points((18.0, 20.0, 20.0), outside=((52.0, 20.0, 20.0),))
    )
    np.testing.assert_array_equal(cut.labels[:32] > 0, answer.mask(1)[:32])
    assert not cut.labels[40:].any()


@pytest.mark.parametrize(
    ("params", "prompts", "within", "error", "words"),
    [
        ({}, Prompts(), None, InputError, "needs seeds"),
        ({"multiplier": 0}, MIDDLE, None, ConfigError, "multiplier"),
        ({}, MIDDLE, slice(0, 5), InputError, "outside --within"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    params: dict[str, Any], prompts: Prompts, within: slice | None, error: type[Exception], words: str
) -> None:
    image = ball().image
    mask = None
    if within is not None:
        mask = np.zeros(image.grid.shape, np.bool_)
        mask[within] = True
    with pytest.raises(error, match=words):
        segment(CONFIDENCE_CONNECTED, image, params=params, prompts=prompts, within=mask)
