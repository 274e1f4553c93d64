"""The running mean of weights: of one weight it can be worked out by hand."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from medseg.training import load_config

Make = Callable[[float], Any]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """What Lightning trains, with a network of the one weight 4.0; its loss is of no matter here."""
    import torch

    from medseg.training import module

    def build(spec: object) -> torch.nn.Module:
        network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(network.weight, 4.0)
        return network

    monkeypatch.setattr(module, "build", build)
    monkeypatch.setattr(module, "state_for", lambda spec, network: dict(network.named_parameters()))
    loss = SimpleNamespace(DiceCELoss=lambda **_: None, DiceLoss=lambda **_: None)
    monkeypatch.setitem(sys.modules, "monai.losses.dice", loss)  # the real one takes seconds to load

    def made(average: float) -> Any:
        config = load_config("hippocampus_3d", [f"loop.average={average}"])
        return module.SegmentationModule(config)

    return made


def steps_done(monkeypatch: pytest.MonkeyPatch, trained: Any, steps: int) -> None:
    monkeypatch.setattr(type(trained), "global_step", steps)


def trained_to(trained: Any, weight: float) -> None:
    import torch

    torch.nn.init.constant_(trained.network.weight, weight)
    trained.on_train_batch_end()


#: Decay asked for, steps done, weight after them → mean that was 4. A share of `decay` of the mean stays.
ONE_STEP = [
    (0.9, 10_000, 2.0, 3.8),
    (0.75, 10_000, 0.0, 3.0),
    (0.75, 10_000, 8.0, 5.0),
    (0.9, 10_000, 4.0, 4.0),
    # A short run starts from a faster mean: (1 + steps) / (10 + steps) of it stay, at most the decay.
    (0.9, 0, 2.0, 2.2),
    (0.9, 5, 2.0, 2.8),
    (0.9, 80, 2.0, 3.8),
    (0.9, 81, 2.0, 3.8),
    (0.75, 26, 2.0, 3.5),
]


@pytest.mark.parametrize(("decay", "steps", "weight", "expected"), ONE_STEP)
def test_one_step_moves_the_mean_by_what_the_decay_leaves(
    decay: float, steps: int, weight: float, expected: float, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = make(decay)
    steps_done(monkeypatch, trained, steps)
    trained_to(trained, weight)
    assert trained.average.weight.item() == pytest.approx(expected, abs=1e-5)
    assert trained.network.weight.item() == weight


def test_what_is_older_counts_less(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = make(0.75)
    steps_done(monkeypatch, trained, 10_000)
    for weight in (0.0, 16.0, 0.0):
        trained_to(trained, weight)
    # 27/64 of the first 4, and of the three weights 9/64, 12/64 and 16/64.
    assert trained.average.weight.item() == pytest.approx((27 * 4 + 9 * 0 + 12 * 16 + 16 * 0) / 64, abs=1e-5)


def test_the_mean_is_what_is_kept(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = make(0.75)
    assert trained.weights()["weight"].item() == 4
    steps_done(monkeypatch, trained, 10_000)
    trained_to(trained, 8.0)
    assert trained.weights()["weight"].item() == pytest.approx(5, abs=1e-5)
    assert not any(one.requires_grad for one in trained.average.parameters())
    assert all(one.requires_grad for one in trained.network.parameters())


def test_without_a_decay_the_last_weights_are_kept(make: Make) -> None:
    trained = make(0)
    trained_to(trained, 8.0)
    assert trained.average is None
    assert trained.weights()["weight"].item() == 8
