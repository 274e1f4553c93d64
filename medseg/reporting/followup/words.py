"""What a follow-up says first: each number in a sentence is one of its tables."""

from collections.abc import Iterator, Sequence

from medseg.domain import Quantity
from medseg.domain.followup import Change, ChangeError, FollowedGroup, FollowUp
from medseg.reporting.numbers import number_text, unit_text

__all__ = [
    "days_text",
    "error_text",
    "lesion_name",
    "opening_sentences",
    "percent_text",
    "range_text",
    "reading_text",
]

#: The finest step that is shown, by unit; a volume is never finer than its voxels.
_STEPS = {"mm": 0.1, "mm2": 1.0, "g": 0.1}
#: Per cent from which on a change, and an end of a range, is shown without decimals.
_WHOLE, _WHOLE_RANGE = 9.5, 5.0
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_KINDS = {
    "test-retest": "test–retest",
    "lower bound": "segmentation alone, a lower bound",
    "intervals": "two intervals",
}
_SIZE = {True: Quantity.LESION_VOLUME, False: Quantity.VOLUME}


def opening_sentences(found: FollowUp) -> tuple[str, ...]:
    """What changed from the baseline to the last scan, a sentence per structure; then what hinders or corrects it."""
    lines = [_structure(found, group) for group in found.groups if group.is_sum]
    if not lines:
        lines = ["No lesion was found on any scan."]
    faults = found.points[-1].faults
    if faults:
        lines.append(f"No change is called, as the scans are not comparable: {'; '.join(faults)}.")
    lines += [
        f"{item.criteria}, target sum: {item.category} ({item.reason}). Research aid, no overall response."
        for item in found.targets
        if item.point == len(found.points) - 1
    ]
    return tuple(lines)


def _structure(found: FollowUp, total: FollowedGroup) -> str:
    last = len(found.points) - 1
    groups = [group for group in found.groups if group.name == total.name and not group.is_sum]
    parts = [*_calls(groups, last), *_events(found, total.name, last)]
    clauses = [", ".join(parts)] if parts else []
    if _is_unknown(groups, last):
        clauses.append("no growth or shrinkage is called, as the error of a change is unknown")
    elif not parts:
        said = "no lesion changed beyond error" if _is_judged(groups, last) else "no change is called"
        clauses.append(said)
    text = "; ".join(clauses)
    name = f"{total.name}: " if sum(group.is_sum for group in found.groups) > 1 else ""
    days = "" if found.points[last].days is None else f", {days_text(found.points[last].days or 0)}"
    sentence = f"{text}; {_total(total, found, last)}{days}."
    return f"{name}{sentence if name else sentence[0].upper() + sentence[1:]}"


def _calls(groups: Sequence[FollowedGroup], last: int) -> Iterator[str]:
    """`two lesions grew beyond error`, by what was called."""
    changes = [change for group in groups if (change := group.change(Quantity.VOLUME, last)) is not None]
    calls = [change.call for change in changes]
    for call, words in (
        ("grown", "grew beyond error"),
        ("shrunk", "shrank beyond error"),
        ("larger than segmentation noise", "came out larger than segmentation noise"),
        ("smaller than segmentation noise", "came out smaller than segmentation noise"),
    ):
        if count := calls.count(call):  # type: ignore[arg-type]
            late = sum(change.call == call and change.since > 0 for change in changes)
            since = f" ({_number(late)} of them since first seen later)" if late else ""
            yield f"{_lesions(count)} {words}{since}"


def _is_unknown(groups: Sequence[FollowedGroup], last: int) -> bool:
    """Whether there are changes whose error nobody knows, and none that was called."""
    calls = {change.call for group in groups if (change := group.change(Quantity.VOLUME, last)) is not None}
    return "error unknown" in calls and not {"grown", "shrunk"} & calls


