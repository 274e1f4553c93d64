"""The comparison page of an evaluation: drawn, rendered, written whole."""

from collections.abc import Mapping
from pathlib import Path

from medseg.domain import Interval
from medseg.io import read
from medseg.io.atomic import require_absent, write_bytes
from medseg.masks.onto import onto_grid
from medseg.reporting.comparison.page import ComparedCase, Comparison, comparison_to_html
from medseg.reporting.comparison.pictures import AgreementPlot, draw_agreement, draw_worst
from medseg.reporting.extras import Picture
from medseg.workflows.evaluate import Evaluation, VolumeAgreement, summary_rows, volume_agreement
from medseg.workflows.pairs import PairOptions, read_pair

__all__ = ["agreement_lines", "write_comparison"]


def write_comparison(
    results: tuple[Evaluation, ...],
    path: Path,
    *,
    masks: tuple[Path, Path] | None = None,
    image: Path | None = None,
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
    masks
        Prediction and reference of a single pair: the slice where they differ most is drawn, on `image` where
        one is given.
    options
        How the pair was read.
    patients
        Case → patient, for the intervals.
    force
        Replace a page that exists.
    """
    require_absent(path, force=force)
    cases = [ComparedCase(item.case, item.measurements, item.grid, item.error) for item in results]
    agreements = volume_agreement(results)
    page = Comparison(
        cases,
        summary_rows(results, patients=patients),
        {item.name: agreement_lines(item) for item in agreements},
        _pictures(agreements, masks, image, options or PairOptions()),
    )
    return write_bytes(path, comparison_to_html(page), force=force)


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


def _pictures(
    agreements: tuple[VolumeAgreement, ...],
    masks: tuple[Path, Path] | None,
    image: Path | None,
    options: PairOptions,
) -> tuple[Picture, ...]:
    pictures = []
    if masks is not None:
        prediction, reference = read_pair(*masks, options)
        prediction = onto_grid(prediction, reference.grid, what="prediction")
        shown = None if image is None else read(image, options=options.read)
        pictures.append(draw_worst(prediction, reference, shown))
    if agreements:
        pictures.append(draw_agreement([_plot(item) for item in agreements]))
    return tuple(pictures)


def _plot(item: VolumeAgreement) -> AgreementPlot:
    found = item.bland_altman
    intervals = (found.lower_interval, found.bias_interval, found.upper_interval)
    low, middle, high = ((interval.low, interval.high) for interval in intervals)
    lines = (found.limits[0], found.bias, found.limits[1])
    return AgreementPlot(item.name, item.prediction_ml, item.reference_ml, lines, (low, middle, high))


def _ends(interval: Interval) -> str:
    return f"{_signed(interval.low)} to {_signed(interval.high)}"


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")
