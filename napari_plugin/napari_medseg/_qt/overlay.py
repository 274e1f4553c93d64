"""Another series over the one that is looked at: which, how, and whether they share one space."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QPushButton, QWidget

from medseg.errors import MedsegError
from napari_medseg._qt.parts import narrow, tipped
from napari_medseg.bridge.overlay import lay_over
from napari_medseg.bridge.signs import image_behind

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

__all__ = ["Overlay"]


class Overlay(QWidget):
    """Choice and button.

    Parameters
    ----------
    viewer
        Of the window.
    base
        Gives the layer that another one is laid over.
    """

    #: What was refused, in a line; empty where nothing was.
    said = Signal(str)

    def __init__(self, viewer: "Viewer", base: "Callable[[], Layer | None]") -> None:
        super().__init__()
        self._viewer, self._base = viewer, base
        self.over = narrow(tipped(QComboBox(), "Another series, to be laid over the one on top"))
        self.squares = tipped(QCheckBox("squares"), "A checkerboard of both, to see how they fit")
        self.declared = tipped(QCheckBox("they share one space"), "You know it where the files don't say it")
        self.lay = tipped(
            QPushButton("Lay over"), "Show this series on the grid of the image on top; display only"
        )
        self.lay.clicked.connect(self.lay_over)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel("over it"), 0, 0)
        grid.addWidget(self.over, 0, 1)
        grid.addWidget(self.squares, 1, 0)
        grid.addWidget(self.lay, 1, 1)
        grid.addWidget(self.declared, 2, 0, 1, 2)
        grid.setColumnStretch(1, 1)

    def refresh(self) -> None:
        """Offer the series that there are now."""
        base = self._base()
        others = [
            layer
            for layer in self._viewer.layers
            if image_behind(layer, self._viewer) is not None and layer != base
        ]
        self.over.clear()
        self.over.addItems([layer.name for layer in others])
        self.setEnabled(bool(others))

    def lay_over(self) -> None:
        """Lay the chosen series over the image that is looked at."""
        base = self._base()
        if base is None or not self.over.currentText():
            return
        moving = self._viewer.layers[self.over.currentText()]
        squares, declared = self.squares.isChecked(), self.declared.isChecked()
        self.said.emit("")
        try:
            lay_over(self._viewer, moving, base, squares=squares, same_space=declared)
        except MedsegError as error:
            self.said.emit(str(error))
