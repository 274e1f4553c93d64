"""Room for the picture: in a small window the panel lies over napari's layer controls, as a tab."""

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QWidget

__all__ = ["CANVAS_WIDTH", "Room", "dock_of", "is_taken_out"]

#: Pixels of the canvas below which the panel makes room.
CANVAS_WIDTH = 700
#: Pixels of the panel where there is room, and of what lies between docks.
_WIDTH, _BETWEEN = 440, 20
#: Name of the dock of napari that the panel shares its place with.
_NEIGHBOUR = "layer controls"
#: Name of the one below it.
_BELOW = "layer list"


class Room(QObject):
    """Watches the window of a panel; moves its dock once when the canvas gets too narrow, and never against the user.

    Parameters
    ----------
    panel
        What is docked.
    """

    #: On the class, since Qt still asks an object whose Python side is gone.
    _window: QMainWindow | None = None

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        self._made = False

    def watch(self) -> None:
        """Begin, once the panel is in a window; again is harmless."""
        window, dock = self._panel.window(), dock_of(self._panel)
        if self._window is None and isinstance(window, QMainWindow) and dock is not None:
            self._window = window
            window.installEventFilter(self)
            _let_grow(dock)
        QTimer.singleShot(0, self, self.make)

    def eventFilter(self, watched: QObject, event: Any) -> bool:  # noqa: N802 - Qt's name
        """Look again after the window has another size."""
        if watched is self._window and event.type() == QEvent.Type.Resize:
            QTimer.singleShot(0, self, self.make)
        return False

    def make(self) -> None:
        """Put the panel over the layer controls if the canvas is too narrow for it."""
        window, dock = self._window, dock_of(self._panel)
        if window is None or dock is None or not dock.isVisible() or dock.isFloating():
            return
        canvas, controls = window.centralWidget(), window.findChild(QDockWidget, _NEIGHBOUR)
        if canvas is None or controls is None:
            return
        if self._made:
            # The window grew: Qt gives the new room to the list of layers.
            if controls in window.tabifiedDockWidgets(dock) and 2 * dock.height() < window.height():
                self._stretch()
            return
        # napari remembers where a panel was, but not that it was a tab: it would be a strip below the others.
        below = window.dockWidgetArea(dock) == window.dockWidgetArea(controls)
        if below or canvas.width() < CANVAS_WIDTH:
            self._made = True
            _let_grow(controls)  # docks of one place are as high as the lowest of them may be
            window.tabifyDockWidget(controls, dock)
            dock.raise_()
            QTimer.singleShot(0, self, self._stretch)

    def _stretch(self) -> None:
        """Leave the list of layers what it needs, and the panel the rest."""
        dock = dock_of(self._panel)
        below = self._window.findChild(QDockWidget, _BELOW) if self._window is not None else None
        if self._window is None or dock is None or below is None:
            return
        dock.raise_()
        self._window.resizeDocks([dock, below], [self._window.height(), 1], Qt.Orientation.Vertical)
        width = min(_WIDTH, self._window.width() - CANVAS_WIDTH - _BETWEEN)
        self._window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)


def dock_of(panel: QWidget) -> QDockWidget | None:
    """The dock that a widget is in; None while it is in none."""
    found: QObject | None = panel
    while found is not None and not isinstance(found, QDockWidget):
        found = found.parent()
    return found


def _let_grow(dock: QDockWidget) -> None:
    """Take away that a dock is no higher than its content wishes, as napari 0.9.0 has it."""
    for widget in dock.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
        policy = widget.sizePolicy()
        if policy.verticalPolicy() == QSizePolicy.Policy.Maximum:
            policy.setVerticalPolicy(QSizePolicy.Policy.Preferred)
            widget.setSizePolicy(policy)


def is_taken_out(panel: QWidget, event: Any) -> bool:
    """Whether an event says that a panel was taken out of its dock: napari's way to close one."""
    return bool(event.type() == QEvent.Type.ParentChange and panel.parent() is None)
