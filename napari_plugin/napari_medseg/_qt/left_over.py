"""Work of windows that are gone: opened again, or thrown away."""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFrame, QGridLayout, QLabel

from medseg.errors import MedsegError
from napari_medseg._qt.parts import button
from napari_medseg.bridge.window import window_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["LeftOver"]


class LeftOver(QFrame):
    """Shown only where there is any."""

    #: What happened, in a line.
    said = Signal(str)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._window = window_of(viewer)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.box = QComboBox()
        self.box.setAccessibleName("Work that was not saved")
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(14)
        self.open_button = button(
            "Go on with it", "Open the mask with every change, which can be undone", self._open
        )
        self.drop_button = button("Throw away", "Remove it from the disk", self._drop)
        layout = QGridLayout(self)
        layout.addWidget(QLabel("Work of a window that ended was not saved:", wordWrap=True), 0, 0, 1, 2)
        layout.addWidget(self.box, 1, 0, 1, 2)
        layout.addWidget(self.open_button, 2, 0)
        layout.addWidget(self.drop_button, 2, 1)
        self.refresh()

    def refresh(self) -> None:
        """Look again."""
        self.box.clear()
        for path, kept in self._window.session.left_over().items():
            name = Path(kept.mask).name or kept.name
            self.box.addItem(f"{name}, {len(kept.events)} changes", str(path))
        self.setVisible(self.box.count() > 0)

    def _open(self) -> None:
        try:
            self._window.reopen(Path(self.box.currentData()))
        except MedsegError as error:
            self.said.emit(str(error))
        self.refresh()

    def _drop(self) -> None:
        path = Path(self.box.currentData())
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        self.refresh()
