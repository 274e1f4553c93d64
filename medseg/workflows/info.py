"""Info: what a path is (file, series, study, dataset, model, record), and what is wrong with it."""

from dataclasses import dataclass
from pathlib import Path

from medseg.domain import Dataset, Finding, Grid, Run, Source
from medseg.errors import InputError, MedsegError
from medseg.io import inspect, is_dataset, open_dataset
from medseg.io.datasets import check_dataset
from medseg.io.plain import require_regular
from medseg.models.card import AnyCard, read_any_card
from medseg.workflows.aside import files_of_cases, left_aside
from medseg.workflows.segmenters import model_folder

__all__ = ["Info", "describe_grid", "info", "model_info"]


@dataclass(frozen=True, slots=True, eq=False)
class Info:
    """What was found; exactly one of the fields after `kind` is filled.

    Parameters
    ----------
    kind
        `images` (a file, series or study), `dataset`, or `model`.
    sources
        One entry per readable or refused volume.
    dataset, checks
        A dataset, and the findings of each of its cases by id.
    card
        A model's card.
    findings
        What a dataset's folder holds beside its cases.
    """

    kind: str
    path: str
    sources: tuple[Source, ...] = ()
    dataset: Dataset | None = None
    checks: tuple[tuple[str, tuple[Finding, ...]], ...] = ()
    card: AnyCard | None = None
    findings: tuple[Finding, ...] = ()


def info(path: str | Path, *, check: bool = True, run: Run | None = None) -> Info:
    """Say what a path is.

    Parameters
    ----------
    path
        Any file or folder.
    check
        Whether to read every case of a dataset and look for faults.
    run
        Progress and cancel.

    Raises
    ------
    InputError
        If the path does not exist, or is nothing medseg knows.
    """
    path = Path(path)
    require_regular(path)
    if not path.exists():
        return model_info(str(path))
    if (path / "card.yaml").is_file() or path.name == "card.yaml":
        return _model(path if path.is_dir() else path.parent)
    if is_dataset(path):
        dataset = open_dataset(path)
        return Info(
            "dataset",
            str(path),
            dataset=dataset,
            checks=_check(dataset, run or Run()) if check else (),
            findings=left_aside(path, files_of_cases(dataset.cases)),
        )
    return Info("images", str(path), sources=inspect(path))


def describe_grid(grid: Grid) -> str:
    """One line: shape, spacing, orientation, obliqueness."""
    shape = " × ".join(str(n) for n in grid.shape)
    spacing = " × ".join(f"{step:.4g}" for step in grid.spacing)
    letters = grid.orientation if grid.unit == "mm" and grid.orientation_known else "orientation unknown"
    traits = [letters] + ["oblique"] * grid.is_oblique + ["sheared"] * grid.is_sheared
    return f"{shape} voxels of {spacing} {grid.unit}, {', '.join(traits)}"


def model_info(name: str) -> Info:
    """The card of the model called `name`, or at that path: see `segmenters.model_folder`.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = model_folder(name)
    if folder is None:
        raise InputError(f"{name} does not exist, and no model has this name")
    return _model(folder)


def _model(folder: Path) -> Info:
    return Info("model", str(folder), card=read_any_card(folder))


def _check(dataset: Dataset, run: Run) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    try:
        return tuple(check_dataset(dataset, run=run).items())
    except MedsegError as error:
        raise InputError(f"dataset {dataset.name} can't be checked: {error}") from error
