"""The other two planes, docked beside the canvas."""

from typing import TYPE_CHECKING, Any
from weakref import ref

import psygnal
from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QMainWindow, QSplitter, QWidget

from napari_medseg._qt.job import is_alive
from napari_medseg._qt.room import dock_of, is_taken_out
from napari_medseg.bridge.planes import Planes

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["PlanesDock"]

_NAME = "medseg planes"
#: The two canvases take this share of the room that the one had.
_SHARE = 0.4
_SMALLEST = 180


class _Canvases(QSplitter):
    """A canvas for each of these viewers below each other, as wide as they are asked to be."""

    #: Somebody took them out of their dock, which is gone.
    taken_out = Signal()

    def __init__(self, models: tuple[ViewerModel, ...], width: int) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._width = width
        self.models = models
        for model in models:
            canvas = QtViewer(model)
            canvas.setMinimumSize(_SMALLEST, _SMALLEST)
            self.addWidget(canvas)

    @property
    def canvases(self) -> list[QWidget]:
        """From the top."""
        found = (self.widget(at) for at in range(self.count()))
        return [canvas for canvas in found if canvas is not None]

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Canvases without a dock are of no more use."""
        if is_taken_out(self, event):
            self.taken_out.emit()
            for canvas in self.canvases:
                canvas.close()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """What a dock gives it at first: canvases themselves would like more than there is."""
        return QSize(self._width, super().sizeHint().height())


class PlanesDock:
    """Makes the two canvases when they are first wanted; later it hides them and shows them again.

    A canvas that is closed leaves memory of its context behind, so the same two serve as long as their dock is there.

    Parameters
    ----------
    viewer
        The window's viewer.
    beside
        Any widget of its window.
    """

    #: They were closed, and not by `set_shown`.
    gone = psygnal.Signal()

    def __init__(self, viewer: "Viewer", beside: QWidget) -> None:
        self.viewer = viewer
        self.planes: Planes | None = None
        self._beside = beside
        self._canvases: ref[_Canvases] | None = None  # the window's: they go with it

    def set_shown(self, *, shown: bool) -> None:
        """Show or hide them."""
        if shown and self.planes is None:
            self._open()
        elif not shown and self.planes is not None:
            self._close()

    def _open(self) -> None:
        splitter = self._splitter()
        dock = None if splitter is None else dock_of(splitter)
        if splitter is None or dock is None:
            self.planes = Planes(self.viewer)
            splitter = _Canvases(tuple(self.planes.models.values()), self._width())
            splitter.taken_out.connect(self._taken_out)
            self._canvases = ref(splitter)
            self.planes.fill()  # napari 0.9.0 makes no canvas for a model that has layers
            self.viewer.window.add_dock_widget(splitter, name=_NAME, area="right", add_vertical_stretch=False)
        else:
            self.planes = Planes(self.viewer, splitter.models)
            self.planes.fill()
            dock.show()
        for canvas, name in zip(splitter.canvases, self.planes.models, strict=True):
            canvas.setAccessibleName(name)

    def _width(self) -> int:
        window = self._beside.window()
        canvas = window.centralWidget() if isinstance(window, QMainWindow) else None
        return _SMALLEST if canvas is None else max(_SMALLEST, round(_SHARE * canvas.width()))

    def _splitter(self) -> _Canvases | None:
        found = None if self._canvases is None else self._canvases()
        return found if found is not None and is_alive(found) else None

    def _close(self) -> None:
        if self.planes is not None:
            self.planes.close()
        self.planes, splitter = None, self._splitter()
        dock = None if splitter is None else dock_of(splitter)
        if dock is not None:
            dock.hide()

    def _taken_out(self) -> None:
        self._close()
        self._canvases = None
        self.gone.emit()
