"""Box plots of a quantity by scanner as SVG: no network, no script, and no dot for each of ten thousand cases."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from medseg.reporting.contact.distribution import FENCE, QUARTILES
from medseg.reporting.pictures.ticks import axis_ticks, tick_text

__all__ = ["boxes_svg"]

_WIDTH, _LEFT, _RIGHT, _ROW, _AXIS = 460.0, 150.0, 16.0, 26.0, 26.0
#: Single dots are drawn of small groups; of larger ones those beyond the whiskers, so many of them.
_DOTS = 60
_LONGEST_NAME = 24
_AROUND = 0.1


def boxes_svg(groups: Mapping[str, Sequence[float]], name: str, description: str, key: str) -> str:
    """A row for each group: box of the quartiles, line at the median, whiskers to the farthest within 1.5 IQR.

    Parameters
    ----------
    groups
        Name → values, at least one each.
    name, description
        Title and description for who can't see it.
    key
        Unique within the page.
    """
    every = [value for values in groups.values() for value in values]
    low, high = min(every), max(every)
    if high == low:
        low, high = low - (abs(low) * _AROUND or 1.0), high + (abs(high) * _AROUND or 1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)

    def at(value: float) -> float:
        return _LEFT + (value - low) * scale

    height = _ROW * len(groups) + _AXIS
    parts = []
    for number, (group, values) in enumerate(groups.items()):
        parts += _row(group, np.asarray(values), [at(value) for value in values], _ROW * (number + 0.5))
    base = _ROW * len(groups) + 4
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>')
    for value in axis_ticks(low, high):
        x = at(value)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}"/>')
        parts.append(f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{tick_text(value)}</text>')
    head = f'<title id="{key}-t">{escape(name)}</title><desc id="{key}-d">{escape(description)}</desc>'
    return (
        f'<svg class="strip" viewBox="0 0 {_WIDTH:g} {height:g}" role="img" aria-labelledby="{key}-t {key}-d">'
        f"{head}{''.join(parts)}</svg>"
    )


def _row(group: str, values: np.ndarray, places: Sequence[float], y: float) -> list[str]:
    shown = group if len(group) <= _LONGEST_NAME else f"{group[: _LONGEST_NAME - 1]}…"
    parts = [f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(shown)}</text>']
    x = np.asarray(places)
    first, middle, last = np.percentile(x, [25, 50, 75])
    reach = FENCE * (last - first)
    inside = x[(x >= first - reach) & (x <= last + reach)]
    outside = x[(x < first - reach) | (x > last + reach)] if values.size >= QUARTILES else x
    if values.size >= QUARTILES:
        width = max(last - first, 1.0)
        parts.append(
            f'<line class="axis" x1="{inside.min():.1f}" x2="{inside.max():.1f}" y1="{y}" y2="{y}"/>'
        )
        parts.append(f'<rect class="box" x="{first:.1f}" y="{y - 8}" width="{width:.1f}" height="16"/>')
    parts.append(f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="{y - 8}" y2="{y + 8}"/>')
    most = outside[np.argsort(-np.abs(outside - middle))][:_DOTS]
    parts += [f'<circle class="dot" cx="{place:.1f}" cy="{y}" r="2.6"/>' for place in most]
    return parts
