"""The panel that corrects a mask: labels, tools and their limits, operations, undo and redo of all of it."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_medseg._qt.clicks import ClickTools
from napari_medseg._qt.labels import LabelList
from napari_medseg._qt.left_over import LeftOver
from napari_medseg._qt.masks import MaskChoice
from napari_medseg._qt.operate import OperationBox
from napari_medseg._qt.tools import PaintTools
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace import EditedMask

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["CorrectPanel"]


class CorrectPanel(QWidget):
    """Works on the mask that is chosen.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only, and lets it do what is public only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._window = window_of(napari_viewer)
        self._followed: EditedMask | None = None
        self.left_over = LeftOver(napari_viewer)
        self.choice = MaskChoice(napari_viewer)
        self.labels = LabelList(self.choice)
        self.tools = PaintTools(napari_viewer, self.choice)
        self.clicks = ClickTools(napari_viewer, self.choice)
        self.operations = OperationBox(napari_viewer, self.choice)
        self.undo_button, self.redo_button = QPushButton("Undo"), QPushButton("Redo")
        self.undo_button.setToolTip("Take the last change back, whatever made it (Ctrl+Z)")
        self.redo_button.setToolTip("Make it again (Ctrl+Shift+Z)")
        self.state, self.message = QLabel(wordWrap=True), QLabel(wordWrap=True)
        self._arrange()
        self.undo_button.clicked.connect(lambda: self._turn("undo"))
        self.redo_button.clicked.connect(lambda: self._turn("redo"))
        self.labels.locked.connect(self.tools.lock)
        for part in (self.clicks, self.operations, self.left_over):
            part.said.connect(self.message.setText)
        self.choice.chosen.connect(self._choose)
        self._choose()

    def _arrange(self) -> None:
        turns = QHBoxLayout()
        turns.addWidget(self.undo_button)
        turns.addWidget(self.redo_button)
        layout = QVBoxLayout(self)
        above: tuple[QWidget, ...] = (self.left_over, self.choice, self.labels, self.tools, self.clicks)
        below: tuple[QWidget, ...] = (self.state, self.operations, self.message)
        for widget in above:
            layout.addWidget(widget)
        layout.addLayout(turns)
        for widget in below:
            layout.addWidget(widget)
        layout.addStretch(1)

    def _choose(self) -> None:
        """Another mask."""
        if self._followed is not None:
            self._followed.changed.disconnect(self._changed)
        self._followed = self.choice.current
        if self._followed is not None:
            self._followed.changed.connect(self._changed)
        self.clicks.refresh()
        self._refresh()

    def _changed(self, change: Any) -> None:
        if change.has_names:
            self._refresh()
        else:
            self._tell()

    def _refresh(self) -> None:
        for part in (self.labels, self.tools, self.operations):
            part.refresh()
        self._tell()

    def _tell(self) -> None:
        """How many changes there are, and whether they are kept."""
        mask = self._followed
        done, undone = (0, 0) if mask is None else (len(mask.journal.done), len(mask.journal.undone))
        self.undo_button.setEnabled(done > 0)
        self.redo_button.setEnabled(undone > 0)
        if mask is None:
            self.state.setText("")
            return
        last = f"; the last: {mask.journal.done[-1].tool or 'outside medseg'}" if done else ""
        fault = self._window.fault_of(mask.uid)
        kept = fault or ("kept on disk until you save" if not mask.is_saved else "saved")
        many = "1 change" if done == 1 else f"{done} changes"
        self.state.setText(f"{many}{last}; {kept}.")

    def _turn(self, way: str) -> None:
        if self._followed is not None:
            getattr(self._followed, way)()
