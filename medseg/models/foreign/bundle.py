"""MONAI bundles: configs/inference.json or .yaml, configs/metadata.json and the weights that the first one names."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec, Region
from medseg.errors import ConfigError, LabelError, ModelError
from medseg.models.bundle import shapes_of
from medseg.models.foreign.bundle_after import After, steps_after
from medseg.models.foreign.bundle_before import StepsBefore, steps_before
from medseg.models.foreign.bundle_config import Config, read_config
from medseg.models.foreign.bundle_network import network_of, own_class
from medseg.models.foreign.bundle_windows import Windows, bundle_windows
from medseg.models.foreign.checkpoint import read_state
from medseg.models.foreign.fitting import require_fit
from medseg.models.foreign.reading import Fields, digest_of_file, read_fields
from medseg.models.foreign.told import network_line, plain_words, step_line
from medseg.models.foreign.values import Told, Understood, Wanted

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BUNDLE", "MonaiBundle", "card_without_weights"]

_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
METADATA = "configs/metadata.json"
#: Words for a channel's modality that are beyond doubt.
_MODALITIES = {"ct": "CT", "mr": "MR", "mri": "MR", "pet": "PT", "pt": "PT"}
#: Formats of outputs that are labels of voxels.
_OUTPUTS = ("segmentation", "labels", "onehot", "probability", "logits")
#: Weights that no output depends on: copies under another name, heads of training, attention that is not there.
_UNUSED = re.compile(r"(^|\.)(skip_layers|heads|deep_supervision_heads|cross_attn)\.")
#: The norm of UNETR's absent cross attention, which bundles of before MONAI 1.4 do not have.
_ABSENT = re.compile(r"\.norm_cross_attn\.(weight|bias)$")


#: Version of MONAI since which its `merging` takes each neighbour once.
_MERGING_SINCE = (1, 5)


@dataclass(frozen=True, slots=True)
class MonaiBundle:
    """A folder as MONAI's Model Zoo has them, or one around it."""

    title: str = "MONAI bundle"

    def sniff(self, source: Path) -> bool:
        """Whether there are configurations of inference."""
        return _folder(source) is not None

    def understand(self, source: Path, choice: Wanted) -> Understood:
        """Configuration, metadata and weights."""
        folder = _folder(source)
        assert folder is not None  # noqa: S101 - for the type checker: it was asked before
        return _understood(folder, choice)


BUNDLE = MonaiBundle()


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What stands in a bundle, read and not yet joined."""

    folder: Path
    config: Config
    metadata: Fields
    network: NetworkSpec
    channels: tuple[ChannelSpec, ...]
    before: StepsBefore
    windows: Windows
    after: After
    table: LabelTable
    weights: str


def card_without_weights(folder: Path) -> ModelCard:
    """The card that a bundle's configuration makes, whether its weights are there or not.

    Raises
    ------
    ModelError
        Naming what is not understood.
    ConfigError, LabelError
        If what is understood makes no card.
    """
    return _card(_read(folder), Wanted(), "")


def _folder(source: Path) -> Path | None:
    """The bundle itself, or the only one inside."""
    if not source.is_dir():
        return None
    inner = [path for path in (source, *sorted(source.iterdir())) if _inference(path) is not None]
    return inner[0] if len(inner) == 1 or (inner and inner[0] == source) else None


def _inference(folder: Path) -> Path | None:
    places = (folder / "configs" / name for name in _CONFIGS)
    return next((path for path in places if path.is_file()), None)


def _understood(folder: Path, choice: Wanted) -> Understood:
    read = _read(folder)
    if choice.merging == "repeated":
        read = replace(read, network=_merged_as_before(read.network, folder))
    path = _weights_file(read)
    state = _fitting(read_state(path), read.network)
    require_fit(state, read.network, path, "configuration")
    digest = _digest(folder, path)
    try:
        card = _card(read, choice, digest)
    except (ConfigError, LabelError) as error:
        raise ModelError(f"{folder} makes no model: {error}") from error
    return Understood(card, [state], _told(card, read), _licence_text(folder, card))


def _merged_as_before(network: NetworkSpec, folder: Path) -> NetworkSpec:
    """A SwinUNETR whose tokens are joined as MONAI's `merging` did until 1.4; weights are the same ones."""
    attention = network.attention
    if attention is None or network.architecture != "swin_unetr" or attention.merging != "merging":
        raise ModelError(
            f"{folder}: --merging repeated is for a SwinUNETR with MONAI's 'merging'; this is {network_line(network)}"
        )
    if network.dimensions != 3:
        raise ModelError(f"{folder}: in two dimensions tokens are joined as they were; leave --merging out")
    return replace(network, attention=replace(attention, merging="merging_repeated"))


