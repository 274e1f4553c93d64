"""Two masks, two readers or two time points: side by side, over each other, and in numbers."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from medseg.errors import MedsegError
from napari_medseg._qt.asking import offer
from napari_medseg._qt.task import TaskRow
from napari_medseg.bridge.beside import end_beside, is_beside, show_beside, show_difference
from napari_medseg.bridge.comparing import comparable, two_masks
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.compare import HEADLINE, Comparison, compare, shown_value

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["ComparePanel"]

_SIDE, _ONE = "Side by side", "One picture again"


class ComparePanel(QWidget):
    """Choose two; the second is the reference.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.comparison: Comparison | None = None
        self.first, self.second = QComboBox(), QComboBox()
        self._is_picked = False
        self.second.setToolTip("The reference: a volume difference above 0 says that the first is larger")
        self.side_button, self.compare_button = QPushButton(_SIDE), QPushButton("Compare")
        self.side_button.setToolTip("Both on one slider and one camera, linked by their place in mm")
        self.compare_button.setToolTip("Numbers by structure, and a layer of the voxels that differ")
        self.task = TaskRow()
        self.stale = QLabel(wordWrap=True)
        self.table = QTableWidget(0, 1 + len(HEADLINE))
        self.table.setAccessibleName("Agreement by structure")
        self.table.setHorizontalHeaderLabels(["structure", *(item.info.title for item in HEADLINE)])
        self.table.verticalHeader().hide()
        self._arrange()
        for box in (self.first, self.second):
            box.activated.connect(self._picked)
        self.side_button.clicked.connect(self.toggle_side)
        self.compare_button.clicked.connect(self.compare)
        events = window_of(napari_viewer).session.events
        for event in (events.mask_added, events.image_added):
            event.connect(self._refresh_soon)
        for event in (events.mask_removed, events.image_removed):
            event.connect(self._refresh_now)
        events.mask_changed.connect(self._changed)
        self.refresh()

    def _arrange(self) -> None:
        form = QFormLayout()
        form.addRow("First", self.first)
        form.addRow("Second", self.second)
        buttons = QHBoxLayout()
        buttons.addWidget(self.side_button)
        buttons.addWidget(self.compare_button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(buttons)
        layout.addWidget(self.task)
        layout.addWidget(self.stale)
        layout.addWidget(self.table, stretch=1)

    def refresh(self) -> None:
        """Offer the masks and images that there are now."""
        names = comparable(self.viewer)
        offer(self.first, names)
        offer(self.second, names)
        if not self._is_picked or self.first.currentData() == self.second.currentData():
            self.first.setCurrentIndex(min(0, len(names) - 1))
            self.second.setCurrentIndex(min(1, len(names) - 1))
        self.side_button.setText(_ONE if is_beside(self.viewer) else _SIDE)

    def toggle_side(self) -> None:
        """Side by side, or one picture again."""
        first, second = self.first.currentData(), self.second.currentData()
        self.task.say("")
        if is_beside(self.viewer):
            end_beside(self.viewer)
        elif first is None or second is None or first == second:
            self.task.say("choose two different masks or images")
        else:
            show_beside(self.viewer, first, second)
        self.refresh()

    def compare(self) -> None:
        """Measure how the two agree, beside the window."""
        chosen = self.first.currentData(), self.second.currentData()
        try:
            first, second = two_masks(self.viewer, *chosen)
        except MedsegError as error:
            self.task.say(str(error))
            return
        self._chosen = chosen
        self.task.run(lambda run: compare(first, second, run), self._show)

    def _show(self, found: Comparison) -> None:
        self.comparison = found
        self.stale.setText("")
        end_beside(self.viewer)
        show_difference(self.viewer, found, self._chosen[1])
        self.table.setRowCount(len(found.structures))
        for row, structure in enumerate(found.structures):
            self._fill(row, 0, structure.name, structure.name)
            for column, item in enumerate(structure.rows, start=1):
                told = "" if item is None else item.reason or f"{item.value!r} {item.unit} · {item.method}"
                self._fill(row, column, shown_value(item), told)
        self.table.resizeColumnsToContents()
        self.refresh()

    def _fill(self, row: int, column: int, text: str, tip: str) -> None:
        cell = QTableWidgetItem(text)
        cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
        cell.setToolTip(tip)
        self.table.setItem(row, column, cell)

    def _changed(self, uid: str) -> None:
        if self.comparison is not None and uid in self._chosen:
            self.stale.setText("⚠ A mask was changed since: compare again.")

    def _picked(self, _index: int) -> None:
        self._is_picked = True

    def _refresh_now(self, _uid: str) -> None:
        self.refresh()

    def _refresh_soon(self, _uid: str) -> None:
        # Its layer is told who it is only after the session has it.
        QTimer.singleShot(0, self, self.refresh)
