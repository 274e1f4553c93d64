"""A bundle's networks, ready to predict: which backend runs them, and why."""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from medseg.domain import ModelCard, Run
from medseg.errors import InputError
from medseg.extras import missing_modules, require_extra
from medseg.inference.backends import Precision
from medseg.inference.backends.cache import keep, kept
from medseg.inference.backends.graph import has_graph
from medseg.inference.backends.openvino import compiled
from medseg.inference.backends.torch import TorchBackend
from medseg.inference.device import choose_device
from medseg.inference.ensemble import Activation, Ensemble, Predictor
from medseg.models import card_digest, load_weights, read_weights
from medseg.networks import build, load_state

__all__ = ["BackendChoice", "choose_backend", "load_predictor", "measure_backends"]

#: Windows that are timed, after one that is not.
TIMED = 2
#: Device files of accelerators' drivers, and the library that Windows keeps theirs in.
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """Which backend runs a model, with the reason in words, and seconds per window where they were measured."""

    backend: str
    reason: str
    seconds: tuple[tuple[str, float], ...] = ()


def choose_backend(card: ModelCard, run: Run) -> BackendChoice:
    """OpenVINO on a CPU, where it is installed and needs no torch to compile the network; torch else.

    On a CPU it is faster, starts without loading torch, and gives the same labels but for ties (a test holds that);
    accelerators are torch's.

    Raises
    ------
    InputError
        If the backend asked for can't run on the device asked for.
    MissingExtra
        If it is not installed.
    """
    if run.backend == "openvino" or card.network.architecture == "onnx":
        require_extra("openvino", f"the backend openvino for {card.name}")
        if run.device not in ("auto", "cpu"):
            raise InputError(f"openvino runs on the CPU here, not on {run.device}; use --backend torch")
        return BackendChoice("openvino", "asked for" if run.backend == "openvino" else "it is kept as ONNX")
    reason = _why_only_torch(card, run)
    if reason is not None:
        return BackendChoice("torch", reason)
    if run.device == "cpu" or not has_accelerator():
        measured = _measured(card, run)
        if measured is not None:
            return measured
    if run.device == "auto" and has_accelerator():
        return BackendChoice("torch", "there is an accelerator")
    if not has_graph(card.network):
        return BackendChoice(
            "torch", f"a {card.network.architecture} is compiled by way of torch, which takes long"
        )
    return BackendChoice("openvino", "on a CPU it is the faster one, and loads no torch")


def _why_only_torch(card: ModelCard, run: Run) -> str | None:
    """What leaves no choice; None where there is one."""
    reasons = (
        (run.backend == "torch", "asked for"),
        (card.windows.placing == "whole", "its windows are as large as the image"),
        # Who asks for them wants another program's labels to the voxel, and that one's numbers are torch's.
        (
            card.windows.sums == "float16",
            "its sums are float16, in which near ties fall as torch's numbers fall",
        ),
        (bool(missing_modules("openvino")), "OpenVINO is not installed"),
        (run.device not in ("auto", "cpu"), f"{run.device} was asked for"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def measure_backends(card: ModelCard, folder: Path, run: Run) -> BackendChoice:
    """Time one window on each backend that is installed, and keep the answer for this machine and model."""
    windows = np.zeros((1, card.network.in_channels, *card.window), np.float32)
    seconds: dict[str, float] = {}
    for backend in ("openvino", "torch"):
        if missing_modules("openvino" if backend == "openvino" else "models"):
            continue
        own = replace(run, backend=backend)
        predictor = load_predictor(
            card, folder, (), replace(own, device="cpu") if backend == "openvino" else own
        )
        with predictor.running(run):
            predictor(windows)
            start = time.perf_counter()
            for _ in range(TIMED):
                run.check()
                predictor(windows)
        seconds[backend] = (time.perf_counter() - start) / TIMED
    keep(_key(card, run), json.dumps(seconds).encode())
    return _fastest(seconds)


def _measured(card: ModelCard, run: Run) -> BackendChoice | None:
    content = kept(_key(card, run))
    return None if content is None else _fastest(json.loads(content))


def _fastest(seconds: Mapping[str, float]) -> BackendChoice:
    best = min(seconds, key=lambda name: seconds[name])
    return BackendChoice(best, "measured as the fastest here, on one window", tuple(seconds.items()))


def _key(card: ModelCard, run: Run) -> str:
    """Of what an answer depends on: machine, model, device, threads."""
    asked = (
        platform.node(),
        platform.processor(),
        os.cpu_count(),
        card_digest(card),
        run.device,
        run.threads,
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def has_accelerator() -> bool:
    """Whether the driver of an accelerator is there; looks, and loads nothing."""
    return sys.platform == "darwin" or any(Path(path).exists() for path in DRIVERS)


def load_predictor(
    card: ModelCard,
    folder: Path,
    mirror_axes: tuple[int, ...],
    run: Run,
    *,
    precision: Precision = "f32",
) -> Predictor:
    """The bundle's networks with their weights, ready to predict; the last two are kept for the next case.

    Raises
    ------
    InputError
        If the device is not there.
    ModelError
        If the bundle is damaged.
    """
    if choose_backend(card, run).backend == "openvino":
        return _openvino(card, folder, mirror_axes, precision, run.threads)
    require_extra("models", f"the model {card.name}")
    return _torch(card, folder, mirror_axes, run.device, precision)


def _activation(card: ModelCard) -> Activation:
    """What is averaged: shares, or the raw outputs where the card says so."""
    return "none" if card.decision.average == "logits" else card.decision.activation


@lru_cache(maxsize=2)
def _openvino(
    card: ModelCard, folder: Path, mirror_axes: tuple[int, ...], precision: Precision, threads: int | None
) -> Predictor:
    members = [
        compiled(card.network, data, card.window, precision=precision, threads=threads)
        for data in read_weights(card, folder)
    ]
    return Ensemble(members, mirror_axes, card.outputs, _activation(card))


@lru_cache(maxsize=2)
def _torch(
    card: ModelCard, folder: Path, mirror_axes: tuple[int, ...], device: str, precision: Precision
) -> Predictor:
    place = choose_device(device)  # type: ignore[arg-type]
    members = []
    for state in load_weights(card, folder):
        network = build(card.network, drawn=False)
        load_state(network, state)
        members.append(TorchBackend(network.eval(), place, precision))
    return Ensemble(members, mirror_axes, card.outputs, _activation(card))
