"""A bundle's networks, ready to predict: which backend runs them, and why."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from medseg.domain import ModelCard, Run
from medseg.errors import InputError
from medseg.extras import missing_modules, require_extra
from medseg.inference.backends import Backend
from medseg.inference.backends.graph import GRAPHS
from medseg.inference.backends.openvino import Precision, compiled
from medseg.inference.backends.torch import TorchBackend
from medseg.inference.device import choose_device
from medseg.inference.ensemble import Ensemble, Predictor
from medseg.models import load_weights, read_weights
from medseg.networks import build, load_state

__all__ = ["Choice", "choose_backend", "load_predictor"]

#: Device files of accelerators' drivers, and the library that Windows keeps theirs in.
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which backend runs a model, with the reason in words."""

    backend: str
    reason: str


def choose_backend(card: ModelCard, run: Run) -> Choice:
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
        return Choice("openvino", "asked for" if run.backend == "openvino" else "it is kept as ONNX")
    if run.backend == "torch":
        return Choice("torch", "asked for")
    if missing_modules("openvino"):
        return Choice("torch", "OpenVINO is not installed")
    if run.device not in ("auto", "cpu"):
        return Choice("torch", f"{run.device} was asked for")
    if run.device == "auto" and has_accelerator():
        return Choice("torch", "there is an accelerator")
    if card.network.architecture not in GRAPHS:
        return Choice("torch", f"a {card.network.architecture} is compiled by way of torch, which takes long")
    return Choice("openvino", "on a CPU it is the faster one, and loads no torch")


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
    return _torch(card, folder, mirror_axes, run.device)


@lru_cache(maxsize=2)
def _openvino(
    card: ModelCard, folder: Path, mirror_axes: tuple[int, ...], precision: Precision, threads: int | None
) -> Predictor:
    members = [
        compiled(card.network, data, card.window, precision=precision, threads=threads)
        for data in read_weights(card, folder)
    ]
    return _ensemble(members, mirror_axes, card)


@lru_cache(maxsize=2)
def _torch(card: ModelCard, folder: Path, mirror_axes: tuple[int, ...], device: str) -> Predictor:
    place = choose_device(device)  # type: ignore[arg-type]
    members = []
    for state in load_weights(card, folder):
        network = build(card.network, drawn=False)
        load_state(network, state)
        members.append(TorchBackend(network.eval(), place))
    return _ensemble(members, mirror_axes, card)


def _ensemble(members: Sequence[Backend], mirror_axes: tuple[int, ...], card: ModelCard) -> Predictor:
    """The mean that the card asks for: of probabilities, or of outputs as they are."""
    activation = "none" if card.decision.average == "logits" else card.decision.activation
    return Ensemble(members, mirror_axes, card.outputs, activation)
