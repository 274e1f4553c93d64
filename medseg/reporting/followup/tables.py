"""A follow-up as tables: rows of values and changes, of events, of links; as CSV and XLSX, exact."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from medseg.domain.followup import Change, FollowedGroup, FollowUp, Reading
from medseg.reporting.followup.words import percent_text
from medseg.reporting.numbers import number_text
from medseg.reporting.tables.csv import as_text
from medseg.reporting.tables.workbook import sheets_to_xlsx

__all__ = ["FOLLOWUP_COLUMNS", "followup_rows", "followup_to_csv", "followup_to_xlsx", "volume_rows"]

_VOLUMES = ("volume", "lesion_total_volume")

#: Columns of the table of values, and what they mean.
FOLLOWUP_COLUMNS = {
    "subject": "Pseudonym of the baseline's record.",
    "structure": "Label or region.",
    "lesion": "Id over all scans; several joined by + are compared as one, as they split or merged; empty: the sum.",
    "tracking_uid": "Of the first of them.",
    "scan": "Number of the scan, 1 is the baseline.",
    "days": "From the baseline; empty where not known.",
    "event": "What became of the lesion since the scan before.",
    "event_reason": "Why that is said.",
    "quantity": "What was measured.",
    "channel": "Image channel of an uptake.",
    "unit": "UCUM.",
    "value": "At this scan, exact; empty where there is none.",
    "status": "ok, or why the value is not to be taken at its word.",
    "value_reason": "Why.",
    "against": "What it is compared with: baseline or nadir; empty at the first scan.",
    "since_scan": "Number of that scan.",
    "change": "Value minus earlier value.",
    "percent": "Change in per cent of the earlier value.",
    "per_year": "Change by year; empty below half a year.",
    "call": "What may be said of the change.",
    "call_reason": "Why.",
    "no_change_low_percent": "Lower end of the range of unchanged values; empty where the error is unknown.",
    "no_change_high_percent": "Upper end.",
    "error_kind": "Where the range comes from.",
    "error_source": "In words.",
    "p": "Chance of such a change without one.",
    "p_adjusted": "After Holm over all changes tested.",
    "doubling_days": "Of growth beyond error alone.",
    "doubling_low_days": "Lower end.",
    "doubling_high_days": "Upper end; empty where it is open.",
}


def followup_rows(found: FollowUp) -> Iterator[dict[str, Any]]:
    """One row per value and what it is compared with."""
    for group in found.groups:
        for item in group.readings:
            changes = [
                change
                for change in group.changes
                if (change.quantity, change.channel, change.point)
                == (item.quantity, item.channel, item.point)
            ]
            for change in (*changes, *(() if changes else (None,))):
                yield {**_value(found, group, item), **_change(change)}


def volume_rows(found: FollowUp) -> Iterator[dict[str, Any]]:
    """Rows of volumes as a terminal shows them: rounded as on the page, and not against the nadir once more."""
    for row in followup_rows(found):
        if row["quantity"] not in _VOLUMES or row["against"] == "nadir":
            continue
        step = found.points[row["scan"] - 1].grid.voxel_volume / 1000
        value, percent = row["value"], row["percent"]
        yield row | {
            "value": "–" if value is None else number_text(value, step),
            "percent": "" if percent is None else percent_text(percent),
        }


def followup_to_csv(found: FollowUp) -> bytes:
    """UTF-8 CSV of `followup_rows`; numbers by `repr`, text that a spreadsheet would run gets an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(FOLLOWUP_COLUMNS), lineterminator="\n")
    writer.writeheader()
    for row in followup_rows(found):
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return buffer.getvalue().encode()


