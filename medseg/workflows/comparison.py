"""The comparison page of an evaluation: drawn, rendered, written whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medseg.domain import Image, Interval
from medseg.errors import InputError
from medseg.io import is_dataset, read
from medseg.io.atomic import require_absent, write_bytes
from medseg.masks.onto import onto_grid
from medseg.reporting.comparison.cases import ComparedCase, Failure, worst_pairs
from medseg.reporting.comparison.page import Comparison, comparison_to_html
from medseg.reporting.comparison.pictures import AgreementPlot, draw_agreement, draw_pair, draw_worst
from medseg.reporting.extras import Picture
from medseg.workflows.batch import only
from medseg.workflows.cases import find_cases
from medseg.workflows.evaluate import (
    NO_PREDICTION,
    NO_REFERENCE,
    Evaluation,
    VolumeAgreement,
    is_many,
    summary_rows,
    volume_agreement,
)
from medseg.workflows.ledger import file_digest
from medseg.workflows.pairs import PairOptions, case_of, pair_files, read_pair

__all__ = [
    "Shown",
    "agreement_lines",
    "agreement_plot",
    "pictures_digests",
    "shown_files",
    "write_comparison",
]


@dataclass(frozen=True, slots=True)
class Shown:
    """Files behind the pictures of a page, by case: both masks of a pair, and its image where there is one."""

    pairs: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)


def shown_files(
    results: tuple[Evaluation, ...], masks: tuple[Path, Path] | None, image: Path | None
) -> Shown:
    """Masks and images of the pairs that a page shows: of many cases the worst ones.

    Of many cases `image` is a folder or a dataset with an image per case, else the images of a reference that is a
    dataset are taken; a case without one is shown by its masks alone.

    Raises
    ------
    InputError
        If the images of many cases are given and none is there.
    """
    if masks is None:
        return Shown()
    prediction, reference = masks
    if not is_many(prediction):
        name = results[0].case
        return Shown({name: masks}, {} if image is None else {name: image})
    worst = dict.fromkeys(item.case for item in worst_pairs(_cases(results)))
    files = pair_files(prediction, reference) if worst else {}
    pairs = {case: (only(files[case][0]), only(files[case][1])) for case in worst}
    source = image or (reference if is_dataset(reference) else None)
    known = {} if source is None else _images(source)
    found = {case: known.get(case, known.get(case_of(case))) for case in pairs}
    return Shown(pairs, {case: path for case, path in found.items() if path is not None})


def _images(source: Path) -> dict[str, Path]:
    cases = find_cases(source)
    if cases is None:
        raise InputError(f"{source} is no folder or dataset with an image for each case")
    return {case.id: Path(case.images[0].path) for case in cases if case.images}


def _cases(results: tuple[Evaluation, ...]) -> list[ComparedCase]:
    return [
        ComparedCase(item.case, item.measurements, item.grid, item.error, _failure(item)) for item in results
    ]


def _failure(item: Evaluation) -> Failure:
    if item.error is None:
        return ""
    known: dict[str, Failure] = {NO_PREDICTION: "no prediction", NO_REFERENCE: "no reference"}
    return known.get(item.error, "not compared")


def write_comparison(
    results: tuple[Evaluation, ...],
    path: Path,
    *,
    shown: Shown | None = None,
    options: PairOptions | None = None,
    patients: Mapping[str, str] | None = None,
    force: bool = False,
) -> Path:
    """Write the comparison page as HTML.

    Parameters
    ----------
    results
        From `evaluate_files`.
    path
        The page to write.
    shown
        Files of the pairs that are drawn, from `shown_files`: of a single one the slice where it differs most, of
        many the structures that are among the worst.
    options
        How the pairs were read.
    patients
        Case → patient, for the intervals.
    force
        Replace a page that exists.
    """
    require_absent(path, force=force)
    cases = _cases(results)
    agreements = volume_agreement(results)
    drawn = _worst(cases, shown or Shown(), options or PairOptions())
    plots = [draw_agreement([agreement_plot(item) for item in agreements])] if agreements else []
    page = Comparison(
        cases,
        summary_rows(results, patients=patients),
        {item.name: agreement_lines(item) for item in agreements},
        (*drawn, *plots),
    )
    return write_bytes(path, comparison_to_html(page), force=force)


def pictures_digests(shown: Shown) -> list[list[str]]:
    """What the pictures of a page are made of beside the results, so that another image makes it again."""
    return [[case, file_digest(path)] for case, path in sorted(shown.images.items())]


def _worst(cases: list[ComparedCase], shown: Shown, options: PairOptions) -> Iterator[Picture]:
    """A single pair where it differs most; of many the worst, case by case, so that one pair at a time is held."""
    if len(cases) == 1:
        for case, masks in shown.pairs.items():
            prediction, reference = read_pair(*masks, options)
            prediction = onto_grid(prediction, reference.grid, what="prediction")
            yield draw_worst(prediction, reference, _image(shown, case, options))
        return
    for item in worst_pairs(cases):
        if item.case in shown.pairs:
            prediction, reference = read_pair(*shown.pairs[item.case], options)
            prediction = onto_grid(prediction, reference.grid, what="prediction")
            yield draw_pair(prediction, reference, item, _image(shown, item.case, options))


def _image(shown: Shown, case: str, options: PairOptions) -> Image | None:
    path = shown.images.get(case)
    return None if path is None else read(path, options=options.read)


def agreement_lines(item: VolumeAgreement) -> list[str]:
    """Bias, limits of agreement and ICC of one structure in words, each with its interval."""
    found = item.bland_altman
    low, high = found.limits
    lines = [
        f"{found.count} cases: bias {_signed(found.bias)} ml (95 % interval {_ends(found.bias_interval)}).",
        f"SD of differences {found.sd:.3g} ml; limits of agreement (Bland and Altman 1999):",
        f"{_signed(low)} ml ({_ends(found.lower_interval)}) to {_signed(high)} ml ({_ends(found.upper_interval)}).",
    ]
    if item.icc is None:
        return [*lines, "ICC not computed: the cases do not differ in volume."]
    ends = item.icc.interval
    icc = f"{item.icc.value:.3f} (95 % interval {ends.low:.3f} to {ends.high:.3f})".replace("-", "−")
    return [*lines, f"{item.icc.model} {icc}, absolute agreement."]


def agreement_plot(item: VolumeAgreement) -> AgreementPlot:
    """What is drawn of it."""
    found = item.bland_altman
    intervals = (found.lower_interval, found.bias_interval, found.upper_interval)
    low, middle, high = ((interval.low, interval.high) for interval in intervals)
    lines = (found.limits[0], found.bias, found.limits[1])
    return AgreementPlot(item.name, item.prediction_ml, item.reference_ml, lines, (low, middle, high))


def _ends(interval: Interval) -> str:
    return f"{_signed(interval.low)} to {_signed(interval.high)}"


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")
