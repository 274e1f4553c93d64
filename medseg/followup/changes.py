"""Values of lesions and sums over time, their changes, and what may be said of each."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medseg.domain import Measurement, Quantity, Status
from medseg.domain.followup import (
    Call,
    Change,
    ChangeError,
    FollowedGroup,
    KnownError,
    Reading,
    TimePoint,
    Track,
)
from medseg.errors import ConfigError
from medseg.followup.chance import change_p, holm, nadir_p
from medseg.followup.tracks import families, pieces

__all__ = ["HALF_A_YEAR", "ChangeRules", "follow_groups"]

#: Days of a year, and those below which nothing is said per year.
_YEAR, HALF_A_YEAR = 365.25, 183
#: Of several parts: their sum, or the largest. Of what is in neither nothing is said.
_SUMS = {Quantity.VOLUME, Quantity.LONGEST_DIAMETER, Quantity.MTV, Quantity.TLG}
_LARGEST = {Quantity.SUV_MAX, Quantity.SUV_PEAK}
_SINGLE = {Quantity.SHORT_DIAMETER, Quantity.BIDIMENSIONAL_PRODUCT, Quantity.SUV_MEAN}
#: Of a structure's lesions together, and what its error is one of.
_TOTALS = {Quantity.LESION_VOLUME: Quantity.VOLUME, Quantity.LESION_DIAMETERS: Quantity.LONGEST_DIAMETER}
#: Delineations whose uptake is followed; others are thresholds of it.
_DELINEATIONS = (None, "given")
_CALLS: Mapping[tuple[bool, bool], Call] = {
    (False, True): "grown",
    (False, False): "shrunk",
    (True, True): "larger than segmentation noise",
    (True, False): "smaller than segmentation noise",
}


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """How changes are judged: the ranges that were measured, and the chance of any false event in one patient."""

    known: tuple[KnownError, ...] = ()
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ConfigError(f"alpha lies between 0 and 0.5, not at {self.alpha:g}")

    def detection_mm3(self, structures: Sequence[str], weights: str | None) -> dict[str, float]:
        """Structure → smallest lesion that is found again reliably, where that was measured."""
        return {
            name: item.detection_mm3
            for name in structures
            for item in self.known
            if item.detection_mm3 is not None and _fits(item, name, weights)
        }


Measured = Sequence[Sequence[Measurement]]


def follow_groups(
    points: Sequence[TimePoint], tracks: Sequence[Track], measured: Measured, rules: ChangeRules
) -> tuple[FollowedGroup, ...]:
    """What is compared, with its changes: the sum of each structure, then each lesion with its parts.

    Parameters
    ----------
    points
        Scans in order; their faults say why nothing is called.
    tracks
        Identities.
    measured
        Per scan the rows of its lesions and of the sums over them.
    rules
        No-change ranges and alpha. A change is called where its chance after Holm over all that were tested is
        below alpha.

    Returns
    -------
    tuple of FollowedGroup
        Without a known error the call is "error unknown", whatever the change.
    """
    names = dict.fromkeys(row.target.name for rows in measured for row in rows if row.quantity in _TOTALS)
    groups = [_sum(name, tracks, measured) for name in names]
    groups += [_family(tracks, ids, measured) for ids in families(tracks)]
    drafts = [_draft(group, points, measured, rules) for group in groups]
    return tuple(_judged(drafts, rules))


def _sum(name: str, tracks: Sequence[Track], measured: Measured) -> FollowedGroup:
    readings = []
    for point, rows in enumerate(measured):
        unseen = _unseen(name, tracks, point)
        for row in rows:
            if row.target.name != name or row.target.lesion is not None:
                continue
            if row.quantity in _TOTALS or row.quantity is Quantity.LESION_COUNT:
                item = _reading(row, point)
                cut = unseen and item.value is not None and item.status is Status.OK
                readings.append(
                    replace(item, status=Status.TRUNCATED_UNRELIABLE, reason=unseen) if cut else item
                )
    return FollowedGroup(name, (), tuple(readings), ())


def _unseen(name: str, tracks: Sequence[Track], point: int) -> str:
    """Why a sum at a scan is not the sum over the same places: a lesion lies outside what one of them covers."""
    found = [
        item.id
        for item in tracks
        if item.name == name
        for event in item.events
        if event.point <= point and event.kind == "not assessable"
    ]
    return f"lesion {found[0]} is not assessable, so the sums are not over the same places" if found else ""


def _family(tracks: Sequence[Track], ids: Sequence[int], measured: Measured) -> FollowedGroup:
    name = next(item.name for item in tracks if item.id == ids[0])
    first = min(item.events[0].point for item in tracks if item.id in ids)
    readings: list[Reading] = []
    for point in range(first, len(measured)):
        there = list(pieces(tracks, ids, point))
        if not there:
            readings += _nothing(tracks, ids, point, readings)
            continue
        rows = [
            [row for row in measured[point] if (row.target.name, row.target.lesion) == key] for key in there
        ]
        readings += _together(rows, point)
    return FollowedGroup(name, tuple(ids), tuple(readings), ())


def _nothing(
    tracks: Sequence[Track], ids: Sequence[int], point: int, before: Sequence[Reading]
) -> Iterator[Reading]:
    """A lesion that is gone has no volume; of one that can't be looked for, or is too small, nothing is known."""
    last = [item.events[-1] for item in tracks if item.id in ids]
    gone = all(event.kind in ("gone", "merged away") for event in last)
    if any(item.quantity is Quantity.VOLUME for item in before):
        if gone:
            yield Reading(point, Quantity.VOLUME, 0.0, "ml", reason="gone")
        else:
            why = next(event.reason for event in last if event.kind not in ("gone", "merged away"))
            yield Reading(point, Quantity.VOLUME, None, "ml", Status.NOT_COMPUTED, why)


