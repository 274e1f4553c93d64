"""A network that answers with its input must give the input back, on the grid it came on."""

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from medseg.domain import Image, Run, Segmentation, SegmenterSpec
from medseg.geometry import affine_orientation
from medseg.inference import ModelSegmenter
from medseg.workflows.segment import segment
from tests.inference.conftest import OneHot, Share, make_card, make_image, segmenter

ORIENTATIONS = sorted(
    "".join(letters) for order in permutations(("RL", "AP", "SI")) for letters in product(*order)
)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_labels_come_back_bit_for_bit_in_every_orientation(orientation: str, blob: np.ndarray) -> None:
    affine = affine_orientation((0.7, 1.0, 2.5), orientation)
    answer = segment(segmenter(make_card(labels=3), OneHot(4)), make_image(blob, affine))
    assert np.array_equal(answer.labels, blob)
    assert np.array_equal(answer.grid.affine, affine)


@pytest.mark.parametrize(("axes", "seen"), [("canonical", (21, 18, 15)), ("stored", (15, 21, 18))])
def test_a_segmenter_gets_the_axes_that_it_asks_for(
    axes: Literal["canonical", "stored"], seen: tuple[int, int, int], blob: np.ndarray
) -> None:
    class Asks(ModelSegmenter):
        @property
        def spec(self) -> SegmenterSpec:
            return replace(super().spec, axes=axes)

        def segment(self, images: Any, params: Any, **more: Any) -> Segmentation:
            assert images["image"].grid.shape == seen
            return super().segment(images, params, **more)

    stored = blob.transpose(2, 0, 1)[::-1]
    affine = affine_orientation((0.7, 1.0, 2.5), "IRA")
    answer = segment(Asks(make_card(labels=3), Path(), OneHot(4)), make_image(stored, affine))
    assert np.array_equal(answer.labels, stored)


def test_the_own_spacing_interpolates_nothing(blob: np.ndarray) -> None:
    # The card's spacing runs along canonical axes, whatever the order of the array's.
    affine = affine_orientation((2.5, 0.7, 1.0), "IRP")
    card = make_card(labels=3, spacing=(0.7, 1.0, 2.5))
    answer = segment(segmenter(card, OneHot(4)), make_image(blob, affine))
    assert np.array_equal(answer.labels, blob)


def _ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    index = np.indices(shape) - np.array(centre)[:, None, None, None]
    return (np.sqrt((index**2).sum(axis=0)) <= radius).astype(np.uint8)


def _oblique() -> np.ndarray:
    turn = np.deg2rad(20)
    matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = matrix @ np.diag([0.8, 0.8, 1.5])
    affine[:3, 3] = (-31, 12, 7)
    return affine


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.3, 0.9, 2.1), (0.5, 0.5, 0.5)])
@pytest.mark.parametrize("affine", [np.diag([0.8, 0.8, 1.5, 1.0]), _oblique()], ids=["straight", "oblique"])
def test_other_spacings_move_a_centroid_by_less_than_a_tenth_voxel(
    spacing: tuple[float, float, float], affine: np.ndarray
) -> None:
    ball = _ball((33, 30, 24), (15.2, 14.1, 11.6), 7.3)
    answer = segment(segmenter(make_card(spacing=spacing), Share()), make_image(ball, affine))
    moved = np.argwhere(answer.labels).mean(axis=0) - np.argwhere(ball).mean(axis=0)
    assert np.abs(moved).max() < 0.1
    assert answer.labels.sum() == pytest.approx(ball.sum(), rel=0.1)


def test_a_2d_network_on_a_volume_gives_its_input_back(blob: np.ndarray) -> None:
    card = make_card(labels=3, dimensions=2)
    affine = affine_orientation((3.0, 1.0, 1.0), "LIP")
    answer = segment(segmenter(card, OneHot(4)), make_image(blob, affine))
    assert np.array_equal(answer.labels, blob)


def test_outside_of_within_all_is_background(blob: np.ndarray) -> None:
    within = np.zeros(blob.shape, bool)
    within[:10] = True
    answer = segment(segmenter(make_card(labels=3), OneHot(4)), make_image(blob), within=within)
    assert np.array_equal(answer.labels, np.where(within, blob, 0))


def test_probabilities_are_kept_on_request_and_agree_with_labels(blob: np.ndarray) -> None:
    model = segmenter(make_card(labels=3), OneHot(4))
    answer = segment(model, make_image(blob), params={"keep_probabilities": True})
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (4, *blob.shape)
    assert np.array_equal(np.argmax(answer.probabilities, axis=0), answer.labels)
    assert segment(model, make_image(blob)).probabilities is None


def test_progress_counts_to_the_end_and_cancel_stops(blob: np.ndarray) -> None:
    from medseg.errors import Cancelled

    seen: list[tuple[int, int | None]] = []
    model = segmenter(make_card(labels=3), OneHot(4))
    segment(model, make_image(blob), run=Run(progress=lambda done, total, what: seen.append((done, total))))
    assert seen[-1][0] == seen[-1][1] == len(seen) > 10

    with pytest.raises(Cancelled):
        segment(model, make_image(blob), run=Run(cancel=lambda: True))


def test_the_answer_says_how_it_was_made(blob: np.ndarray) -> None:
    image: Image = make_image(blob)
    made_by = segment(segmenter(make_card(labels=3), OneHot(4)), image).made_by
    assert made_by.segmenter == "toy"
    assert dict(made_by.parameters) == {"overlap": 0.5, "mirror": False, "version": "1.0"}
    assert made_by.images[0].digest == image.digest
    assert dict(made_by.run)["device"] == "cpu"
