"""Plan: a dataset becomes a training configuration that says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import yaml

from medseg._version import __version__
from medseg.domain import Dataset, Run
from medseg.errors import ConfigError
from medseg.extras import require_extra
from medseg.io import open_dataset
from medseg.io.atomic import require_absent, require_apart, write_bytes
from medseg.io.datasets import check_dataset
from medseg.io.plain import require_regular
from medseg.io.unfinished import together
from medseg.training.config import DataConfig, config_from
from medseg.training.planning import (
    BUDGETS,
    Budget,
    Plan,
    Probe,
    make_plan,
    plan_text,
    probe,
    propose_sets,
    take_fingerprint,
)
from medseg.workflows.declare import declare_values

__all__ = ["Planned", "plan", "plan_files"]

#: So many faults stand in a message; `medseg info` lists all.
_NAMED = 5
#: Faults that training lives with: the first slices of a stack are often empty.
_LEARNABLE = frozenset({"image.constant"})
#: A trial that takes more is made again with half the batch or a smaller patch, so many times.
_TRIALS = 4


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, what it takes on this machine (None where it was not tried), and the configuration's text."""

    plan: Plan
    probe: Probe | None
    text: str


def plan(
    dataset: Dataset,
    budget: Budget,
    data: DataConfig,
    *,
    values: Mapping[str, str] | None = None,
    trial: bool = True,
    run: Run | None = None,
    sets: Sequence[Dataset] = (),
) -> Planned:
    """Measure a dataset and decide how to train on it.

    Parameters
    ----------
    dataset
        With reference masks.
    budget
        One of `BUDGETS`.
    data
        Where the cases lie, as the configuration will say it.
    values
        Channel → `HU`, `SUVbw` or `MR`, where the files do not say what their values are.
    trial
        Whether memory and time are measured with ten steps on noise.
    sets
        Where `dataset` joins several: each as its files are, to be checked for faults.

    Raises
    ------
    ConfigError
        If cases have faults (they are listed), or there is nothing to learn.
    """
    run = run or Run()
    for one in sets or (dataset,):
        _require_sound(one, run)
    made = make_plan(
        take_fingerprint(dataset, run, partial(declare_values, values=values or {})), budget, data, run
    )
    found = None
    if trial:
        require_extra("train", "trying the planned network")
        made, found = _tried(made, run)
    return Planned(made, found, plan_text(made, _head(made, dataset, found)))


def plan_files(  # noqa: PLR0913 - the options of the command
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    root: str | Path | None = None,
    budget: str = "laptop",
    subjects: Literal["shared", "own"] | None = None,
    values: Mapping[str, str] | None = None,
    trial: bool = True,
    force: bool = False,
    run: Run | None = None,
) -> Planned:
    """Plan for the dataset in a folder, or of a case list with paths relative to `root`; the YAML is written to `out`.

    Several sources are sets that label different things and train one network; `subjects` says whether subjects of the
    same name in two of them are the same people.

    Raises
    ------
    OutputError
        If `out` exists and may not be replaced.
    """
    out = Path(out)
    with together(out):
        require_absent(out, force=force)
        sources = [Path(source)] if isinstance(source, str | Path) else [Path(item) for item in source]
        require_apart([out], sources)
        chosen = BUDGETS.get(budget)
        if chosen is None:
            raise ConfigError(f"--budget is {', '.join(BUDGETS)}, not {budget!r}")
        opened = [_opened(item, root, alone=len(sources) == 1) for item in sources]
        dataset, data = opened[0] if len(opened) == 1 else propose_sets(opened, subjects)
        sets = [found for found, _ in opened]
        planned = plan(dataset, chosen, data, values=values, trial=trial, run=run, sets=sets)
        config_from(yaml.safe_load(planned.text))  # what is written can be trained
        write_bytes(out, planned.text.encode(), force=force)
    return planned


