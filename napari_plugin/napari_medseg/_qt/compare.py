"""Two masks, two readers or two time points: side by side, over each other, and in numbers."""

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from medseg.errors import MedsegError
from napari_medseg._qt.agreement import AgreementTable
from napari_medseg._qt.offered import Holdings, OfferBox
from napari_medseg._qt.task import TaskRow
from napari_medseg.bridge.beside import end_beside, is_beside, show_beside, show_difference
from napari_medseg.bridge.comparing import comparable, two_masks
from napari_medseg.bridge.now import mask_in_hand
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.compare import Comparison, compare

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
        self.first, self.second = OfferBox(), OfferBox()
        self.second.setToolTip("The reference: a volume difference above 0 says that the first is larger")
        self.side_button, self.compare_button = QPushButton(_SIDE), QPushButton("Compare")
        self.side_button.setToolTip("Both on one slider and one camera, linked by their place in mm")
        self.compare_button.setToolTip("Numbers by structure, and a layer of the voxels that differ")
        self.task = TaskRow()
        self.stale = QLabel(wordWrap=True)
        self.table = AgreementTable()
        self._arrange()
        self.side_button.clicked.connect(self.toggle_side)
        self.compare_button.clicked.connect(self.compare)
        self.holdings = Holdings(napari_viewer, self)
        self.holdings.changed.connect(self.refresh)
        window_of(napari_viewer).session.events.mask_changed.connect(self._changed)
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

    def shut(self) -> None:
        """Stop what is running, if anything is."""
        self.task.stop()

    def refresh(self) -> None:
        """Offer the masks and images that there are now: first the mask in hand, second another one."""
        names, in_hand = comparable(self.viewer), mask_in_hand(self.viewer)
        self.first.offer(names, None if in_hand == self.second.own else in_hand)
        others = [uid for uid in names if uid != self.first.currentData()]
        self.second.offer(names, next(iter(others), None))
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
        self.table.show_comparison(found)
        self.refresh()

    def _changed(self, uid: str) -> None:
        if self.comparison is not None and uid in self._chosen:
            self.stale.setText("⚠ A mask was changed since: compare again.")
