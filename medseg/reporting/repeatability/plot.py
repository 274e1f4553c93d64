"""Bland and Altman's plot as SVG: difference against mean, bias, limits, and the log scale's range where it leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from medseg.domain.repeatability import PairedValue, Repeatability
from medseg.reporting.numbers import number_text, unit_text
from medseg.reporting.pictures.ticks import axis_ticks, tick_text

__all__ = ["bland_altman_svg"]

_WIDTH, _HEIGHT = 520.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 66.0, 12.0, 42.0
_DOT = 3.6
#: Room above and below what is drawn, as a share of it.
_MARGIN = 0.06
#: Differences of nothing but rounding are one value.
_NO_SPREAD = 1e-9
_STEP = 0.001


@dataclass(frozen=True, slots=True)
class _Scales:
    """From values to places in the drawing."""

    left: float
    right: float
    low: float
    high: float

    def x(self, mean: float) -> float:
        return _LEFT + (mean - self.left) / (self.right - self.left) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, gap: float) -> float:
        return _TOP + (self.high - gap) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)


def bland_altman_svg(item: Repeatability, pairs: Sequence[PairedValue], key: str) -> str:
    """The plot of at least one pair, all texts escaped; it needs no network and no script.

    Dots are pairs; the solid line is the bias with its interval as a band, dashed lines are the limits of agreement.
    Where the log scale leads, two dotted lines show its range, which widens with the mean.

    Parameters
    ----------
    key
        Unique within the page.
    """
    points = [((pair.first + pair.second) / 2, pair.first - pair.second) for pair in pairs]
    slope = _slope(item)
    scales = _scales(item, points, slope)
    unit = unit_text(item.unit)
    words = f"{len(pairs)} pairs: first minus second against their mean, in {unit}."
    head = (
        f'<title id="{key}-t">{escape(f"Bland–Altman plot of {item.target}")}</title>'
        f'<desc id="{key}-d">{escape(words)}</desc>'
    )
    parts = [*_frame(scales, unit), *_lines(item, scales)]
    if slope:
        parts += [_ray(scales, sign * slope) for sign in (1, -1)]
    parts += [_dot(scales, point, unit) for point in points]
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-labelledby="{key}-t {key}-d">'
        f"{head}{''.join(parts)}</svg>"
    )


def _slope(item: Repeatability) -> float:
    """A ratio of f between two scans is a difference of 2m(f − 1)/(f + 1) around their mean m."""
    if item.scale != "log" or item.log_factor is None:
        return 0.0
    factor = item.log_factor.value
    return 2 * (factor - 1) / (factor + 1)


def _scales(item: Repeatability, points: Sequence[tuple[float, float]], slope: float) -> _Scales:
    means, gaps = [mean for mean, _ in points], [gap for _, gap in points]
    reach = slope * max(means)
    shown = [*gaps, 0.0, reach, -reach, *(item.limits or ())]
    return _Scales(*_padded(min(means), max(means)), *_padded(min(shown), max(shown)))


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * _MARGIN
    if room < _NO_SPREAD:
        room = abs(high) * _MARGIN or 1.0
    return low - room, high + room


def _frame(scales: _Scales, unit: str) -> list[str]:
    """Axes, their ticks and titles, and the line of no difference."""
    left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
    parts = [
        _line("axis", (left, bottom), (right, bottom)),
        _line("axis", (left, top), (left, bottom)),
        _line("none", (left, scales.y(0)), (right, scales.y(0))),
    ]
    for value in axis_ticks(scales.left, scales.right):
        x = scales.x(value)
        parts.append(_line("axis", (x, bottom), (x, bottom + 4)))
        parts.append(_text(tick_text(value), (x, bottom + 16), "middle"))
    for value in axis_ticks(scales.low, scales.high):
        y = scales.y(value)
        parts.append(_line("axis", (left - 4, y), (left, y)))
        parts.append(_text(tick_text(value), (left - 8, y + 4), "end"))
    middle = (top + bottom) / 2
    parts.append(_text(f"mean of both scans, {unit}", ((left + right) / 2, _HEIGHT - 8), "middle"))
    parts.append(
        f'<text transform="translate(13 {middle:.1f}) rotate(-90)" text-anchor="middle">'
        f"{escape(f'first − second, {unit}')}</text>"
    )
    return parts


def _lines(item: Repeatability, scales: _Scales) -> list[str]:
    """Bias with its band, and limits of agreement, each with its number."""
    parts = []
    left, right = _LEFT, _WIDTH - _RIGHT
    if item.bias is not None and item.bias.interval is not None:
        high, low = scales.y(item.bias.interval.high), scales.y(item.bias.interval.low)
        top, bottom = max(high, _TOP), min(low, _HEIGHT - _BOTTOM)
        parts.append(
            f'<rect class="box" x="{left}" y="{top:.1f}" width="{right - left}" height="{max(bottom - top, 1):.1f}"/>'
        )
    named = [("median", item.bias.value)] if item.bias is not None else []
    named += [("limit", value) for value in item.limits or ()]
    for look, value in named:
        y = scales.y(value)
        parts.append(_line(look, (left, y), (right, y)))
        sign = "+" if value > 0 else ""
        parts.append(_text(f"{sign}{number_text(value, _STEP)}", (right + 5, y + 4), "start"))
    return parts


def _ray(scales: _Scales, slope: float) -> str:
    ends = [(scales.x(mean), scales.y(slope * mean)) for mean in (scales.left, scales.right)]
    clipped = [(x, min(max(y, _TOP), _HEIGHT - _BOTTOM)) for x, y in ends]
    return _line("ray", clipped[0], clipped[1])


def _dot(scales: _Scales, point: tuple[float, float], unit: str) -> str:
    mean, gap = (number_text(value, _STEP) for value in point)
    told = escape(f"mean {mean} {unit}, difference {gap} {unit}")
    return (
        f'<circle class="dot" cx="{scales.x(point[0]):.1f}" cy="{scales.y(point[1]):.1f}" r="{_DOT}">'
        f"<title>{told}</title></circle>"
    )


def _line(look: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    return (
        f'<line class="{look}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'
    )


def _text(words: str, place: tuple[float, float], anchor: str) -> str:
    return f'<text x="{place[0]:.1f}" y="{place[1]:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
