"""The pieces of the loop: loaders, precision, schedules, what the watch tells, and threads put back."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from medseg.domain import Run
from medseg.errors import Cancelled
from medseg.training import load_config
from medseg.training.config import TrainConfig
from medseg.training.loop import (
    CURVE_PATCHES,
    Pace,
    _clock,
    _curve_loader,
    _loader,
    _quiet,
    _trainer,
    _Watch,
    precision_for,
    torch_as_asked,
)
from medseg.training.module import SegmentationModule, _rise_and_fall, _share
from medseg.training.patches import EpochSampler
from tests.training.test_journey import TINY
from tests.training.test_patches import dots, patches

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def config(*more: str) -> TrainConfig:
    found = load_config("hippocampus_3d", ["data.root=nowhere", *TINY, *more])
    assert isinstance(found, TrainConfig)
    return found


#: What the configuration says, device, threads → workers, and whether they stay and memory is pinned.
WORKERS: list[tuple[str, torch.device, int, int]] = [
    ("null", CPU, 4, 0),
    ("null", CUDA, 4, 3),
    ("null", CUDA, 1, 1),
    ("null", CUDA, 20, 8),
    ("2", CPU, 4, 2),
    ("0", CUDA, 4, 0),
]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # of a machine with fewer cores
@pytest.mark.parametrize(("said", "device", "threads", "workers"), WORKERS)
def test_workers_leave_the_network_its_cores(
    said: str, device: torch.device, threads: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    made = patches(dots((4, 4, 4), a=(1, 1, 1)), patch=(2, 2, 2))
    numbers = EpochSampler(6, lambda: 0, share=2)
    loader = _loader(made, numbers, config(f"loop.workers={said}").loop.workers, device)
    assert (loader.num_workers, loader.persistent_workers) == (workers, workers > 0)
    assert loader.pin_memory == (device.type == "cuda")
    assert (loader.batch_size, len(loader), list(loader.sampler)) == (2, 3, [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize(("batch", "count"), [(1, 8), (3, 8), (12, 12)])
def test_the_curve_is_of_eight_patches_or_a_batch(batch: int, count: int) -> None:
    case: Any = patches(dots((4, 4, 4), a=(1, 1, 1)), patch=(2, 2, 2)).groups[0][0]
    loader = _curve_loader([case], config(f"loop.batch={batch}"), seed=5)
    assert CURVE_PATCHES == 8
    assert (loader.batch_size, list(loader.sampler)) == (batch, list(range(count)))
    assert (loader.dataset.seed, loader.dataset.augment) == (5, None)


#: Wanted, device, whether it has bfloat16 → Lightning's name.
PRECISION = [
    ("auto", "cpu", True, "bf16-mixed"),
    ("auto", "cpu", False, "32-true"),
    ("auto", "cuda", True, "bf16-mixed"),
    ("auto", "cuda", False, "16-mixed"),
    ("auto", "mps", True, "32-true"),
    ("32", "cuda", True, "32-true"),
    ("bf16", "cpu", False, "bf16-mixed"),
    ("16", "cuda", True, "16-mixed"),
]


@pytest.mark.parametrize(("wanted", "device", "has", "expected"), PRECISION)
def testprecision_for(
    wanted: str, device: str, has: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medseg.training.loop._has_bf16", lambda: has)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    assert precision_for(wanted, torch.device(device)) == expected


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (125, "2:05"), (7200, "120:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert _clock(seconds) == text


def test_the_watch_tells_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("medseg.training.loop.time.monotonic", lambda: now[0])
    told: list[tuple[int, int | None, str]] = []
    watch = _Watch(Run(progress=lambda *said: told.append(said)), 10, "fold 0")
    trainer: Any = SimpleNamespace(global_step=4, callback_metrics={})
    watch.on_train_start(trainer, None)  # type: ignore[arg-type]
    now[0], trainer.global_step = 130.0, 6  # two of the six steps that were left took 30 s
    watch.on_train_batch_end(trainer)
    trainer.callback_metrics["train_loss"] = torch.tensor(0.51251)
    watch.on_train_batch_end(trainer)
    assert told == [(6, 10, "fold 0, 1:00 left"), (6, 10, "fold 0, loss 0.513, 1:00 left")]


def test_the_watch_stops_when_asked() -> None:
    watch = _Watch(Run(cancel=lambda: True), 10, "fold 0")
    trainer: Any = SimpleNamespace(global_step=1, callback_metrics={})
    with pytest.raises(Cancelled):
        watch.on_train_batch_start()
    with pytest.raises(Cancelled):
        watch.on_train_batch_end(trainer)


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_a_cancel_that_says_how_to_go_on(signal: type[BaseException]) -> None:
    with pytest.raises(Cancelled, match="goes on from the last checkpoint"), _quiet():
        raise signal


def test_threads_are_those_asked_for_and_put_back() -> None:
    before = torch.get_num_threads()
    with torch_as_asked(Run(threads=before + 1)):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with torch_as_asked(Run()):
        assert torch.get_num_threads() == before


def test_exact_algorithms_end_with_the_run_that_wanted_them() -> None:
    with torch_as_asked(Run(deterministic=True)):
        torch.use_deterministic_algorithms(mode=True)  # as Lightning does for such a run
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_environment_of_slurm_is_not_taken_for_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a job of Slurm one process is one: Lightning would wait for the others that it reads of."""
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "3"}.items():
        monkeypatch.setenv(name, value)
    with _quiet():
        trainer = _trainer(Pace(1, 1), torch.device("cpu"), None, Run(), "fold 0")
    assert (trainer.world_size, trainer.global_rank) == (1, 0)


