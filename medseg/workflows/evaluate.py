"""Evaluate: predictions against references; on values, and on files or folders paired by stem."""

from dataclasses import dataclass
from pathlib import Path

from medseg.domain import Measurement, ReadOptions, Segmentation
from medseg.errors import InputError, MedsegError
from medseg.io.names import stem_of

__all__ = ["Evaluation", "evaluate", "evaluate_files", "evaluation_rows", "summary_rows", "write_rows"]

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".png", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One compared pair; `error` holds the line that stopped it."""

    case: str
    measurements: tuple[Measurement, ...] = ()
    error: str | None = None


def evaluate(
    prediction: Segmentation, reference: Segmentation, *, tolerance_mm: float = 2.0
) -> tuple[Measurement, ...]:
    """Dice, surface Dice, HD95, ASSD, volume error per label and region; see `medseg.metrics`."""
    from medseg import metrics

    return metrics.evaluate(prediction=prediction, reference=reference, tolerance_mm=tolerance_mm)


def evaluate_files(prediction: Path, reference: Path, *, tolerance_mm: float = 2.0) -> tuple[Evaluation, ...]:
    """Compare two files, or two folders paired by stem; a pair that fails is named and the rest goes on.

    A reference without a prediction is an error of its case: leaving cases out can't raise a mean.

    Raises
    ------
    InputError
        If one is a folder and the other a file, or no stems match.
    """
    if prediction.is_dir() != reference.is_dir():
        raise InputError("evaluate takes two files or two folders, not one of each")
    if not prediction.is_dir():
        return (Evaluation(stem_of(reference), _compare(prediction, reference, tolerance_mm)),)
    found = {stem_of(path): path for path in sorted(prediction.iterdir()) if _is_mask(path)}
    wanted = {stem_of(path): path for path in sorted(reference.iterdir()) if _is_mask(path)}
    if not set(found) & set(wanted):
        raise InputError(f"no file in {prediction} has the stem of a file in {reference}")
    return tuple(_one(stem, found.get(stem), path, tolerance_mm) for stem, path in wanted.items())


def _one(stem: str, prediction: Path | None, reference: Path, tolerance_mm: float) -> Evaluation:
    if prediction is None:
        return Evaluation(stem, error="there is no prediction for this reference")
    try:
        return Evaluation(stem, _compare(prediction, reference, tolerance_mm))
    except MedsegError as error:
        return Evaluation(stem, error=str(error))


def _compare(prediction: Path, reference: Path, tolerance_mm: float) -> tuple[Measurement, ...]:
    from medseg.io import read_segmentation

    return evaluate(
        read_segmentation(prediction, options=ReadOptions()),
        read_segmentation(reference, options=ReadOptions()),
        tolerance_mm=tolerance_mm,
    )


def _is_mask(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(_SUFFIXES) and not path.name.startswith(".")


def evaluation_rows(results: tuple[Evaluation, ...]) -> list[dict[str, object]]:
    """One tidy row per case, label and quantity."""
    return [
        {
            "case": result.case,
            "name": item.target.name,
            "labels": " ".join(str(value) for value in item.target.labels),
            "quantity": item.quantity.value,
            "value": item.value,
            "unit": item.unit,
            "status": item.status.value,
            "reason": item.reason,
            "method": item.method,
        }
        for result in results
        for item in result.measurements
    ]


def summary_rows(results: tuple[Evaluation, ...]) -> list[dict[str, object]]:
    """Per label and quantity: cases, misses, false positives, mean and interval; see `metrics.summarise`."""
    from medseg import metrics

    return metrics.summarise({result.case: result.measurements for result in results if result.measurements})


def write_rows(rows: list[dict[str, object]], path: Path, *, force: bool = False) -> Path:
    """Write rows as CSV, whole or not at all."""
    import csv
    import io

    from medseg.io.atomic import write_bytes

    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]) if rows else ["case"])
    writer.writeheader()
    writer.writerows(rows)
    return write_bytes(path, buffer.getvalue().encode(), force=force)
