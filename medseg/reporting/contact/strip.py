"""A strip plot as SVG: a dot per case on one axis, quartiles behind them, cases that lie far out as diamonds."""

from collections.abc import Sequence
from html import escape

from medseg.reporting.contact.distribution import QUARTILES, Distribution
from medseg.reporting.pictures.ticks import axis_ticks, tick_text

__all__ = ["strip_svg"]

_WIDTH, _LEFT, _RIGHT = 340.0, 14.0, 14.0
_HEIGHT, _MIDDLE, _AXIS = 74.0, 26.0, 52.0
_DOT, _ROWS, _STEP = 3.2, 5, 7.0
#: Cases of one place are told apart by rows; dots nearer than this share of the axis are of one place.
_NEAR = 2 * _DOT
#: Around a single value the axis shows this share of it on each side.
_AROUND = 0.1


def strip_svg(shown: Distribution, titles: Sequence[str], name: str, description: str, key: str) -> str:
    """The plot of a distribution with at least one value, all texts escaped; it needs no network and no script.

    Parameters
    ----------
    shown
        What is drawn.
    titles
        Name of each case, in the order of the values: what a pointer shows.
    name, description
        Title and description for who can't see it.
    key
        Unique within the page.
    """
    low, high = _ends(shown)
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)

    def at(value: float) -> float:
        return _LEFT + (value - low) * scale

    first, middle, last = (at(value) for value in shown.quartiles)
    box = f'<rect class="box" x="{first:.1f}" y="{_MIDDLE - 18}" width="{max(last - first, 1):.1f}" height="36"/>'
    parts = [
        *([box] if shown.count >= QUARTILES else []),
        f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="{_MIDDLE - 18}" y2="{_MIDDLE + 18}"/>',
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_AXIS}" y2="{_AXIS}"/>',
    ]
    for value in axis_ticks(low, high):
        x = at(value)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_AXIS}" y2="{_AXIS + 4}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_AXIS + 16}" text-anchor="middle">{tick_text(value)}</text>')
    parts += _dots(shown, titles, [at(value) for value in shown.values.values()])
    head = f'<title id="{key}-t">{escape(name)}</title><desc id="{key}-d">{escape(description)}</desc>'
    return (
        f'<svg class="strip" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" '
        f'aria-labelledby="{key}-t {key}-d">{head}{"".join(parts)}</svg>'
    )


def _dots(shown: Distribution, titles: Sequence[str], places: Sequence[float]) -> list[str]:
    far = set(shown.outliers)
    drawn = []
    taken: list[tuple[float, int]] = []
    for case, title, x in sorted(zip(shown.values, titles, places, strict=True), key=lambda dot: dot[2]):
        near = {row for place, row in taken[-_ROWS:] if x - place < _NEAR}
        row = next((row for row in range(_ROWS) if row not in near), 0)
        taken.append((x, row))
        y = _MIDDLE + _STEP * ((row + 1) // 2) * (1 if row % 2 else -1)
        told = f"<title>{escape(title)}</title>"
        if case in far:
            size = _DOT * 1.4
            d = f"M{x - size:.1f} {y:.1f}L{x:.1f} {y - size:.1f}L{x + size:.1f} {y:.1f}L{x:.1f} {y + size:.1f}Z"
            drawn.append(f'<path class="far" d="{d}">{told}</path>')
        else:
            drawn.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{_DOT}">{told}</circle>')
    return drawn


def _ends(shown: Distribution) -> tuple[float, float]:
    low, high = shown.span
    if high > low:
        return low, high
    around = abs(low) * _AROUND or 1.0
    return low - around, high + around
