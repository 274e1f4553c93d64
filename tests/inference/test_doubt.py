"""The Dice that a model expects: closed forms, any cutting into slabs, through the segmenter and into what is kept."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Run
from medseg.domain.calibration import Calibration, Reliability
from medseg.inference.doubt import ExpectedDice
from medseg.inference.stream import Slab
from medseg.io import read_segmentation, write_segmentation
from medseg.workflows.segment import segment
from tests.inference.conftest import OneHot, Share, make_card, make_image, segmenter

#: Shares of one label along a line → what is expected.
CLOSED = [
    ("certain", [1.0, 1.0, 0.0], 1.0),
    ("one half sure", [0.8, 0.0], 2 * 0.8 / 1.8),
    ("doubt beside it", [1.0, 0.4, 0.4], 2 * 1.0 / (1 + 1.8)),
    ("nothing there", [0.0, 0.1, 0.0], 0.0),
    ("nothing found of what may be there", [0.4, 0.4, 0.4], 0.0),
]


def expected(shares: "list[float]", temperature: float = 1.0) -> float:
    values = np.array(shares, np.float32)
    found = ExpectedDice(2, temperature)
    found.eat(Slab(0, 0, np.stack([1 - values, values])[..., None, None]))
    return found.value


@pytest.mark.parametrize(("shares", "value"), [row[1:] for row in CLOSED], ids=[row[0] for row in CLOSED])
def test_by_hand(shares: "list[float]", value: float) -> None:
    assert expected(shares) == pytest.approx(value, abs=1e-6)


def test_labels_count_alike_and_one_that_is_nowhere_counts_not() -> None:
    """Three labels: one certain, one expected at 2·0.6/(1 + 0.6), one of which there is no trace."""
    shares = np.zeros((4, 3, 1, 1), np.float32)
    shares[1, 0], shares[2, 1], shares[0, 1], shares[0, 2] = 1, 0.6, 0.4, 1
    found = ExpectedDice(4)
    found.eat(Slab(0, 0, shares))
    assert found.value == pytest.approx((1 + 2 * 0.6 / 1.6) / 2, abs=1e-6)


def test_a_warmer_model_expects_less() -> None:
    values = [expected([0.9, 0.8, 0.2, 0.1], temperature) for temperature in (0.5, 1.0, 2.0, 4.0)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4


def test_slabs_of_any_thickness_say_the_same_and_members_that_follow_are_left_out() -> None:
    rng = np.random.default_rng(0)
    shares = rng.random((3, 12, 5, 5)).astype(np.float32)
    shares /= shares.sum(0)
    others = np.concatenate([shares, rng.random((6, 12, 5, 5)).astype(np.float32)])
    values = []
    for step in (1, 4, 12):
        found = ExpectedDice(3)
        for start in range(0, 12, step):
            found.eat(Slab(0, start, others[:, start : start + step]))
        values.append(found.value)
    assert values == pytest.approx([values[0]] * 3)


def test_a_mask_keeps_what_is_expected_of_it(tmp_path: Path, blob: np.ndarray) -> None:
    sure = segment(segmenter(make_card(labels=3), OneHot(4)), make_image(blob))
    assert sure.made_by.expected_dice == 1.0
    write_segmentation(sure, tmp_path / "mask.nii.gz")
    assert read_segmentation(tmp_path / "mask.nii.gz").made_by.expected_dice == 1.0
    half = segment(segmenter(make_card(), Share()), make_image(np.where(blob > 0, 0.8, 0.1)))
    count = int((blob > 0).sum())
    value = 2 * 0.8 * count / (count + 0.8 * count + 0.1 * (blob.size - count))
    assert half.made_by.expected_dice == pytest.approx(value, abs=1e-4)


def test_within_a_region_that_a_person_drew_nothing_is_expected(blob: np.ndarray) -> None:
    found = segment(segmenter(make_card(labels=3), OneHot(4)), make_image(blob), within=blob > 1, run=Run())
    assert found.made_by.expected_dice is None


def test_the_cards_temperature_is_in_it(blob: np.ndarray) -> None:
    nothing = Reliability(0.1, None, None, ())
    image = make_image(np.where(blob > 0, 0.8, 0.1))
    cool, warm = (
        segment(segmenter(make_card(calibration=calibration), Share()), image).made_by.expected_dice
        for calibration in (None, Calibration(3.0, 2, 10, 10.0, nothing, nothing))
    )
    assert cool is not None
    assert warm is not None
    assert warm < cool
