"""The graph of lesions as SVG: a column per scan, a row per lesion, a line where two are the same; and curves."""

import math
import re
from collections.abc import Mapping, Sequence
from html import escape

from medseg.domain import Quantity
from medseg.domain.followup import (
    ChangeError,
    EventKind,
    FollowedGroup,
    FollowUp,
    LesionEvent,
    LesionLink,
    Track,
)
from medseg.reporting.followup.words import error_text, lesion_name

__all__ = ["curves_svg", "graph_svg"]

#: Element and class → how it looks without the page's style (which has these in light and dark), as in a PDF.
_INK, _SOFT, _LINE, _FAR, _LOST = "#1a1d21", "#555c66", "#c9ced6", "#d55e00", "#7a2036"
_CURVES = ("#d55e00", "#0072b2", "#009e73", "#cc79a7")
_LOOKS = {
    ("line", "column"): f'stroke="{_LINE}" stroke-dasharray="2 4"',
    ("line", "axis"): f'stroke="{_SOFT}"',
    ("line", "link carried"): f'stroke="{_SOFT}" stroke-width="2"',
    ("line", "link part"): f'stroke="{_FAR}" stroke-width="2" stroke-dasharray="5 3"',
    ("line", "link reader"): 'stroke="#0b57a4" stroke-width="3"',
    ("circle", "seen"): 'fill="#0072b2"',
    ("circle", "joined"): f'fill="{_FAR}"',
    ("circle", "unseen"): f'fill="none" stroke="{_SOFT}" stroke-width="1.6" stroke-dasharray="2 2"',
    ("path", "new"): 'fill="#fff" stroke="#8a3b00" stroke-width="2.2"',
    ("path", "lost"): f'fill="none" stroke="{_LOST}" stroke-width="2.6"',
    ("rect", "band"): 'fill="#dbe4ee"',
    ("polyline", "total"): f'fill="none" stroke="{_INK}" stroke-width="2.6"',
    ("circle", "total"): f'fill="{_INK}"',
    **{
        ("polyline", f"c{n}"): f'fill="none" stroke="{colour}" stroke-width="1.4"'
        for n, colour in enumerate(_CURVES)
    },
    **{("circle", f"c{n}"): f'fill="{colour}"' for n, colour in enumerate(_CURVES)},
}
_CLASSED = re.compile(r'<(\w+) class="([^"]+)"')
_TEXT = '<text font-size="11" font-family="DejaVu Sans, Segoe UI, Helvetica, Arial, sans-serif"'

_LEFT, _STEP, _ROW, _TOP = 96.0, 190.0, 30.0, 34.0
_LARGEST, _SMALLEST = 11.0, 3.5
#: Event → class of its mark, and its word beside it.
_MARKS: Mapping[EventKind, tuple[str, str]] = {
    "first seen": ("seen", ""),
    "followed": ("seen", ""),
    "split": ("joined", "split"),
    "split off": ("joined", "split off"),
    "merged": ("joined", "merged"),
    "merged away": ("lost", "merged away"),
    "candidate new": ("new", "candidate new"),
    "gone": ("lost", "gone"),
    "not assessable": ("unseen", "not assessable"),
    "below detection": ("unseen", "below detection size"),
}
#: Rows that a diagram shows; what did not change is left out first.
MOST_ROWS = 40


def graph_svg(found: FollowUp) -> tuple[str, str]:
    """(diagram, note on what is left out): lesions as circles by volume, links as lines, events named; all escaped."""
    tracks = _shown(found)
    rows = {track.id: _TOP + _ROW * (number + 0.8) for number, track in enumerate(tracks)}
    width = _LEFT + _STEP * len(found.points)
    height = _TOP + _ROW * (len(tracks) + 0.6)
    parts = [_head(found, height)]
    parts += [
        _link(item, found, rows)
        for item in found.links
        if {*_ends(item, found)} <= set(rows) and _ends(item, found)
    ]
    for track in tracks:
        name = (
            f"{track.name} {track.id}"
            if len({item.name for item in found.tracks}) > 1
            else f"Lesion {track.id}"
        )
        parts.append(f'<text class="row" x="4" y="{rows[track.id] + 4:.1f}">{escape(name)}</text>')
        for event in track.events:
            parts.append(_mark(found, track, event, (_x(event.point), rows[track.id])))
    title = '<title id="graph-t">Lesions over the scans</title>'
    told = f'<desc id="graph-d">{escape(_told(tracks))}</desc>'
    svg = (
        f'<svg class="graph" viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="graph-t graph-d">'
        f"{title}{told}{''.join(parts)}</svg>"
    )
    left = len(found.tracks) - len(tracks)
    svg = _looking(svg)
    return svg, f"{left} lesions that were only followed are left out; the table has all." if left else ""


