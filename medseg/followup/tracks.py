"""Lesions with one identity over all scans, from the links between scans that follow each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

from medseg.domain.followup import EventKind, LesionEvent, LesionLink, Track
from medseg.followup.places import LesionPlaces

__all__ = ["families", "lesion_at", "make_tracks", "pieces"]

#: A lesion of which less than this share lies in the other scan was not looked for there as a whole.
_WHOLE = 0.999


@dataclass(slots=True)
class _Open:
    """A track as it grows, and the number of its lesion in the last scan."""

    id: int
    uid: str
    name: str
    lesion: int | None
    events: list[LesionEvent] = field(default_factory=list)


def make_tracks(
    scans: Sequence[LesionPlaces],
    links: Sequence[LesionLink],
    *,
    seed: str,
    detection_mm3: Mapping[str, float] | None = None,
) -> tuple[Track, ...]:
    """Identities and events over all scans.

    Parameters
    ----------
    scans
        In order of time, the baseline first.
    links
        Between scans that follow each other; see `match_lesions`.
    seed
        Of the tracking UIDs: digest of the baseline's Record, so that a follow-up with one scan more keeps them.
    detection_mm3
        Structure → smallest lesion that is found again reliably. Smaller ones are never new and never gone.

    Returns
    -------
    tuple of Track
        Numbered as the baseline's lesions come, then in order of appearance. At a split the largest part keeps the
        identity, at a merger the link that carries it; the others name it among their `others`.
    """
    tracks: list[_Open] = []
    least = detection_mm3 or {}
    for target in scans[0].targets:
        number = int(target.lesion or 0)
        track = _start(tracks, target.name, number, seed, 0)
        track.events.append(LesionEvent(0, number, "first seen", "on the baseline scan"))
    for point in range(1, len(scans)):
        step = _Step(point, scans[point - 1], scans[point], [item for item in links if item.point == point])
        _follow(tracks, step, least, seed, scans)
    return tuple(Track(item.id, item.uid, item.name, tuple(item.events)) for item in tracks)


def families(tracks: Sequence[Track]) -> tuple[tuple[int, ...], ...]:
    """Ids of tracks that split or merged, together; every other alone. Only as sums can such be compared."""
    root = {item.id: item.id for item in tracks}

    def top(one: int) -> int:
        while root[one] != one:
            one = root[one]
        return one

    for item in tracks:
        for event in item.events:
            for other in event.others:
                first, second = sorted((top(item.id), top(other)))
                root[second] = first
    found: dict[int, list[int]] = {}
    for item in tracks:
        found.setdefault(top(item.id), []).append(item.id)
    return tuple(tuple(ids) for _, ids in sorted(found.items()))


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """From one scan to the next."""

    point: int
    earlier: LesionPlaces
    later: LesionPlaces
    links: Sequence[LesionLink]

    def of_earlier(self, name: str, lesion: int) -> list[LesionLink]:
        return [item for item in self.links if (item.name, item.earlier) == (name, lesion)]

    def of_later(self, name: str, lesion: int) -> list[LesionLink]:
        return [item for item in self.links if (item.name, item.later) == (name, lesion)]


def _start(tracks: list[_Open], name: str, lesion: int, seed: str, point: int) -> _Open:
    uid = f"2.25.{uuid5(NAMESPACE_OID, f'{seed} {name} {point} {lesion}').int}"
    tracks.append(_Open(len(tracks) + 1, uid, name, lesion))
    return tracks[-1]


def _follow(
    tracks: list[_Open], step: _Step, least: Mapping[str, float], seed: str, scans: Sequence[LesionPlaces]
) -> None:
    """Give every track its event at a scan, and start those of lesions that no link carries."""
    live = {(item.name, item.lesion): item for item in tracks if item.lesion is not None}
    carried = {(item.name, item.later): live[item.name, item.earlier] for item in step.links if item.carries}
    fresh = _begin(tracks, step, carried, seed)
    ids = {key: item.id for key, item in {**carried, **fresh}.items()}
    events: dict[int, LesionEvent] = {}
    for (name, lesion), track in live.items():
        own = step.of_earlier(name, int(lesion or 0))
        events[track.id] = _next(track, own, step, (ids, {key: item.id for key, item in live.items()}), least)
    for (name, lesion), track in fresh.items():
        links = step.of_later(name, lesion)
        whole = tuple(live[item.name, item.earlier].id for item in links)
        events[track.id] = (
            LesionEvent(
                step.point, lesion, "split off", f"it split off {_named(whole)}: {links[0].reason}", whole
            )
            if links
            else _first((name, lesion), step, least, scans[: step.point])
        )
    for track in tracks:
        event = events.get(track.id)
        track.lesion = None if event is None else event.lesion
        if event is not None:
            track.events.append(event)


def _begin(
    tracks: list[_Open], step: _Step, carried: Mapping[tuple[str, int], _Open], seed: str
) -> dict[tuple[str, int], _Open]:
    """Tracks of the lesions that no link carries, the largest first."""
    found = {}
    for target in step.later.targets:
        key = target.name, int(target.lesion or 0)
        if key not in carried:
            found[key] = _start(tracks, *key, seed, step.point)
    return found


def _next(
    track: _Open,
    links: Sequence[LesionLink],
    step: _Step,
    ids: tuple[Mapping[tuple[str, int], int], Mapping[tuple[str, int | None], int]],
    least: Mapping[str, float],
) -> LesionEvent:
    """What became of a lesion of the scan before."""
    later, live = ids
    own = next((item for item in links if item.carries), None)
    if own is None and not links:
        return _lost(track, step, least)
    if own is None:
        into = tuple(later[item.name, item.later] for item in links)
        return LesionEvent(
            step.point, None, "merged away", f"it went into {_named(into)}: {links[0].reason}", into
        )
    parts = tuple(later[item.name, item.later] for item in links if not item.carries)
    others = [item for item in step.of_later(own.name, own.later) if not item.carries]
    joined = tuple(live[item.name, item.earlier] for item in others)
    kind: EventKind = "merged" if joined else "split" if parts else "followed"
    went = {live[item.name, item.earlier] for item in step.links if item.carries}
    words = [f"{'a part of ' if one in went else ''}lesion {one} went into it" for one in joined]
    words += [
        f"a part of it went into lesion {one}" if one in went else f"lesion {one} split off it"
        for one in parts
    ]
    return LesionEvent(step.point, own.later, kind, "; ".join([*words, own.reason]), (*joined, *parts))


def _lost(track: _Open, step: _Step, least: Mapping[str, float]) -> LesionEvent:
    index = step.earlier.index_of(track.name, int(track.lesion or 0))
    positions = step.earlier.positions(index or 0)
    covered = float(step.later.covered(positions).mean())
    volume = step.earlier.volume_mm3(index or 0)
    if covered < _WHOLE:
        words = f"{100 * (1 - covered):.0f} % of its place lies outside the later scan"
        return LesionEvent(step.point, None, "not assessable", words)
    if volume < least.get(track.name, 0.0):
        words = f"at {volume:.0f} mm³ it was below the detection size of {least[track.name]:.0f} mm³"
        return LesionEvent(step.point, None, "below detection", words)
    return LesionEvent(step.point, None, "gone", "nothing within reach of its place, which the scan covers")


def _first(
    key: tuple[str, int], step: _Step, least: Mapping[str, float], before: Sequence[LesionPlaces]
) -> LesionEvent:
    """Why a lesion that nothing was linked with is there."""
    name, lesion = key
    index = step.later.index_of(name, lesion) or 0
    positions = step.later.positions(index)
    covered = min(float(scan.covered(positions).mean()) for scan in before)
    volume = step.later.volume_mm3(index)
    if covered < _WHOLE:
        words = f"{100 * (1 - covered):.0f} % of its place lies outside an earlier scan"
        return LesionEvent(step.point, lesion, "not assessable", words)
    if volume < least.get(name, 0.0):
        words = f"at {volume:.0f} mm³ it is below the detection size of {least[name]:.0f} mm³"
        return LesionEvent(step.point, lesion, "below detection", words)
    size = (
        f"{volume:.0f} mm³, at or above the detection size"
        if name in least
        else "its detection size was not measured"
    )
    words = f"nothing within reach of its place in the scan before, which covers it; {size}"
    return LesionEvent(step.point, lesion, "candidate new", words)


def _named(ids: Sequence[int]) -> str:
    return f"lesion{'s' * (len(ids) > 1)} {', '.join(map(str, ids))}"


def lesion_at(track: Track, point: int) -> int | None:
    """Number of a track's lesion in the Record of a scan; None where it is not there."""
    found = (event.lesion for event in track.events if event.point == point)
    return next(found, None)


def pieces(tracks: Sequence[Track], ids: Sequence[int], point: int) -> Iterator[tuple[str, int]]:
    """(structure, lesion number) of all that a family is at a scan."""
    for track in tracks:
        lesion = lesion_at(track, point) if track.id in ids else None
        if lesion is not None:
            yield track.name, lesion
