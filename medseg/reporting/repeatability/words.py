"""A study of repeatability in sentences; each number is one of the study."""

from medseg.domain.repeatability import FEWEST_SUBJECTS, Estimate, Repeatability, RepeatabilityStudy
from medseg.reporting.numbers import number_text, unit_text
from medseg.reporting.repeatability.selfwords import self_sentences

__all__ = ["DEFINITIONS", "figures_of", "name_of", "study_sentences"]

_STEP = 0.001
#: Beyond this a test is said to have found something; the same as in `medseg.metrics.repeatability`.
_ALPHA = 0.05
DEFINITIONS = {
    "wSD": "Within-subject SD: √(Σd²/2n), d = first − second.",
    "RC": "Repeatability coefficient: 1.96·√2·wSD; two scans of an unchanged patient differ by less in 95 %.",
    "wCV": "Within-subject coefficient of variation: √(mean of d²/2m²), m = mean of both.",
    "No change, log scale": "From 1/f to f, f = exp(1.96·√2·σ_w), σ_w = √(Σ(ln first − ln second)²/2n).",
    "ICC(2,1)": "How well subjects are told apart (Shrout and Fleiss 1979): it depends on whom was studied, and is "
    "never the error.",
    "Intervals": "95 %; of wSD, RC, wCV and the factor by the chi-square distribution with as many degrees of freedom "
    "as subjects; where subjects have several lesions, as their effective number.",
}


def name_of(item: Repeatability) -> str:
    """`gland, volume`; with its sizes, where it is of a part of them."""
    what = f"{item.target}, {item.quantity.info.title.lower()}"
    if item.of_size is None:
        return what
    low, high = item.of_size
    unit = unit_text(item.unit)
    if high is None:
        return f"{what}, {_number(low)} {unit} and more".replace("  ", " ")
    return f"{what}, {_number(low)} to {_number(high)} {unit}".rstrip()


def study_sentences(study: RepeatabilityStudy) -> list[str]:
    """What stands first: per structure what is no change, then bias and growth of errors, and on what it rests."""
    if study.evidence == "self":
        return self_sentences(study)
    lines = []
    for item in study.items:
        lines.append(f"{name_of(item)}: {_no_change(item)}{_rests(item)}.")
        lines += _tests(item)
    return lines or ["Nothing could be compared: no structure has three pairs."]


def figures_of(item: Repeatability) -> list[tuple[str, str, str]]:
    """(name, value, interval) of each figure, as a page shows them."""
    unit = unit_text(item.unit)
    found = [("wSD", *_shown(item.wsd, unit)), ("RC", *_shown(item.rc, unit)), ("wCV", *_percent(item.wcv))]
    found.append(("No change, log scale", *_range(item)))
    found.append(("ICC(2,1)", *_shown(item.icc, "")))
    found.append(("Bias", *_shown(item.bias, unit)))
    if item.limits is None:
        return found
    low, high = (_number(value) for value in item.limits)
    return [*found, ("Limits of agreement", f"{low} to {high} {unit}".rstrip(), "")]


def _no_change(item: Repeatability) -> str:
    if item.scale == "log" and item.no_change_percent is not None:
        low, high = item.no_change_percent
        ends = f"{_signed(low)} to {_signed(high)}"
        return f"a change from {ends} % is within error (log scale, as errors grow with size)"
    text = f"a change of up to {_number(item.rc.value)} {unit_text(item.unit)} is within error".replace(
        "  ", " "
    )
    if item.no_change_percent is None:
        return text
    low, high = item.no_change_percent
    return f"{text} (on the log scale {_signed(low)} to {_signed(high)} %)"


def _rests(item: Repeatability) -> str:
    pairs = f", {item.pairs} pairs" if item.pairs != item.subjects else ""
    early = f", preliminary: fewer than {FEWEST_SUBJECTS}" if item.is_preliminary else ""
    return f"; n {item.subjects}{pairs}{early}"


def _tests(item: Repeatability) -> list[str]:
    lines = []
    if item.bias is not None and item.bias_test is not None and item.bias_test.p < _ALPHA:
        value = f"{_number(item.bias.value)} {unit_text(item.unit)}".rstrip()
        lines.append(
            f"{item.target}: the first scan differs from the second on average, by {value} "
            f"(p {_p(item.bias_test.p)}); the figures hold this bias too, so look for its cause."
        )
    if item.growth is not None and item.growth.p < _ALPHA:
        way = "grow" if item.growth.value > 0 else "shrink"
        lines.append(
            f"{item.target}: differences {way} with the size (Spearman's ρ {item.growth.value:.2f}, "
            f"p {_p(item.growth.p)})."
        )
    return lines


def _shown(found: Estimate | None, unit: str) -> tuple[str, str]:
    if found is None:
        return "not computed", ""
    return f"{_number(found.value)} {unit}".rstrip(), _ends(found, 1.0)


def _percent(found: Estimate | None) -> tuple[str, str]:
    if found is None:
        return "not computed", ""
    return f"{_number(100 * found.value)} %", _ends(found, 100.0)


def _range(item: Repeatability) -> tuple[str, str]:
    if item.no_change_percent is None or item.log_factor is None:
        return "not computed", ""
    low, high = item.no_change_percent
    ends = item.log_factor.interval
    of_factor = f"factor {item.log_factor.value:.3f}"
    if ends is not None:
        of_factor += f": {ends.low:.3f} to {ends.high:.3f}"
    return f"{_signed(low)} to {_signed(high)} %", of_factor


def _ends(found: Estimate, scale: float) -> str:
    if found.interval is None:
        return ""
    return f"{_number(scale * found.interval.low)} to {_number(scale * found.interval.high)}"


def _number(value: float) -> str:
    return number_text(float(value), _STEP)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
