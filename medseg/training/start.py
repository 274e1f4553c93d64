"""Weights of a model as the start of another: tensors by name, head and stem by the names of labels and channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medseg.domain import ModelCard, NetworkSpec
from medseg.domain.recipe import AnchoredGrid, StoredGrid
from medseg.errors import ConfigError
from medseg.models import load_weights, read_card, weights_digest
from medseg.models.bundle import shapes_of
from medseg.networks import encoder_names, tensors_of
from medseg.training.config import TrainConfig
from medseg.training.naming import place_of

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "Start",
    "array_axes",
    "begin_from",
    "hold_still",
    "require_startable",
    "start_of",
]

#: So many names stand in a message.
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Start:
    """How a model's weights become those of another network.

    Parameters
    ----------
    outputs, inputs
        Of each output and each channel of the new network, which one of the model it is; None where it is new.
    words
        The same for a reader.
    """

    outputs: tuple[int | None, ...]
    inputs: tuple[int | None, ...]
    words: str


def start_of(card: ModelCard, config: TrainConfig) -> Start:
    """Which labels and channels of a configuration the model knows, by their names.

    Raises
    ------
    ConfigError
        If it knows no channel of them, or can't be trained on.
    """
    require_startable(card)
    theirs = [label.name for label in card.table.labels]
    ours = [label.name for label in config.labels.labels]
    outputs = (0, *(place_of(name, theirs, 1) for name in ours))
    inputs = tuple(place_of(item.name, [one.name for one in card.channels], 0) for item in config.channels)
    if not any(place is not None for place in inputs):
        raise ConfigError(
            f"the model {card.name} knows none of the channels {', '.join(item.name for item in config.channels)}; it "
            f"knows {', '.join(item.name for item in card.channels)}"
        )
    words = (
        f"Weights begin as those of {card.name} {card.version}. Its head "
        f"{_kept(ours, outputs[1:], 'is drawn anew for')}; its stem "
        f"{_kept([item.name for item in config.channels], inputs, 'begins at 0 for')}."
    )
    return Start(outputs, inputs, words)


def require_startable(card: ModelCard) -> None:
    """Refuse what this training can't go on from.

    Raises
    ------
    ConfigError
        Saying why.
    """
    why = None
    if card.network.architecture == "onnx":
        why = "it is kept as ONNX, whose graph can't be trained"
    elif card.before is not None:
        why = "another model runs before it; take that one, or train both apart"
    elif card.decision.order:
        why = "its outputs are regions that overlap; training has one output for each label"
    elif card.distance_channels:
        why = "it numbers objects, and is trained on phantoms"
    elif card.grid is not None and card.network.dimensions != 3:
        why = "its network takes slices on a grid of its own"
    elif isinstance(card.grid, AnchoredGrid):
        why = _anchored(card.grid)
    if why is not None:
        raise ConfigError(f"training can't go on from the model {card.name}: {why}")


def _anchored(grid: AnchoredGrid) -> str | None:
    """Why a grid is none that medseg's training has; None where it is."""
    if grid.orientation not in ("stored", "RAS"):
        return f"its network works in the orientation {grid.orientation}, and training in RAS"
    if grid.spacing is not None and min(grid.spacing) == 0:
        return "it keeps the image's own spacing along some axes, and training has one for all"
    return None


def array_axes(card: ModelCard) -> tuple[int, ...]:
    """Axis of the network that runs along each axis of the image in medseg's order."""
    dimensions = card.network.dimensions
    if not isinstance(card.grid, StoredGrid):
        return tuple(range(dimensions))
    return tuple(card.grid.axes.index(axis) for axis in range(dimensions))


