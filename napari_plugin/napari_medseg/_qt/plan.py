"""What is measured beside every label: lesions by a rule set, uptake, tissue."""

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFormLayout, QLineEdit, QWidget

from medseg.domain import LabelTable
from medseg.domain.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan
from medseg.errors import MedsegError
from napari_medseg.workspace.measures import LESION_RULES

__all__ = ["PlanBox"]

_NO = "no"
_LESIONS = {_NO: None, **LESION_RULES}
_UPTAKE = {
    _NO: (),
    "mask, 41 %": ("given", "41%"),
    "mask, 41 %, 50 %": ("given", "41%", "50%"),
    "mask, SUV 2.5, SUV 4": ("given", "fixed-2.5", "fixed-4.0"),
}
_ALL = "every label"


class PlanBox(QWidget):
    """Chooses the plan of a measurement; the defaults of the core hold for what is not chosen here."""

    #: Another plan.
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.fault = ""
        self.lesions, self.of, self.uptake, self.tissue = QComboBox(), QComboBox(), QComboBox(), QComboBox()
        self.level = QLineEdit()
        self.lesions.addItems(list(_LESIONS))
        self.uptake.addItems(list(_UPTAKE))
        self.level.setPlaceholderText("every slice; a label, or k=57")
        rows = (
            ("Lesions", self.lesions, "Separate objects with axes, and the size criterion of a rule set"),
            ("of", self.of, "The label whose objects are lesions"),
            ("SUV, MTV, TLG", self.uptake, "Uptake on a PET in SUV, by delineation"),
            ("Tissue inside", self.tissue, "Muscle and fat of a CT inside this label"),
            ("at level", self.level, "Label whose middle slice is measured, or a slice position"),
        )
        layout = QFormLayout(self)
        for name, field, tip in rows:
            field.setToolTip(tip)
            field.setAccessibleName(name)
            layout.addRow(name, field)
        for box in (self.lesions, self.of, self.uptake, self.tissue):
            box.currentIndexChanged.connect(self._told)
        self.level.editingFinished.connect(self._told)

    def offer(self, table: LabelTable) -> None:
        """Offer the labels of a mask; what was chosen stays where it is there."""
        names = [label.name for label in table.labels]
        for box, first in ((self.of, _ALL), (self.tissue, _NO)):
            kept = box.currentText()
            box.blockSignals(True)  # noqa: FBT003 - Qt's signature
            box.clear()
            box.addItems([first, *names])
            box.setCurrentText(kept if kept in names else first)
            box.blockSignals(False)  # noqa: FBT003

    def plan(self) -> MeasurePlan | None:
        """What is chosen; None where that does not fit together, as `fault` says."""
        try:
            found = self._plan()
        except MedsegError as error:
            self.fault = str(error)
            return None
        self.fault = ""
        return found

    def _plan(self) -> MeasurePlan:
        lesions = _LESIONS[self.lesions.currentText()]
        if lesions is not None and self.of.currentText() not in ("", _ALL):
            lesions = LesionPlan((self.of.currentText(),), rule=lesions.rule)
        uptake = _UPTAKE[self.uptake.currentText()]
        inside, level = self.tissue.currentText(), self.level.text().strip()
        tissue = (
            TissuePlan(compartment=inside, levels=(level,) if level else ())
            if inside not in ("", _NO)
            else None
        )
        return MeasurePlan(lesions, PetPlan(delineations=uptake) if uptake else None, tissue)

    def _told(self, _index: int = 0) -> None:
        self.changed.emit()
