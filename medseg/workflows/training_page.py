"""The page of a training run: gathered from its folder, drawn, written whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from medseg.domain import Case, Run, Segmentation
from medseg.domain.card import ModelCard
from medseg.inference import ModelSegmenter
from medseg.inference.steps import postprocess
from medseg.io.atomic import write_bytes
from medseg.models import read_card
from medseg.reporting.comparison.cases import Compared
from medseg.reporting.comparison.pictures import draw_agreement, draw_pair
from medseg.reporting.extras import Picture
from medseg.reporting.training.page import (
    FoldCost,
    SizeLine,
    StepLine,
    SubjectLine,
    TargetLine,
    TrainingPage,
    training_to_html,
)
from medseg.training.assemble import finished_folds, fold_volumes, judged_rows, sets_of_target
from medseg.training.cases import load_case
from medseg.training.check import read_findings
from medseg.training.choose import StepChoice, kept_choice, step_words
from medseg.training.config import TrainConfig
from medseg.training.heldout import judge_cases
from medseg.training.run_folder import RunFolder
from medseg.training.timing import read_timing
from medseg.training.validate import SubjectDice
from medseg.workflows.comparison import agreement_lines, agreement_plot
from medseg.workflows.evaluate import agreement_of
from medseg.workflows.fine_tune import ABOUT_START

__all__ = ["PAGE_FILE", "write_training_page"]

PAGE_FILE = "training.html"
#: Subjects that are drawn, and parts of their sizes.
_WORST, _SIZES = 4, 3
#: Subjects of a structure from which on sizes are told apart.
_ENOUGH = 9


def write_training_page(plan: RunFolder, run: Run) -> Path:
    """Write `training.html` into the run's folder, over an older one; the worst subjects are segmented again.

    Raises
    ------
    Cancelled
        If the user stopped it; an older page stays.
    """
    folds = finished_folds(plan.folder)
    choice = kept_choice(plan.folder)
    rows = judged_rows(plan.folder, choice)
    card = read_card(plan.folder / "bundle")
    agreements = agreement_of(_volumes(rows))
    page = TrainingPage(
        title=card.title,
        sentences=[*_sentences(card, rows, plan), *_about_start(plan.folder)],
        whom=_whom(plan),
        targets=_targets(card, rows),
        sizes=_by_size(rows),
        subjects=[_subject(row) for row in rows],
        curves=[_curve(fold) for fold in folds if (fold / "curve.png").is_file()],
        costs=[_cost(fold, plan.config) for fold in folds],
        plan=(plan.folder / "plan.yaml").read_text(encoding="utf-8"),
        worst=tuple(_worst(plan, rows, run)),
        agreement=[draw_agreement([agreement_plot(item) for item in agreements])] if agreements else [],
        agreements={item.name: agreement_lines(item) for item in agreements},
        intervals=card.intervals,
        steps=_steps(choice, card),
        choice=_choice_words(choice, card),
        calibration=card.calibration,
        reliability=_reliability(plan.folder / "bundle", card),
        findings=[item.message for item in read_findings(plan.folder) if item.severity != "info"],
    )
    return write_bytes(plan.folder / PAGE_FILE, training_to_html(page), force=True)


def _steps(choice: StepChoice | None, card: ModelCard) -> list[StepLine]:
    """What was tried, the best first; what changed nobody is left out."""
    tried = () if choice is None else sorted(choice.tried, key=lambda item: (not item.taken, -item.gain))
    return [
        StepLine(step_words(item.step, card.table, _unit(card)), item.gain, item.low, item.high, item.taken)
        for item in tried
    ]


def _choice_words(choice: StepChoice | None, card: ModelCard) -> str:
    if choice is None:
        return ""
    if not choice.steps or choice.gain is None:
        if any(item.low > 0 for item in choice.tried):
            return (
                f"None was added: what helps all {choice.subjects} subjects together does not help beyond noise where "
                "each fold gets what the other folds choose."
            )
        return f"None was added: no step helps beyond noise on the {choice.subjects} subjects that folds had not seen."
    words = "; ".join(step_words(step, card.table, _unit(card)) for step in choice.steps)
    return (
        f"Chosen on the folds and part of the model: {words}. Mean Dice {choice.gain:+.4f} (95 % interval "
        f"{choice.low:+.4f} to {choice.high:+.4f}) on {choice.subjects} subjects, each with what the other folds chose."
    )


def _unit(card: ModelCard) -> str:
    return "mm³" if card.spacing is not None or card.grid is not None else "mm³ (pixels without a size)"


def _reliability(bundle: Path, card: ModelCard) -> list[Picture]:
    path = bundle / "calibration.png"
    if card.calibration is None or not path.is_file():
        return []
    found = card.calibration
    caption = (
        "Reliability: how often the most probable label of a voxel came true, by the probability that it had, before "
        f"and after the temperature {found.temperature:.3g}; discs are as large as their share of the voxels."
    )
    return [Picture("reliability", path.read_bytes(), caption)]


def _whom(plan: RunFolder) -> str:
    if plan.on_hold_out:
        return "subjects that were held out"
    return (
        "subjects that were not trained on"
        if len(plan.split.folds) > 1
        else "subjects that it was trained on"
    )


def _about_start(folder: Path) -> list[str]:
    """Where the weights come from, and how the model stands to the one that it began from."""
    told = [item for item in read_findings(folder) if item.code in ABOUT_START and item.severity == "info"]
    return [item.message for item in told]


def _sentences(card: ModelCard, rows: Sequence[SubjectDice], plan: RunFolder) -> list[str]:
    done, folds = sorted({row.fold for row in rows}), len(plan.split.folds)
    subjects = len({row.subject for row in rows})
    words = "; ".join(f"{item.label} {item.mean:.3f}" for item in card.quality)
    lead = f"Mean Dice on {subjects} {_whom(plan)}: {words}."
    if not card.quality:
        lead = "Nothing could be judged: no subject has a structure in reference or prediction."
    share = f"{len(done)} of {folds} folds are trained; their probabilities are averaged in the bundle."
    if folds == 1:
        share = "One network was trained."
    found = [lead, share, *_about_sets(card)]
    missed = [row for row in rows if row.reference_voxels and not row.prediction_voxels]
    if missed:
        found.append(
            f"In {len(missed)} of {len(rows)} pairs of subject and structure nothing was found of what is there."
        )
    return found


def _about_sets(card: ModelCard) -> list[str]:
    """Of each set what it holds, and the digest of its cases."""
    return [
        f"S{name[1:]}: {words}."
        for name, words in card.trained
        if name.startswith("set ") and isinstance(words, str)
    ]


def _targets(card: ModelCard, rows: Sequence[SubjectDice]) -> list[TargetLine]:
    lines = []
    for item in card.quality:
        own = [row for row in rows if row.target == item.label and row.dice is not None]
        values = [row.dice for row in own if row.dice is not None]
        worst = min(own, key=lambda row: row.dice or 0.0)
        lines.append(
            TargetLine(
                item.label,
                item.mean,
                item.low,
                item.high,
                median(values),
                worst.dice or 0.0,
                worst.subject,
                len(own),
                sets_of_target(rows, item.label),
            )
        )
    return lines


def _by_size(rows: Sequence[SubjectDice]) -> list[SizeLine]:
    """Mean Dice in thirds of the reference's sizes, where there are enough subjects with a volume."""
    lines = []
    for name in dict.fromkeys(row.target for row in rows):
        own = sorted(
            (row.reference_voxels * row.voxel_ml, row.dice)
            for row in rows
            if row.target == name
            and row.voxel_ml is not None
            and row.dice is not None
            and row.reference_voxels
        )
        if len(own) < _ENOUGH:
            continue
        for part in np.array_split(np.array(own), _SIZES):
            low, high = float(part[0, 0]), float(part[-1, 0])
            lines.append(SizeLine(name, low, high, len(part), float(part[:, 1].mean())))
    return lines