def _together(parts: Sequence[Sequence[Measurement]], point: int) -> Iterator[Reading]:
    """One reading per quantity and channel of all parts of a lesion."""
    keys = dict.fromkeys((row.quantity, row.channel) for rows in parts for row in rows if _is_followed(row))
    for quantity, channel in keys:
        found = [
            _reading(row, point)
            for rows in parts
            for row in rows
            if (row.quantity, row.channel) == (quantity, channel) and _is_followed(row)
        ]
        if len(parts) == 1:
            yield found[0]
        elif quantity not in _SINGLE:
            yield _combined(found, len(parts))


def _combined(found: Sequence[Reading], parts: int) -> Reading:
    values = [item.value for item in found if item.value is not None]
    worst = next((item for item in found if item.status is not Status.OK), found[0])
    if len(values) < parts:
        lost = next((item for item in found if item.value is None), found[0])
        reason = lost.reason or "a part has no value"
        return replace(found[0], value=None, status=Status.NOT_COMPUTED, reason=reason)
    summed = found[0].quantity in _SUMS
    how = f"{'sum' if summed else 'largest'} of {parts} parts"
    value = math.fsum(values) if summed else max(values)
    return replace(found[0], value=value, status=worst.status, reason=worst.reason or how)


def _is_followed(row: Measurement) -> bool:
    return row.quantity in _SUMS | _LARGEST | _SINGLE and row.target.detail in _DELINEATIONS


