"""Evaluate: predictions against references; on values, and on files or folders paired by case."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from medseg import metrics
from medseg.domain import Finding, Grid, Label, LabelTable, Measurement, Quantity, Run, Segmentation, Status
from medseg.domain.values import STRICT, as_details, digest_of_plain
from medseg.errors import InputError, MedsegError
from medseg.io import is_dataset
from medseg.io.atomic import write_bytes
from medseg.io.datasets.nnunet import ignored_label
from medseg.io.names import stem_of
from medseg.io.plain import read_plain
from medseg.masks.ignored import IGNORED
from medseg.masks.onto import lies_on, onto_grid
from medseg.metrics import BlandAltman, Icc, LesionRule
from medseg.reporting.tables.csv import as_text
from medseg.reporting.tables.rows import usable_word
from medseg.workflows.ledger import Ledger, file_digest, mask_digest, open_ledger
from medseg.workflows.pairs import PairOptions, one_of_case, pair_files, read_pair

__all__ = [
    "NO_PREDICTION",
    "NO_REFERENCE",
    "Evaluation",
    "VolumeAgreement",
    "evaluate",
    "evaluate_files",
    "evaluate_lesions",
    "evaluation_rows",
    "failure_rows",
    "ignored_findings",
    "is_many",
    "on_reference",
    "read_patients",
    "summary_rows",
    "volume_agreement",
    "write_rows",
]

#: Fewer cases say nothing about limits of agreement.
FEWEST_CASES = 3
_MOST_TABLE_BYTES = 1 << 26
NO_REFERENCE = "there is no reference for this prediction: it was not compared"
NO_PREDICTION = "there is no prediction for this reference: counted as an empty one"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One compared pair, the grid of its reference, and the voxels of it that nobody judged, which were left out.

    `error` holds the line that says what failed; `state` says whether it was compared now or kept from before, and
    `reason` why it was compared again.
    """

    case: str
    measurements: tuple[Measurement, ...] = ()
    error: str | None = None
    grid: Grid | None = None
    ignored_voxels: int = 0
    state: Literal["compared", "kept", "compared again"] = "compared"
    reason: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


_ADAPTER = TypeAdapter(Evaluation)


@dataclass(frozen=True, slots=True)
class VolumeAgreement:
    """How the volumes of one structure agree over cases, in ml; `icc` is None where cases do not differ."""

    name: str
    prediction_ml: tuple[float, ...]
    reference_ml: tuple[float, ...]
    bland_altman: BlandAltman
    icc: Icc | None


def evaluate(
    prediction: Segmentation, reference: Segmentation, *, tolerance_mm: float = 2.0
) -> tuple[Measurement, ...]:
    """Dice, surface Dice, HD, HD95, ASSD, volume error per label and region; see `medseg.metrics`.

    A prediction that is stored in another order of axes is placed on the reference's grid.
    """
    placed = on_reference(prediction, reference)
    return metrics.evaluate(prediction=placed, reference=reference, tolerance_mm=tolerance_mm)


def evaluate_lesions(
    prediction: Segmentation, reference: Segmentation, *, rule: LesionRule | None = None
) -> tuple[Measurement, ...]:
    """Sensitivity, false positives, F1, panoptic quality, Dice per lesion; see `medseg.metrics.lesions`."""
    placed = on_reference(prediction, reference)
    return metrics.evaluate_lesions(prediction=placed, reference=reference, rule=rule)


def on_reference(prediction: Segmentation, reference: Segmentation) -> Segmentation:
    """The prediction in the reference's order of axes; one on other voxels stays, to be refused with its reason."""
    on_it = lies_on(prediction.grid, reference.grid)
    return onto_grid(prediction, reference.grid, what="prediction") if on_it else prediction


def evaluate_files(
    prediction: Path,
    reference: Path,
    *,
    tolerance_mm: float = 2.0,
    lesions: LesionRule | None = None,
    options: PairOptions | None = None,
    memory: Path | None = None,
    run: Run | None = None,
) -> tuple[Evaluation, ...]:
    """Compare two files, or two folders or datasets paired by case; a pair that fails is named and the rest goes on.

    A reference without a prediction is an error of its case and counts as an empty prediction, so that leaving
    cases out can't raise a headline; a prediction without a reference is named. With `lesions`, labels are compared
    lesion by lesion too. Pairs that `memory`, a ledger, knows as they are now are not compared again.

    Raises
    ------
    InputError
        If one is a folder and the other a file, or no prediction has a reference.
    """
    many = is_many(prediction)
    if many != is_many(reference):
        one, other = (prediction, reference) if many else (reference, prediction)
        raise InputError(f"evaluate takes two files or two folders: {one} is a folder, {other} is none")
    rules = _Rules(tolerance_mm, lesions, options or PairOptions())
    if not many:
        return (_compare(stem_of(reference), (prediction, reference), rules),)
    wanted = pair_files(prediction, reference)
    ledger = None if memory is None else open_ledger(memory, "evaluate")
    run, results = run or Run(), []
    for number, (case, (ours, theirs)) in enumerate(wanted.items()):
        run.check()
        run.progress(number, len(wanted), f"evaluate: {case}")
        if not theirs:
            results.append(Evaluation(case, error=NO_REFERENCE))
            continue
        pair = _Pair(case, ours or None, theirs, rules)
        results.append(_one(pair) if ledger is None else _remembered(pair, ledger))
    run.progress(len(wanted), len(wanted), "evaluate")
    return tuple(_with_absent(results, tolerance_mm, lesions))


