"""The follow-up page: one self-contained HTML file and the same as PDF, no script, all escaped."""

from collections.abc import Iterator, Sequence
from typing import Any

from medseg.domain import Quantity
from medseg.domain.followup import Change, FollowedGroup, FollowUp
from medseg.reporting.assets import page_asset, page_template
from medseg.reporting.extras import Picture
from medseg.reporting.followup.diagram import curves_svg, graph_svg
from medseg.reporting.followup.pictures import CONTOURS
from medseg.reporting.followup.words import (
    days_text,
    error_text,
    lesion_name,
    opening_sentences,
    percent_text,
    range_text,
    reading_text,
)
from medseg.reporting.numbers import number_text, unit_text

__all__ = ["followup_to_html", "followup_to_pdf"]

#: Rows of the table of lesions on the page; the CSV has all.
MOST_ROWS = 60
#: What the table shows of each lesion, and of the sum.
_LENGTHS = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)
_OTHERS = (
    *_LENGTHS,
    Quantity.LESION_DIAMETERS,
    Quantity.SUV_MAX,
    Quantity.SUV_PEAK,
    Quantity.MTV,
    Quantity.TLG,
)
_NOT_SAID = {"not comparable", "error unknown"}


def followup_to_html(found: FollowUp, pictures: Sequence[Picture] = ()) -> bytes:
    """One HTML file that needs nothing else: no network, no script; every text is escaped."""
    return page_template("followup").render(_context(found, pictures)).encode()


