"""Small parts of panels: each says what it does, to eyes, pointers and screen readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

__all__ = ["Folded", "button", "save_bytes", "side_by_side", "tipped"]

_W = TypeVar("_W", bound=QWidget)


def tipped(widget: _W, tip: str) -> _W:
    """The widget with a tip, which a screen reader tells too."""
    widget.setToolTip(tip)
    widget.setAccessibleDescription(tip)
    return widget


def button(text: str, tip: str, act: Callable[[], Any] | None = None) -> QPushButton:
    """A button that says what it does; `act` is called without Qt's argument."""
    made = tipped(QPushButton(text), tip)
    if act is not None:
        made.clicked.connect(lambda *_: act())
    return made


def side_by_side(*widgets: QWidget) -> QWidget:
    """Widgets in a row without margins."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    for widget in widgets:
        layout.addWidget(widget)
    return holder


class Folded(QWidget):
    """A widget under a title that unfolds it."""

    def __init__(self, title: str, inner: QWidget, *, is_open: bool = False) -> None:
        super().__init__()
        self.head = QToolButton()
        self.head.setText(title)
        self.head.setCheckable(True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setToolTip(f"Show or hide: {title}")
        self._inner = inner
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.head)
        layout.addWidget(inner, stretch=1)
        self.head.toggled.connect(self.unfold)
        self.head.setChecked(is_open)
        self.unfold(is_open)

    def unfold(self, is_open: bool) -> None:  # noqa: FBT001 - Qt's signal
        """Show what is inside, or hide it."""
        self.head.setChecked(is_open)
        self.head.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._inner.setVisible(is_open)


def save_bytes(parent: QWidget, data: bytes, name: str) -> None:
    """Ask where, and write there; the dialog has asked about replacing."""
    path, _ = QFileDialog.getSaveFileName(parent, f"Save {name}", name)
    if path:
        Path(path).write_bytes(data)