def ignored_findings(results: tuple[Evaluation, ...]) -> tuple[Finding, ...]:
    """One Finding on the voxels that were left out because nobody judged them."""
    counts = [item.ignored_voxels for item in results if item.ignored_voxels]
    if not counts:
        return ()
    text = f"{sum(counts)} voxels of {len(counts)} references are marked 'ignore' and were left out of both masks."
    return (Finding(IGNORED, "warning", text, as_details(voxels=sum(counts), cases=len(counts))),)


def is_many(path: Path) -> bool:
    """Whether it is a folder of masks or a dataset."""
    return path.is_dir() or is_dataset(path)


@dataclass(frozen=True, slots=True)
class _Rules:
    """How two masks are read and compared."""

    tolerance_mm: float
    lesions: LesionRule | None
    reading: PairOptions

    @property
    def asked(self) -> dict[str, str]:
        """The same in words that a ledger compares."""
        labels = self.reading.labels
        return {
            "the rules": repr((self.tolerance_mm, self.lesions)),
            "the way of reading": repr((self.reading.mapping, self.reading.read)),
            "the labels": "" if labels is None else file_digest(labels),
        }


@dataclass(frozen=True, slots=True)
class _Pair:
    """Files of one case, and the rules they are compared by."""

    stem: str
    prediction: tuple[Path, ...] | None
    reference: tuple[Path, ...]
    rules: _Rules


def _remembered(pair: _Pair, ledger: Ledger) -> Evaluation:
    asked = {
        "the prediction": digest_of_plain([mask_digest(path) for path in pair.prediction or ()]),
        "the reference": digest_of_plain([mask_digest(path) for path in pair.reference]),
        **pair.rules.asked,
    }
    if (ignored := ignored_label(pair.reference[0], pair.rules.reading.labels)) is not None:
        asked["the label that is ignored"] = str(ignored)

    standing, kept = ledger.standing(pair.stem, asked, ())
    if standing.kept:
        return replace(_ADAPTER.validate_json(json.dumps(kept)), state="kept")
    found = _one(pair)
    if standing.reason:
        found = replace(found, state="compared again", reason=standing.reason)
    # An error may be of the moment (memory, a disk that was gone), so it is tried again.
    if found.error in (None, NO_PREDICTION):
        ledger.begin(pair.stem, asked, ())
        ledger.finish(pair.stem, (), _ADAPTER.dump_python(found, mode="json"))
    return found


def _one(pair: _Pair) -> Evaluation:
    try:
        prediction = None
        if pair.prediction is not None:
            prediction = one_of_case(pair.prediction, pair.stem, "prediction")
        reference = one_of_case(pair.reference, pair.stem, "reference")
        found = _compare(pair.stem, (prediction, reference), pair.rules)
    except MedsegError as error:
        return Evaluation(pair.stem, error=str(error))
    return found if prediction is not None else replace(found, error=NO_PREDICTION)


def _compare(stem: str, paths: tuple[Path | None, Path], rules: _Rules) -> Evaluation:
    prediction, reference = read_pair(*paths, rules.reading)
    rows = evaluate(prediction, reference, tolerance_mm=rules.tolerance_mm)
    if rules.lesions is not None:
        rows += evaluate_lesions(prediction, reference, rule=rules.lesions)
    ignored = sum(int(item.detail("voxels") or 0) for item in reference.findings if item.code == IGNORED)
    return Evaluation(stem, rows, grid=reference.grid, ignored_voxels=ignored)


