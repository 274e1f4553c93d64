"""The page of a cohort: one HTML file that needs no network; outliers stand first, with their pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.cohort.boxes import boxes_svg
from medseg.reporting.cohort.quantities import FAR, MOST, QuantityView, far_out, robust_z
from medseg.reporting.contact.distribution import FENCE, FEWEST, QUARTILES
from medseg.reporting.contact.texts import few_digits, unit_value_text
from medseg.reporting.extras import Picture

__all__ = ["CohortCase", "CohortView", "cohort_to_html"]

#: What a scanner is called that no file names.
_UNKNOWN = "scanner not known"
#: So many scanners have a row of their own.
_SCANNERS = 12
#: So many of the most doubtful cases are named.
_DOUBTFUL = 24


@dataclass(frozen=True, slots=True)
class CohortCase:
    """A case that is done: its page, its values by head of their column (those to be taken at their word), and more."""

    name: str
    href: str
    values: Mapping[str, float]
    scanner: str = ""
    domain: str = ""
    expected_dice: float | None = None
    caption: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CohortView:
    """All that the page shows.

    Parameters
    ----------
    counts
        State → cases.
    reasons
        Why cases failed or are left out → their names.
    cases, quantities
        Those that are done, and what is shown of them.
    hidden
        Quantities of the table that are not shown.
    first
        How many outliers have their picture.
    picture_of
        PNG of a case, or None.
    """

    counts: Mapping[str, int]
    reasons: Mapping[str, Sequence[str]]
    cases: Sequence[CohortCase]
    quantities: Sequence[QuantityView]
    hidden: int
    first: int
    picture_of: Callable[[str], bytes | None]


def cohort_to_html(view: CohortView) -> bytes:
    """One HTML file; every text is escaped, no script is in it."""
    by_name = {case.name: case for case in view.cases}
    values = {item.head: _values(view.cases, item.head) for item in view.quantities}
    scores = {head: robust_z(found) for head, found in values.items()}
    quantities = {item.head: item for item in view.quantities}
    far = far_out(scores)
    context = {
        "css": page_asset("many.css"),
        "count": sum(view.counts.values()),
        "summary": _summary(view),
        "reasons": [(reason, list(names)) for reason, names in _by_number(view.reasons)],
        "far": [_outlier(by_name[case], quantities[head], z, view) for case, head, z in far[: view.first]],
        "far_count": len(far),
        "doubtful": _doubtful(view.cases),
        "unlike": [(case.name, case.href, case.domain) for case in view.cases if case.domain],
        "figures": [
            _figure(item, values[item.head], by_name, number) for number, item in enumerate(view.quantities)
        ],
        "cases": [(case.name, case.href, case.scanner or "–", f"{case.seconds:.1f}") for case in view.cases],
        "notes": _notes(view),
    }
    return page_template("cohort").render(context).encode()


def _values(cases: Sequence[CohortCase], head: str) -> dict[str, float]:
    return {case.name: case.values[head] for case in cases if head in case.values}


def _by_number(reasons: Mapping[str, Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    return sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))


def _summary(view: CohortView) -> str:
    order = ("done", "failed", "left out", "running")
    words = {"running": "not finished"}
    told = [f"{view.counts[state]} {words.get(state, state)}" for state in order if view.counts.get(state)]
    return f"{', '.join(told)}." if told else "There are no cases."


def _outlier(case: CohortCase, item: QuantityView, z: float, view: CohortView) -> dict[str, Any]:
    png = view.picture_of(case.name)
    return {
        "name": case.name,
        "href": case.href,
        "image": "" if png is None else Picture("thumbnail", png, case.caption).uri,
        "alt": case.caption,
        "told": f"{item.what} {unit_value_text(case.values[item.head], item.unit)}, robust z {z:+.1f}",
        "domain": case.domain,
    }


def _doubtful(cases: Sequence[CohortCase]) -> list[tuple[str, str, str]]:
    """Cases of which the model expects least."""
    known = [(case.expected_dice, case.name, case.href) for case in cases if case.expected_dice is not None]
    return [(name, href, f"{dice:.3f}") for dice, name, href in sorted(known)[:_DOUBTFUL]]


def _figure(
    item: QuantityView, found: Mapping[str, float], by_name: Mapping[str, CohortCase], number: int
) -> dict[str, Any]:
    words = _words(item, found)
    if not found:
        return {"title": item.what, "words": words, "plot": ""}
    groups: dict[str, list[float]] = {}
    for case, value in found.items():
        groups.setdefault(by_name[case].scanner or _UNKNOWN, []).append(value)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    rows = {f"{name} ({len(values)})": values for name, values in ordered[:_SCANNERS]}
    rest = [value for _, values in ordered[_SCANNERS:] for value in values]
    if rest:
        rows[f"{len(ordered) - _SCANNERS} others ({len(rest)})"] = rest
    return {"title": item.what, "words": words, "plot": boxes_svg(rows, item.what, words, f"q{number}")}


def _words(item: QuantityView, found: Mapping[str, float]) -> str:
    """What a distribution says; the tests recompute every number from the table."""
    if not found:
        return "No case with a whole value."
    low, middle, high = (float(cut) for cut in np.percentile(list(found.values()), [25, 50, 75]))
    box = (
        f", IQR {few_digits(low, item.unit)} to {few_digits(high, item.unit)}"
        if len(found) >= QUARTILES
        else ""
    )
    least, most = min(found.values()), max(found.values())
    return (
        f"n {len(found)}; median {unit_value_text(middle, item.unit)}{box}, "
        f"range {few_digits(least, item.unit)} to {few_digits(most, item.unit)}."
    )


def _notes(view: CohortView) -> list[str]:
    far = (
        f"Outliers have a robust z-score beyond ±{FAR:g} in some quantity: 0.6745 (value − median) / MAD over all "
        f"cases (Iglewicz and Hoaglin 1993), where there are at least {FEWEST}. They are what to look at first, not "
        "what is wrong."
    )
    how = (
        "A row is a scanner: box of the quartiles, line at the median, whiskers to the farthest value within "
        f"{FENCE:g} IQR, dots beyond. Values that are cut by the border or unreliable are left out here; the table "
        "has them."
    )
    found = [far, how]
    if view.hidden > 0:
        found.append(
            f"{view.hidden} more columns stand in the table; at most {MOST} quantities are shown here."
        )
    return found
