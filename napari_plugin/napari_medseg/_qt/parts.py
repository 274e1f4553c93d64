"""Small parts of panels: each says what it does, to eyes, pointers and screen readers."""

from typing import TypeVar

from qtpy.QtWidgets import QWidget

__all__ = ["tipped"]

_W = TypeVar("_W", bound=QWidget)


def tipped(widget: _W, tip: str) -> _W:
    """The widget with a tip, which a screen reader tells too."""
    widget.setToolTip(tip)
    widget.setAccessibleDescription(tip)
    return widget
