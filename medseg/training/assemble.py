"""From trained folds to one bundle, with its measured quality."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import yaml
from pydantic import TypeAdapter

from medseg.domain.card import ModelCard, Quality
from medseg.domain.card_files import DomainFile, IntervalQuality, IntervalsFile
from medseg.domain.intervals import FoldVolume, VolumeCalibration
from medseg.domain.values import Details, as_details
from medseg.errors import InputError
from medseg.inference.conformal import cross_fitted, guaranteed_coverage
from medseg.inference.domain import train_domain
from medseg.io.atomic import write_bytes
from medseg.metrics.summarise import bootstrap_interval
from medseg.models import dump_volumes, load_weights, parse_features, read_card, write_bundle
from medseg.training.calibrate import calibration_of
from medseg.training.check import read_findings
from medseg.training.choose import StepChoice, chosen_steps, step_words
from medseg.training.curve import draw_quality, draw_reliability
from medseg.training.heldout import cropped, kept_cases
from medseg.training.run_folder import HOLD_OUT
from medseg.training.validate import SubjectDice, subject_dice

__all__ = [
    "FEATURES_FILE",
    "assemble_bundle",
    "dice_table",
    "domain_file",
    "finished_folds",
    "fold_volumes",
    "intervals_file",
    "judged_rows",
    "licence_text",
    "quality_of_folds",
    "read_dice",
    "sets_of_target",
    "write_dice",
]

_ROWS: TypeAdapter[tuple[SubjectDice, ...]] = TypeAdapter(tuple[SubjectDice, ...])
_DICE = "dice.json"
#: What the scans of a run are like.
FEATURES_FILE = "features.csv"
#: Nominal coverage of intervals of volumes, and what is added before logarithms: a tenth of a ml is no structure.
INTERVAL_LEVEL, INTERVAL_OFFSET_ML = 0.9, 0.1


def assemble_bundle(
    run: str | Path, out: str | Path | None = None, *, command: str = "", force: bool = True
) -> Path:
    """Join the finished folds of a run folder into one bundle whose probabilities are averaged.

    Parameters
    ----------
    run
        Folder that `train` filled.
    out
        Where the bundle goes; `RUN/bundle` by default.
    command
        The command that repeats the measurement, for the card.

    Returns
    -------
    Path
        Of the bundle: card, weights, `plan.yaml`, `LICENSE`, `quality.csv` (Dice by subject), pictures. Once all
        folds are finished the card also has the postprocessing that they chose, temperature and intervals.

    Raises
    ------
    InputError
        If no fold of the run is finished.
    """
    run = Path(run)
    folder = Path(out) if out is not None else run / "bundle"
    finished = finished_folds(run)
    if not finished:
        raise InputError(f"{run} has no finished fold yet; train it to the end first")
    first = read_card(finished[0] / "bundle")
    states = [
        state for fold in finished for state in load_weights(read_card(fold / "bundle"), fold / "bundle")
    ]
    card, extras = _measured(run, finished, first, command)
    extras |= {"plan.yaml": _shared_plan(run / "plan.yaml"), "LICENSE": licence_text(first)}
    write_bundle(folder, card, states, extras=extras, force=force)
    return folder


def _measured(
    run: Path, finished: Sequence[Path], first: ModelCard, command: str
) -> tuple[ModelCard, dict[str, bytes]]:
    """The card with all that the folds say of the model, and the files that belong to it."""
    folds = int(dict(first.trained).get("folds") or len(finished))
    whole = len(finished) == folds
    choice = chosen_steps(run, finished, first.table) if whole else None
    rows = judged_rows(run, choice)
    judged = "each subject judged by the one fold that did not train on it"
    if dict(first.trained).get("judged") == HOLD_OUT:
        judged = "judged by subjects that were held out"
    elif dict(first.trained).get("subjects") == 1:
        judged = "its only subject was trained on and judged by itself"
    elif folds == 1:
        judged = "subjects were trained on and judged by themselves"
    note = f"{len(finished)} of {folds} folds; {judged}"
    volumes = fold_volumes(rows)
    intervals = intervals_file(volumes) if whole else None
    scans = run / FEATURES_FILE
    domain = domain_file(scans.read_bytes()) if scans.is_file() else None
    calibration = (
        calibration_of({_number(fold): tuple(kept_cases(fold)) for fold in finished}, first.table.values)
        if whole
        else None
    )
    found = tuple(item.message for item in read_findings(run) if item.severity != "info")
    card = replace(
        first,
        weights=(),
        limits=tuple(dict.fromkeys((*first.limits, *found))),
        postprocessing=(*first.postprocessing, *(() if choice is None else choice.steps)),
        trained=(*first.trained, *_chosen(choice, first)),
        quality=quality_of_folds(rows, command=command, note=note),
        intervals=intervals,
        domain=domain,
        calibration=calibration,
    )
    extras = {
        "quality.csv": dice_table(rows),
        "quality.png": draw_quality(rows, f"{first.title}: cross-validation"),
    }
    if intervals is not None:
        extras[intervals.file] = dump_volumes(volumes)
    if domain is not None:
        extras[domain.file] = scans.read_bytes()
    if calibration is not None:
        extras["calibration.png"] = draw_reliability(calibration, f"{first.title}: calibration")
    return card, extras


def _chosen(choice: StepChoice | None, card: ModelCard) -> Details:
    """What was chosen on the folds, as a fact of the training."""
    if choice is None or not choice.steps or choice.gain is None:
        return ()
    words = "; ".join(step_words(step, card.table) for step in choice.steps)
    gained = f"mean Dice {choice.gain:+.4f}, 95 % interval {choice.low:+.4f} to {choice.high:+.4f}"
    return as_details(postprocessing=f"{words} (chosen on the folds: {gained})")


def finished_folds(run: Path) -> list[Path]:
    """Folders of the folds that are trained and judged, in order."""
    return [fold for fold in sorted(run.glob("fold[0-9]*"), key=_number) if (fold / _DICE).is_file()]


def judged_rows(run: Path, choice: StepChoice | None) -> tuple[SubjectDice, ...]:
    """Dice of every subject by the fold that had not seen it, after the steps that the other folds chose."""
    steps = {} if choice is None else dict(choice.by_fold)
    rows: list[SubjectDice] = []
    for fold in finished_folds(run):
        number = _number(fold)
        if steps.get(number):
            table = read_card(fold / "bundle").table
            rows += subject_dice(map(cropped, kept_cases(fold)), table, fold=number, steps=steps[number])
        else:
            rows += read_dice(fold)
    return tuple(rows)


def quality_of_folds(rows: Sequence[SubjectDice], *, command: str, note: str) -> tuple[Quality, ...]:
    """Mean Dice over subjects per label and region, with a 95 % bootstrap interval; none for a single one."""
    found = []
    for target in dict.fromkeys(row.target for row in rows):
        values = [row.dice for row in rows if row.target == target and row.dice is not None]
        if values:
            low, high = bootstrap_interval(np.array(values))
            mean = sum(values) / len(values)
            said = note + (f"; of {words}" if (words := sets_of_target(rows, target)) else "")
            found.append(Quality(target, "dice", mean, low, high, 0.95, len(values), command, said))
    return tuple(found)


def sets_of_target(rows: Sequence[SubjectDice], target: str) -> str:
    """Which sets judge a structure, in words: `set A`, `sets A, B`; empty where there is one set."""
    names = dict.fromkeys(
        name for row in rows if row.target == target and row.sets for name in row.sets.split(", ")
    )
    return f"set{'s' * (len(names) > 1)} {', '.join(names)}" if names else ""


def fold_volumes(rows: Sequence[SubjectDice]) -> tuple[FoldVolume, ...]:
    """Volumes of every subject with one scan, by the reference and by the fold that did not train on it."""
    return tuple(
        FoldVolume(
            row.target, row.fold, row.reference_voxels * row.voxel_ml, row.prediction_voxels * row.voxel_ml
        )
        for row in rows
        if row.voxel_ml is not None and row.cases == 1
    )


def intervals_file(volumes: Sequence[FoldVolume]) -> IntervalsFile | None:
    """What the card says of intervals made from these volumes; None where there are too few subjects, or one fold."""
    if len({item.fold for item in volumes}) < 2:
        return None
    calibration = VolumeCalibration(INTERVAL_LEVEL, INTERVAL_OFFSET_ML, tuple(volumes))
    quality = []
    for target in dict.fromkeys(item.target for item in volumes):
        measured = cross_fitted(target, calibration)
        if measured is not None:
            share, width, subjects = measured
            folds = len({item.fold for item in calibration.of(target)})
            guaranteed = guaranteed_coverage(subjects, folds, INTERVAL_LEVEL)
            quality.append(IntervalQuality(target, guaranteed, share, width, subjects))
    if not quality:
        return None
    digest = hashlib.sha256(dump_volumes(volumes)).hexdigest()
    return IntervalsFile(digest, INTERVAL_LEVEL, INTERVAL_OFFSET_ML, tuple(quality))


def domain_file(table: bytes) -> DomainFile | None:
    """What the card says of the scans in this table; None where there are too few to tell what is usual."""
    from scipy.stats import beta

    names, features = parse_features(table)
    known = train_domain(names, features)
    if known is None:
        return None
    scans = len(features)
    alarms = round(known.false_alarms * scans)
    upper = 1.0 if alarms == scans else float(beta.ppf(0.975, alarms + 1, scans - alarms))
    return DomainFile(hashlib.sha256(table).hexdigest(), scans, known.false_alarms, upper)


def read_dice(fold: Path) -> tuple[SubjectDice, ...]:
    """Rows that `write_dice` left in a fold's folder."""
    return _ROWS.validate_json((fold / _DICE).read_bytes())


