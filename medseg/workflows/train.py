"""Train: a configuration and a dataset, or phantoms, become a bundle."""

from collections.abc import Sequence
from pathlib import Path

from medseg.domain import Dataset, Finding, Run
from medseg.errors import ConfigError
from medseg.extras import require_extra
from medseg.training import PhantomConfig, TrainConfig, load_config, open_data
from medseg.training import train as train_folds
from medseg.training.check import read_findings, write_findings
from medseg.training.instances import train_instances
from medseg.training.run_folder import open_run
from medseg.workflows.aside import files_of_cases, left_aside
from medseg.workflows.training_page import write_training_page

__all__ = ["findings_of", "train"]


def train(
    config: str | Path,
    overrides: Sequence[str] = (),
    *,
    out: str | Path,
    fold: int | None = None,
    restart: bool = False,
    run: Run | None = None,
) -> Path:
    """Train a configuration; returns the folder of the finished bundle, and leaves `training.html` beside it.

    Parameters
    ----------
    config
        A YAML file, or the name of a shipped configuration such as `hippocampus_3d`; `touching_objects` is trained on
        phantoms and needs no data.
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

    Raises
    ------
    ConfigError
        If the configuration or an override is wrong, or a fold is asked for where there are no cases.
    OutputError
        If phantoms left a bundle there already and `restart` does not replace it.
    """
    plan = load_config(config, tuple(overrides))
    require_extra("models", "training")
    if isinstance(plan, PhantomConfig):
        if fold is not None:
            raise ConfigError("training on phantoms has no folds; leave out --fold")
        command = f"medseg train {Path(config).stem} --out RUN"
        return train_instances(Path(out) / "bundle", plan.phantoms, run, force=restart, command=command)
    require_extra("train", "training")
    dataset = open_data(plan)
    command = f"medseg train {Path(config).stem} data.root={dataset.name} --out RUN"
    bundle = train_folds(plan, dataset, Path(out), run, fold=fold, restart=restart, command=command)
    write_findings(Path(out), _aside(plan, dataset))
    write_training_page(open_run(plan, dataset, Path(out)), run or Run())
    return bundle


def _aside(plan: TrainConfig, dataset: Dataset) -> tuple[Finding, ...]:
    """What the data set's folder holds beside its cases; a list of cases says itself which are meant."""
    if plan.data.root is None or plan.data.cases is not None:
        return ()
    return left_aside(Path(plan.data.root).expanduser(), files_of_cases(dataset.cases))


def findings_of(out: Path) -> tuple[Finding, ...]:
    """What a reader of the model in a run's folder must know: labels that vanish, damaged checkpoints, and such."""
    return read_findings(out)