def _read(folder: Path) -> _Read:
    """All but the weights.

    Raises
    ------
    ModelError
        Naming what is not understood.
    """
    path = _inference(folder)
    assert path is not None  # noqa: S101 - for the type checker
    config = read_config(path)
    config.values["bundle_root"] = "."
    metadata = (
        read_fields(folder / METADATA)
        if (folder / METADATA).is_file()
        else Fields({}, str(folder / METADATA))
    )
    _require_segmentation(config, metadata)
    network = network_of(config)
    channels = _channels(metadata, network)
    before = steps_before(config, tuple(channel.name for channel in channels))
    windows = bundle_windows(config, network)
    after = steps_after(config, network.out_channels)
    moves = before.spacing is not None or before.cropped_after is not None
    if moves and "Invertd" not in str(config.raw("postprocessing")):
        raise ModelError(
            f"{config.place}: labels are not brought back to the voxels of the image: no Invertd"
        )
    return _Read(
        folder,
        config,
        metadata,
        network,
        channels,
        before,
        windows,
        after,
        _table(config, metadata, network, after),
        _weights_name(config),
    )


def _require_segmentation(config: Config, metadata: Fields) -> None:
    """Refuse bundles that find boxes, classes or images."""
    detecting = [name for name in ("detector", "detector_ops", "anchor_generator") if name in config]
    if detecting:
        raise ModelError(f"{config.place}: it finds boxes ({detecting[0]}), and is no segmentation")
    form = _prediction(metadata, "outputs").values.get("format")
    if form is not None and str(form).lower() not in _OUTPUTS:
        raise ModelError(f"{metadata.place}: its outputs are {str(form)[:40]!r}, and no segmentation")


def _prediction(metadata: Fields, side: str) -> Fields:
    """The first input or output that the metadata describe."""
    found: Any = metadata.values.get("network_data_format")
    found = found.get(side) if isinstance(found, dict) else None
    first = next(iter(found.values()), None) if isinstance(found, dict) else None
    return Fields(first if isinstance(first, dict) else {}, f"{metadata.place}, {side}")


def _names(metadata: Fields, side: str) -> dict[int, str]:
    given = _prediction(metadata, side).values.get("channel_def")
    if not isinstance(given, dict):
        return {}
    return {int(key): str(name)[:100] for key, name in given.items() if str(key).isdecimal()}


def _channels(metadata: Fields, network: NetworkSpec) -> tuple[ChannelSpec, ...]:
    named = _names(metadata, "inputs")
    modality = _MODALITIES.get(str(_prediction(metadata, "inputs").values.get("modality")).casefold())
    if sorted(named) != list(range(network.in_channels)):
        named = {number: f"channel-{number}" for number in range(network.in_channels)}
    names = ["image"] if len(named) == 1 else [named[number].replace("=", "-") for number in sorted(named)]
    unique = [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names)]
    return tuple(ChannelSpec(name, modality) for name in unique)


def _table(config: Config, metadata: Fields, network: NetworkSpec, after: After) -> LabelTable:
    """Labels of the outputs, named by the metadata, or by `labels` in the configuration."""
    named = _names(metadata, "outputs") or _named_in_config(config)
    order = after.decision.order
    try:
        if order:
            return _region_table(
                order, [named.get(number, f"region {number}") for number in range(len(order))]
            )
        if named and sorted(named) != list(range(network.out_channels)):
            raise ModelError(
                f"{metadata.place} names {len(named)} outputs, and the network has {network.out_channels}"
            )
        return LabelTable(
            tuple(
                Label(value, named.get(value, f"label {value}")) for value in range(1, network.out_channels)
            )
        )
    except LabelError as error:
        raise ModelError(f"{metadata.place}: {error}") from error


def _named_in_config(config: Config) -> dict[int, str]:
    for key in ("labels", "label_names"):
        given = config.values.get(key)
        if isinstance(given, dict) and all(type(value) is int for value in given.values()):
            return {value: str(name)[:100] for name, value in given.items()}
    return {}


