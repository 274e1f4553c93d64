"""The training page as one self-contained HTML file, no script, all escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medseg.domain.calibration import Calibration, Reliability
from medseg.domain.card_files import IntervalsFile
from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.comparison.pictures import LEGEND
from medseg.reporting.extras import Picture

__all__ = [
    "FoldCost",
    "SizeLine",
    "StepLine",
    "SubjectLine",
    "TargetLine",
    "TrainingPage",
    "training_to_html",
]

#: Rows of single subjects; the CSV in the bundle has all.
_MOST_ROWS = 2000
#: Steps of postprocessing that are shown, the taken and the best ones.
_MOST_STEPS = 12


@dataclass(frozen=True, slots=True)
class TargetLine:
    """Dice of one label or region over subjects that were not trained on; a 95 % bootstrap interval, or None."""

    name: str
    mean: float
    low: float | None
    high: float | None
    median: float
    worst: float
    where: str
    subjects: int
    sets: str = ""


@dataclass(frozen=True, slots=True)
class SizeLine:
    """Mean Dice of the subjects whose structure has a size from `low_ml` to `high_ml` by the reference."""

    name: str
    low_ml: float
    high_ml: float
    subjects: int
    mean: float


@dataclass(frozen=True, slots=True)
class SubjectLine:
    """One structure of one subject, by the fold that had not seen it; volumes are None on `px` grids."""

    fold: int
    subject: str
    name: str
    dice: float | None
    reference_ml: float | None
    prediction_ml: float | None


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step of postprocessing that was tried: mean Dice gained, its interval, and whether the model has it now."""

    words: str
    gain: float
    low: float
    high: float
    taken: bool


@dataclass(frozen=True, slots=True)
class FoldCost:
    """What a fold took; None where it was not measured (a run of an older version)."""

    fold: int
    steps: int
    minutes: float | None
    waiting: float | None
    peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """What stands on the page.

    Parameters
    ----------
    title, sentences
        Of the model; the first sentence is the answer.
    targets, sizes, subjects
        Dice over all, by size, and one by one.
    curves, worst, agreement
        Pictures: learning curves by fold, the worst subjects, Bland–Altman.
    agreements
        Name of a structure → sentences on its bias and limits of agreement.
    intervals
        Of volumes, as the card says it.
    costs
        Time and memory by fold.
    steps, choice
        Postprocessing that was tried on the folds, and what came of it in words; empty where nothing was.
    calibration, reliability
        Of probabilities, and its picture.
    whom
        Who judged the model, in words.
    findings
        What a reader of the model must know.
    plan
        The run's configuration.
    """

    title: str
    sentences: Sequence[str]
    targets: Sequence[TargetLine]
    sizes: Sequence[SizeLine]
    subjects: Sequence[SubjectLine]
    curves: Sequence[Picture]
    costs: Sequence[FoldCost]
    plan: str
    worst: Sequence[Picture] = ()
    agreement: Sequence[Picture] = ()
    agreements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    intervals: IntervalsFile | None = None
    findings: Sequence[str] = ()
    steps: Sequence[StepLine] = ()
    choice: str = ""
    calibration: Calibration | None = None
    reliability: Sequence[Picture] = ()
    whom: str = "subjects that were not trained on"


def training_to_html(page: TrainingPage) -> bytes:
    """One HTML file that needs nothing else; every text is escaped."""
    return page_template("training").render(_context(page)).encode()


def _context(page: TrainingPage) -> dict[str, Any]:
    return {
        "css": page_asset("many.css"),
        "page": page,
        "legend": LEGEND,
        "curves": [(picture, picture.uri) for picture in page.curves],
        "worst": [(picture, picture.uri) for picture in page.worst],
        "agreement": [(picture, picture.uri) for picture in page.agreement],
        "targets": [_target(line) for line in page.targets],
        "sizes": [
            (line.name, f"{line.low_ml:.3g} to {line.high_ml:.3g} ml", line.subjects, f"{line.mean:.3f}")
            for line in page.sizes
        ],
        "intervals": _intervals(page.intervals),
        "level": "" if page.intervals is None else f"{page.intervals.level:.0%}",
        "steps": [_step(line) for line in page.steps[:_MOST_STEPS]],
        "calibration": _calibration(page.calibration),
        "reliability": [(picture, picture.uri) for picture in page.reliability],
        "costs": [_cost(line) for line in page.costs],
        "subjects": [_subject(line) for line in page.subjects[:_MOST_ROWS]],
        "all_subjects": len(page.subjects),
    }


def _target(line: TargetLine) -> dict[str, Any]:
    interval = "" if line.low is None or line.high is None else f"{line.low:.3f} to {line.high:.3f}"
    return {
        "name": line.name,
        "subjects": line.subjects,
        "mean": f"{line.mean:.3f}",
        "interval": interval,
        "median": f"{line.median:.3f}",
        "worst": f"{line.worst:.3f}",
        "where": line.where,
        "sets": line.sets,
    }


def _intervals(found: IntervalsFile | None) -> list[tuple[str, int, str, str, str]]:
    return [
        (
            item.label,
            item.subjects,
            f"{item.guaranteed:.0%}",
            f"{item.measured:.0%}",
            f"{item.median_width_ml:.3g} ml",
        )
        for item in (() if found is None else found.quality)
    ]


def _step(line: StepLine) -> tuple[str, str, str, str]:
    interval = f"{line.low:+.4f} to {line.high:+.4f}".replace("-", "−")
    return line.words, f"{line.gain:+.4f}".replace("-", "−"), interval, "taken" if line.taken else "no"


def _calibration(found: Calibration | None) -> list[tuple[str, str, str, str]]:
    """One row before and one after."""
    if found is None:
        return []
    rows = (
        ("as the networks say", "1", found.before),
        ("with the temperature", f"{found.temperature:.3g}", found.after),
    )
    return [(name, temperature, f"{item.error:.4f}", _ends(item)) for name, temperature, item in rows]


def _ends(item: Reliability) -> str:
    return "" if item.low is None or item.high is None else f"{item.low:.4f} to {item.high:.4f}"


def _cost(line: FoldCost) -> tuple[int, int, str, str, str]:
    unknown = "not measured"
    return (
        line.fold,
        line.steps,
        unknown if line.minutes is None else f"{line.minutes:.1f} min",
        unknown if line.waiting is None else f"{line.waiting:.1%}",
        unknown if line.peak_bytes is None else f"{line.peak_bytes / 1e9:.2f} GB",
    )


def _subject(line: SubjectLine) -> tuple[int, str, str, str, str, str]:
    def ml(value: float | None) -> str:
        return "" if value is None else f"{value:.3g}"

    dice = "both empty" if line.dice is None else f"{line.dice:.3f}"
    return line.fold, line.subject, line.name, dice, ml(line.reference_ml), ml(line.prediction_ml)
