"""Dice of a bundle on cases it was not trained on, through the real segmenter, on native grids."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from medseg.domain import Case, Grid, LabelTable, Run
from medseg.domain.card import PostStep
from medseg.domain.values import STRICT
from medseg.inference import ModelSegmenter
from medseg.inference.steps import postprocess
from medseg.models import read_card
from medseg.training.config import TrainConfig
from medseg.training.heldout import HeldOutCase, judge_cases

__all__ = ["SubjectDice", "pooled_dice", "subject_dice", "target_values", "validate_bundle"]


@dataclass(frozen=True, slots=True)
class SubjectDice:
    """Dice of one label or region over all cases of one subject; None where both masks are empty.

    Voxels of a subject's cases are pooled first: 2·|A∩B| / (|A|+|B|) over all its slices or scans. Those that nobody
    judged count in neither mask, and cases whose set does not hold the structure are left out; `sets` names the others'
    sets. `voxel_ml` is the volume of a voxel, where all scans have the same; None on `px` grids
    and where voxels were left out, so that counts are no volumes.
    """

    fold: int
    subject: str
    target: str
    dice: float | None
    reference_voxels: int
    prediction_voxels: int
    cases: int
    voxel_ml: float | None = None
    sets: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


def pooled_dice(overlap: int, prediction: int, reference: int) -> float | None:
    """2·|A∩B| / (|A|+|B|) from voxel counts; None where both are empty (Dice 1945)."""
    total = prediction + reference
    return 2 * overlap / total if total else None


def validate_bundle(
    bundle: Path,
    cases: Sequence[Case],
    config: TrainConfig,
    names: dict[str, str],
    *,
    fold: int,
    run: Run,
    keep: Path | None = None,
) -> tuple[SubjectDice, ...]:
    """Segment each case with the bundle on disk and compare; one row per subject and label or region.

    With `keep`, what was found is kept in that folder, and a case that is kept there is not segmented again.
    """
    card = read_card(bundle)
    segmenter = ModelSegmenter(card, bundle)
    judged = judge_cases(segmenter, cases, config, names, fold=keep, run=run)
    return subject_dice(_told(judged, len(cases), fold, run), card.table, fold=fold)


def subject_dice(
    cases: Iterable[HeldOutCase], table: LabelTable, *, fold: int, steps: Sequence[PostStep] = ()
) -> tuple[SubjectDice, ...]:
    """Rows of cases whose predictions are known, after further steps of postprocessing."""
    counts: dict[tuple[str, str], NDArray[np.int64]] = {}
    voxels: dict[tuple[str, str], set[float | None]] = {}
    sets: dict[tuple[str, str], dict[str, None]] = {}
    for case in cases:
        size = None if case.judged is not None else _voxel_ml(case.grid)
        found = postprocess(case.prediction, case.grid, steps)
        judged = True if case.judged is None else case.judged
        for name, values in target_values(table).items():
            if not case.holds(values):
                continue
            one, two = np.isin(found, values) & judged, np.isin(case.reference, values)
            row = np.array([(one & two).sum(), one.sum(), two.sum(), 1])
            key = (case.subject, name)
            counts[key] = counts.get(key, np.zeros(4, np.int64)) + row
            voxels.setdefault(key, set()).add(size)
            sets.setdefault(key, {})[case.set_name] = None
    return tuple(
        SubjectDice(
            fold,
            *key,
            pooled_dice(*(int(n) for n in row[:3])),
            int(row[2]),
            int(row[1]),
            int(row[3]),
            next(iter(voxels[key])) if len(voxels[key]) == 1 else None,
            ", ".join(sets[key]),
        )
        for key, row in counts.items()
    )


def _told(cases: Iterable[HeldOutCase], total: int, fold: int, run: Run) -> Iterator[HeldOutCase]:
    for number, case in enumerate(cases):
        yield case
        run.progress(number + 1, total, f"fold {fold}: validation")


def _voxel_ml(grid: Grid) -> float | None:
    return None if grid.unit == "px" else round(grid.voxel_volume / 1000, 9)


def target_values(table: LabelTable) -> dict[str, tuple[int, ...]]:
    """Name of each label and region → its values."""
    named = {label.name: (label.value,) for label in table.labels}
    return {**named, **{region.name: region.labels for region in table.regions}}