def _region_table(order: tuple[int, ...], names: list[str]) -> LabelTable:
    """Nested regions of BraTS, the largest first, or one structure."""
    if len(order) == 1:
        return LabelTable((Label(order[0], names[0]),))
    core, whole, enhancing = names
    first, second, third = order
    labels = (
        Label(first, f"{core}, rest", is_part=True),
        Label(second, f"{whole}, rest", is_part=True),
        Label(third, enhancing),
    )
    return LabelTable(labels, (Region(core, (first, third)), Region(whole, order)))


def _weights_name(config: Config) -> str:
    """The file that a loader of checkpoints names, within the bundle."""
    loaders = [config.values.get("checkpointloader"), *_listed(config.values.get("handlers"))]
    for loader in loaders:
        if isinstance(loader, dict) and str(loader.get("_target_")).rpartition(".")[2] == "CheckpointLoader":
            name = config.resolved(loader.get("load_path"))
            if not isinstance(name, str):
                raise ModelError(f"{config.place}: load_path {str(name)[:60]!r} is no path")
            return name
    return "models/model.pt"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _weights_file(read: _Read) -> Path:
    name = PurePosixPath(read.weights.replace("\\", "/"))
    path = read.folder / name
    if name.is_absolute() or ".." in name.parts or not path.resolve().is_relative_to(read.folder.resolve()):
        raise ModelError(f"{read.config.place}: weights {read.weights[:80]!r} lie outside of the bundle")
    if path.is_file():
        return path
    scripts = sorted((read.folder / "models").glob("*.ts"))
    if scripts:
        raise ModelError(
            f"{path} is not there, and {scripts[0].name} is TorchScript, which is code and is not run; get the weights"
        )
    raise ModelError(
        f"{path} is not there: the Model Zoo keeps weights apart (large_files.yml); download the bundle with them"
    )


def _fitting(state: "Mapping[str, Tensor]", network: NetworkSpec) -> "dict[str, Tensor]":
    """Weights without those that no output depends on."""
    import torch

    kept = {name: value.float() for name, value in state.items() if not _UNUSED.search(name)}
    wanted = shapes_of(network, "the bundle")
    for name in wanted:
        if _ABSENT.search(name) and name not in kept:
            kept[name] = torch.zeros(wanted[name])
    return kept


def _digest(folder: Path, weights: Path) -> str:
    """SHA-256 over the digests of all files that were read, in order."""
    config = _inference(folder)
    files = [path for path in (config, folder / METADATA, weights) if path is not None and path.is_file()]
    return hashlib.sha256("".join(digest_of_file(path) for path in files).encode()).hexdigest()


def _card(read: _Read, choice: Wanted, digest: str) -> ModelCard:
    metadata, name = read.metadata.values, _name(read)
    version = str(metadata.get("version") or "unnumbered")[:40]
    grid = replace(read.before.grid, slices=read.windows.slices)
    return ModelCard(
        name=choice.name or plain_words(name),
        title=f"{metadata.get('name') or name} (MONAI bundle)"[:200],
        summary=str(metadata.get("description") or metadata.get("task") or name)[:500],
        version=f"{version}, {digest[:12]}",
        channels=read.channels,
        reference=read.channels[0].name,
        spacing=None,
        window=read.windows.window,
        network=read.network,
        preprocessing=tuple(read.before.steps),
        table=read.table,
        weights=(),
        postprocessing=read.after.steps,
        overlap=read.windows.overlap,
        trained=(("data", str(metadata.get("data_source") or "not stated")[:200]),),
        licence=str(metadata.get("license") or "see the file LICENSE of this bundle")[:200],
        attribution="; ".join(str(metadata[key]) for key in ("authors", "copyright") if metadata.get(key))[
            :500
        ],
        intended_use=str(metadata.get("intended_use") or "Research only; not a medical device.")[:500],
        limits=_limits(read),
        grid=grid,
        windows=read.windows.rule,
        decision=read.after.decision,
        origin=(
            ("kind", "MONAI bundle"),
            ("bundle", name),
            ("version", version),
            ("monai_version", str(metadata.get("monai_version") or "not stated")[:40]),
            ("source_digest", digest),
        ),
    )


def _name(read: _Read) -> str:
    return str(read.metadata.values.get("name") or read.folder.name)


