"""Windows of one value, as air is, are computed once: the same labels bit for bit by fewer windows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import ChannelSpec, Run
from medseg.domain.card import Clip
from medseg.geometry.shares import KeptShares
from medseg.inference import segmenter_of, stream
from medseg.inference.ensemble import Ensemble
from medseg.inference.stream import SlabStream
from medseg.inference.windows import Tiling
from medseg.models import write_bundle
from medseg.networks import build, state_for
from tests.inference.conftest import StandIn, make_card, make_image


class Counted(StandIn):
    """Three classes of all voxels of a window and of their place in it; counts windows."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.seen = 0

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.seen += len(windows)
        place = np.linspace(0, 1, windows.shape[-1], dtype=np.float32)
        mean = windows.mean(axis=(1, 2, 3, 4), keepdims=True)
        return np.concatenate(
            [windows[:, :1] * (number + 1) + place * number + mean for number in range(3)], axis=1
        )


def answer(array: np.ndarray, predictor: Any, batch: int = 1, flat: int | None = None) -> np.ndarray:
    tiling = Tiling((8, 8, 8) if flat is None else (1, 8, 8), 0.5)
    run = SlabStream(predictor, tiling, flat, batch).run(array, Run())
    return np.concatenate([slab.values.copy() for slab in run], axis=1)


def body_in_air(air: float, channels: int = 1) -> np.ndarray:
    """Noise in the middle of a scan of air."""
    array = np.full((channels, 24, 24, 40), air, np.float32)
    array[:, 8:16, 8:16, 16:24] = np.random.default_rng(0).normal(size=(channels, 8, 8, 8))
    return array


@pytest.fixture
def without_looking(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From here on every window goes through the network."""
    return lambda: monkeypatch.setattr(stream, "_value_of_all", lambda _: None)


@pytest.mark.parametrize("air", [-1.0, 0.0, 0.1])
@pytest.mark.parametrize("channels", [1, 2])
def test_sums_are_the_same_bit_for_bit_with_fewer_windows(
    air: float, channels: int, without_looking: Callable[[], None]
) -> None:
    array = body_in_air(air, channels)
    few = Counted()
    found = answer(array, few)
    without_looking()
    every = Counted()
    expected = answer(array, every)
    assert every.seen == 5 * 5 * 9
    # Windows that touch the middle: three places along each axis; and one of air.
    assert few.seen == 27 + 1
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))


#: What is no air → windows of 8³ in a scan of 16³ that go through the network.
SCANS: dict[str, tuple[Callable[[np.ndarray], None], int]] = {
    "all air": (lambda array: None, 1),
    "one voxel of the last window": (lambda array: array.__setitem__((0, -1, -1, -1), 1), 2),
    "minus zero is another value": (lambda array: array.__setitem__((0, 0, 0, 0), -0.0), 2),
    "a second channel that is not": (lambda array: array.__setitem__((1, 15, 0, 0), 1), 2),
    "channels of one value each": (lambda array: array.__setitem__(1, 3), 1),
}


@pytest.mark.parametrize(("change", "seen"), SCANS.values(), ids=SCANS)
def test_only_windows_of_one_value_a_channel_are_known(change: Any, seen: int) -> None:
    array = np.zeros((2, 16, 16, 16), np.float32)
    change(array)
    counted = Counted()
    answer(array, counted)
    assert counted.seen == seen


def test_two_values_of_air_are_two_windows() -> None:
    array = np.zeros((1, 8, 8, 32), np.float32)
    array[..., 16:] = 1
    counted = Counted()
    answer(array, counted)
    # Seven places along the last axis: 0 three times, both values once, 1 three times.
    assert counted.seen == 3


#: Device, windows at once → windows computed of 27, in rows of 9, the last of which is alone in its batch of 4.
@pytest.mark.parametrize(("device", "batch", "seen"), [("cuda", 1, 27), ("cuda", 4, 27), ("cpu", 4, 24 + 1)])
def test_where_a_device_or_a_batch_may_round_otherwise_each_window_is_computed(
    device: str, batch: int, seen: int
) -> None:
    counted = Counted(device)
    answer(np.zeros((1, 16, 16, 16), np.float32), counted, batch)
    assert counted.seen == seen


def test_one_run_knows_nothing_of_another() -> None:
    counted = Counted()
    one = SlabStream(counted, Tiling((8, 8, 8), 0.5))
    for number in (1, 2):
        list(one.run(np.zeros((1, 16, 16, 16), np.float32), Run()))
        assert counted.seen == number


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_labels_and_probabilities_of_a_real_network_are_the_same_bit_for_bit(
    backend: Any, tmp_path: Path, without_looking: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two networks, mirrored, and a scan whose air a step of the card makes one value."""
    import torch

    pytest.importorskip("openvino")
    monkeypatch.setenv("MEDSEG_CACHE_DIR", str(tmp_path / "cache"))
    torch.manual_seed(1)
    card = make_card(
        channels=(ChannelSpec("image"),), preprocessing=(Clip("image", 0.0, 3.0),), mirror_axes=(1,), labels=2
    )
    states = [state_for(card.network, build(card.network)) for _ in range(2)]
    write_bundle(tmp_path / "model", card, states)
    model: Any = segmenter_of(tmp_path / "model")
    noise = np.random.default_rng(0).normal(size=(16, 24, 40)).astype(np.float32)
    values = -5 + 0.1 * noise  # air has noise, below what is clipped
    values[4:12, 8:16, 16:24] = 1 + noise[4:12, 8:16, 16:24]
    image, params = make_image(values), model.Params(keep_probabilities=True)
    notes: dict[str, float] = {}
    run = Run(device="cpu", backend=backend, note=notes.__setitem__)
    found = model.segment({"image": image}, params, run=run)
    assert notes["windows.all"] == 3 * 5 * 9
    assert notes["windows.known"] == notes["windows.all"] - 3 * 3 * 3 - 1
    without_looking()
    expected = model.segment({"image": image}, params, run=run)
    assert notes["windows.known"] == 0
    assert found.digest == expected.digest
    assert isinstance(found.probabilities, KeptShares)
    assert isinstance(expected.probabilities, KeptShares)
    assert found.probabilities.pieces == expected.probabilities.pieces


def test_members_told_apart_are_known_together() -> None:
    """What is kept of a window of air holds each member's own outputs too."""
    members = [Counted(), Counted()]
    apart = replace(Ensemble(members, apart=True), activation="none")
    found = answer(np.zeros((1, 16, 16, 16), np.float32), apart)
    assert found.shape[0] == 9
    assert [one.seen for one in members] == [1, 1]