def followup_to_pdf(found: FollowUp, pictures: Sequence[Picture] = ()) -> bytes:
    """The same page as PDF; the caller has made sure that the extra `pdf` is there."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    fetcher = URLFetcher(allowed_protocols={"data"})
    pdf: bytes = HTML(string=followup_to_html(found, pictures).decode(), url_fetcher=fetcher).write_pdf()
    return pdf


def _context(found: FollowUp, pictures: Sequence[Picture]) -> dict[str, Any]:
    graph, left_out = graph_svg(found)
    sums = [group for group in found.groups if group.is_sum]
    rows = [_row(found, group) for group in found.groups]
    css = page_asset("many.css")
    own = page_asset("page.css", "followup")
    return {
        "css": css + own,
        "subject": found.subject,
        "reviewed": [point.review == "reviewed" for point in found.points],
        "sentences": opening_sentences(found),
        "count": len(found.points),
        "points": [_point(found, number) for number in range(len(found.points))],
        "graph": graph,
        "left_out": left_out,
        "curves": [
            svg for n, group in enumerate(sums) if (svg := curves_svg(found, group.name, f"curve{n}"))
        ],
        "rows": rows[:MOST_ROWS],
        "all_rows": len(rows),
        "several": len({group.name for group in found.groups}) > 1,
        "scans": [f"Scan {number + 1}, ml" for number in range(len(found.points))],
        "others": list(_others(found))[: 4 * MOST_ROWS],
        "targets": found.targets,
        "target_value": _target_value,
        "errors": list(_errors(found)),
        "lesions": [item for item in pictures if not item.name.startswith("alignment")],
        "alignment": [item for item in pictures if item.name.startswith("alignment")],
        "legend": CONTOURS,
        "findings": sorted(
            found.findings, key=lambda item: ("error", "warning", "info").index(item.severity)
        ),
        "events": [(track, event) for track in found.tracks for event in track.events if event.point],
        "settings": found.settings,
        "versions": found.versions,
        "unit": unit_text,
    }


def _point(found: FollowUp, number: int) -> dict[str, Any]:
    item = found.points[number]
    days = (
        "–" if item.days is None else f"{days_text(item.days)} ({item.days_from})" if number else "baseline"
    )
    return {
        "number": number + 1,
        "days": days if number or item.days is not None else "baseline",
        "made_by": item.made_by,
        "review": item.review,
        "spacing": " × ".join(f"{step:.3g}" for step in item.grid.spacing),
        "space": item.alignment.words,
        "faults": item.faults,
        "mask": item.mask[:8],
    }


def _row(found: FollowUp, group: FollowedGroup) -> dict[str, Any]:
    """Volumes at every scan, the change to the last one, and what may be said of it."""
    quantity = Quantity.LESION_VOLUME if group.is_sum else Quantity.VOLUME
    last = len(found.points) - 1
    change = group.change(quantity, last)
    nadir = group.change(quantity, last, "nadir")
    return {
        "name": lesion_name(group),
        "structure": group.name,
        "is_sum": group.is_sum,
        "values": [reading_text(found, group, quantity, point) for point in range(len(found.points))],
        "change": "–" if change is None or change.absolute is None else _signed_ml(found, change),
        "percent": "–" if change is None or change.percent is None else percent_text(change.percent),
        "range": ""
        if change is None or change.absolute is None or change.call == "gone"
        else range_text(change),
        "per_year": _per_year(change),
        "doubling": "" if change is None else _doubling(change),
        "call": _event_words(found, group) if change is None else change.call,
        "loud": change is not None and change.call not in ("within error", *_NOT_SAID),
        "reason": "" if change is None or change.call == "error unknown" else change.reason,
        "nadir": "" if nadir is None or change is None or nadir.since == change.since else _nadir(nadir),
    }


def _event_words(found: FollowUp, group: FollowedGroup) -> str:
    """Of what was not there at baseline, and is new at the last scan: the event itself."""
    kinds = [
        event.kind
        for track in found.tracks
        if track.id in group.tracks
        for event in track.events
        if event.point
    ]
    return kinds[0] if kinds else ""


def _per_year(change: Change | None) -> str:
    """Only of what is beyond error; the tables have it of all."""
    if change is None or change.per_year is None or change.call in ("within error", *_NOT_SAID):
        return ""
    return f"{_signed(change.per_year)} ml/year"


def _nadir(change: Change) -> str:
    if change.percent is None:
        return ""
    return f"from nadir (scan {change.since + 1}): {percent_text(change.percent)}, {change.call}"


def _doubling(change: Change) -> str:
    if change.doubling_days is None or change.doubling_range is None:
        return ""
    low, high = change.doubling_range
    end = "open" if high is None else f"{high:.0f}"
    return f"doubling time {change.doubling_days:.0f} days ({low:.0f} to {end})"


def _signed_ml(found: FollowUp, change: Change) -> str:
    step = found.points[change.point].grid.voxel_volume / 1000
    text = number_text(float(change.absolute or 0), step)
    return f"{'+' if (change.absolute or 0) > 0 and not text.startswith('under') else ''}{text}"


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")


def _others(found: FollowUp) -> Iterator[tuple[str, str, str, list[str], str, str]]:
    """Structure, lesion, quantity with unit, values, change in per cent and call, of what is no volume."""
    last = len(found.points) - 1
    for group in found.groups:
        for quantity in _OTHERS:
            items = [item for item in group.readings if item.quantity is quantity]
            if not items:
                continue
            change = group.change(quantity, last)
            values = [reading_text(found, group, quantity, point) for point in range(len(found.points))]
            percent = "–" if change is None or change.percent is None else percent_text(change.percent)
            title = f"{quantity.info.title}, {unit_text(items[0].unit)}"
            yield group.name, lesion_name(group), title, values, percent, change.call if change else ""


def _target_value(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{number_text(value, 0.1)} {unit_text(unit)}"


def _errors(found: FollowUp) -> Iterator[str]:
    """Where each range comes from, once."""
    seen = {
        (error_text(change.error), change.error.source, change.error.pairs, group.is_sum): None
        for group in found.groups
        for change in group.changes
        if change.error is not None
    }
    unknown = {
        change.reason for group in found.groups for change in group.changes if change.call == "error unknown"
    }
    yield from (f"Error unknown: {reason}." for reason in sorted(unknown))
    for text, source, pairs, is_sum in seen:
        few = f"; {pairs} pairs" if pairs is not None else ""
        yield f"{'Sums' if is_sum else 'Single lesions'}: {text} (95 %), from {source}{few}."