def _opened(source: Path, root: str | Path | None, *, alone: bool) -> tuple[Dataset, DataConfig]:
    """A dataset, and how a configuration says where it lies."""
    require_regular(source)
    is_list = source.is_file()
    if root is not None and not (is_list and alone):
        raise ConfigError(
            f"--root {root} is for one case list; {source if alone else 'several sets'} is none"
        )
    base = Path(root) if root is not None else source.parent
    dataset = open_dataset(source, root=base) if is_list else open_dataset(source)
    return dataset, DataConfig(
        root=str((base if is_list else source).resolve()), cases=str(source.resolve()) if is_list else None
    )


def _require_sound(dataset: Dataset, run: Run) -> None:
    faults = [
        f"{case}: {item.message}"
        for case, items in check_dataset(dataset, run=run).items()
        for item in items
        if item.severity == "error" and item.code not in _LEARNABLE
    ]
    if faults:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise ConfigError(
            f"{len(faults)} faults in dataset {dataset.name}: {' '.join(faults[:_NAMED])}{more}; "
            "'medseg info' lists all: mend them, or leave these cases out"
        )


def _tried(made: Plan, run: Run) -> tuple[Plan, Probe]:
    """Try, and halve the batch, then the network, until it is within the budget; then as many steps as time allows."""
    for _ in range(_TRIALS):
        found = probe(made.config, made.budget.memory_bytes, run)
        if max(found.predicted_bytes, found.measured_bytes or 0) <= made.budget.memory_bytes:
            break
        made = smaller(made)
    return _timed(made, found), found


def smaller(made: Plan) -> Plan:
    """The plan with less of what takes memory: a patch less in the batch, from two on half the filters."""
    config = made.config
    if config.loop.batch > 2:
        config = replace(config, loop=replace(config.loop, batch=config.loop.batch - 1))
        reason = {"loop.batch": f"{config.loop.batch} patches: more took more memory than the budget has"}
    else:
        filters = tuple(max(4, size // 2) for size in config.network.filters)
        config = replace(config, network=replace(config.network, filters=filters))
        reason = {"network.filters": "halved: more took more memory than the budget has"}
    return replace(made, config=config, why={**made.why, **reason})


def _timed(made: Plan, found: Probe) -> Plan:
    """As many steps as fit the budget's minutes, where time was measured on the device that is planned for."""
    if found.seconds_per_step is None or found.device != made.budget.device:
        reason = (
            f"as many as {made.budget.words} is good for; no time was measured, since this machine is another"
        )
        return replace(made, why={**made.why, "loop.steps": reason})
    fits = int(made.budget.minutes * 60 / found.seconds_per_step) // 100 * 100
    steps = max(100, min(made.config.loop.steps, fits))
    reason = f"{found.seconds_per_step:.2g} s a step on this machine: {_minutes(steps, found)} for a fold"
    config = replace(made.config, loop=replace(made.config.loop, steps=steps))
    return replace(made, config=config, why={**made.why, "loop.steps": reason})


def _minutes(steps: int, found: Probe) -> str:
    return f"{steps * (found.seconds_per_step or 0) / 60:.0f} minutes"


def _head(made: Plan, dataset: Dataset, found: Probe | None) -> tuple[str, ...]:
    subjects = len(dataset.subjects)
    lines = [
        f"Planned by medseg {__version__} from {len(dataset.cases)} cases of {subjects} subjects of {dataset.name}.",
        f"For {made.budget.words}.",
        "Read it, change what you know better, and run: medseg train THIS_FILE --out RUN",
    ]
    if found is not None:
        measured = (
            "not tried"
            if found.measured_bytes is None
            else f"{found.measured_bytes / 1e9:.2f} GB measured by one batch"
        )
        lines.append(
            f"Memory of the training on this machine ({found.device}): {found.predicted_bytes / 1e9:.2f} GB predicted, "
            f"{measured}."
        )
    return tuple(lines)
