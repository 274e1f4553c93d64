"""Temperature and reliability: closed forms, drawn worlds with a known temperature, and labels that stay."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, Image, Run
from medseg.domain.calibration import Calibration, Reliability
from medseg.errors import ConfigError
from medseg.inference.temperature import tempered
from medseg.models import dump_card, read_card
from medseg.training.calibrate import BINS, calibration_of, fit_temperature, reliability_of
from medseg.training.curve import draw_reliability
from medseg.training.heldout import HeldOutCase, Shares
from tests.inference.conftest import Share, make_card, segmenter

GRID = Grid((4, 4, 4), np.eye(4))


def world(temperature: float, voxels: int, seed: int, classes: int = 3) -> Shares:
    """Shares of a model that says softmax(z) where softmax(z / temperature) comes true."""
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0, 2.5, (voxels, classes))
    said = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    true = np.exp(outputs / temperature)
    true /= true.sum(1, keepdims=True)
    came = (rng.random((voxels, 1)) > true.cumsum(1)).sum(1)
    return Shares(said.astype(np.float32), np.minimum(came, classes - 1))


def case(name: str, shares: Shares | None) -> HeldOutCase:
    empty = np.zeros(GRID.shape, np.uint16)
    return HeldOutCase(name, name, GRID, empty, empty, None, shares)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_of_a_drawn_world_is_found(temperature: float) -> None:
    shares = world(temperature, 40_000, 0)
    true = np.arange(shares.values.shape[1]) == shares.classes[:, None]
    assert fit_temperature(shares.values, true) == pytest.approx(temperature, rel=0.03)


CLOSED = [
    ("sure and right", [[1.0, 0.0]] * 4, [0, 0, 0, 0], 0.0),
    ("sure and wrong", [[1.0, 0.0]] * 4, [1, 1, 1, 1], 1.0),
    ("three of four", [[0.75, 0.25]] * 4, [0, 0, 0, 1], 0.0),
    (
        "one bin over, one under",
        [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]],
        [0, 1, 0, 0],
        0.4,
    ),  # both by 0.4
    # 0.61 and 0.65 share the bin from 0.6 to 0.667: its mean is 0.63, and one half came true.
    ("two in one bin", [[0.61, 0.39], [0.65, 0.35]], [0, 1], 0.13),
]


@pytest.mark.parametrize(
    ("shares", "classes", "error"), [row[1:] for row in CLOSED], ids=[row[0] for row in CLOSED]
)
def test_calibration_error_by_hand(shares: "list[list[float]]", classes: "list[int]", error: float) -> None:
    found = reliability_of(np.array(shares), np.array(classes), ["a"] * len(classes))
    assert found.error == pytest.approx(error, abs=1e-6)
    assert (found.low, found.high) == (None, None)
    assert sum(item.share for item in found.bins) == pytest.approx(1)
    again = sum(item.share * abs(item.accuracy - item.confidence) for item in found.bins)
    assert again == pytest.approx(found.error, abs=1e-4)
    assert len(found.bins) <= BINS


def test_it_gets_better_across_folds_and_the_interval_holds_it() -> None:
    folds = {
        fold: [case(f"s{fold}{number}", world(2.0, 2000, 10 * fold + number)) for number in range(6)]
        for fold in range(3)
    }
    found = calibration_of(folds)
    assert found is not None
    assert found.temperature == pytest.approx(2.0, rel=0.05)
    assert (found.subjects, found.voxels) == (18, 36_000)
    assert found.after.error < found.before.error / 5
    for one in (found.before, found.after):
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.high
    assert found.before.low <= found.before.error <= found.before.high  # type: ignore[operator]
    assert draw_reliability(found, "Toy").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "folds", [{}, {0: [case("a", world(2.0, 50, 0))]}, {0: [case("a", None)], 1: [case("b", None)]}]
)
def test_there_is_none_without_two_folds_that_kept_shares(folds: "dict[int, list[HeldOutCase]]") -> None:
    assert calibration_of(folds) is None


@pytest.mark.parametrize("temperature", [0.2, 0.9, 1.0, 1.3, 8.0])
def test_order_and_certainty_stay(temperature: float) -> None:
    shares = world(1.0, 5000, 3, classes=5).values
    shares[:3] = np.eye(5, dtype=np.float32)[:3]
    found = tempered(shares, temperature, axis=1)
    assert (found.argmax(1) == shares.argmax(1)).all()
    assert found.sum(1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(found[:3], shares[:3])
    assert tempered(shares, 1.0, axis=1) is shares
    assert found.dtype == np.float32


def calibrated(temperature: float) -> Calibration:
    nothing = Reliability(0.1, None, None, ())
    return Calibration(temperature, 2, 10, 10.0, nothing, nothing)


def test_segmenting_applies_it_to_probabilities_and_to_nothing_else() -> None:
    """A ramp of shares from 0 to 1: labels are the same to the byte, shares are those of the closed form."""
    ramp = np.broadcast_to(np.linspace(0, 1, 16, dtype=np.float32)[:, None, None], (16, 16, 16)).copy()
    images = {"image": Image(ramp, Grid((16, 16, 16), np.eye(4)), channel="image")}
    found = {}
    for name, calibration in (("raw", None), ("tempered", calibrated(2.0))):
        engine = segmenter(make_card(calibration=calibration), Share())
        found[name] = engine.segment(images, engine.Params(keep_probabilities=True), run=Run())
    raw, warm = found["raw"], found["tempered"]
    assert raw.labels.tobytes() == warm.labels.tobytes()
    assert raw.probabilities is not None
    assert warm.probabilities is not None
    root = np.sqrt(np.stack([1 - ramp, ramp]))
    # Kept in float16, to half a step of it.
    assert np.allclose(warm.probabilities, root / root.sum(0), atol=2.0**-12)
    assert (np.argmax(warm.probabilities, 0) == np.argmax(raw.probabilities, 0)).all()


def test_a_card_keeps_it_and_older_cards_stay_as_they_are(tmp_path: Path) -> None:
    assert b"calibration" not in dump_card(make_card())
    card = make_card(calibration=calibrated(1.5))
    (tmp_path / "card.yaml").write_bytes(dump_card(card))
    assert read_card(tmp_path) == card


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_a_number_above_0(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        calibrated(temperature)
