"""What a run is going to do, fixed on disk before it starts: configuration, cases, split."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import yaml

from medseg.domain import Case, Dataset, ModelCard, Split
from medseg.domain.texts import parse_yaml
from medseg.domain.values import as_details
from medseg.errors import ConfigError
from medseg.io.atomic import write_bytes
from medseg.io.datasets import make_split, read_split, write_split
from medseg.io.unfinished import may_replace, together
from medseg.training.cases import match_names
from medseg.training.config import TrainConfig, dump_config
from medseg.training.joined import sets_of

__all__ = ["HOLD_OUT", "RunFolder", "card_from", "open_run"]

#: Who judged a model that learned from all other subjects.
HOLD_OUT = "subjects held out"
_PLAN, _SPLIT = "plan.yaml", "split.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Configuration, cases and split of one run folder; `left_out` are the ids of cases without a reference mask."""

    config: TrainConfig
    dataset: Dataset
    split: Split
    names: dict[str, str]
    folder: Path
    digest: str
    left_out: tuple[str, ...] = ()

    @property
    def on_hold_out(self) -> bool:
        """Whether one network learns from all that is not held out, so that the held out judge it."""
        return self.config.start is not None and len(self.split.folds) == 1 and bool(self.split.held_out)

    @property
    def hold_out(self) -> tuple[Case, ...]:
        """Cases that no network learns from."""
        return _of(self.dataset, self.split.held_out)

    def validation_cases(self, fold: int) -> tuple[Case, ...]:
        """Cases of the fold's validation subjects."""
        if self.on_hold_out:
            return self.hold_out
        return _of(self.dataset, self.split.folds[fold])

    def training_cases(self, fold: int) -> tuple[Case, ...]:
        """Cases of all other folds; with a single subject, that one again: there is nothing else to learn from."""
        others = [name for number, part in enumerate(self.split.folds) if number != fold for name in part]
        return _of(self.dataset, others or self.split.folds[fold])

    @property
    def cases(self) -> tuple[Case, ...]:
        """Cases that train or validate."""
        names = [name for part in self.split.folds for name in part]
        return _of(self.dataset, [*names, *(self.split.held_out if self.on_hold_out else ())])


def open_run(config: TrainConfig, dataset: Dataset, folder: Path, *, restart: bool = False) -> RunFolder:
    """Folder of a new run, or of the one that `folder` holds already.

    Raises
    ------
    ConfigError
        If the folder holds a run with another plan, or no run at all, and `restart` was not asked for.
    """
    left_out = tuple(case.id for case in dataset.cases if case.reference is None)
    dataset = replace(dataset, cases=tuple(case for case in dataset.cases if case.reference is not None))
    free = [name for name in dataset.subjects if name not in config.data.held_out]
    if not free:
        why = f": {len(left_out)} cases have no reference mask" if left_out else ""
        raise ConfigError(f"dataset {dataset.name} has no subjects left to train on{why}")
    if unknown := sorted(set(config.data.held_out) - set(dataset.subjects)):
        raise ConfigError(f"data.held_out names subjects that {dataset.name} lacks: {', '.join(unknown)}")
    split = _split(config, dataset, len(free))
    digest = hashlib.sha256(f"{config.digest} {dataset.digest} {split.digest}".encode()).hexdigest()
    names = match_names(dataset, config)
    is_run = (folder / _PLAN).is_file()
    if is_run and restart:
        _clear(folder)
    with together(folder / _SPLIT, folder / _PLAN):
        if (folder / _PLAN).is_file():
            _require_same(folder, digest)
            split = read_split(folder / _SPLIT)
        else:
            # Beside a run that is thrown away other files may lie: they stay, and the new one begins there.
            if not is_run:
                _require_no_other(folder)
            folder.mkdir(parents=True, exist_ok=True)
            write_split(split, folder / _SPLIT)
            _write_plan(folder, config, digest)
    return RunFolder(config, dataset, split, names, folder, digest, left_out)