def _limits(read: _Read) -> tuple[str, ...]:
    limits = ["Made by others; what it is good for is what they say, and is not measured here."]
    if read.after.decision.interpolated == "label_numbers" and len(read.table.labels) > 1:
        limits.append(
            "As its makers have it, numbers of labels are interpolated: around a label of a high number may lie a rim "
            "of lower ones."
        )
    if _is_merged_anew(read):
        limits.append(
            "Its makers name a MONAI of before 1.5, which joined the tokens of a SwinUNETR otherwise; this runs as "
            "MONAI does since then. If it finds little, add it again with --merging repeated."
        )
    own = [str(one) for one in _listed(read.config.values.get("imports")) if own_class(_imported(one))]
    if own:
        limits.append(f"Its {', '.join(own)[:200]} was not run: nothing that is used here names it.")
    return tuple(limits)


def _imported(text: Any) -> str:
    """`scripts.x` of `$import scripts.x`, with a dot at the end for a library as a whole of the bundle's own."""
    words = str(text).removeprefix("$").split()
    name = words[1] if len(words) > 1 else ""
    return name if name.startswith("scripts") and "." in name else f"{name}." if name == "scripts" else ""


def _licence_text(folder: Path, card: ModelCard) -> str:
    for name in ("LICENSE", "docs/license.txt", "docs/LICENSE", "license.txt"):
        path = folder / name
        if path.is_file() and path.stat().st_size < 1 << 20:
            return path.read_text(encoding="utf-8", errors="replace")
    return f"Licence of this model as its files state it: {card.licence}\n"


def _told(card: ModelCard, read: _Read) -> Told:
    grid, rule, decision = read.before.grid, read.windows.rule, card.decision
    spacing = (
        "as stored" if grid.spacing is None else " × ".join(f"{step:g}" for step in grid.spacing) + " mm"
    )
    turned = "the file's own order" if grid.orientation == "stored" else f"turned to {grid.orientation}"
    steps = [step_line(step) for step in card.preprocessing]
    if grid.scaled_before:
        steps.append(f"the first {grid.scaled_before} before interpolation")
    if grid.cropped_after is not None:
        steps.append(f"crop to values above 0, {grid.margin} voxels wider")
    window = "the whole image" if rule.placing == "whole" else " × ".join(map(str, card.window))
    return (
        ("bundle", f"{_name(read)}, {card.version}"),
        ("network", _network_words(read)),
        ("weights", read.weights),
        ("channels", ", ".join(channel.name for channel in card.channels)),
        (
            "axes",
            turned if read.windows.slices is None else f"{turned}; slices along axis {read.windows.slices}",
        ),
        ("spacing", spacing),
        ("before the network", "; ".join(steps) or "nothing"),
        (
            "window",
            f"{window}, {card.overlap:g} of it overlaps, {rule.weighting} weights, {rule.padding} around",
        ),
        ("outputs", f"{decision.activation}; means of {decision.average}"),
        ("back to the image", _back(card)),
        ("after the network", "; ".join(str(step) for step in card.postprocessing) or "nothing"),
        ("labels", ", ".join(f"{item.value} {item.name}" for item in card.table.labels)),
        ("regions", ", ".join(region.name for region in card.table.regions) or "none"),
        ("licence", card.licence),
    )


def _is_merged_anew(read: _Read) -> bool:
    """Whether tokens are joined in another way than in the MONAI that the metadata name (its pull request 8285)."""
    attention = read.network.attention
    version = re.match(r"(\d+)\.(\d+)", str(read.metadata.values.get("monai_version")))
    if attention is None or version is None or read.network.dimensions != 3:
        return False
    is_before = (int(version[1]), int(version[2])) < _MERGING_SINCE
    return read.network.architecture == "swin_unetr" and attention.merging == "merging" and is_before


def _network_words(read: _Read) -> str:
    line = network_line(read.network)
    if read.network.attention is not None and read.network.attention.merging == "merging_repeated":
        return f"{line}; tokens joined as in MONAI until 1.4"
    return f"{line}; tokens joined as in MONAI since 1.5" if _is_merged_anew(read) else line


def _back(card: ModelCard) -> str:
    words = {
        "averages": "outputs interpolated, then decided",
        "shares": f"{card.decision.activation} interpolated, then decided",
        "nearest_label": "decided, then the nearest label",
        "label_numbers": "decided, then numbers of labels interpolated and rounded",
    }
    return words[card.decision.interpolated]