#: Step of 40 → share of the learning rate: four steps up, then half a cosine down.
RATES = [(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (22, 0.5), (40, 0.0)]


@pytest.mark.parametrize(("step", "share"), RATES)
def test_the_rate_rises_in_the_first_tenth_and_falls_as_a_cosine(step: int, share: float) -> None:
    assert _rise_and_fall(step, 40) == pytest.approx(share, abs=1e-9)
    assert _rise_and_fall(0, 1) == 1


@pytest.mark.parametrize(
    ("warmup", "steps", "share"), [(0.1, 100, 0.1), (0.1, 9, 0.2), (0.3, 9, 0.3), (0.1, 1, 0.9), (1, 50, 0.9)]
)
def test_a_short_run_warms_up_over_two_steps(warmup: float, steps: int, share: float) -> None:
    assert _share(warmup, steps) == pytest.approx(share)


#: Schedule, its settings → rates before step 0, 5 and 10 of 10.
SCHEDULES = [
    ("constant", [0.01, 0.01, 0.01]),
    ("poly", [0.01, 0.01 * (6 / 11) ** 0.9, 0.01 * (1 / 11) ** 0.9]),
]


@pytest.mark.parametrize(("schedule", "expected"), SCHEDULES)
def test_schedules(schedule: str, expected: list[float]) -> None:
    module = SegmentationModule(
        config(
            "loop.steps=10",
            "optimiser.lr=0.01",
            f"optimiser.schedule={schedule}",
            "optimiser.weight_decay=0.02",
        )
    )
    made = module.configure_optimizers()
    optimiser, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(11):
        rates.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    assert [rates[step] for step in (0, 5, 10)] == pytest.approx(expected)
    assert optimiser.defaults["weight_decay"] == 0.02
    assert made["lr_scheduler"]["interval"] == "step"


def test_one_cycle_rises_to_the_peak_and_falls() -> None:
    module = SegmentationModule(
        config("loop.steps=20", "optimiser.lr=0.01", "optimiser.schedule=one_cycle", "optimiser.warmup=0.25")
    )
    made = module.configure_optimizers()
    rates = []
    for _ in range(21):
        rates.append(made["lr_scheduler"]["scheduler"].get_last_lr()[0])
        made["optimizer"].step()
        if len(rates) < 21:
            made["lr_scheduler"]["scheduler"].step()
    assert max(rates) == pytest.approx(0.01, rel=0.02)
    assert 4 <= rates.index(max(rates)) <= 5
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[-1] < 1e-6


def test_levels_of_deep_supervision_weigh_half_of_the_one_above() -> None:
    module = SegmentationModule(config())
    labels = torch.zeros((1, 1, 2, 2, 2), dtype=torch.long)
    level = torch.zeros((1, 3, 2, 2, 2))
    losses = {1.0: 0.3, 2.0: 0.9, 3.0: 1.5}
    answers = [torch.stack([level + 1, level + 2, level + 3], dim=1), level + 2]
    del module.loss, module.network
    module.loss = lambda logits, _labels, _held: torch.tensor(losses[float(logits.flatten()[0])])  # type: ignore[assignment]
    module.network = lambda _image: answers.pop(0)  # type: ignore[assignment]
    assert float(module.loss_of(level, labels)) == pytest.approx((0.3 + 0.45 + 0.375) / 1.75)
    assert float(module.loss_of(level, labels)) == pytest.approx(0.9)
