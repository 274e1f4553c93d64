"""What a follow-up gives back to the records: earlier values beside those of a scan, and lesions' UIDs over time."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from medseg.domain import Interval, Measurement, Quantity, Record
from medseg.domain.followup import Change, ChangeError, FollowedGroup, FollowUp
from medseg.domain.measurement import Earlier
from medseg.errors import InputError
from medseg.followup.tracks import lesion_at
from medseg.io.plain import read_plain
from medseg.reporting.followup.document import followup_from_json
from medseg.reporting.record.signature import unsigned

__all__ = ["read_followup", "tracking_uids", "with_earlier"]

#: Of a sum, and of a single lesion: which rows of a record the follow-up has a change of.
_OF_SUMS = {Quantity.LESION_VOLUME, Quantity.LESION_DIAMETERS}
_KINDS = {
    "test-retest": "test–retest",
    "lower bound": "segmentation noise alone, a lower bound",
    "intervals": "two intervals",
}


def with_earlier(record: Record, found: FollowUp, point: int) -> Record:
    """The Record of a scan whose rows state the baseline's value, the change and its error, where they are known.

    A lesion that split or merged has no earlier value of its own. A signed Record comes back as not reviewed, as it
    says more now.

    Raises
    ------
    InputError
        If the days between the scans are not known, or the Record is not that scan's.
    """
    seen = found.points[point]
    if seen.mask != record.mask.digest:
        raise InputError(f"this record is not that of scan {point + 1}: its mask is another one")
    if not seen.days:
        raise InputError(
            "an earlier value is stated with the days since, and they are not known; give them with --days"
        )
    rows = tuple(_row(item, found, point) for item in record.measurements)
    if rows == record.measurements:
        return record
    told = replace(record, measurements=rows)
    return unsigned(told, "Earlier values were added") if record.review.state == "reviewed" else told


def _row(item: Measurement, found: FollowUp, point: int) -> Measurement:
    if item.value is None:
        return item
    for group in _groups(item, found, point):
        change = next(
            (
                change
                for change in group.changes
                if (change.quantity, change.channel, change.point, change.against)
                == (item.quantity, item.channel, point, "baseline")
            ),
            None,
        )
        if change is not None and (earlier := _earlier(found, group, change)) is not None:
            return replace(item, earlier=earlier)
    return item


def _groups(item: Measurement, found: FollowUp, point: int) -> Iterator[FollowedGroup]:
    """The group that a row is a value of: at most one."""
    if item.target.detail is not None:
        return
    for group in found.groups:
        if group.name != item.target.name:
            continue
        if group.is_sum and item.target.lesion is None and item.quantity in _OF_SUMS:
            yield group
        if len(group.tracks) == 1 and item.target.lesion is not None:
            track = next(track for track in found.tracks if track.id == group.tracks[0])
            if lesion_at(track, point) == item.target.lesion:
                yield group


def _earlier(found: FollowUp, group: FollowedGroup, change: Change) -> Earlier | None:
    then = next(
        item
        for item in group.readings
        if (item.quantity, item.channel, item.point) == (change.quantity, change.channel, change.since)
    )
    last, first = found.points[change.point].days, found.points[change.since].days
    if then.value is None or last is None or first is None or last <= first:
        return None
    fault = change.reason if change.call == "not comparable" else ""
    now = then.value + (change.absolute or 0.0)
    error = None if change.error is None or fault else _interval(then.value, now, change.error)
    return Earlier(then.value, last - first, then.status, error, fault)


def _interval(then: float, now: float, error: ChangeError) -> Interval | None:
    """Where the true change lies: the ratio by either end of the range without change."""
    if not error.low:
        return None
    method = f"from {_KINDS[error.kind]}: {error.source}"
    return Interval(now / error.high - then, now / error.low - then, error.level, method)


def read_followup(path: Path) -> FollowUp:
    """A follow-up from its JSON.

    Raises
    ------
    InputError
        If the file is none.
    """
    try:
        return followup_from_json(read_plain(path))
    except InputError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{path}: {text}") from error


def tracking_uids(path: Path, record: Record) -> tuple[tuple[str, str], ...]:
    """Name of each lesion of a Record (`tumour lesion 3`) → the UID that it has over all scans of a follow-up.

    Raises
    ------
    InputError
        If the follow-up has no scan with this Record's mask.
    """
    found = read_followup(path)
    for point, seen in enumerate(found.points):
        if seen.mask == record.mask.digest:
            return tuple(
                (f"{track.name} lesion {lesion}", track.uid)
                for track in found.tracks
                if (lesion := lesion_at(track, point)) is not None
            )
    raise InputError(f"{path}: none of its scans has the mask of this record")
