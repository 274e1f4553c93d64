"""Go on from a model with cases of one's own: the configuration out of its card, and a verdict on cases held out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Literal

import numpy as np

from medseg.domain import Case, ChannelSpec, Dataset, Finding, LabelTable, ModelCard, Run, Segmenter
from medseg.domain.card import PreStep, ZScore
from medseg.domain.channels import pair_channels
from medseg.domain.recipe import StoredGrid
from medseg.domain.values import as_details
from medseg.errors import ConfigError, InputError, ModelError
from medseg.geometry import order_to
from medseg.inference import segmenter_of
from medseg.io.atomic import write_bytes
from medseg.io.datasets import read_channel
from medseg.metrics.summarise import LEVEL, bootstrap_interval
from medseg.models import read_card, weights_digest
from medseg.training.cases import load_case
from medseg.training.config import (
    DataConfig,
    GridConfig,
    LoopConfig,
    LossConfig,
    ModelText,
    OptimiserConfig,
    StartConfig,
    TrainConfig,
)
from medseg.training.naming import place_of
from medseg.training.planning.decide import USUAL_AUGMENTATION
from medseg.training.run_folder import RunFolder
from medseg.training.start import array_axes, require_startable, start_of
from medseg.training.validate import pooled_dice
from medseg.workflows.segment import segment
from medseg.workflows.segmenters import model_folder

__all__ = [
    "HOLD_OUT_FILE",
    "HoldOutVerdict",
    "StartWish",
    "begun",
    "config_of_model",
    "judge_hold_out",
    "read_verdict",
]

HOLD_OUT_FILE = "hold_out.json"
#: Codes of the findings that say where weights come from, and which of two models is the better one.
ABOUT_START = ("train.start", "train.better", "train.alike", "train.worse", "train.not_compared")
#: Share of the subjects that is held out where nobody says how many, and how many there must be to hold out any.
_HELD_OUT, _FEWEST = 4, 4
#: Steps and rate that suit a start from weights that know the structure.
_STEPS, _RATE = 250, 1e-3


@dataclass(frozen=True, slots=True)
class StartWish:
    """The start that is asked for: a model by name or folder, whether its encoder is frozen, how many to hold out."""

    model: str
    freeze: bool = False
    hold_out: int | None = None


@dataclass(frozen=True, slots=True)
class HoldOutVerdict:
    """The new model beside the one that it began from, on subjects that neither the run nor its choices have seen.

    Parameters
    ----------
    subjects
        How many.
    new, old
        Mean Dice of each over the labels that both have; None where the old one can't segment these scans.
    gain, low, high
        Mean paired difference and its 95 % bootstrap interval over subjects; None with fewer than two.
    word
        `better` or `worse` where the interval says so, else `alike`; `unknown` without a comparison.
    reason
        Why there is none.
    """

    subjects: int
    new: float | None = None
    old: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    word: Literal["better", "worse", "alike", "unknown"] = "unknown"
    reason: str = ""

    def finding(self, model: str) -> Finding:
        """For a reader of the new model."""
        if self.new is None or self.old is None or self.gain is None:
            text = f"The new model was not compared with {model}: {self.reason}."
            return Finding("train.not_compared", "info", text)
        words = {
            "better": f"better than {model}",
            "worse": f"worse than {model}: keep that one",
            "alike": f"neither better nor worse than {model} beyond noise",
        }[self.word]
        text = (
            f"On {self.subjects} subjects held out the new model is {words}: mean Dice {self.new:.3f} against "
            f"{self.old:.3f}, {self.gain:+.3f} (95 % interval {self.low:+.3f} to {self.high:+.3f})."
        )
        severity: Literal["info", "warning"] = "warning" if self.word == "worse" else "info"
        return Finding(
            f"train.{self.word}", severity, text, as_details(gain=self.gain, subjects=self.subjects)
        )


def begun(config: TrainConfig | None, dataset: Dataset, wish: StartWish) -> TrainConfig:
    """A configuration with a start; without one it is made out of the model's card.

    Raises
    ------
    InputError
        If there is no such model.
    ConfigError
        If training can't go on from it, or with these data.
    """
    folder = model_folder(wish.model)
    if folder is None:
        raise InputError(f"no model is called {wish.model!r}; 'medseg models' lists them")
    try:
        card = read_card(folder)
    except ModelError as error:
        raise ConfigError(f"training can't go on from {wish.model}: {error}") from error
    require_startable(card)
    config = config or config_of_model(card, dataset)
    start = StartConfig(str(folder.resolve()), weights_digest(card), "encoder" if wish.freeze else "nothing")
    held = config.data.held_out or _held_out(dataset, config.data.seed, wish.hold_out)
    made = replace(config, start=start, data=replace(config.data, held_out=held))
    start_of(card, made)
    return made


def config_of_model(card: ModelCard, dataset: Dataset) -> TrainConfig:
    """What a model was, as a configuration for other data: its network, grid and preprocessing, few and careful steps.

    Labels are the model's where the data set calls them alike, or does not name them; else those of the data set.
    Channels are those that the data set has of the model's, and its own others.
    """
    require_startable(card)
    axes = array_axes(card)
    table = _table(card, dataset)
    channels, steps = _channels(card, dataset)
    names = [item.name for item in channels]
    spacing = card.spacing if card.grid is None else card.grid.spacing
    if isinstance(card.grid, StoredGrid):
        spacing = tuple(card.grid.spacing[axis] for axis in axes)
    mirror = tuple(sorted(axes.index(axis) for axis in card.mirror_axes))
    if table.is_lateralised or table.names_sides:
        mirror = tuple(axis for axis in mirror if axis != 0)
    network = replace(
        card.network,
        in_channels=len(channels),
        out_channels=len(table.labels) + 1,
        strides=tuple(_turned(item, axes) for item in card.network.strides),
        kernels=tuple(_turned(item, axes) for item in card.network.kernels),
        deep_supervision=0,
    )
    return TrainConfig(
        model=ModelText(
            f"{card.name}-tuned",
            f"{card.title}, trained further",
            card.summary,
            licence=card.licence,
            attribution=card.attribution,
            intended_use=card.intended_use,
            limits=(f"Began from {card.name} {card.version} and saw few cases; judge it on yours.",),
        ),
        data=DataConfig(folds=1),
        channels=channels,
        reference=card.reference if card.reference in names else names[0],
        labels=table,
        grid=GridConfig(spacing, _turned(card.window, axes), card.overlap, mirror),  # type: ignore[arg-type]
        network=network,
        loop=LoopConfig(steps=_STEPS, batch=2, foreground=0.6, checkpoint_every=50),
        preprocessing=steps,
        postprocessing=card.postprocessing if table == card.table else (),
        loss=LossConfig(batch_dice=True),
        optimiser=OptimiserConfig(lr=_RATE, weight_decay=1e-4, clip=5.0),
        augmentation=replace(USUAL_AUGMENTATION, flip_axes=mirror, rotate=0.2, scale=0.12),
    )


def judge_hold_out(plan: RunFolder, bundle: Path, run: Run) -> HoldOutVerdict:
    """Segment the subjects held out with both models, compare, and keep the verdict in `hold_out.json`.

    Raises
    ------
    Cancelled
        If the user stopped it.
    """
    verdict = _compared(plan, bundle, run)
    write_bytes(plan.folder / HOLD_OUT_FILE, json.dumps(asdict(verdict), indent=1).encode(), force=True)
    return verdict


def read_verdict(run: Path) -> HoldOutVerdict | None:
    """The verdict that a run kept; None where it kept none."""
    path = run / HOLD_OUT_FILE
    return HoldOutVerdict(**json.loads(path.read_bytes())) if path.is_file() else None


def _compared(plan: RunFolder, bundle: Path, run: Run) -> HoldOutVerdict:
    assert plan.config.start is not None  # noqa: S101 - asked before
    old = segmenter_of(Path(plan.config.start.model))
    known = read_card(Path(plan.config.start.model)).table
    labels = _shared(plan.config.labels, known)
    subjects = len(plan.split.held_out)
    if not subjects:
        return HoldOutVerdict(0, reason="no subject was held out")
    if not labels:
        return HoldOutVerdict(subjects, reason="they have no label in common")
    if {need.name for need in old.spec.channels} != {item.name for item in plan.config.channels}:
        return HoldOutVerdict(subjects, reason="they take other channels")
    both = {"new": segmenter_of(bundle), "old": old}
    own = {"new": {name: values[0] for name, values in labels.items()}}
    own["old"] = {name: values[1] for name, values in labels.items()}
    scores: dict[str, dict[str, float]] = {"new": {}, "old": {}}
    for number, subject in enumerate(plan.split.held_out):
        run.check()
        run.progress(number, subjects, "comparing on subjects held out")
        cases = [case for case in plan.hold_out if case.subject == subject]
        for who, engine in both.items():
            scores[who][subject] = _score(plan, cases, engine, own[who], labels=labels, run=run)
    return _verdict(np.array(list(scores["new"].values())), np.array(list(scores["old"].values())))


def _verdict(new: "np.ndarray", old: "np.ndarray") -> HoldOutVerdict:
    gains = new - old
    low, high = bootstrap_interval(gains, level=LEVEL)
    if low is None or high is None:
        return HoldOutVerdict(
            len(gains), float(new.mean()), float(old.mean()), reason="a single subject tells nothing"
        )
    word: Literal["better", "worse", "alike"] = "better" if low > 0 else "worse" if high < 0 else "alike"
    means = float(new.mean()), float(old.mean())
    return HoldOutVerdict(len(gains), *means, float(gains.mean()), low, high, word)


def _score(
    plan: RunFolder,
    cases: Sequence[Case],
    engine: Segmenter,
    own: Mapping[str, int],
    *,
    labels: Mapping[str, tuple[int, int]],
    run: Run,
) -> float:
    """Mean over labels of a subject's Dice, its scans pooled; 1 where neither mask has the label."""
    counts = {name: np.zeros(3, np.int64) for name in labels}
    quiet = Run(device=run.device, threads=run.threads, seed=run.seed, cancel=run.cancel)
    for case in cases:
        loaded = load_case(case, plan.config, plan.names)
        files = {file.channel: file for file in case.images}
        images = {name: read_channel(files[theirs]) for name, theirs in plan.names.items()}
        images = {name: replace(image, channel=name) for name, image in images.items()}
        found = segment(engine, images, same_space=True, run=quiet)
        labelled = order_to(images[plan.config.reference].grid).apply(found.labels)
        judged = True if loaded.ignored is None else ~loaded.ignored
        for name, (ours, _) in labels.items():
            if case.labels and case.labels.held is not None and ours not in case.labels.held:
                continue
            one, two = (labelled == own[name]) & judged, loaded.labels == ours
            counts[name] += np.array([(one & two).sum(), one.sum(), two.sum()])
    dice = [pooled_dice(*(int(n) for n in row)) for row in counts.values()]
    return float(np.mean([1.0 if value is None else value for value in dice]))