def followup_to_xlsx(found: FollowUp) -> bytes:
    """Workbook: values and changes, events, links of the graph, scans, target sums, findings, what columns mean."""
    return sheets_to_xlsx(
        {
            "changes": (list(FOLLOWUP_COLUMNS), [list(row.values()) for row in followup_rows(found)]),
            "events": _sheet_of(_events(found), _EVENTS),
            "links": _sheet_of(_links(found), _LINKS),
            "scans": _sheet_of(_scans(found), _SCANS),
            "target sums": _sheet_of(_targets(found), _TARGETS),
            "findings": _sheet_of(
                ((item.severity, item.code, item.message) for item in found.findings),
                "severity code message",
            ),
            "data dictionary": (["name", "meaning"], [[*term] for term in FOLLOWUP_COLUMNS.items()]),
        }
    )


_EVENTS = "lesion tracking_uid structure scan number event reason others"
_LINKS = "scan structure earlier later chosen_by carries earlier_share later_share gap_mm reason"
_SCANS = "scan days days_from made_by review space space_words not_comparable accepted mask_digest"
_TARGETS = "scan criteria category sum unit baseline nadir reason reader_adds"


def _sheet_of(rows: Iterable[tuple[Any, ...]], columns: str) -> tuple[list[str], list[list[Any]]]:
    return columns.split(), [list(row) for row in rows]


def _events(found: FollowUp) -> Iterator[tuple[Any, ...]]:
    for track in found.tracks:
        for item in track.events:
            others = ", ".join(map(str, item.others))
            yield track.id, track.uid, track.name, item.point + 1, item.lesion, item.kind, item.reason, others


def _links(found: FollowUp) -> Iterator[tuple[Any, ...]]:
    for item in found.links:
        ends = item.point + 1, item.name, item.earlier, item.later, item.chosen_by, item.carries
        yield (*ends, item.earlier_share, item.later_share, item.gap_mm, item.reason)


def _scans(found: FollowUp) -> Iterator[tuple[Any, ...]]:
    for number, item in enumerate(found.points, start=1):
        told = item.days, item.days_from, item.made_by, item.review, item.alignment.kind, item.alignment.words
        yield (number, *told, "; ".join(item.faults), "; ".join(item.accepted), item.mask)


def _targets(found: FollowUp) -> Iterator[tuple[Any, ...]]:
    for item in found.targets:
        sums = item.value, item.unit, item.baseline, item.nadir
        yield (item.point + 1, item.criteria, item.category, *sums, item.reason, "; ".join(item.reader))


def _value(found: FollowUp, group: FollowedGroup, item: Reading) -> dict[str, Any]:
    tracks = [track for track in found.tracks if track.id in group.tracks]
    events = [event for track in tracks for event in track.events if event.point == item.point]
    return {
        "subject": found.subject,
        "structure": group.name,
        "lesion": "+".join(map(str, group.tracks)),
        "tracking_uid": tracks[0].uid if tracks else "",
        "scan": item.point + 1,
        "days": found.points[item.point].days,
        "event": "; ".join(dict.fromkeys(event.kind for event in events)),
        "event_reason": "; ".join(dict.fromkeys(event.reason for event in events)),
        "quantity": item.quantity.value,
        "channel": item.channel,
        "unit": item.unit,
        "value": item.value,
        "status": item.status.value,
        "value_reason": item.reason,
    }


def _change(change: Change | None) -> dict[str, Any]:
    if change is None:
        keys = list(FOLLOWUP_COLUMNS)
        return dict.fromkeys(keys[keys.index("against") :])
    error = change.error
    low, high = change.doubling_range or (None, None)
    return {
        "against": change.against,
        "since_scan": change.since + 1,
        "change": change.absolute,
        "percent": change.percent,
        "per_year": change.per_year,
        "call": change.call,
        "call_reason": change.reason,
        "no_change_low_percent": None if error is None else 100 * (error.low - 1),
        "no_change_high_percent": None if error is None else 100 * (error.high - 1),
        "error_kind": None if error is None else error.kind,
        "error_source": None if error is None else error.source,
        "p": change.p,
        "p_adjusted": change.p_adjusted,
        "doubling_days": change.doubling_days,
        "doubling_low_days": low,
        "doubling_high_days": high,
    }


def _cell(value: Any) -> Any:
    return as_text(value) if isinstance(value, str) else "" if value is None else repr(value)