def _with_absent(
    results: list[Evaluation], tolerance_mm: float, lesions: LesionRule | None
) -> Iterator[Evaluation]:
    """Each case with rows for the labels that other cases hold and neither of its masks does: both empty.

    A bare mask names only the labels that occur in it, so a case with nothing to find would vanish from the means.
    """
    names: dict[int, str] = {}
    for result in results:
        for item in result.measurements:
            if len(item.target.labels) == 1:
                names.setdefault(item.target.labels[0], item.target.name)
    for result in results:
        here = {value for item in result.measurements for value in item.target.labels}
        absent = tuple(Label(value, name) for value, name in sorted(names.items()) if value not in here)
        if not absent or result.grid is None:
            yield result
            continue
        empty = Segmentation(np.zeros(result.grid.shape, np.uint8), result.grid, LabelTable(absent))
        rows = evaluate(empty, empty, tolerance_mm=tolerance_mm)
        if lesions is not None:
            rows += evaluate_lesions(empty, empty, rule=lesions)
        yield replace(result, measurements=(*result.measurements, *rows))


def evaluation_rows(results: tuple[Evaluation, ...]) -> list[dict[str, object]]:
    """One tidy row per case, label (and lesion, and size bin) and quantity."""
    return [
        {
            "case": result.case,
            "name": item.target.name,
            "labels": " ".join(str(value) for value in item.target.labels),
            "lesion": item.target.lesion,
            "detail": item.target.detail,
            "quantity": item.quantity.value,
            "value": item.value,
            "unit": item.unit,
            "usable": usable_word(item.status),
            "status": item.status.value,
            "reason": item.reason,
            "method": item.method,
        }
        for result in results
        for item in result.measurements
    ]


def failure_rows(results: tuple[Evaluation, ...]) -> list[dict[str, object]]:
    """A row of the same table for each case that was not compared, or not with a prediction: why stands in it."""
    empty = dict.fromkeys(("name", "labels", "lesion", "detail", "quantity", "value", "unit"))
    state = {"usable": usable_word(Status.NOT_COMPUTED), "status": Status.NOT_COMPUTED.value}
    return [
        {"case": item.case, **empty, **state, "reason": item.error, "method": None}
        for item in results
        if item.error
    ]


def summary_rows(
    results: tuple[Evaluation, ...], *, patients: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Per structure and quantity: cases, misses, false positives, mean and interval; see `metrics.summarise`."""
    cases = {result.case: result.measurements for result in results if result.measurements}
    return metrics.summarise(cases, patients=patients)


def volume_agreement(results: tuple[Evaluation, ...]) -> tuple[VolumeAgreement, ...]:
    """Bland–Altman and ICC(2,1) of predicted against reference volumes, per structure, the largest first.

    Structures with fewer than three cases, or without volumes in ml, are left out.
    """
    volumes: dict[str, tuple[list[float], list[float]]] = {}
    for result in results:
        for item in result.measurements:
            if item.quantity is Quantity.VOLUME and item.value is not None:
                pair = volumes.setdefault(item.target.name, ([], []))
                pair[item.target.detail == "reference"].append(float(item.value))
    return agreement_of(volumes)


def agreement_of(
    volumes: Mapping[str, tuple[Sequence[float], Sequence[float]]],
) -> tuple[VolumeAgreement, ...]:
    """The same from pairs of lists, prediction first, in ml by structure."""
    found = []
    for name, (ours, theirs) in volumes.items():
        if len(ours) < FEWEST_CASES:
            continue
        try:
            icc = metrics.icc(list(zip(ours, theirs, strict=True)))
        except InputError:
            icc = None
        found.append(
            VolumeAgreement(name, tuple(ours), tuple(theirs), metrics.bland_altman(ours, theirs), icc)
        )
    return tuple(sorted(found, key=lambda item: -sum(item.reference_ml)))


def read_patients(path: Path) -> dict[str, str]:
    """Case → patient from a CSV with the columns `case` and `patient`.

    Raises
    ------
    InputError
        If a column is missing or a case has two patients.
    """
    try:
        text = read_plain(path, most=_MOST_TABLE_BYTES).decode("utf-8-sig")
        table = list(csv.DictReader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} can't be read as a table of patients: {error}") from error
    if not table or not {"case", "patient"} <= set(table[0]):
        raise InputError(f"{path} needs a head and rows with the columns case and patient")
    found: dict[str, str] = {}
    for row in table:
        if found.setdefault(row["case"], row["patient"]) != row["patient"]:
            raise InputError(f"{path.name} gives case {row['case']!r} to two patients")
    return found


def write_rows(rows: list[dict[str, object]], path: Path, *, force: bool = False) -> Path:
    """Write rows as CSV, whole or not at all; text that a spreadsheet would run gets an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else ["case"])
    writer.writeheader()
    for row in rows:
        writer.writerow({key: as_text(cell) if isinstance(cell, str) else cell for key, cell in row.items()})
    return write_bytes(path, buffer.getvalue().encode(), force=force)