def _shared(ours: LabelTable, theirs: LabelTable) -> dict[str, tuple[int, int]]:
    """Name of each label that both tables have → its value in each."""
    names = [item.name for item in theirs.labels]
    places = {label: place_of(label.name, names, 0) for label in ours.labels}
    return {
        label.name: (label.value, theirs.values[place])
        for label, place in places.items()
        if place is not None
    }


def _held_out(dataset: Dataset, seed: int, wanted: int | None) -> tuple[str, ...]:
    """A quarter of the subjects, drawn by the seed; none where there are fewer than four."""
    subjects = sorted({case.subject for case in dataset.cases if case.reference is not None})
    count = wanted
    if count is None:
        count = ceil(len(subjects) / _HELD_OUT) if len(subjects) >= _FEWEST else 0
    if count >= len(subjects):
        raise ConfigError(
            f"{count} subjects can't be held out of {len(subjects)}: nothing would be left to learn from"
        )
    order = np.random.default_rng(seed).permutation(len(subjects))
    return tuple(sorted(subjects[int(at)] for at in order[:count]))


def _table(card: ModelCard, dataset: Dataset) -> LabelTable:
    if dataset.table is None:
        return card.table
    values, names = card.table.values, [label.name for label in card.table.labels]
    places = {label.value: place_of(label.name, names, 0) for label in dataset.table.labels}
    alike = all(place is not None and values[place] == value for value, place in places.items())
    return card.table if alike else dataset.table


def _channels(card: ModelCard, dataset: Dataset) -> tuple[tuple[ChannelSpec, ...], tuple[PreStep, ...]]:
    """Channels that the data set has: those of the model, then others, which are scaled by their own mean and SD."""
    pairs: dict[str, str] = {}
    given: dict[str, str | None] = dict.fromkeys(dataset.channels)
    for channel in card.channels:
        alone = len(card.channels) == len(dataset.channels) == 1
        try:
            pairs |= pair_channels({channel.name: channel.modality}, given, by_position=alone)
        except InputError:
            continue
    if not pairs:
        raise ConfigError(
            f"the data set has channels {', '.join(dataset.channels)}, and the model {card.name} knows "
            f"{', '.join(item.name for item in card.channels)}; name them alike, or give a CONFIG"
        )
    known = tuple(item for item in card.channels if item.name in pairs)
    new = tuple(ChannelSpec(name) for name in dataset.channels if name not in pairs.values())
    kept = {item.name for item in known}
    steps = tuple(step for step in card.preprocessing if step.channel in kept)
    return (*known, *new), (*steps, *(ZScore(item.name) for item in new))


def _turned(values: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(values[axis] for axis in axes)
