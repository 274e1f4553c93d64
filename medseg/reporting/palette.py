"""Outline colours that people with any colour vision can tell apart (Okabe and Ito 2008)."""

from medseg.domain import LabelTable

__all__ = ["outline"]

_COLOURS = ("#F0E442", "#56B4E9", "#E69F00", "#CC79A7", "#009E73", "#D55E00")
_STYLES = ("solid", "dashed", "dotted")


def outline(table: LabelTable, value: int) -> tuple[str, str]:
    """(colour, line style) of a label: six colours, then the same dashed, then dotted."""
    place = table.values.index(value)
    return _COLOURS[place % len(_COLOURS)], _STYLES[place // len(_COLOURS) % len(_STYLES)]
