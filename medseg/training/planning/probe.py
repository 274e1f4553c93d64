"""What a planned training takes on this machine: memory by one batch, time by ten, in a process of its own."""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import yaml

from medseg.domain import Run
from medseg.domain.run import Device
from medseg.errors import ResourceError
from medseg.inference.device import choose_device
from medseg.inference.memory import held_bytes
from medseg.training.config import TrainConfig, config_from, dump_config

__all__ = ["Probe", "cut_patch", "probe", "try_out"]

#: Share of the patch that memory is foretold from; the rest is a straight line in its voxels.
_SMALL, _LARGER = 0.25, 0.5
_STEPS = 10
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Probe:
    """Memory of the training's process, and time of a step.

    Parameters
    ----------
    predicted_bytes
        Peak foretold from two small patches.
    measured_bytes
        Peak with one whole batch; None where the prediction is beyond the budget, so that it was not tried.
    seconds_per_step
        Median of ten steps after the first; None as above.
    device
        Where it was measured.
    """

    predicted_bytes: int
    measured_bytes: int | None
    seconds_per_step: float | None
    device: str


def probe(config: TrainConfig, most_bytes: int, run: Run) -> Probe:
    """Train this configuration on noise for ten steps, in another process; nothing is read or written.

    Parameters
    ----------
    config
        As planned.
    most_bytes
        Where the prediction is beyond, the whole batch is not tried.
    run
        Device, threads, progress, cancel.

    Raises
    ------
    Cancelled
        If the user stopped it; the process is gone by then.
    ResourceError
        If the process was ended by the system.
    """
    task = {
        "config": dump_config(config).decode(),
        "most_bytes": most_bytes,
        "device": run.device,
        "threads": run.threads,
    }
    command = [sys.executable, "-c", "from medseg.training.planning.probe import try_out; try_out()"]
    with subprocess.Popen(  # noqa: S603 - this interpreter and our own words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            answer = _talk(child, json.dumps(task), run)
        finally:
            child.kill()
    if not answer:
        raise ResourceError(
            "the trial of the planned network was ended by the system, likely for its memory; "
            "plan with a smaller --budget"
        )
    return Probe(**json.loads(answer.splitlines()[-1]))


def _talk(child: "subprocess.Popen[str]", task: str, run: Run) -> str:
    what: str | None = task
    run.progress(0, None, "trying the network")
    while True:
        run.check()
        try:
            return child.communicate(what, timeout=_POLL_S)[0]
        except subprocess.TimeoutExpired:
            what = None


def try_out() -> None:
    """In the other process: a task on stdin, a Probe on stdout."""
    import torch

    task: dict[str, Any] = json.load(sys.stdin)
    if task["threads"]:
        torch.set_num_threads(task["threads"])
    found = _Trial(config_from(yaml.safe_load(task["config"])), task["device"]).run(task["most_bytes"])
    sys.stdout.write(json.dumps(asdict(found)))


class _Trial:
    """A network and its optimiser, trained on noise."""

    def __init__(self, config: TrainConfig, device: Device) -> None:
        import torch

        from medseg.training.loop import precision_for
        from medseg.training.module import SegmentationModule

        self.device = choose_device(device)
        self.config = config
        self.module = SegmentationModule(config).to(self.device)
        self.optimiser = torch.optim.AdamW(self.module.network.parameters())
        half = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
        self.half = half.get(precision_for(config.loop.precision, self.device))

    def run(self, most_bytes: int) -> Probe:
        """Two small batches, then the whole one if it is likely to fit, then ten of them."""
        small, larger = (self._peak(share) for share in (_SMALL, _LARGER))
        slope = max(0.0, (larger[1] - small[1]) / max(1, larger[0] - small[0]))
        batch, patch = self.config.loop.batch, self.config.patch
        predicted = int(larger[1] + slope * (batch * prod(patch) - larger[0]))
        if predicted > most_bytes:
            return Probe(predicted, None, None, self.device.type)
        self._step(batch, patch)
        measured = self._used()
        return Probe(predicted, measured, self._seconds(batch, patch), self.device.type)

    def _seconds(self, batch: int, patch: tuple[int, ...]) -> float:
        """Median of ten steps: what else the machine does now and then does not count."""
        taken = []
        for _ in range(_STEPS):
            begun = time.perf_counter()
            self._step(batch, patch)
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken)

    def _peak(self, share: float) -> tuple[int, int]:
        """(voxels of the batch, peak bytes so far) of a step with about this share of the whole batch."""
        whole = self.config.loop.batch * prod(self.config.patch)
        batch = max(1, int(self.config.loop.batch * share))
        patch = cut_patch(self.config.patch, self.config.network.divisor, int(whole * share / batch))
        self._step(batch, patch)
        return batch * prod(patch), self._used()

    def _used(self) -> int:
        import torch

        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_reserved(self.device))
        return held_bytes() or 0

    def _step(self, batch: int, patch: tuple[int, ...]) -> None:
        import torch

        spec = self.config.network
        image = torch.randn((batch, spec.in_channels, *patch), device=self.device)
        classes = torch.randint(0, spec.out_channels, (batch, 1, *patch), device=self.device)
        with torch.autocast(self.device.type, self.half, enabled=self.half is not None):
            loss = self.module.loss_of(image, classes)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()


def cut_patch(patch: tuple[int, ...], divisor: tuple[int, ...], voxels: int) -> tuple[int, ...]:
    """A patch of at most about so many voxels: the axis with most multiples of its divisor is halved first.

    >>> cut_patch((32, 32), (8, 8), 300)
    (16, 16)
    """
    sizes = list(patch)
    while prod(sizes) > voxels:
        axis = max(range(len(sizes)), key=lambda number: sizes[number] / divisor[number])
        if sizes[axis] < 2 * divisor[axis]:
            break
        sizes[axis] = sizes[axis] // 2 // divisor[axis] * divisor[axis]
    return tuple(sizes)
