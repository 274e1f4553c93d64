"""Bundles on disk: weights read with their digests checked, and whole bundles written or none."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain.card import ModelCard, WeightsFile
from medseg.domain.network import NetworkSpec
from medseg.domain.parts_card import PartsCard
from medseg.errors import ConfigError, ModelError
from medseg.io.atomic import staged_folder
from medseg.models.card import CARD_FILE, AnyCard, card_digest, dump_card
from medseg.models.files import read_named
from medseg.networks import build, tensors_of

if TYPE_CHECKING:
    from torch import Tensor

    #: Weights by name, or a whole network as ONNX.
    State: TypeAlias = Mapping[str, Tensor] | bytes

__all__ = [
    "Contents",
    "as_arrays",
    "load_weights",
    "read_weights",
    "shapes_of",
    "weights_digest",
    "write_bundle",
    "write_contents",
]

#: How weights are kept: our own in half the room, those of others as they came, so that labels are the same.
Precision: TypeAlias = Literal["float16", "float32"]

#: The only names a card may give its weights: no path can leave the bundle.
_WEIGHTS_NAME = re.compile(r"weights/\d{1,3}\.(safetensors|onnx)")
#: Largest network that a card may ask for, in values.
MAX_VALUES = 1 << 30


def weights_digest(card: ModelCard) -> str:
    """SHA-256 over the digests of all weight files, in order."""
    return hashlib.sha256("".join(item.digest for item in card.weights).encode()).hexdigest()


def load_weights(card: ModelCard, folder: str | Path) -> "list[dict[str, Tensor]]":
    """Weights of every fold by name, float32; safetensors only, digests checked, shapes as the card says.

    Raises
    ------
    ModelError
        If a file is missing, leaves the bundle, has another digest, is no safetensors, or does not fit.
    """
    if not card.weights:
        raise ModelError(f"model {card.name!r} lists no weights")
    shapes = shapes_of(card.network, f"model {card.name!r}")
    return [_load(Path(folder), item, shapes) for item in card.weights]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a bundle is written from.

    Parameters
    ----------
    card, states
        What to run, and the weights of each fold.
    extras
        Other files by name, such as `LICENSE`.
    parts
        Bundles inside the bundle, by their folder: the models that the card names.
    """

    card: AnyCard
    states: "Sequence[State]"
    extras: Mapping[str, bytes] = field(default_factory=dict)
    parts: "Mapping[str, Contents]" = field(default_factory=dict)


def write_bundle(
    folder: str | Path,
    card: ModelCard,
    states: "Sequence[Mapping[str, Tensor]]",
    *,
    extras: Mapping[str, bytes] | None = None,
    force: bool = False,
) -> ModelCard:
    """Write card, weights (float16) and extra files as a folder that is whole or absent.

    Returns the card as written, with the weights' digests.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced.
    ModelError
        If weights are no numbers, or larger than float16 holds.
    """
    written = write_contents(folder, Contents(card, states, extras or {}), precision="float16", force=force)
    assert isinstance(written, ModelCard)  # noqa: S101 - for the type checker: a card stays of its kind
    return written


def write_contents(
    folder: str | Path, contents: Contents, *, precision: Precision, force: bool = False
) -> AnyCard:
    """Write a bundle, its parts inside it, as one folder that is whole or absent; returns the card as written.

    Raises as `write_bundle`.
    """
    written, files = _packed(contents, precision)
    with staged_folder(Path(folder), force=force) as staged:
        for name, data in files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return written