def _shown(found: FollowUp) -> Sequence[Track]:
    if len(found.tracks) <= MOST_ROWS:
        return found.tracks
    eventful = [
        item
        for item in found.tracks
        if any(event.kind not in ("first seen", "followed") for event in item.events)
    ]
    rest = [item for item in found.tracks if item not in eventful]
    kept = [*eventful, *rest][:MOST_ROWS]
    return [item for item in found.tracks if item in kept]


def _head(found: FollowUp, height: float) -> str:
    parts = []
    for number, point in enumerate(found.points):
        when = "" if point.days is None else f", day {point.days}"
        name = f"Scan {number + 1}{' (baseline)' if not number else ''}{when}"
        x = _x(number)
        parts.append(f'<text class="scan" x="{x:.1f}" y="16" text-anchor="middle">{escape(name)}</text>')
        parts.append(f'<line class="column" x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="{height:.1f}"/>')
    return "".join(parts)


def _x(point: int) -> float:
    return _LEFT + _STEP * point + 56


def _ends(item: LesionLink, found: FollowUp) -> tuple[int, ...]:
    """Ids of the tracks that a link joins."""
    earlier = _track_at(found, item.name, item.point - 1, item.earlier)
    later = _track_at(found, item.name, item.point, item.later)
    return () if earlier is None or later is None else (earlier, later)


def _track_at(found: FollowUp, name: str, point: int, lesion: int) -> int | None:
    for track in found.tracks:
        if track.name == name and any((e.point, e.lesion) == (point, lesion) for e in track.events):
            return track.id
    return None


def _link(item: LesionLink, found: FollowUp, rows: Mapping[int, float]) -> str:
    one, two = _ends(item, found)
    kind = "carried" if item.carries else "part"
    style = "reader" if item.chosen_by == "reader" else kind
    return (
        f'<line class="link {style}" x1="{_x(item.point - 1):.1f}" y1="{rows[one]:.1f}" x2="{_x(item.point):.1f}" '
        f'y2="{rows[two]:.1f}"><title>{escape(item.reason)}</title></line>'
    )


def _mark(found: FollowUp, track: Track, event: LesionEvent, place: tuple[float, float]) -> str:
    kind, word = _MARKS[event.kind]
    x, y = place
    told = f"<title>{escape(f'{event.kind}: {event.reason}')}</title>"
    size = _radius(found, track, event.point)
    if kind == "lost":
        arm = 5.0
        cross = f"M{x - arm} {y - arm}L{x + arm} {y + arm}M{x - arm} {y + arm}L{x + arm} {y - arm}"
        drawn = f'<path class="lost" d="{cross}">{told}</path>'
    elif kind == "new":
        d = f"M{x - size:.1f} {y:.1f}L{x:.1f} {y - size:.1f}L{x + size:.1f} {y:.1f}L{x:.1f} {y + size:.1f}Z"
        drawn = f'<path class="new" d="{d}">{told}</path>'
    else:
        drawn = f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">{told}</circle>'
    # Beside the last scan there is room; before it a line runs on, and the word stands above.
    rise = 3.5 if event.point == len(found.points) - 1 or kind == "lost" else -8.0
    label = f'<text class="event" x="{x + 15:.1f}" y="{y + rise:.1f}">{escape(word)}</text>' if word else ""
    return drawn + label