def _reading(row: Measurement, point: int) -> Reading:
    value = None if row.value is None else float(row.value)
    return Reading(point, row.quantity, value, row.unit, row.status, row.reason or "", row.channel)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A group and its changes before what may be said is known."""

    group: FollowedGroup
    changes: tuple[Change, ...]


def _draft(
    group: FollowedGroup, points: Sequence[TimePoint], measured: Measured, rules: ChangeRules
) -> _Draft:
    found: list[Change] = []
    keys = dict.fromkeys((item.quantity, item.channel) for item in group.readings)
    for quantity, channel in keys:
        if quantity is Quantity.LESION_COUNT:
            continue
        line = [item for item in group.readings if (item.quantity, item.channel) == (quantity, channel)]
        first = line[0]
        for now in line[1:]:
            task = _Task(group, points, measured, rules)
            found.append(task.change(first, now, "baseline", 1))
            before = [item for item in line if item.point < now.point and _is_usable(item, points)]
            if len(before) > 1 and first in before:
                lowest = min(before, key=lambda item: (item.value or 0.0, item.point))
                found.append(task.change(lowest, now, "nadir", len(before)))
    return _Draft(group, tuple(found))


def _is_usable(item: Reading, points: Sequence[TimePoint]) -> bool:
    return item.status is Status.OK and item.value is not None and not points[item.point].faults


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What a change is judged with."""

    group: FollowedGroup
    points: Sequence[TimePoint]
    measured: Measured
    rules: ChangeRules

    def change(self, then: Reading, now: Reading, against: str, before: int) -> Change:
        blank = Change(now.quantity, now.point, then.point, against, "not comparable", channel=now.channel)  # type: ignore[arg-type]
        if fault := self._fault(then, now):
            return replace(blank, reason=fault)
        old, new = float(then.value or 0), float(now.value or 0)
        percent = 100 * (new / old - 1) if old else None
        found = replace(blank, absolute=new - old, percent=percent, per_year=self._per_year(then, now))
        if not new and not old:
            return replace(found, call="gone", reason="nothing of it is left")
        if not old:
            return replace(found, call="error unknown", reason="there was nothing before, so no ratio")
        if not new:
            return replace(found, call="gone", reason="nothing of it is left")
        error = self._error(then, now)
        if error is None:
            reason = "no test–retest, repeats or intervals tell how far apart two values of an unchanged lesion lie"
            return replace(found, call="error unknown", reason=reason)
        ratio = new / old
        chance = change_p(ratio, error) if against == "baseline" else nadir_p(ratio, error, before)
        found = replace(found, call="within error", error=error, p=chance)
        return self._doubling(found, ratio, error, self._days(then, now))

    def _doubling(self, found: Change, ratio: float, error: ChangeError, days: int | None) -> Change:
        """With the time to twice the value, of growth beyond an error that holds what a rescan adds."""
        if not days or ratio <= error.high or error.kind == "lower bound":
            return found
        whole = days * math.log(2)
        slow = math.log(ratio) - math.log(error.high)
        fast = math.log(ratio) - math.log(error.low) if error.low else None
        ends = (0.0 if fast is None else whole / fast, whole / slow if slow > 0 else None)
        return replace(found, doubling_days=whole / math.log(ratio), doubling_range=ends)

    def _fault(self, then: Reading, now: Reading) -> str:
        for item in (now, then):
            if self.points[item.point].faults:
                return self.points[item.point].faults[0]
            if item.value is None:
                return item.reason or "not computed"
            if item.status is not Status.OK:
                return f"cut at scan {item.point + 1}: {item.reason or item.status.value}"
        if then.unit != now.unit:
            return f"other units: {then.unit} and {now.unit}"
        return ""

    def _per_year(self, then: Reading, now: Reading) -> float | None:
        days = self._days(then, now)
        if days is None or days < HALF_A_YEAR:
            return None
        return (float(now.value or 0) - float(then.value or 0)) * _YEAR / days

    def _days(self, then: Reading, now: Reading) -> int | None:
        first, last = self.points[then.point].days, self.points[now.point].days
        return None if first is None or last is None else last - first

    def _error(self, then: Reading, now: Reading) -> ChangeError | None:
        quantity = _TOTALS.get(now.quantity, now.quantity)
        of = "sum" if self.group.is_sum else "lesion"
        weights = self.points[now.point].weights
        kinds = ("test-retest", "lower bound")
        known = [
            item.error
            for item in self.rules.known
            if (item.quantity, item.of) == (quantity, of) and _fits(item, self.group.name, weights)
        ]
        for kind in kinds:
            if (found := next((item for item in known if item.kind == kind), None)) is not None:
                return found
        return self._from_intervals(then, now, quantity)

    def _from_intervals(self, then: Reading, now: Reading, quantity: Quantity) -> ChangeError | None:
        """The ends of two intervals subtracted: a range without change is all that they both allow."""
        ends = [self._interval(item, quantity) for item in (then, now)]
        if ends[0] is None or ends[1] is None or ends[0][2] != ends[1][2]:
            return None
        (low_then, high_then, level), (low_now, high_now, _) = ends[0], ends[1]
        if low_now <= 0 or high_now <= 1 or high_then <= 1 or low_then < 0:
            return None
        words = f"the ends of the two {100 * level:.0f} % intervals of the volumes subtracted, which is conservative"
        return ChangeError("intervals", low_then / high_now, high_then / low_now, words, level)

    def _interval(self, item: Reading, quantity: Quantity) -> tuple[float, float, float] | None:
        """Ends as shares of the value, and the level; of a sum those of the structure where it is the same volume."""
        for row in self.measured[item.point]:
            if row.interval is None or row.quantity is not quantity or row.target.name != self.group.name:
                continue
            whole = row.target.lesion is None and row.target.kind in ("label", "region")
            if whole and self.group.is_sum and row.value and item.value:
                if abs(float(row.value) - item.value) > 1e-9 * item.value:
                    continue
                return row.interval.low / item.value, row.interval.high / item.value, row.interval.level
        return None


def _fits(item: KnownError, name: str, weights: str | None) -> bool:
    return item.structure in ("", name) and (not item.weights or item.weights == weights)


def _judged(drafts: Sequence[_Draft], rules: ChangeRules) -> Iterator[FollowedGroup]:
    """The groups with what may be said, after Holm over every change that was tested."""
    tested = [item for draft in drafts for item in draft.changes if item.p is not None]
    adjusted = dict(zip(map(id, tested), holm([float(item.p or 0) for item in tested]), strict=True))
    for draft in drafts:
        changes = tuple(
            item if item.p is None else _called(item, adjusted[id(item)], len(tested), rules)
            for item in draft.changes
        )
        yield replace(draft.group, changes=changes)


def _called(item: Change, chance: float, tests: int, rules: ChangeRules) -> Change:
    error = item.error
    if error is None or item.percent is None:
        return item
    percent = item.percent
    over = "" if tests == 1 else f" after correction for {tests} comparisons"
    found = replace(item, p_adjusted=chance)
    if chance >= rules.alpha or (item.against == "nadir" and percent < 0):
        beyond = percent > 100 * (error.high - 1) or percent < 100 * (error.low - 1)
        why = f"beyond the range by itself, not{over}" if beyond and over else "within the no-change range"
        return replace(found, call="within error", reason=why, doubling_days=None, doubling_range=None)
    call = _CALLS[error.kind == "lower bound", percent > 0]
    return replace(found, call=call, reason=f"beyond the no-change range{over}")
