"""Dice of a bundle on cases it was not trained on, through the real segmenter, on native grids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from medseg.domain import Case, LabelTable, Run
from medseg.domain.values import STRICT
from medseg.inference import ModelSegmenter
from medseg.models import read_card
from medseg.training.cases import load_case
from medseg.training.config import TrainConfig

__all__ = ["SubjectDice", "pooled_dice", "validate_bundle"]


@dataclass(frozen=True, slots=True)
class SubjectDice:
    """Dice of one label or region over all cases of one subject; None where both masks are empty.

    Voxels of a subject's cases are pooled first: 2·|A∩B| / (|A|+|B|) over all its slices or scans. Those that nobody
    judged count in neither mask.
    """

    fold: int
    subject: str
    target: str
    dice: float | None
    reference_voxels: int
    prediction_voxels: int
    cases: int
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


def pooled_dice(overlap: int, prediction: int, reference: int) -> float | None:
    """2·|A∩B| / (|A|+|B|) from voxel counts; None where both are empty (Dice 1945)."""
    total = prediction + reference
    return 2 * overlap / total if total else None


def validate_bundle(
    bundle: Path, cases: Sequence[Case], config: TrainConfig, names: dict[str, str], *, fold: int, run: Run
) -> tuple[SubjectDice, ...]:
    """Segment each case with the bundle on disk and compare; one row per subject and label or region."""
    card = read_card(bundle)
    segmenter = ModelSegmenter(card, bundle)
    targets = _targets(card.table)
    counts: dict[tuple[str, str], NDArray[np.int64]] = {}
    plain = Run(device=run.device, threads=run.threads, seed=run.seed, cancel=run.cancel)
    for number, case in enumerate(cases):
        loaded = load_case(case, config, names)
        found = segmenter.segment(loaded.images, segmenter.Params(), run=plain).labels
        judged = True if loaded.ignored is None else ~loaded.ignored
        for name, values in targets.items():
            one, two = np.isin(found, values) & judged, np.isin(loaded.labels, values)
            row = np.array([(one & two).sum(), one.sum(), two.sum(), 1])
            key = (case.subject, name)
            counts[key] = counts.get(key, np.zeros(4, np.int64)) + row
        run.progress(number + 1, len(cases), f"fold {fold}: validation")
    return tuple(
        SubjectDice(
            fold,
            subject,
            name,
            pooled_dice(*(int(n) for n in row[:3])),
            int(row[2]),
            int(row[1]),
            int(row[3]),
        )
        for (subject, name), row in counts.items()
    )


def _targets(table: LabelTable) -> dict[str, tuple[int, ...]]:
    named = {label.name: (label.value,) for label in table.labels}
    return {**named, **{region.name: region.labels for region in table.regions}}