def _volumes(rows: Sequence[SubjectDice]) -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for item in fold_volumes(rows):
        ours, theirs = found.setdefault(item.target, ([], []))
        ours.append(item.predicted_ml)
        theirs.append(item.reference_ml)
    return found


def _subject(row: SubjectDice) -> SubjectLine:
    def ml(voxels: int) -> float | None:
        return None if row.voxel_ml is None else voxels * row.voxel_ml

    return SubjectLine(
        row.fold, row.subject, row.target, row.dice, ml(row.reference_voxels), ml(row.prediction_voxels)
    )


def _curve(fold: Path) -> Picture:
    number = fold.name.removeprefix("fold")
    caption = f"Fold {number}: loss over steps, of training patches and of fixed validation patches."
    return Picture(f"curve {number}", (fold / "curve.png").read_bytes(), caption)


def _cost(fold: Path, config: TrainConfig) -> FoldCost:
    timing = read_timing(fold)
    number = int(fold.name.removeprefix("fold"))
    if timing is None:
        return FoldCost(number, config.loop.steps, None, None, None)
    share = timing.waiting_s / timing.seconds if timing.seconds else None
    return FoldCost(number, config.loop.steps, timing.seconds / 60, share, timing.peak_bytes)


def _worst(plan: RunFolder, rows: Sequence[SubjectDice], run: Run) -> Iterator[Picture]:
    """Subjects with one scan and the lowest Dice, each with the fold that had not seen it; a subject comes once."""
    ranked = sorted(
        (row for row in rows if row.dice is not None and row.cases == 1), key=lambda row: row.dice or 0.0
    )
    first = {row.subject: row for row in reversed(ranked)}
    chosen = sorted(first.values(), key=lambda row: row.dice or 0.0)[:_WORST]
    cases = {case.subject: case for case in plan.cases}
    for number, row in enumerate(chosen):
        run.check()
        run.progress(number, len(chosen), "drawing the worst subjects")
        yield _drawn(plan, row, cases[row.subject], run)


def _drawn(plan: RunFolder, row: SubjectDice, case: Case, run: Run) -> Picture:
    loaded = load_case(case, plan.config, plan.names)
    bundle = plan.folder / f"fold{row.fold}" / "bundle"
    segmenter = ModelSegmenter(read_card(bundle), bundle)
    (kept,) = judge_cases(segmenter, (case,), plan.config, plan.names, fold=bundle.parent, run=run)
    choice = kept_choice(plan.folder)
    steps = {} if choice is None else dict(choice.by_fold)
    image = loaded.images[plan.config.reference]
    labels = postprocess(kept.prediction, image.grid, steps.get(row.fold, ()))
    found = Segmentation(labels, image.grid, plan.config.labels)
    reference = Segmentation(loaded.labels, image.grid, plan.config.labels)
    return draw_pair(found, reference, _compared(row, plan.config), image)


def _compared(row: SubjectDice, config: TrainConfig) -> Compared:
    table = config.labels
    values = next(((item.value,) for item in table.labels if item.name == row.target), ()) or next(
        item.labels for item in table.regions if item.name == row.target
    )
    ours, theirs = (
        None if row.voxel_ml is None else voxels * row.voxel_ml
        for voxels in (row.prediction_voxels, row.reference_voxels)
    )
    error = None if ours is None or theirs is None else ours - theirs
    return Compared(
        row.subject, row.target, values, row.dice or 0.0, error, prediction_ml=ours, reference_ml=theirs
    )