def card_from(config: TrainConfig, plan: RunFolder | None = None) -> ModelCard:
    """Card without weights: what `prepare` needs in training, and the start of the bundle's card."""
    text = config.model
    return ModelCard(
        name=text.name,
        title=text.title,
        summary=text.summary,
        version=text.version,
        channels=config.channels,
        reference=config.reference,
        spacing=config.grid.spacing,
        window=config.grid.window,
        network=replace(config.network, deep_supervision=0),
        preprocessing=config.preprocessing,
        table=config.labels,
        weights=(),
        postprocessing=config.postprocessing,
        overlap=config.grid.overlap,
        mirror_axes=config.grid.mirror_axes,
        trained=() if plan is None else _facts(plan),
        licence=text.licence,
        attribution=text.attribution,
        intended_use=text.intended_use,
        limits=text.limits,
    )


def _split(config: TrainConfig, dataset: Dataset, free: int) -> Split:
    if config.data.split is None:
        folds = min(config.data.folds, free)
        made: Split = make_split(dataset, folds=folds, seed=config.data.seed, held_out=config.data.held_out)
        return made
    split: Split = read_split(Path(config.data.split))
    if split.dataset_digest != dataset.digest:
        raise ConfigError(
            f"the split {Path(config.data.split).name} was made for other cases than those of {dataset.name}; "
            "with data.split=null a new one is made"
        )
    return split


def _facts(plan: RunFolder) -> tuple[tuple[str, str | int | float | bool | None], ...]:
    config = plan.config
    return as_details(
        data=plan.dataset.name,
        **_about_sets(plan),
        **({"judged": HOLD_OUT} if plan.on_hold_out else {}),
        **({} if config.start is None else {"started_from": config.start.digest}),
        cases=len(plan.cases) - (len(plan.hold_out) if plan.on_hold_out else 0),
        subjects=sum(len(part) for part in plan.split.folds),
        folds=len(plan.split.folds),
        held_out=", ".join(plan.split.held_out),
        steps_per_fold=config.loop.steps,
        seed=config.loop.seed,
        split_digest=plan.split.digest,
        config_digest=config.digest,
        medseg=version("medseg"),
        torch=version("torch"),
        monai=version("monai"),
    )


def _about_sets(plan: RunFolder) -> dict[str, str]:
    """Of each set what it holds, how many cases of it there are, and the digest of these."""
    names = {label.value: label.name for label in plan.config.labels.labels}
    found = {}
    for name, part in sets_of(plan.dataset).items():
        held = part.cases[0].labels
        assert held is not None and held.held is not None  # noqa: S101, PT018 - for the type checker
        found[f"set {name}"] = (
            f"{len(part.cases)} cases of {len(part.subjects)} subjects, holds "
            f"{', '.join(names[value] for value in held.held)}; cases {part.digest}"
        )
    return found


def _of(dataset: Dataset, subjects: Sequence[str]) -> tuple[Case, ...]:
    chosen = set(subjects)
    return tuple(case for case in dataset.cases if case.subject in chosen)


def _write_plan(folder: Path, config: TrainConfig, digest: str) -> None:
    write_bytes(folder / _PLAN, yaml.safe_dump({"plan_digest": digest}).encode() + dump_config(config))


def _require_no_other(folder: Path) -> None:
    """Refuse a folder with anything but a cache, and the split of a run that was stopped before it had its plan."""
    if not folder.is_dir():
        return
    for item in folder.iterdir():
        if item.name != "cache" and not item.name.startswith(".medseg-") and not may_replace(item):
            raise ConfigError(f"{folder} holds other files and no training run; give an empty folder")


def _require_same(folder: Path, digest: str) -> None:
    try:
        found = parse_yaml((folder / _PLAN).read_text(encoding="utf-8"))["plan_digest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / _PLAN} is damaged; use --restart to begin again") from error
    if found != digest:
        raise ConfigError(
            f"{folder} holds a run with another plan (configuration, cases or split differ); "
            "give another folder, or --restart to throw that run away"
        )


def _clear(folder: Path) -> None:
    """Remove what a run writes."""
    for item in (*folder.glob("fold[0-9]*"), folder / "bundle", folder / "cache"):
        if item.is_dir():
            shutil.rmtree(item)
    for name in (
        _PLAN,
        _SPLIT,
        "metrics.json",
        "findings.json",
        "quality.csv",
        "training.html",
        "postprocessing.json",
    ):
        (folder / name).unlink(missing_ok=True)
