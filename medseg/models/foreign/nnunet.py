"""nnU-Net v2's results folders: plans.json, dataset.json and a checkpoint per fold."""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import ModelCard, NetworkSpec
from medseg.domain.recipe import Before, Resize, WindowRule
from medseg.errors import ConfigError, LabelError, ModelError
from medseg.models.foreign.checkpoint import Checkpoint, read_checkpoint, weights_for
from medseg.models.foreign.fitting import require_fit
from medseg.models.foreign.plans import (
    Configuration,
    Labels,
    channels_of,
    configuration_of,
    labels_of,
)
from medseg.models.foreign.reading import Fields, digest_of_file, read_fields
from medseg.models.foreign.told import network_line, plain_words, step_line
from medseg.models.foreign.values import Told, Understood, Wanted

__all__ = ["NNUNET", "NnunetFolder"]

PLANS, DATASET = "plans.json", "dataset.json"
#: Where the first of two stages lies within the bundle of the second.
FIRST_STAGE = "parts/first"
#: Trainers of nnU-Net 2.8 that change weights only; others may change more.
_TRAINERS = re.compile(
    r"nnUNetTrainer(BN|NoDeepSupervision|NoDA|DA5|DA5ord0|DAOrd0|_?NoMirroring|_onlyMirror01|_probabilisticOversampling"
    r"|Adam|Vanilla\w+|CELoss|DiceLoss\w*|TopkLoss|_\d+epochs?(_NoMirroring)?|_warmup|_noDummy2DDA|CosAnneal"
    r"|_DASegOrd0\w*|_\d+epochs_DASegOrd0\w*)?"
)


@dataclass(frozen=True, slots=True)
class NnunetFolder:
    """A trained model folder, such as `nnUNetTrainer__nnUNetPlans__3d_fullres`, or the dataset folder around it."""

    title: str = "nnU-Net v2 results folder"

    def sniff(self, source: Path) -> bool:
        """Whether plans and dataset file are there."""
        return bool(_model_folders(source))

    def understand(self, source: Path, choice: Wanted) -> Understood:
        """Plans, labels, and the weights of all folds that are asked for."""
        return _understood(_the_model(source), choice)


NNUNET = NnunetFolder()


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What stands in a model folder, read and not yet joined."""

    model: Path
    plans: Fields
    dataset: Fields
    configuration: Configuration
    labels: Labels
    files: list[Path]
    checkpoints: list[Checkpoint]

    @property
    def first(self) -> Checkpoint:
        """nnU-Net takes configuration, trainer and mirrored axes from the first fold."""
        return self.checkpoints[0]

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all files that were read, in order."""
        files = (self.model / PLANS, self.model / DATASET, *self.files)
        return hashlib.sha256("".join(digest_of_file(path) for path in files).encode()).hexdigest()


def _understood(model: Path, choice: Wanted) -> Understood:
    read = _read(model, choice)
    previous = read.configuration.previous
    earlier = None if previous is None else _first_stage(model, previous, choice)
    spec = _network(read, earlier)
    states = []
    for path, checkpoint in zip(read.files, read.checkpoints, strict=True):
        state = weights_for(spec, checkpoint)
        require_fit(state, spec, path, "plans")
        states.append(state)
    try:
        card = _card(read, spec, choice)
    except (ConfigError, LabelError) as error:
        raise ModelError(f"{model} makes no model: {error}") from error
    licence = f"Licence of this model as its files state it: {card.licence}\n"
    parts = {} if earlier is None else {FIRST_STAGE: earlier}
    return Understood(card, states, _told(card, read, choice), licence, parts)


def _read(model: Path, choice: Wanted) -> _Read:
    plans, dataset = read_fields(model / PLANS), read_fields(model / DATASET)
    files = _checkpoints(model, choice)
    checkpoints = [read_checkpoint(path) for path in files]
    if len({item.configuration for item in checkpoints}) > 1:
        raise ModelError(f"{model}: its folds are of different configurations; add them one by one")
    configuration = configuration_of(plans, checkpoints[0].configuration)
    try:
        labels = labels_of(dataset)
    except LabelError as error:
        raise ModelError(f"{dataset.place}: {error}") from error
    return _Read(model, plans, dataset, configuration, labels, files, checkpoints)


def _the_model(source: Path) -> Path:
    found = _model_folders(source)
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found)
    raise ModelError(f"{source} holds {len(found)} trained models; give the path of one of them: {names}")


def _model_folders(source: Path) -> list[Path]:
    """The folder itself, or those inside it."""
    if (source / PLANS).is_file() and (source / DATASET).is_file():
        return [source]
    if not source.is_dir():
        return []
    inner = sorted(path.parent for path in source.glob(f"*/{PLANS}"))
    return [path for path in inner if (path / DATASET).is_file()]


def _checkpoints(model: Path, choice: Wanted) -> list[Path]:
    name = f"checkpoint_{choice.checkpoint}.pth"
    there = {path.name.removeprefix("fold_"): path for path in sorted(model.glob("fold_*")) if path.is_dir()}
    # As nnU-Net chooses by itself: all numbered folds, and the one of all cases where it is the only one.
    wanted = choice.folds or tuple(fold for fold in there if fold != "all") or tuple(there)
    if not wanted:
        raise ModelError(f"{model} has no folder fold_0, fold_1, … with a checkpoint; copy the whole folder")
    files = [there.get(fold, model / f"fold_{fold}") / name for fold in wanted]
    for path in files:
        if not path.is_file():
            have = (
                ", ".join(sorted(str(one.relative_to(model)) for one in model.glob("fold_*/*.pth"))) or "none"
            )
            raise ModelError(
                f"{path} is not there (found: {have}); copy the whole folder, or choose with --folds and --checkpoint"
            )
    return files


