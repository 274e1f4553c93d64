"""Outlines of labels: each in its own colour, that of every other view, and in a style that sets like colours apart."""

from medseg.domain import LabelTable

__all__ = ["outline", "swatch"]

_STYLES = ("solid", "dashed", "dotted")
#: So many labels in a row share a style.
_PER_STYLE = 6


def outline(table: LabelTable, value: int) -> tuple[str, str]:
    """(#rrggbb, line style) of a label: solid for the first six of a table, then dashed, then dotted."""
    place = table.values.index(value)
    red, green, blue = table.labels[place].rgb
    return f"#{red:02x}{green:02x}{blue:02x}", _STYLES[place // _PER_STYLE % len(_STYLES)]


def swatch(table: LabelTable, value: int) -> str:
    """A label's outline as a CSS border; "" where the table lacks it."""
    if value not in table.values:
        return ""
    colour, style = outline(table, value)
    return f"{style} {colour}"
