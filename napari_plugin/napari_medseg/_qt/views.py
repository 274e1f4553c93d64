"""What a report is written as: a box for each view, and beside one that can't be written why."""

from collections.abc import Mapping

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

__all__ = ["ViewBoxes"]

#: Name of the core → words, what it is, whether it is asked for at first.
_VIEWS = {
    "html": ("Page (HTML)", "One page for readers, with pictures and a 3D view", True),
    "pdf": ("PDF", "The same page for printing", False),
    "csv": ("CSV", "One row per number", False),
    "xlsx": ("Workbook (XLSX)", "The same rows, findings and a dictionary", False),
    "seg": ("DICOM SEG", "The mask for hospital systems", False),
    "sr": ("DICOM SR", "The numbers that people read, coded", False),
    "rtstruct": ("RTSTRUCT", "The outlines for treatment planning", False),
    "dicom-pdf": ("PDF in DICOM", "The page as Encapsulated PDF", False),
    "key-images": ("Key images", "Slices with the largest sections and the axes", False),
    "fhir": ("FHIR", "The numbers as a bundle of FHIR R4B", False),
}
#: Views of the page and tables; the others are objects.
_PAGES = ("html", "pdf", "csv", "xlsx")


class ViewBoxes(QWidget):
    """A box for each view; the Record (JSON) and the mask are always written."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setColumnStretch(1, 1)
        self.boxes: dict[str, QCheckBox] = {}
        self.reasons: dict[str, QLabel] = {}
        self.note = QLabel(wordWrap=True)
        layout.addWidget(self.note, 0, 0, 1, 2)
        for row, (name, (words, tip, on)) in enumerate(_VIEWS.items(), start=1):
            box, reason = QCheckBox(words), QLabel(wordWrap=True)
            box.setToolTip(tip)
            box.setAccessibleDescription(tip)
            box.setChecked(on)
            box.toggled.connect(self.changed)
            layout.addWidget(box, row, 0)
            layout.addWidget(reason, row, 1)
            self.boxes[name], self.reasons[name] = box, reason

    @property
    def views(self) -> tuple[str, ...]:
        """Pages and tables that are asked for and can be written."""
        return tuple(name for name in _PAGES if self._wanted(name))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Objects that are asked for and can be written."""
        return tuple(name for name in self.boxes if name not in _PAGES and self._wanted(name))

    def show_obstacles(self, found: Mapping[str, str]) -> None:
        """Say beside each box why it can't be had; the others can be ticked."""
        nothing = found.get("mask", "")
        self.note.setText(nothing and f"Nothing can be written: {nothing}.")
        self.note.setVisible(bool(nothing))
        for name, box in self.boxes.items():
            reason = found.get(name, "")
            box.setEnabled(not (reason or nothing))
            self.reasons[name].setText(reason)
            self.reasons[name].setVisible(bool(reason))

    def _wanted(self, name: str) -> bool:
        box = self.boxes[name]
        return bool(box.isEnabled() and box.isChecked())