def _first_stage(model: Path, previous: str, choice: Wanted) -> Understood:
    """The model whose labels a cascade takes: beside it, of the same trainer and plans."""
    stem = model.name.rpartition("__")[0]
    beside = model.parent / f"{stem}__{previous}"
    if not _model_folders(beside):
        raise ModelError(
            f"{model} is the second stage of a cascade, and {beside.name}, the first one, does not lie beside it"
        )
    return _understood(beside, replace(choice, name=None))


def _network(read: _Read, earlier: Understood | None) -> NetworkSpec:
    channels, _ = channels_of(read.dataset, read.configuration)
    extra = 0 if earlier is None else len(earlier.card.table.labels)
    # A trainer with batch norm says so in its weights alone; instance norm keeps no running mean.
    batch = any(name.endswith(".running_mean") for name in read.first.weights)
    return replace(
        read.configuration.network,
        in_channels=len(channels) + extra,
        out_channels=read.labels.outputs,
        norm="batch" if batch else read.configuration.network.norm,
    )


def _card(read: _Read, spec: NetworkSpec, choice: Wanted) -> ModelCard:
    channels, steps = channels_of(read.dataset, read.configuration)
    full, configuration, table = read.plans.text("dataset_name"), read.configuration, read.labels.table
    short = re.sub(r"^Dataset\d+_", "", full)
    licence = str(read.dataset.values.get("licence") or read.dataset.values.get("license") or "")[:200]
    names = [region.name for region in table.regions] + [label.name for label in table.labels]
    digest = read.digest
    return ModelCard(
        name=choice.name or plain_words(short),
        title=f"{short} (nnU-Net, {configuration.name})",
        summary=f"{', '.join(names[:6])} on {', '.join(channel.name for channel in channels)}.",
        version=f"nnU-Net v2, {digest[:12]}",
        channels=channels,
        reference=channels[0].name,
        spacing=None,
        window=configuration.patch,
        network=spec,
        preprocessing=steps,
        table=table,
        weights=(),
        mirror_axes=tuple(sorted(read.first.mirror_axes)),
        trained=(("data", full), *_count(read.dataset)),
        licence=licence or "not stated in its files; ask its makers",
        attribution=str(read.dataset.values.get("reference") or "")[:500],
        limits=_limits(read.first),
        grid=configuration.grid,
        windows=WindowRule("even", "gaussian_float16", choice.sums),
        decision=read.labels.decision,
        before=Before(FIRST_STAGE, "labels", table.values) if configuration.previous is not None else None,
        origin=(
            ("kind", "nnU-Net v2"),
            ("dataset", full),
            ("plans", read.plans.text("plans_name", "unnamed")),
            ("configuration", configuration.name),
            ("trainer", read.first.trainer),
            ("source_digest", digest),
        ),
    )


def _limits(checkpoint: Checkpoint) -> tuple[str, ...]:
    limits = ["Made by others; what it is good for is what they say, and is not measured here."]
    if not _TRAINERS.fullmatch(checkpoint.trainer):
        limits.append(
            f"Trained by {checkpoint.trainer}, which is none of nnU-Net's own; what it changes beyond weights "
            "and plans is not known."
        )
    return tuple(limits)


def _count(dataset: Fields) -> tuple[tuple[str, int], ...]:
    cases = dataset.values.get("numTraining")
    return (("cases", cases),) if isinstance(cases, int) and not isinstance(cases, bool) else ()


def _told(card: ModelCard, read: _Read, choice: Wanted) -> Told:
    configuration, files = read.configuration, read.files
    grid = configuration.grid
    order = "the file's own order" if grid.orientation == "stored" else f"turned to {grid.orientation}"
    return (
        ("dataset", read.plans.text("dataset_name")),
        ("configuration", configuration.name),
        ("network", network_line(card.network)),
        ("weights", f"{choice.checkpoint} of {', '.join(path.parent.name for path in files)}"),
        ("trainer", read.first.trainer),
        ("channels", ", ".join(channel.name for channel in card.channels)),
        ("before the network", "; ".join(step_line(step) for step in card.preprocessing) or "nothing"),
        ("axes", f"{order}; network axes are array axes {grid.axes}"),
        ("spacing", " × ".join(f"{step:.4g}" for step in grid.spacing) + " mm"),
        ("interpolation", f"channels {_resize_line(grid.image)}, outputs {_resize_line(grid.outputs)}"),
        ("window", " × ".join(map(str, card.window)) + ", half of it overlaps"),
        ("mirroring", f"axes {card.mirror_axes}" if card.mirror_axes else "none"),
        ("outputs", f"{card.decision.activation}; means and interpolation of {card.decision.average}"),
        ("labels", ", ".join(f"{item.value} {item.name}" for item in card.table.labels)),
        *(
            (("regions", ", ".join(region.name for region in card.table.regions)),)
            if card.table.regions
            else ()
        ),
        ("licence", card.licence),
    )


def _resize_line(rule: Resize) -> str:
    how, order = rule.how, rule.order
    return f"{how} of order {order}" if how == "spline" else str(how)
