"""The core's operations on a mask, in mm: a form from their parameters, run beside the window, one undo each."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFormLayout, QGroupBox, QLabel, QWidget

from medseg.domain import Segmentation
from medseg.errors import MedsegError
from medseg.workflows.edit import OPERATIONS, Request
from napari_medseg._qt.form import ParameterForm
from napari_medseg._qt.job import jobs_of
from napari_medseg._qt.parts import button
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.mask import Edited, EditedMask

if TYPE_CHECKING:
    from napari import Viewer

    from napari_medseg._qt.masks import MaskChoice

__all__ = ["OperationBox"]

_EVERY = "every label"
#: Parameters of a second mask, which is chosen from a list.
_SECOND = ("other", "of")


class OperationBox(QGroupBox):
    """Operation, label, second mask where one takes part, parameters, and the button."""

    #: What happened, in a line.
    said = Signal(str)

    def __init__(self, viewer: "Viewer", choice: "MaskChoice") -> None:
        super().__init__("Operations")
        self._viewer, self._choice = viewer, choice
        self.operation, self.label, self.other = QComboBox(), QComboBox(), QComboBox()
        self.summary = QLabel(wordWrap=True)
        self.form: ParameterForm | None = None
        for name, found in OPERATIONS.items():
            self.operation.addItem(name.replace("-", " "), name)
            self.operation.setItemData(self.operation.count() - 1, found.summary, 3)
        self.button = button("Apply", "Change the mask; one undo takes it back", self.apply)
        self._layout = QFormLayout(self)
        self._place = QWidget()
        self._place_layout = QFormLayout(self._place)
        self._place_layout.setContentsMargins(0, 0, 0, 0)
        for name, field in (("Operation", self.operation), ("on", self.label), ("with", self.other)):
            field.setAccessibleName(name)
            self._layout.addRow(name, field)
        self._layout.addRow(self.summary)
        self._layout.addRow(self._place)
        self._layout.addRow(self.button)
        self.operation.currentIndexChanged.connect(self._choose)
        self._choose()

    def refresh(self) -> None:
        """Offer the labels of the mask, and other masks of the window."""
        mask = self._choice.current
        self.setEnabled(mask is not None)
        if mask is None:
            return
        names = [label.name for label in mask.table.labels]
        others = [name for name in self._masks() if name not in names]
        for box, items in ((self.label, [_EVERY, *names]), (self.other, [*names, *others])):
            kept = box.currentText()
            box.clear()
            box.addItems(items)
            box.setCurrentText(kept if kept in items else items[0] if items else "")
        layer = self._choice.layer
        if layer is not None and layer.selected_label in mask.table.values:
            self.label.setCurrentText(mask.table.name_of(int(layer.selected_label)))

    def apply(self) -> None:
        """Work the operation out beside the window, and take it in if the mask is still as it was."""
        mask = self._choice.current
        if mask is None or self.form is None:
            return
        name = self.operation.currentData()
        values = dict(self.form.values())
        others: dict[str, Segmentation] = {}
        if OPERATIONS[name].needs_other:
            values["other"] = self.other.currentText()
            found = self._masks().get(self.other.currentText())
            if found is not None and self.other.currentText() not in mask.table_names:
                others = {self.other.currentText(): found.now()}
        chosen = self.label.currentText()
        labels = () if chosen in ("", _EVERY) else (chosen,)
        try:
            work = mask.edited([Request(name, tuple(values.items()), labels)], others=others)
        except MedsegError as error:
            self.said.emit(str(error))
            return
        self.said.emit(f"{name} …")
        jobs_of(self._viewer).submit(
            "edit", (mask.uid, mask.version), work, lambda done: self._take(mask, done), self.said.emit
        )

    def _take(self, mask: EditedMask, done: Edited) -> None:
        try:
            mask.take(done)
        except MedsegError as error:
            self.said.emit(str(error))
            return
        told = [f"{step.label}: {step.after - step.before:+d} voxels" for step in done.steps]
        self.said.emit(f"{done.requests[0].name}: {', '.join(told[:4])}" if told else "Nothing was changed.")

    def _choose(self, _index: int = 0) -> None:
        operation = OPERATIONS[self.operation.currentData()]
        self.summary.setText(operation.summary)
        self._layout.setRowVisible(self.other, operation.needs_other)
        while self._place_layout.rowCount():
            self._place_layout.removeRow(0)
        self.form = ParameterForm(operation.Params, without=_SECOND)
        self._place_layout.addRow(self.form)

    def _masks(self) -> dict[str, EditedMask]:
        """Other masks by the names of their layers."""
        window = window_of(self._viewer)
        found = {}
        for uid, mask in window.session.masks.items():
            layer = window.layer(uid)
            if layer is not None and mask is not self._choice.current:
                found[layer.name] = mask
        return found
