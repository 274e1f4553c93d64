"""Several processes that learn one network together, started as a user starts them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.training.test_journey import TINY, decathlon

pytestmark = pytest.mark.slow
MORE = [
    "loop.batch=2",
    "loop.steps=8",
    "loop.checkpoint_every=4",
    "loss.batch_dice=false",
    "data.folds=2",
    "grid.overlap=0",
    "grid.mirror_axes=[]",
]
MEDSEG = (sys.executable, "-m", "medseg")
TORCHRUN = (
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node",
    "2",
    "-m",
    "medseg",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four cases, and the run that one process made of them."""
    folder = tmp_path_factory.mktemp("together")
    decathlon(folder / "data", 4)
    done = ran(command(folder, "one"))
    assert done.returncode == 0, done.stderr
    return folder


def command(folder: Path, out: str, *more: str, program: tuple[str, ...] = MEDSEG) -> list[str]:
    train = ["train", "hippocampus_3d", f"data.root={folder / 'data'}", *TINY, *MORE]
    return [*program, *train, *more, "--out", str(folder / out), "--fold", "0", "--device", "cpu"]


def ran(wanted: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(wanted, check=False, capture_output=True, text=True)


def curve(run: Path) -> list[float]:
    with (run / "fold0/log/csv-0/metrics.csv").open() as stream:
        return [
            float(row[name])
            for row in csv.DictReader(stream)
            for name in ("train_loss", "validation_loss")
            if row[name]
        ]


@pytest.mark.parametrize(
    ("out", "program", "more"), [("two", MEDSEG, ("--processes", "2")), ("launched", TORCHRUN, ())]
)
def test_two_learn_what_one_learns(
    folder: Path, out: str, program: tuple[str, ...], more: tuple[str, ...]
) -> None:
    """The same global batch, so the same curve but for the order in which gradients are added."""
    done = ran(command(folder, out, *more, program=program))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the model is in") + done.stderr.count("the model is in") == 1
    alone, together = curve(folder / "one"), curve(folder / out)
    assert len(alone) == 4
    assert together == pytest.approx(alone, abs=2e-5)
    dice = [json.loads((folder / run / "metrics.json").read_text())["quality"] for run in ("one", out)]
    for one, two in zip(*dice, strict=True):
        assert two["mean"] == pytest.approx(one["mean"], abs=5e-3)


def test_a_batch_that_can_not_be_shared_is_refused_at_once(folder: Path) -> None:
    done = ran(command(folder, "odd", "--processes", "3"))
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "medseg train: loop.batch=2 can't be shared evenly by 3 processes; take a multiple of 3, such as loop.batch=3"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="finds the other process by its parent")
def test_a_lost_process_ends_the_others_in_words_and_one_alone_goes_on(folder: Path) -> None:
    wanted = command(folder, "lost", "loop.steps=400", "--processes", "2")
    leader = subprocess.Popen(wanted, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    checkpoints = folder / "lost/fold0/checkpoints"
    due = time.monotonic() + 240
    while not list(checkpoints.glob("*.ckpt")) and time.monotonic() < due and leader.poll() is None:
        time.sleep(0.1)
    (other,) = (child for child in psutil.Process(leader.pid).children() if "train" in child.cmdline())
    os.kill(other.pid, signal.SIGKILL)
    _, said = leader.communicate(timeout=120)
    assert leader.returncode == 5, said
    assert said.strip().splitlines()[-1].startswith("medseg train: process 0 of 2 lost another one")
    done = ran(command(folder, "lost", "loop.steps=400"))
    assert done.returncode == 0, done.stderr
    attempts = sorted(path.name for path in (folder / "lost/fold0/log").glob("csv-*"))
    assert len(attempts) == 2, "it went on from a checkpoint"


@pytest.mark.skipif(sys.platform != "linux", reason="finds the other process by its parent")
def test_the_others_end_with_the_one_that_leads(folder: Path) -> None:
    wanted = command(folder, "led", "loop.steps=4000", "--processes", "2")
    leader = subprocess.Popen(wanted, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    due = time.monotonic() + 240
    checkpoints = folder / "led/fold0/checkpoints"
    while not list(checkpoints.glob("*.ckpt")) and time.monotonic() < due and leader.poll() is None:
        time.sleep(0.1)
    others = psutil.Process(leader.pid).children()
    leader.kill()
    leader.wait()
    _, alive = psutil.wait_procs(others, timeout=60)
    assert others
    assert not alive
