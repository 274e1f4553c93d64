"""Outline colours that people with any colour vision can tell apart (Okabe and Ito 2008)."""

from medseg.domain import LabelTable

__all__ = ["outline", "swatch"]

_COLOURS = ("#F0E442", "#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#D55E00")
_STYLES = ("solid", "dashed", "dotted")


def outline(table: LabelTable, value: int) -> tuple[str, str]:
    """(colour, line style) of a label: six colours, then the same dashed, then dotted."""
    place = table.values.index(value)
    return _COLOURS[place % len(_COLOURS)], _STYLES[place // len(_COLOURS) % len(_STYLES)]


def swatch(table: LabelTable, value: int) -> str:
    """A label's outline as a CSS border; "" where the table lacks it or its look belongs to another label too."""
    if value not in table.values or len(table.values) > len(_COLOURS) * len(_STYLES):
        return ""
    colour, style = outline(table, value)
    return f"{style} {colour}"