def write_dice(fold: Path, rows: Sequence[SubjectDice]) -> None:
    """Mark a fold as finished by its Dice."""
    write_bytes(fold / _DICE, json.dumps([asdict(row) for row in rows], indent=1).encode(), force=True)


def _shared_plan(path: Path) -> bytes:
    """The plan without places of the machine it ran on: file names stay, folders go."""
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    data = plan["data"]
    for part in (data, *data.get("sets", ())):
        for key in ("cases", "split"):
            if key in part:
                part[key] = Path(part[key]).name if part[key] else None
        part["root"] = None
    if plan.get("start"):
        plan["start"]["model"] = Path(plan["start"]["model"]).name
    return yaml.safe_dump(plan, sort_keys=False, allow_unicode=True).encode()


def _number(fold: Path) -> int:
    return int(fold.name.removeprefix("fold"))


def dice_table(rows: Sequence[SubjectDice]) -> bytes:
    """Dice of each subject as CSV, UTF-8: `quality.csv` of a bundle."""
    stream = io.StringIO()
    names = [
        field.name for field in fields(SubjectDice) if field.name != "sets" or any(row.sets for row in rows)
    ]
    writer = csv.DictWriter(stream, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return stream.getvalue().encode()


def licence_text(card: ModelCard) -> bytes:
    """What stands in a bundle's `LICENSE`."""
    return f"{card.title}: weights and card\n\nLicence: {card.licence}\n\n{card.attribution}\n".encode()