def _packed(contents: Contents, precision: Precision) -> tuple[AnyCard, dict[str, bytes]]:
    """The card with all digests in it, and every file of the bundle by its name."""
    inner: dict[str, bytes] = {}
    digests = {}
    for place, part in contents.parts.items():
        card, files = _packed(part, precision)
        digests[place] = card_digest(card)
        inner |= {f"{place}/{name}": data for name, data in files.items()}
    if isinstance(contents.card, PartsCard):
        parts = tuple(replace(part, digest=digests[part.folder]) for part in contents.card.parts)
        whole = replace(contents.card, parts=parts)
        return whole, {CARD_FILE: dump_card(whole), **contents.extras, **inner}
    weights = dict(_weights_file(number, state, precision) for number, state in enumerate(contents.states))
    listed = tuple(WeightsFile(name, hashlib.sha256(data).hexdigest()) for name, data in weights.items())
    before = contents.card.before
    if before is not None:
        before = replace(before, digest=digests[before.folder])
    written = replace(contents.card, weights=listed, before=before)
    return written, {CARD_FILE: dump_card(written), **weights, **contents.extras, **inner}


def _weights_file(number: int, state: "State", precision: Precision) -> tuple[str, bytes]:
    if isinstance(state, bytes):
        return f"weights/{number}.onnx", state
    return f"weights/{number}.safetensors", _pack(state, precision)


def _pack(state: "Mapping[str, Tensor]", precision: Precision) -> bytes:
    import torch
    from safetensors.torch import save

    kept = torch.float16 if precision == "float16" else torch.float32
    packed = {name: value.to("cpu", kept).contiguous() for name, value in state.items()}
    if any(not bool(torch.isfinite(value).all()) for value in packed.values()):
        raise ModelError(
            "the weights hold values that are no numbers or beyond 65504; such a model finds nothing"
        )
    data: bytes = save(packed)
    return data


def read_weights(card: ModelCard, folder: str | Path) -> list[bytes]:
    """The weights files of a bundle as they are, digests checked.

    Raises
    ------
    ModelError
        If a file is missing, leaves the bundle, or has another digest.
    """
    if not card.weights:
        raise ModelError(f"model {card.name!r} lists no weights")
    return [_read(Path(folder), item) for item in card.weights]


def as_arrays(data: bytes, what: str) -> dict[str, NDArray[np.float32]]:
    """Weights by name, float32, of a safetensors file; loads no torch.

    Raises
    ------
    ModelError
        If it is none, or holds values that are no numbers.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        state = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{what} is no safetensors file: {error}") from error
    found = {name: value.astype(np.float32) for name, value in state.items()}
    if any(not np.isfinite(value).all() for value in found.values()):
        raise ModelError(f"{what} holds values that are no numbers; such a model finds nothing")
    return found


def _read(folder: Path, item: WeightsFile) -> bytes:
    path = folder / item.file
    if not _WEIGHTS_NAME.fullmatch(item.file) or not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{folder}: weights {item.file!r} are not of the form weights/N.safetensors inside the bundle"
        )
    return read_named(path, item.digest)


def _load(folder: Path, item: WeightsFile, shapes: dict[str, tuple[int, ...]]) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / item.file
    data = _read(folder, item)
    try:
        state: dict[str, Any] = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path} is no safetensors file: {error}") from error
    found = {name: tuple(value.shape) for name, value in state.items()}
    if found != shapes:
        name = sorted(dict(found.items() ^ shapes.items()))[0]
        raise ModelError(
            f"{path} does not fit its card's network: {name} is {found.get(name)}, not {shapes.get(name)}"
        )
    if any(not bool(value.isfinite().all()) for value in state.values()):
        raise ModelError(f"{path} holds values that are no numbers; such a model finds nothing")
    return {name: value.float() for name, value in state.items()}


def shapes_of(spec: NetworkSpec, whose: str) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of a network, without room for a single value.

    Raises
    ------
    ModelError
        If there is no such network, or it has more values than a card may ask for.
    """
    import torch

    try:
        # The meta device has shapes and no memory: a hostile card can't ask for more than it brings.
        with torch.device("meta"):
            state = tensors_of(build(spec, drawn=False))
    except (ConfigError, RuntimeError) as error:
        raise ModelError(f"the network of {whose} is none: {str(error).splitlines()[0]}") from error
    if (count := sum(value.numel() for value in state.values())) > MAX_VALUES:
        raise ModelError(f"the network of {whose} has {count} values, more than {MAX_VALUES}")
    return {name: tuple(value.shape) for name, value in state.items()}
