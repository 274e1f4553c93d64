"""The other two planes, docked beside the canvas."""

from typing import TYPE_CHECKING

from napari.qt import QtViewer
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QMainWindow, QSplitter, QWidget

from napari_medseg.bridge.planes import Planes

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["PlanesDock"]

_NAME = "medseg planes"
#: The two canvases take this share of the room that the one had.
_SHARE = 0.4
_SMALLEST = 180


class _Canvases(QSplitter):
    """Two canvases below each other, as wide as they are asked to be."""

    def __init__(self, width: int) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._width = width

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """What a dock gives it at first: canvases themselves would like more than there is."""
        return QSize(self._width, super().sizeHint().height())


class PlanesDock:
    """Makes the two canvases when they are wanted, and takes them away again.

    Parameters
    ----------
    viewer
        The window's viewer.
    beside
        Any widget of its window.
    """

    def __init__(self, viewer: "Viewer", beside: QWidget) -> None:
        self.viewer = viewer
        self.planes: Planes | None = None
        self._beside = beside
        self._splitter: _Canvases | None = None

    def set_shown(self, *, shown: bool) -> None:
        """Open or close them."""
        if shown and self.planes is None:
            self._open()
        elif not shown and self.planes is not None:
            self._close()

    def _open(self) -> None:
        self.planes = Planes(self.viewer)
        splitter = _Canvases(max(_SMALLEST, round(_SHARE * self._room())))
        for name, model in self.planes.models.items():
            canvas = QtViewer(model)
            canvas.setAccessibleName(name)
            canvas.setMinimumSize(_SMALLEST, _SMALLEST)
            splitter.addWidget(canvas)
        self.planes.fill()  # napari 0.9.0 makes no canvas for a model that has layers
        self._splitter = splitter
        self.viewer.window.add_dock_widget(splitter, name=_NAME, area="right", add_vertical_stretch=False)

    def _room(self) -> int:
        window = self._beside.window()
        canvas = window.centralWidget() if isinstance(window, QMainWindow) else None
        return 0 if canvas is None else canvas.width()

    def _close(self) -> None:
        if self.planes is not None and self._splitter is not None:
            self.planes.close()
            for at in range(self._splitter.count()):
                if (canvas := self._splitter.widget(at)) is not None:
                    canvas.close()
            self.viewer.window.remove_dock_widget(self._splitter)
        self.planes, self._splitter = None, None
