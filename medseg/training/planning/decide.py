"""From a fingerprint and a budget to a training configuration, with a reason for each choice."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from medseg.domain import NetworkSpec, Run
from medseg.training.config import (
    Augmentation,
    DataConfig,
    GridConfig,
    LoopConfig,
    LossConfig,
    ModelText,
    OptimiserConfig,
    TrainConfig,
)
from medseg.training.planning.budget import Budget
from medseg.training.planning.fingerprint import Fingerprint
from medseg.training.planning.shape import NetworkShape, choose_network
from medseg.training.planning.spacing import Grid3, choose_spacing
from medseg.training.planning.values import Scaling, choose_scaling

__all__ = ["USUAL_AUGMENTATION", "Plan", "make_plan"]

#: Chances and sizes of changes that scans differ by; which axes are mirrored depends on the labels.
USUAL_AUGMENTATION = Augmentation(
    affine=0.5,
    rotate=0.25,
    scale=0.15,
    scale_intensity=(0.3, 0.2),
    shift_intensity=(0.3, 0.2),
    contrast=(0.2, 0.3),
    noise=(0.2, 0.1),
    smooth=(0.1, 0.7),
)

_FOLDS = 5
#: Objects of a label whose median is below this share of a patch are drawn more often.
_SMALL_OBJECTS = 0.01
_CHECKPOINTS = 100
#: Digits of a dataset's name, and no more, are kept for the model's.
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """A configuration, and why: reasons by dotted key, in words."""

    config: TrainConfig
    budget: Budget
    why: dict[str, str]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Chosen:
    grid: Grid3
    network: NetworkShape
    scalings: tuple[Scaling, ...]


def make_plan(fingerprint: Fingerprint, budget: Budget, data: DataConfig, run: Run) -> Plan:
    """Decide all that a training needs; `data` says where the cases lie.

    Cost: where the spacing is made coarser, the masks are read again.
    """
    dimensions = _dimensions(fingerprint)
    grid = choose_spacing(fingerprint, budget, dimensions, run)
    axes = [axis for axis in range(3) if dimensions == 3 or axis != fingerprint.cases[0].slice_axis]
    spacing = (1.0, 1.0, 1.0) if grid.spacing is None else grid.spacing
    network = choose_network(
        tuple(spacing[axis] for axis in axes),
        tuple(grid.shape[axis] for axis in axes),
        len(fingerprint.cases),
        budget,
    )
    scalings = tuple(choose_scaling(name, fingerprint) for name in fingerprint.dataset.channels)
    chosen = _Chosen(grid, network, scalings)
    config = _config(fingerprint, budget, data, chosen)
    return Plan(config, budget, _why(fingerprint, chosen, config), _remarks(fingerprint, network))


def _dimensions(fingerprint: Fingerprint) -> int:
    """2 where cases are single slices, else 3."""
    slices = [case.shape[case.slice_axis] for case in fingerprint.cases]
    return 2 if float(np.median(slices)) == 1 else 3


def _config(fingerprint: Fingerprint, budget: Budget, data: DataConfig, chosen: _Chosen) -> TrainConfig:
    grid, network, scalings = chosen.grid, chosen.network, chosen.scalings
    dimensions = len(network.patch)
    subjects = len({case.subject for case in fingerprint.cases})
    spec = NetworkSpec(
        architecture="dynunet",
        dimensions=2 if dimensions == 2 else 3,
        in_channels=len(scalings),
        out_channels=len(fingerprint.table.labels) + 1,
        filters=network.filters,
        strides=network.strides,
        kernels=network.kernels,
        deep_supervision=max(0, min(2, len(network.strides) - 3)),
    )
    return TrainConfig(
        model=_words(fingerprint, budget),
        data=replace(data, folds=min(_FOLDS, max(1, subjects))),
        channels=tuple(item.channel for item in scalings),
        reference=fingerprint.reference,
        labels=fingerprint.table,
        grid=GridConfig(grid.spacing, network.patch),
        network=spec,
        loop=LoopConfig(
            steps=budget.most_steps,
            batch=network.batch,
            foreground=0.7 if _has_small_objects(fingerprint, grid, network) else 0.5,
            checkpoint_every=_CHECKPOINTS,
            average=0.0,
        ),
        preprocessing=tuple(step for item in scalings for step in item.steps),
        loss=LossConfig(batch_dice=network.covered < 1 or _misses_labels(fingerprint)),
        optimiser=OptimiserConfig(lr=3e-3, weight_decay=1e-4, schedule="one_cycle", warmup=0.1, clip=5.0),
        augmentation=_augmentation(fingerprint, dimensions, len(scalings)),
    )


def _words(fingerprint: Fingerprint, budget: Budget) -> ModelText:
    dataset = fingerprint.dataset
    name = "".join(letter if letter.isalnum() else "-" for letter in dataset.name.lower()).strip("-")
    labels = ", ".join(label.name for label in fingerprint.table.labels[:6])
    subjects = len({case.subject for case in fingerprint.cases})
    return ModelText(
        name=name[:_LONGEST_NAME] or "model",
        title=f"{dataset.name}: {labels}"[:120],
        summary=f"{labels} on {', '.join(dataset.channels[:6])}, planned for {budget.words}.",
        licence=dataset.licence,
        limits=(f"Trained on {len(fingerprint.cases)} cases of {subjects} subjects.",),
    )


def _misses_labels(fingerprint: Fingerprint) -> bool:
    """Whether some case lacks a label; Dice of that case alone would be about nothing."""
    return any(not case.voxels.get(value) for case in fingerprint.cases for value in fingerprint.table.values)


def _has_small_objects(fingerprint: Fingerprint, grid: Grid3, network: NetworkShape) -> bool:
    step = 1.0 if grid.spacing is None else prod(grid.spacing)
    patch_mm3 = prod(network.patch) * step
    medians = [
        float(np.median(sizes))
        for value in fingerprint.table.values
        if (sizes := fingerprint.object_mm3(value)).size
    ]
    return bool(medians) and min(medians) < _SMALL_OBJECTS * patch_mm3


def _has_sides(fingerprint: Fingerprint) -> bool:
    return fingerprint.table.is_lateralised or fingerprint.table.names_sides


def _augmentation(fingerprint: Fingerprint, dimensions: int, channels: int) -> Augmentation:
    first = 1 if _has_sides(fingerprint) else 0
    flips = tuple(range(first, dimensions if len(fingerprint.table.labels) == 1 else 1))
    return replace(USUAL_AUGMENTATION, flip_axes=flips, drop_channel=0.05 if channels > 1 else 0.0)


def _why(fingerprint: Fingerprint, chosen: _Chosen, config: TrainConfig) -> dict[str, str]:
    subjects = len({case.subject for case in fingerprint.cases})
    labels = len(fingerprint.table.labels)
    return {
        "data.sets": _why_sets(config),
        "data.folds": f"{config.data.folds} of {subjects} subjects; cases of a subject stay together",
        "channels": "; ".join(f"{item.channel.name}: {item.why}" for item in chosen.scalings),
        "reference": f"the channel on whose grid {_share_on(fingerprint)} of the masks lie",
        "labels": _class_sizes(fingerprint),
        "grid.spacing": chosen.grid.why,
        **chosen.network.why,
        "network.dimensions": "the cases are single slices"
        if config.network.dimensions == 2
        else "the cases are volumes",
        "network.deep_supervision": "levels above the two lowest that have a loss of their own",
        "loss": "Dice over the whole batch, since a patch or a case may miss a label"
        if config.loss.batch_dice
        else "Dice case by case: a patch holds a whole case, and every case holds every label",
        "optimiser": "the rate at which the shipped models of this kind were trained",
        "augmentation.flip_axes": _why_flips(fingerprint, labels),
        "loop.foreground": "objects are small beside a patch, so more patches are centred on one"
        if config.loop.foreground > 0.5
        else "every second patch is centred on a labelled voxel, each label as often",
    }


def _why_sets(config: TrainConfig) -> str:
    known = {label.name for label in config.labels.labels}
    missing = [
        f"{item.name} says nothing of {', '.join(sorted(known - set(item.holds)))}"
        for item in config.data.sets
        if known - set(item.holds)
    ]
    return (
        "what each set holds and by which values; its masks count for these labels alone"
        + (f" ({'; '.join(missing)})" if missing else "")
        + ". Patches come from each set as often, so that a small one is not drowned: balance: cases changes that"
    )


def _why_flips(fingerprint: Fingerprint, labels: int) -> str:
    if _has_sides(fingerprint):
        return "left and right are told apart, so nothing is mirrored from side to side"
    if labels == 1:
        return "one label without a side or a place of its own: mirrored along every axis"
    return "several structures lie one beside the other: mirrored from side to side only"


def _share_on(fingerprint: Fingerprint) -> str:
    count = sum(case.reference == fingerprint.reference for case in fingerprint.cases)
    return f"{count} of {len(fingerprint.cases)}"


def _class_sizes(fingerprint: Fingerprint) -> str:
    unit, divisor = ("px", 1.0) if fingerprint.unit == "px" else ("ml", 1000.0)
    parts = []
    for label in fingerprint.table.labels[:12]:
        volumes = [
            case.voxels[label.value] * case.voxel_volume / divisor
            for case in fingerprint.cases
            if case.voxels.get(label.value)
        ]
        objects = fingerprint.object_mm3(label.value).size
        if volumes:
            parts.append(
                f"{label.name} in {len(volumes)} of {len(fingerprint.cases)} cases, median "
                f"{np.median(volumes):.3g} {unit}, {objects} separate objects"
            )
    more = len(fingerprint.table.labels) - len(parts)
    return "; ".join(parts) + (f"; {more} more" if more > 0 else "")


def _remarks(fingerprint: Fingerprint, network: NetworkShape) -> tuple[str, ...]:
    found = []
    if fingerprint.unlabelled:
        found.append(
            f"{len(fingerprint.unlabelled)} cases have an empty mask; the network learns from them what is not there."
        )
    if len({case.subject for case in fingerprint.cases}) < 4:
        found.append(
            "So few subjects say little about others: figures of their folds are no measure of a clinic."
        )
    if network.covered < 0.25:
        found.append(
            "A patch holds less than a quarter of a case; a coarse model that finds the region first would help."
        )
    return tuple(found)
