"""The panel of the numbers: those that stand first, all on demand; they follow the mask as it is worked on."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from medseg.domain import Measurement
from medseg.workflows.digits import csv_of, first_numbers, shown_numbers
from napari_medseg._qt.all_numbers import AllNumbers
from napari_medseg._qt.first import FirstNumbers
from napari_medseg._qt.job import is_alive, measuring_of
from napari_medseg._qt.lines import key_of
from napari_medseg._qt.masks import MaskChoice
from napari_medseg._qt.parts import Folded, save_bytes
from napari_medseg._qt.plan import PlanBox
from napari_medseg._qt.shapes import ShowButtons
from napari_medseg.bridge.measuring import measured_images, show_place
from napari_medseg.workspace.measures import QUIET_S, Measured, Measures

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["MeasurePanel"]

_KIND = "measure"
#: Share of the height that is left which the unfolded tree takes.
_ALL = 100


class MeasurePanel(QWidget):
    """Headline, tree, plan; measures by itself after half a second without a change.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only, and lets it do what is public only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.measures: Measures | None = None
        self.jobs = measuring_of(napari_viewer)
        self.timer = QTimer(self, singleShot=True, interval=int(QUIET_S * 1000))
        self.timer.timeout.connect(self.measure)
        self.redraw = QTimer(self, singleShot=True, interval=0)
        self.redraw.timeout.connect(self._show)
        self._build()
        self.destroyed.connect(lambda *_, jobs=self.jobs: jobs.forget(_KIND))
        self.choice.chosen.connect(self._choose)
        self._choose()

    def measure(self) -> None:
        """Measure all that is stale, beside the window."""
        measures = self.measures
        if measures is None or measures.is_fresh:
            return
        self.state.setText("Measuring …")
        key = (measures.mask.uid, measures.mask.version, measures.plan)
        self.jobs.submit(_KIND, key, measures.work(), self._take, self._failed)

    def export(self) -> None:
        """Write the chosen numbers as the command line writes its CSV."""
        record = None if self.measures is None else self.measures.record
        if record is not None:
            save_bytes(self, csv_of(record, self.tree.chosen()), "numbers.csv")

    def shut(self) -> None:
        """Measure no more."""
        self.timer.stop()
        self.jobs.forget(_KIND)

    def _build(self) -> None:
        self.choice, self.first = MaskChoice(self.viewer), FirstNumbers()
        every, self.plan = AllNumbers(self.export), PlanBox()
        self.tree = every.tree
        self.state = QLabel(wordWrap=True)
        self.state.setAccessibleName("State of the numbers")
        self.shapes = ShowButtons(self.viewer, self)
        self.plan.changed.connect(self._ask)
        self.first.chosen.connect(self._lead)
        self.tree.clicked.connect(self._lead)
        self.more, self.all = Folded("Measure also", self.plan), Folded("All numbers", every)
        layout = QVBoxLayout(self)
        for widget in (self.choice, self.first, self.state, self.shapes, self.more, self.all):
            layout.addWidget(widget, stretch=_ALL if widget is self.all else 0)
        layout.addStretch(1)

    def _choose(self) -> None:
        """Another mask."""
        if self.measures is not None:
            self.measures.changed.disconnect(self._told)
            self.measures.close()
            self.jobs.forget(_KIND)
        mask = self.choice.current
        self.measures = None
        if mask is not None:
            self.plan.offer(mask.table)
            images, declared = measured_images(self.viewer, mask)
            self.measures = Measures(mask, images, plan=self.plan.plan(), same_space=declared)
            self.measures.changed.connect(self._told)
            self.timer.start()
        self._show()

    def _ask(self) -> None:
        plan = self.plan.plan()
        if self.measures is not None and plan is not None:
            self.measures.ask(plan)
        self.state.setText(self.plan.fault or self.state.text())

    def _told(self) -> None:
        """Numbers changed: show them soon, and measure what is stale when there is quiet."""
        self.redraw.start()
        if self.measures is not None and not self.measures.is_fresh:
            self.timer.start()

    def _take(self, measured: Measured) -> None:
        if is_alive(self) and self.measures is not None:
            self.measures.take(measured)

    def _failed(self, message: str) -> None:
        if not is_alive(self):
            return
        changed = self.measures is not None and "changed meanwhile" in message
        self.state.setText("" if changed else message)
        if changed:
            self.timer.start()

    def _show(self) -> None:
        measures = self.measures
        record = None if measures is None else measures.record
        rows = () if measures is None else measures.rows
        stale = {key_of(row.item): row.is_stale for row in rows}
        self.first.show_numbers(() if record is None else first_numbers(record), stale)
        self.tree.show_numbers(() if record is None else shown_numbers(record), stale)
        self.shapes.setEnabled(record is not None)
        if measures is not None:
            self.plan.offer(measures.mask.table)
        self.state.setText("" if measures is None else measures.words)

    def _lead(self, item: Measurement) -> None:
        if self.measures is not None:
            show_place(self.viewer, self.measures.mask, item, [row.item for row in self.measures.rows])
