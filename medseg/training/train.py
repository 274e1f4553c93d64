"""Train: plan, cache, folds, validation, bundle, self-test."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medseg.domain import Dataset, Finding, Run
from medseg.errors import ConfigError, ModelError
from medseg.io import open_dataset
from medseg.io.atomic import write_bytes
from medseg.models import CARD_FILE, dump_features, read_card, write_bundle
from medseg.training.assemble import FEATURES_FILE, assemble_bundle, judged_rows, write_dice
from medseg.training.cache import CachedCase, build_cache
from medseg.training.check import check_cases, write_findings
from medseg.training.choose import kept_choice
from medseg.training.config import DataConfig, TrainConfig
from medseg.training.curve import draw_curve
from medseg.training.joined import join_sets, open_set
from medseg.training.run_folder import RunFolder, card_from, open_run
from medseg.training.team import Leader, Steps, Team, following, leading
from medseg.training.validate import validate_bundle

if TYPE_CHECKING:
    from medseg.training.module import SegmentationModule

__all__ = ["follow", "open_cases", "open_data", "train"]


def open_data(config: TrainConfig) -> Dataset:
    """Dataset that a configuration names by `data.root`, by `data.cases` with paths relative to the root, or as sets.

    Raises
    ------
    ConfigError
        If it names none, or its sets do not fit together.
    """
    if not config.data.sets:
        return open_cases(config.data)
    sets = {item.name: open_set(item) for item in config.data.sets}
    channels = {channel.name: channel.modality for channel in config.channels}
    return join_sets(config.data, sets, config.labels, channels)


def open_cases(data: DataConfig) -> Dataset:
    """The same by the part of the configuration that names data; raises as `open_data`."""
    if data.sets:
        raise ConfigError("data.sets need a configuration, which says what the labels and channels are")
    if data.root is None:
        raise ConfigError("the configuration names no data; give data.root=FOLDER")
    root = Path(data.root).expanduser()
    if data.cases is None:
        return open_dataset(root)
    return open_dataset(Path(data.cases), root=root)


def train(
    config: TrainConfig,
    dataset: Dataset,
    out: str | Path,
    run: Run | None = None,
    *,
    fold: int | None = None,
    restart: bool = False,
    command: str = "",
    processes: int = 1,
) -> Path:
    """Train one fold or all of them, validate each on its native grids, and leave a bundle.

    A run that was stopped goes on from its last checkpoint, with the same split and the same number of
    steps. Patch n of a fold depends on seed, fold and n only; with one machine and thread count a fold is
    the same bit for bit when `run.deterministic` is set.

    Parameters
    ----------
    config, dataset
        What to train on what.
    out
        Run folder: `plan.yaml`, `split.json`, `cache/`, `fold0/…` with checkpoints, CSV log and learning
        curve, `metrics.json`, `findings.json` (what a reader of the model must know), `bundle/`.
    run
        Device, threads, seed, progress, cancel.
    fold
        Only this one; None trains all that are not finished.
    restart
        Throw away what the folder holds.
    command
        What the user typed, for the card: it repeats the measurement.
    processes
        How many learn together on this machine, each its share of every batch.

    Returns
    -------
    Path
        Of the bundle with all folds finished so far; it has been reloaded and has segmented one case.

    Raises
    ------
    ConfigError
        If the folder holds a run of another plan, or configuration and data do not fit.
    Cancelled
        If the user stopped it; checkpoints stay.
    """
    run = run or Run()
    plan = open_run(config, dataset, Path(out), restart=restart)
    count = len(plan.split.folds)
    if fold is not None and not 0 <= fold < count:
        raise ConfigError(f"there is no fold {fold}: this run has folds 0 to {count - 1}")
    wanted = range(count) if fold is None else (fold,)
    if unfinished := [number for number in wanted if not (_fold(plan, number) / "dice.json").is_file()]:
        with leading(processes, config.loop.batch) as leader:
            cache = build_cache(plan, card_from(config), run)
            write_findings(plan.folder, check_cases(plan, cache))
            _keep_features(plan, cache)
            for number in unfinished:
                _train_fold(plan, number, cache, run, leader)
    bundle = assemble_bundle(plan.folder, command=command)
    tested = _self_test(plan, bundle, wanted[0], run)
    _write_metrics(plan, bundle, tested)
    return bundle


def _keep_features(plan: RunFolder, cache: dict[str, CachedCase]) -> None:
    """What the scans are like, for the bundle; only where all say the same, as scans in mm do."""
    learned = {case.id for fold in range(len(plan.split.folds)) for case in plan.training_cases(fold)}
    rows = [cache[case.id].features for case in plan.cases if case.id in learned]
    if rows and rows[0] and all(list(row) == list(rows[0]) for row in rows):
        table = np.array([list(row.values()) for row in rows])
        write_bytes(plan.folder / FEATURES_FILE, dump_features(list(rows[0]), table), force=True)


def follow() -> None:
    """Take part in the folds that a leading process begins, until it has finished; writes nothing.

    Raises
    ------
    ResourceError
        If another process is lost in the midst of a fold.
    """
    for team, steps in following():
        _fit(steps, team, steps.run)


def _fit(steps: Steps, team: Team, run: Run) -> "SegmentationModule":
    from medseg.training.loop import fit_fold

    return fit_fold(
        steps.config,
        steps.training,
        steps.validation,
        Path(steps.folder),
        fold=steps.fold,
        run=run,
        team=team,
    )


def _train_fold(plan: RunFolder, number: int, cache: dict[str, CachedCase], run: Run, leader: Leader) -> None:
    folder = _fold(plan, number)
    validation = plan.validation_cases(number)
    if not (folder / "bundle" / CARD_FILE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        own = leader.team.own(run)
        steps = Steps(
            plan.config,
            tuple(cache[case.id] for case in plan.training_cases(number)),
            tuple(cache[case.id] for case in validation),
            str(folder),
            number,
            own.device,
            own.threads,
            own.seed,
            own.deterministic,
        )
        leader.begin(steps, run)
        _leave_bundle(plan, number, _fit(steps, leader.team, own))
    rows = validate_bundle(
        folder / "bundle", validation, plan.config, plan.names, fold=number, run=run, keep=folder
    )
    write_dice(folder, rows)
    if rows and not any(row.prediction_voxels for row in rows) and any(row.reference_voxels for row in rows):
        text = f"The model of fold {number} found nothing in any of its {len(validation)} validation cases."
        write_findings(plan.folder, [Finding("train.nothing_found", "warning", text)])


def _leave_bundle(plan: RunFolder, number: int, module: "SegmentationModule") -> None:
    folder = _fold(plan, number)
    curve = draw_curve(folder, f"{plan.config.model.title}, fold {number}")
    write_bytes(folder / "curve.png", curve, force=True)
    write_bundle(folder / "bundle", card_from(plan.config, plan), [module.weights()], force=True)


def _self_test(plan: RunFolder, bundle: Path, number: int, run: Run) -> dict[str, float | None]:
    case = plan.validation_cases(number)[0]
    plain = replace(run, progress=Run().progress)
    rows = validate_bundle(bundle, (case,), plan.config, plan.names, fold=number, run=plain)
    if not rows:
        raise ModelError(f"the new bundle {bundle} could not segment case {case.id}")
    return {row.target: row.dice for row in rows}


def _write_metrics(plan: RunFolder, bundle: Path, tested: dict[str, float | None]) -> None:
    rows = judged_rows(plan.folder, kept_choice(plan.folder))
    values = {
        "schema": "medseg.training/1.0",
        "plan_digest": plan.digest,
        "split_digest": plan.split.digest,
        "steps_per_fold": plan.config.loop.steps,
        "self_test": tested,
        "quality": [asdict(item) for item in read_card(bundle).quality],
        "dice": [asdict(row) for row in rows],
    }
    write_bytes(plan.folder / "metrics.json", json.dumps(values, indent=1).encode(), force=True)


def _fold(plan: RunFolder, number: int) -> Path:
    return plan.folder / f"fold{number}"
