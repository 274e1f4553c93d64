"""Train: a configuration and a dataset, or phantoms, become a bundle."""

from collections.abc import Sequence
from pathlib import Path

from medseg import settings
from medseg.domain import Dataset, Finding, Run
from medseg.errors import ConfigError
from medseg.extras import require_extra
from medseg.models import read_card
from medseg.training import PhantomConfig, TrainConfig, assemble_bundle, load_config, open_data
from medseg.training import train as train_folds
from medseg.training.check import read_findings, write_findings
from medseg.training.config import PromptConfig, changed_config, data_of
from medseg.training.instances import train_instances
from medseg.training.prompting.train import train_prompted
from medseg.training.run_folder import open_run
from medseg.training.start import start_of
from medseg.training.train import follow, open_cases
from medseg.workflows.aside import files_of_cases, left_aside
from medseg.workflows.fine_tune import StartWish, begun, judge_hold_out
from medseg.workflows.training_page import write_training_page

__all__ = ["StartWish", "findings_of", "follow", "follows", "train"]


def follows() -> bool:
    """Whether this process was started to train beside another that leads."""
    launched = settings.launched()
    return launched is not None and launched.rank > 0


def train(
    config: str | Path | None,
    overrides: Sequence[str] = (),
    *,
    out: str | Path,
    fold: int | None = None,
    restart: bool = False,
    run: Run | None = None,
    start: StartWish | None = None,
    processes: int = 1,
) -> Path:
    """Train a configuration; returns the folder of the finished bundle, and leaves `training.html` beside it.

    Parameters
    ----------
    config
        A YAML file, or the name of a shipped configuration such as `hippocampus_3d`; `touching_objects` is trained on
        phantoms and needs no data. None with `start`: the model's own way, with the data that `data.root=…` names.
    overrides
        `key=value` with dotted keys; an unknown key is refused and the nearest is named.
    out
        The run's folder; one with the same plan is resumed.
    fold
        Only this fold of the split; by default all that are not finished, one after another.
    restart
        Throw away an unfinished run with another plan.
    run
        Device, threads, seed, progress, cancel.
    start
        A model whose weights are the start. Some subjects are held out, on which both are compared at the end.
    processes
        How many learn together on this machine, each its share of every batch; under torchrun its number is taken.

    Raises
    ------
    ConfigError
        If the configuration or an override is wrong, or a fold is asked for where there are no cases.
    OutputError
        If phantoms left a bundle there already and `restart` does not replace it.
    """
    if start is not None:
        return _tuned(
            config,
            tuple(overrides),
            start,
            Path(out),
            fold=fold,
            restart=restart,
            run=run or Run(),
            processes=processes,
        )
    if config is None:
        raise ConfigError("give a configuration, or a model to begin from with --from")
    plan = load_config(config, tuple(overrides))
    require_extra("models", "training")
    if isinstance(plan, PhantomConfig):
        if fold is not None:
            raise ConfigError("training on phantoms has no folds; leave out --fold")
        command = f"medseg train {Path(config).stem} --out RUN"
        return train_instances(Path(out) / "bundle", plan.phantoms, run, force=restart, command=command)
    require_extra("train", "training")
    if isinstance(plan, PromptConfig):
        if fold is not None or processes > 1:
            raise ConfigError(
                "a promptable network names its fold itself and learns in one process; leave out --fold"
            )
        return train_prompted(plan.prompts, Path(out), run, restart=restart)
    dataset = open_data(plan)
    where = [f"data.sets.{item.name}.root={item.path.name}" for item in plan.data.sets]
    command = " ".join(
        ["medseg train", Path(config).stem, *(where or [f"data.root={dataset.name}"]), "--out RUN"]
    )
    bundle = train_folds(
        plan, dataset, Path(out), run, fold=fold, restart=restart, command=command, processes=processes
    )
    write_findings(Path(out), _aside(plan, dataset))
    write_training_page(open_run(plan, dataset, Path(out)), run or Run())
    return bundle


def _tuned(
    config: str | Path | None,
    overrides: tuple[str, ...],
    wish: StartWish,
    out: Path,
    *,
    fold: int | None,
    restart: bool,
    run: Run,
    processes: int,
) -> Path:
    """Train from a model, compare both on the subjects held out, and say which one to keep."""
    require_extra("models", "training")
    require_extra("train", "training")
    plan, dataset = _begun(config, overrides, wish)
    words = " ".join(
        ["medseg train", *([Path(config).stem] if config else []), f"--from {Path(wish.model).name}"]
    )
    command = f"{words} data.root={dataset.name} --out RUN"
    bundle = train_folds(
        plan, dataset, out, run, fold=fold, restart=restart, command=command, processes=processes
    )
    folder = open_run(plan, dataset, out)
    assert plan.start is not None  # noqa: S101 - for the type checker
    card = read_card(plan.start.model)
    told = Finding("train.start", "info", start_of(card, plan).words)
    verdict = judge_hold_out(folder, bundle, run)
    write_findings(out, (told, verdict.finding(card.name), *_aside(plan, dataset)))
    bundle = assemble_bundle(out, command=command)
    write_training_page(folder, run)
    return bundle


def _begun(
    config: str | Path | None, overrides: tuple[str, ...], wish: StartWish
) -> tuple[TrainConfig, Dataset]:
    """Configuration and data of a start; without CONFIG, overrides change what the model's card gives."""
    if config is not None:
        given = load_config(config, overrides)
        if not isinstance(given, TrainConfig):
            raise ConfigError("training on phantoms or for prompts begins from nothing; leave out --from")
        dataset = open_data(given)
        return begun(given, dataset, wish), dataset
    dataset = open_cases(data_of(overrides))
    made = changed_config(begun(None, dataset, wish), overrides)
    return begun(made, dataset, wish), dataset


def _aside(plan: TrainConfig, dataset: Dataset) -> tuple[Finding, ...]:
    """What the data set's folder holds beside its cases; a list of cases says itself which are meant."""
    places = [item.path for item in plan.data.sets if item.cases is None]
    if plan.data.root is not None and plan.data.cases is None:
        places.append(Path(plan.data.root).expanduser())
    used = tuple(files_of_cases(dataset.cases))
    return tuple(item for place in places for item in left_aside(place, used))


def findings_of(out: Path) -> tuple[Finding, ...]:
    """What a reader of the model in a run's folder must know: labels that vanish, damaged checkpoints, and such."""
    return read_findings(out)