def begin_from(network: "nn.Module", config: TrainConfig, fold: int) -> None:
    """Copy what `start_of` says into a network with weights drawn, and hold still what `freeze` names.

    A model of several folds gives a new fold the weights of its own fold of that number.

    Raises
    ------
    ConfigError
        If the networks differ in more than head and stem, or the model is another one than the run began from.
    """
    assert config.start is not None  # noqa: S101 - asked before
    folder = Path(config.start.model)
    card = read_card(folder)
    if config.start.digest and weights_digest(card) != config.start.digest:
        raise ConfigError(f"the model in {folder} is another one than the run began from; give that one")
    start = start_of(card, config)
    states = load_weights(card, folder)
    state = _in_our_axes(states[fold % len(states)], card)
    _copy(network, state, config.network, start)


def hold_still(network: "nn.Module", config: TrainConfig) -> None:
    """Freeze the encoder where the configuration says so; a channel that is new needs a stem that learns."""
    if config.start is None or config.start.freeze == "nothing":
        return
    stem = set(_differing(config.network, inputs=1))
    card = read_card(Path(config.start.model))
    new_channel = None in start_of(card, config).inputs
    frozen = encoder_names(config.network)
    for name, value in network.named_parameters():
        if name.startswith(frozen) and not (new_channel and name in stem):
            value.requires_grad = False


def _copy(network: "nn.Module", state: "Mapping[str, Tensor]", spec: NetworkSpec, start: Start) -> None:
    import torch

    plain = replace(spec, deep_supervision=0)
    head, stem = _differing(plain, outputs=1), _differing(plain, inputs=1)
    wanted = tensors_of(network)
    missing = sorted(name for name in shapes_of(plain, "this configuration") if name not in state)
    if missing:
        raise ConfigError(_other_network(missing[0], "is not in it"))
    with torch.no_grad():
        for name, given in state.items():
            if name not in wanted:
                raise ConfigError(_other_network(name, "has no place in the network of the configuration"))
            target = wanted[name]
            if name in head:
                _by_name(target, given, 0, start.outputs, new=None)
            elif name in stem:
                _by_name(target, given, 1, start.inputs, new=0.0)
            elif target.shape == given.shape:
                target.copy_(given)
            else:
                raise ConfigError(_other_network(name, f"is {tuple(given.shape)}, not {tuple(target.shape)}"))


def _by_name(
    target: "Tensor", given: "Tensor", axis: int, places: Sequence[int | None], *, new: float | None
) -> None:
    """Slices of `target` along an axis from those of `given`; new ones keep what was drawn, or get one value."""
    if target.ndim <= axis:
        raise ConfigError("this network's first layer can't be told by channels")
    for number, place in enumerate(places):
        part = target.select(axis, number)
        if place is not None:
            part.copy_(given.select(axis, place))
        elif new is not None:
            part.fill_(new)


def _differing(spec: NetworkSpec, *, inputs: int = 0, outputs: int = 0) -> list[str]:
    """Names of the tensors that would have another shape with more channels or labels."""
    plain = replace(spec, deep_supervision=0)
    more = replace(plain, in_channels=spec.in_channels + inputs, out_channels=spec.out_channels + outputs)
    one, other = (shapes_of(item, "this configuration") for item in (plain, more))
    return [name for name, shape in one.items() if shape != other[name]]


def _in_our_axes(state: "Mapping[str, Tensor]", card: ModelCard) -> "dict[str, Tensor]":
    """Kernels turned to medseg's order of axes, where the network ran in a file's own."""
    axes = array_axes(card)
    size = 2 + len(axes)
    order = (0, 1, *(2 + axis for axis in axes))
    return {name: value.permute(order) if value.ndim == size else value for name, value in state.items()}


def _kept(names: Sequence[str], places: Sequence[int | None], new: str) -> str:
    kept = [name for name, place in zip(names, places, strict=True) if place is not None]
    drawn = [name for name, place in zip(names, places, strict=True) if place is None]
    words = f"keeps {', '.join(kept[:_NAMED])}" if kept else "keeps background alone"
    return f"{words} and {new} {', '.join(drawn[:_NAMED])}" if drawn else words


def _other_network(name: str, what: str) -> str:
    return (
        f"the model to begin from has another network than the configuration: {name} {what}; leave out CONFIG, or take "
        "the model's network, spacing and kernels over"
    )