def _radius(found: FollowUp, track: Track, point: int) -> float:
    """By the cube root of the volume of the group at a scan; the largest of all is the largest circle."""
    groups = [item for item in found.groups if not item.is_sum]
    top = max(
        (item.value or 0 for group in groups for item in group.readings if item.quantity is Quantity.VOLUME),
        default=0,
    )
    own = next((group for group in groups if track.id in group.tracks), None)
    value = None if own is None else own.value(Quantity.VOLUME, point)
    if not value or not top:
        return _SMALLEST
    return max(_SMALLEST, _LARGEST * math.cbrt(value / top))


def _told(tracks: Sequence[Track]) -> str:
    """The diagram in words, for who can't see it."""
    lines = []
    for track in tracks:
        words = ", ".join(f"scan {event.point + 1} {event.kind}" for event in track.events)
        lines.append(f"{track.name} {track.id}: {words}")
    return ". ".join(lines)


_WIDTH, _HEIGHT, _PAD_LEFT, _PAD_RIGHT, _PAD_TOP, _PAD_BOTTOM = 460.0, 210.0, 54.0, 92.0, 18.0, 30.0
#: Lines of single lesions in one drawing, the largest first; names nearer than this (of the drawing) are moved apart.
_MOST_LINES, _APART = 8, 11.0


def curves_svg(found: FollowUp, name: str, key: str) -> str:
    """Volumes of one structure over time: the total with its no-change range, and its largest lesions below.

    The scale of volume is logarithmic, so that equal ratios are equal heights; where a lesion is gone its line ends.
    Nothing with two scans or more gives no drawing.
    """
    groups = [group for group in found.groups if group.name == name]
    total = [group for group in groups if group.is_sum]
    single = sorted((group for group in groups if not group.is_sum), key=lambda group: -_top(group))
    drawn = (
        _chart(found, total, Quantity.LESION_VOLUME, f"{key}-total"),
        _chart(found, single[:_MOST_LINES], Quantity.VOLUME, f"{key}-lesions") if len(single) > 1 else "",
    )
    return _looking("".join(drawn))


def _looking(svg: str) -> str:
    """With the looks of every element; a page's own style goes before them."""

    def looks(found: re.Match[str]) -> str:
        look = _LOOKS.get((found[1], found[2]), "")
        return f"{found[0]} {look}" if look else found[0]

    return _CLASSED.sub(looks, svg).replace("<text", _TEXT)


def _chart(found: FollowUp, groups: Sequence[FollowedGroup], quantity: Quantity, key: str) -> str:
    lines = [(group, line) for group in groups if (line := _places(found, group, quantity))]
    if not any(len(line) > 1 for _, line in lines):
        return ""
    first = lines[0]
    errors = (item.error for item in first[0].changes if item.quantity is quantity and item.error is not None)
    error = next(errors, None) if first[0].is_sum else None
    start = first[1][0][1]
    band = (start, start) if error is None else (start * error.low, start * error.high)
    values = [*(y for _, line in lines for _, y in line), *(value for value in band if value > 0)]
    axis = _Axis(values, [_time(found, number) for number in range(len(found.points))])
    parts = [axis.frame(found)]
    if error is not None:
        parts.append(_band(axis, band[0], band[1], error))
    heights = _apart([axis.y(line[-1][1]) for _, line in lines])
    for number, ((group, line), height) in enumerate(zip(lines, heights, strict=True)):
        parts.append(
            _curve(axis, line, (lesion_name(group), height), "total" if group.is_sum else f"c{number % 4}")
        )
    told = f"{'Total volume' if first[0].is_sum else 'Volumes'} of {first[0].name} over the scans"
    return (
        f'<svg class="curves" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-labelledby="{key}-t">'
        f'<title id="{key}-t">{escape(told)}</title>{"".join(parts)}</svg>'
    )