def _events(found: FollowUp, name: str, last: int) -> Iterator[str]:
    """`one candidate new, one gone`: lesions of the baseline that are no more, and those that came and are there."""
    kinds = [
        event.kind
        for track in found.tracks
        if track.name == name
        for event in track.events
        if event.point and event.point <= last
    ]
    for kind, words in (
        ("candidate new", "candidate new"),
        ("gone", "gone"),
        ("merged", "merged with others"),
        ("split", "split"),
        ("not assessable", "not assessable, outside a scan"),
        ("below detection", "too small to be called new or gone"),
    ):
        if count := kinds.count(kind):  # type: ignore[arg-type]
            yield f"{_number(count)} {words}"


def _is_judged(groups: Sequence[FollowedGroup], last: int) -> bool:
    changes = [group.change(Quantity.VOLUME, last) for group in groups]
    return any(item is not None and item.error is not None for item in changes)


def _total(total: FollowedGroup, found: FollowUp, last: int) -> str:
    """`total 12.4 → 15.1 ml, +22 % (no-change range −9 to +10 %, from test–retest)`."""
    quantity = _SIZE[True]
    old, new = (reading_text(found, total, quantity, point) for point in (0, last))
    unit = unit_text(next((item.unit for item in total.readings if item.quantity is quantity), "ml"))
    change = total.change(quantity, last)
    text = f"total {old} → {new} {unit}"
    if change is None or change.percent is None:
        why = "" if change is None or not change.reason else f" ({change.reason})"
        return f"{text}{why}"
    return f"{text}, {percent_text(change.percent)} ({range_text(change)})"


def range_text(change: Change) -> str:
    """`no-change range −9 to +10 %, from test–retest`, or that the error is unknown."""
    if change.error is None:
        return "error unknown"
    return f"no-change range {error_text(change.error)}, from {_KINDS[change.error.kind]}"


def error_text(error: ChangeError) -> str:
    """`−9 to +10 %`.

    >>> error_text(ChangeError("test-retest", 1 / 1.1, 1.1, ""))
    '−9 to +10 %'
    """
    low, high = 100 * (error.low - 1), 100 * (error.high - 1)
    return f"{_signed(low, _WHOLE_RANGE)} to {_signed(high, _WHOLE_RANGE)} %"


def percent_text(value: float) -> str:
    """`+22 %`; small ones with a decimal.

    >>> percent_text(22.4), percent_text(-3.14), percent_text(0.0)
    ('+22 %', '−3.1 %', '0 %')
    """
    return f"{_signed(value)} %"


def _signed(value: float, whole: float = _WHOLE) -> str:
    digits = 0 if abs(value) >= whole or abs(value - round(value)) < 0.05 else 1
    text = f"{value:+.{digits}f}".replace("-", "−")
    return "0" if text.strip("+−0.") == "" else text


def reading_text(found: FollowUp, group: FollowedGroup, quantity: Quantity, point: int) -> str:
    """A value as the page shows it; a dash where there is none."""
    item = next((r for r in group.readings if (r.quantity, r.point) == (quantity, point)), None)
    if item is None or item.value is None:
        return "–"
    step = found.points[point].grid.voxel_volume / 1000 if item.unit == "ml" else _STEPS.get(item.unit, 0.01)
    bound = "≥ " if item.status.value == "truncated_lower_bound" else ""
    return f"{bound}{number_text(item.value, step)}"


def days_text(days: int) -> str:
    """`183 days`."""
    return f"{days} day{'s' * (days != 1)}"


def lesion_name(group: FollowedGroup) -> str:
    """`Lesion 2`, or `Lesions 2 + 6` of one that split or merged; of the sum `All lesions`."""
    if group.is_sum:
        return "All lesions"
    ids = " + ".join(map(str, group.tracks))
    return f"Lesion{'s' * (len(group.tracks) > 1)} {ids}"


def _lesions(count: int) -> str:
    return f"{_number(count)} lesion{'s' * (count != 1)}"


def _number(count: int) -> str:
    return _SMALL[count] if count < len(_SMALL) else str(count)
