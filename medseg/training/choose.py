"""Postprocessing chosen on the folds: a step is taken only where it helps subjects that were not seen, beyond noise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from medseg.domain import LabelTable
from medseg.domain.card import FillHoles, KeepLargest, PostStep, RemoveSmall
from medseg.domain.values import STRICT
from medseg.io.atomic import write_bytes
from medseg.metrics.summarise import LEVEL, bootstrap_interval
from medseg.training.heldout import HeldOutCase, cropped, kept_cases
from medseg.training.validate import subject_dice

__all__ = ["StepChoice", "TriedStep", "choose_steps", "chosen_steps", "kept_choice", "step_words"]

_FILE = "postprocessing.json"
#: Smallest components that are tried (mm³; pixels on `px` grids).
_SIZES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
#: With more labels than these, only components are chosen among, and no sizes or holes of each.
_FEW_LABELS = 8
#: Fewer subjects than these can't tell a gain from chance.
_FEWEST = 10
_MOST_STEPS = 4

_Scores: TypeAlias = dict[str, float]


@dataclass(frozen=True, slots=True)
class TriedStep:
    """One step on top of those that were taken before it.

    Parameters
    ----------
    step
        What was tried.
    gain, low, high
        Mean over subjects of the Dice gained, and its interval at the level that as many trials ask for (Bonferroni).
    taken
        Whether the model has it now.
    """

    step: PostStep
    gain: float
    low: float
    high: float
    taken: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class StepChoice:
    """What was chosen on the folds.

    Parameters
    ----------
    steps
        For the model; empty where none helps beyond noise.
    by_fold
        For the cases of each fold: chosen on all other folds, so that figures are not those of the choice itself.
    tried
        What was looked at, with all subjects.
    gain, low, high
        Mean Dice gained by `by_fold`, with its 95 % bootstrap interval over subjects; None where none was.
    subjects
        That it was chosen on.
    """

    steps: tuple[PostStep, ...]
    by_fold: tuple[tuple[int, tuple[PostStep, ...]], ...]
    tried: tuple[TriedStep, ...]
    gain: float | None
    low: float | None
    high: float | None
    subjects: int
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


_ADAPTER: TypeAdapter[StepChoice] = TypeAdapter(StepChoice)


def chosen_steps(run: Path, folds: Sequence[Path], table: LabelTable) -> StepChoice | None:
    """The choice of a run whose folds are all finished; made once and kept in `postprocessing.json`.

    None where there is one fold, or a fold of an older version kept no masks.
    """
    kept = kept_choice(run)
    if kept is not None or len(folds) < 2:
        return kept
    cases = {int(fold.name.removeprefix("fold")): tuple(map(cropped, kept_cases(fold))) for fold in folds}
    if not all(cases.values()):
        return None
    found = choose_steps(cases, table)
    write_bytes(run / _FILE, _ADAPTER.dump_json(found, indent=1), force=True)
    return found


def kept_choice(run: Path) -> StepChoice | None:
    """The choice that a run made; None where it made none (yet)."""
    path = run / _FILE
    return _ADAPTER.validate_json(path.read_bytes()) if path.is_file() else None


def choose_steps(folds: Mapping[int, Sequence[HeldOutCase]], table: LabelTable) -> StepChoice:
    """Steps taken one after another, each the one with the largest gain among those that help beyond noise.

    A subject's score is its mean Dice over labels and regions, where a structure that neither mask has counts as 1: so
    that taking off what should not be there is a gain. A step helps where the bootstrap interval over subjects of its
    paired gain, at 95 % divided by the number of trials, lies above 0. All is taken back where the gain across folds,
    each with the choice of the others, does not do so too.
    """
    known: dict[tuple[int, tuple[PostStep, ...]], _Scores] = {}

    def scores(number: int, steps: tuple[PostStep, ...]) -> _Scores:
        key = (number, steps)
        if key not in known:
            known[key] = _scores(folds[number], table, steps)
        return known[key]

    candidates = _candidates(table)
    tried = _climbed(tuple(folds), scores, candidates)
    steps = tuple(item.step for item in tried if item.taken)
    subjects = len({case.subject for cases in folds.values() for case in cases})
    by_fold = tuple(
        (number, _taken(_climbed(tuple(other for other in folds if other != number), scores, candidates)))
        for number in folds
    )
    gains = np.concatenate([_gains(scores(number, ()), scores(number, own)) for number, own in by_fold])
    low, high = bootstrap_interval(gains)
    if not steps or low is None or not low > 0:
        none = tuple((number, ()) for number in folds)
        refused = tuple(replace(item, taken=False) for item in tried)
        return StepChoice((), none, refused, None, None, None, subjects)
    return StepChoice(steps, by_fold, tried, float(gains.mean()), low, high, subjects)


def step_words(step: PostStep, table: LabelTable, unit: str = "mm³") -> str:
    """A step in words: `components of tumour below 100 mm³ are removed`."""
    names = {label.value: label.name for label in table.labels}
    if isinstance(step, KeepLargest):
        what = ", ".join(names[value] for value in step.labels)
        return f"only the largest component of {what} is kept"
    if isinstance(step, RemoveSmall):
        what = ", ".join(names[value] for value in step.labels)
        return f"components of {what} below {step.minimum_mm3:g} {unit} are removed"
    if isinstance(step, FillHoles):
        return f"holes of {names[step.label]} are filled"
    return f"objects of {names[step.label]} are numbered"


def _candidates(table: LabelTable) -> tuple[PostStep, ...]:
    values = table.values
    found: list[PostStep] = [KeepLargest(tuple(values))] if len(values) > 1 else []
    found += [KeepLargest((value,)) for value in values]
    if len(values) <= _FEW_LABELS:
        found += [FillHoles(value) for value in values]
        found += [RemoveSmall((value,), size) for value in values for size in _SIZES]
    return tuple(found)


def _climbed(
    folds: tuple[int, ...],
    scores: Callable[[int, tuple[PostStep, ...]], _Scores],
    candidates: Sequence[PostStep],
) -> tuple[TriedStep, ...]:
    """Every candidate in each round, until none helps; a step that changes nothing is left out of the account."""
    taken: tuple[PostStep, ...] = ()
    told: list[TriedStep] = []
    level = 1 - (1 - LEVEL) / len(candidates)
    while len(taken) < _MOST_STEPS:
        found = []
        for step in candidates:
            gains = np.concatenate(
                [_gains(scores(number, taken), scores(number, (*taken, step))) for number in folds]
            )
            low, high = bootstrap_interval(gains, level=level)
            if gains.size >= _FEWEST and gains.any() and low is not None and high is not None:
                found.append(TriedStep(step, float(gains.mean()), low, high))
        helping = [item for item in found if item.low > 0]
        if not helping:
            return (*told, *found)
        best = max(helping, key=lambda item: item.gain)
        told.append(replace(best, taken=True))
        taken = (*taken, best.step)
    return tuple(told)


def _taken(tried: Sequence[TriedStep]) -> tuple[PostStep, ...]:
    return tuple(item.step for item in tried if item.taken)


def _gains(before: _Scores, after: _Scores) -> NDArray[np.float64]:
    return np.array([after[subject] - before[subject] for subject in before])


def _scores(cases: Sequence[HeldOutCase], table: LabelTable, steps: tuple[PostStep, ...]) -> _Scores:
    """Mean Dice of each subject over labels and regions."""
    by_subject: dict[str, list[float]] = {}
    for row in subject_dice(cases, table, fold=0, steps=steps):
        by_subject.setdefault(row.subject, []).append(1.0 if row.dice is None else row.dice)
    return {subject: float(np.mean(values)) for subject, values in by_subject.items()}