def _band(axis: "_Axis", low: float, high: float, error: ChangeError) -> str:
    top, bottom = axis.y(high), axis.y(low)
    return (
        f'<rect class="band" x="{axis.x(axis.first):.1f}" y="{top:.1f}" '
        f'width="{axis.x(axis.last) - axis.x(axis.first):.1f}" height="{max(1.0, bottom - top):.1f}">'
        f"<title>no-change range of the total, {escape(error_text(error))}</title></rect>"
    )


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights of names, moved apart upwards from the lowest, in the order given."""
    found = list(heights)
    limit = _HEIGHT - _PAD_BOTTOM
    for index in sorted(range(len(found)), key=lambda index: -found[index]):
        found[index] = min(found[index], limit)
        limit = found[index] - _APART
    return found


def _top(group: FollowedGroup) -> float:
    return max(
        (item.value or 0.0 for item in group.readings if item.quantity is Quantity.VOLUME), default=0.0
    )


def _time(found: FollowUp, point: int) -> float:
    """Days where all are known, else the number of the scan."""
    days = [item.days for item in found.points]
    return float(point) if None in days else float(days[point] or 0)


def _places(found: FollowUp, group: FollowedGroup, quantity: Quantity) -> list[tuple[float, float]]:
    return [
        (_time(found, item.point), item.value)
        for item in group.readings
        if item.quantity is quantity and item.value
    ]


class _Axis:
    """Where days and volumes lie on the drawing."""

    def __init__(self, values: Sequence[float], times: Sequence[float]) -> None:
        self.low, self.high = min(values) / 1.15, max(values) * 1.15
        self.first, self.last = times[0], times[-1]

    def x(self, time: float) -> float:
        share = (time - self.first) / ((self.last - self.first) or 1.0)
        return _PAD_LEFT + share * (_WIDTH - _PAD_LEFT - _PAD_RIGHT)

    def y(self, value: float) -> float:
        held = min(max(value, self.low), self.high)
        share = math.log(held / self.low) / math.log(self.high / self.low)
        return _HEIGHT - _PAD_BOTTOM - share * (_HEIGHT - _PAD_TOP - _PAD_BOTTOM)

    def frame(self, found: FollowUp) -> str:
        floor = _HEIGHT - _PAD_BOTTOM
        parts = [
            f'<line class="axis" x1="{_PAD_LEFT}" x2="{_WIDTH - _PAD_RIGHT}" y1="{floor}" y2="{floor}"/>'
        ]
        last = -math.inf
        for number, point in enumerate(found.points):
            x = self.x(_time(found, number))
            word = f"scan {number + 1}" if point.days is None else f"day {point.days}"
            if x - last > 40:
                parts.append(f'<text x="{x:.1f}" y="{floor + 15}" text-anchor="middle">{word}</text>')
                last = x
        for value in self.ticks():
            y = self.y(value)
            parts.append(
                f'<line class="axis" x1="{_PAD_LEFT - 4}" x2="{_PAD_LEFT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(f'<text x="{_PAD_LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{value:g}</text>')
        parts.append('<text x="4" y="11">ml, log scale</text>')
        return "".join(parts)

    def ticks(self) -> list[float]:
        """A handful of round volumes."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        digits = (1, 2, 5) if self.high / self.low > 3 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
        found = [float(f"{digit * 10.0**power:.6g}") for power in powers for digit in digits]
        inside = [value for value in found if self.low <= value <= self.high]
        return inside if len(inside) < 8 else inside[:: math.ceil(len(inside) / 7)]


def _curve(axis: _Axis, line: Sequence[tuple[float, float]], named: tuple[str, float], kind: str) -> str:
    name, height = named
    points = " ".join(f"{axis.x(x):.1f},{axis.y(y):.1f}" for x, y in line)
    dots = "".join(
        f'<circle class="{kind}" cx="{axis.x(x):.1f}" cy="{axis.y(y):.1f}" r="2.6">'
        f"<title>{escape(name)}: {y:g} ml</title></circle>"
        for x, y in line
    )
    word = (
        f'<text class="{kind}" x="{axis.x(line[-1][0]) + 8:.1f}" y="{height + 3.5:.1f}">{escape(name)}</text>'
    )
    return f'<polyline class="{kind}" points="{points}"/>{dots}{word}'
