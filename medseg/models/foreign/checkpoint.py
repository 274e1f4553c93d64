"""Checkpoints of nnU-Net and of MONAI: weights by name, read without running anything that a file asks for."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core.multiarray import scalar

from medseg.domain import NetworkSpec
from medseg.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Checkpoint", "read_checkpoint", "read_state", "weights_for"]

#: torch stores weights as they are; what inflates to more than this many times its file is a bomb.
MOST_INFLATED = 4
#: Prefixes that wrappers of a network put before its names.
_WRAPPERS = ("module.", "_orig_mod.")
#: Under which programs keep weights beside other things, and how deep.
_STATE_NAMES = ("model", "state_dict", "model_state_dict", "network", "net")
MOST_WRAPPED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What is needed of a checkpoint.

    Parameters
    ----------
    weights
        All tensors of the network by name, as stored.
    configuration, trainer
        What was trained, and by which class.
    mirror_axes
        Axes of the network that were mirrored in training; empty for none.
    """

    weights: "Mapping[str, Tensor]"
    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a `.pth` of nnU-Net v2; only numbers, names and lists are unpickled.

    Raises
    ------
    ModelError
        If it is damaged, wants to run something, or is none of nnU-Net's.
    """
    values = _load(path)
    weights = values.get("network_weights") if isinstance(values, dict) else None
    args = values.get("init_args") if isinstance(values, dict) else None
    if not isinstance(weights, dict) or not isinstance(args, dict):
        raise ModelError(f"{path} is no checkpoint of nnU-Net v2: it lacks network_weights or init_args")
    axes = values.get("inference_allowed_mirroring_axes")
    return Checkpoint(
        _unwrapped(weights, path),
        str(args.get("configuration")),
        str(values.get("trainer_name", "unknown")),
        tuple(int(axis) for axis in axes) if isinstance(axes, list | tuple) else (),
    )


def read_state(path: Path) -> "dict[str, Tensor]":
    """Weights by name of a file that holds them, by themselves or under one of a few names.

    Raises
    ------
    ModelError
        If it is damaged, wants to run something, or holds no weights.
    """
    values = _load(path)
    for _ in range(MOST_WRAPPED):
        if not isinstance(values, dict):
            break
        inner = next((values[name] for name in _STATE_NAMES if isinstance(values.get(name), dict)), None)
        if inner is None:
            return _unwrapped(values, path)
        values = inner
    raise ModelError(
        f"{path} holds no weights by name; it may be a whole network, which is code and is not run"
    )


def weights_for(spec: NetworkSpec, checkpoint: Checkpoint) -> "dict[str, Tensor]":
    """Weights without the second names of tensors and without the heads of deep supervision.

    nnU-Net keeps the encoder under `decoder.encoder` again, and each layer under `all_modules`.
    """
    last = f"decoder.seg_layers.{len(spec.filters) - 2}."
    found = {}
    for name, value in checkpoint.weights.items():
        repeated = name.startswith("decoder.encoder.") or ".all_modules." in name
        head = name.startswith("decoder.seg_layers.") and not name.startswith(last)
        if not repeated and not head:
            found[name] = value.float()
    return found


def _load(path: Path) -> Any:
    import torch

    _require_plain_zip(path)
    try:
        with torch.serialization.safe_globals(_numbers()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch's loader raises UnpicklingError, RuntimeError, KeyError, EOFError and others for damaged files.
        words = " ".join(str(error).split())
        if "GLOBAL" in words or "global" in words:
            raise ModelError(
                f"{path} wants to run code when it is read, which no weights need; get it from its makers again"
            ) from error
        raise ModelError(f"{path} is damaged or cut off; copy it again ({words[:100]})") from error


def _require_plain_zip(path: Path) -> None:
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            inflated = sum(item.file_size for item in archive.infolist())
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}; copy the whole folder") from error
    except (zipfile.BadZipFile, ValueError) as error:
        raise ModelError(f"{path} is no whole checkpoint; copy it again") from error
    if inflated > MOST_INFLATED * size + (1 << 20):
        raise ModelError(f"{path} would inflate to {inflated >> 20} MiB, which no checkpoint does")


def _numbers() -> list[Any]:
    """NumPy's scalars and types: nnU-Net's logs hold them; they are values and can run nothing."""
    types = [type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool", "uint8")]
    return [
        np.dtype,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        *types,
    ]


def _unwrapped(weights: Mapping[str, Any], path: Path) -> "dict[str, Tensor]":
    import torch

    found = {}
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise ModelError(f"{path}: its weights hold {str(name)[:60]!r}, which is no tensor")
        for wrapper in _WRAPPERS:
            name = name.removeprefix(wrapper)  # noqa: PLW2901 - the same name, bared
        found[name] = value
    return found
