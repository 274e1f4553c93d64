"""How two masks agree, by structure."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTableWidget, QTableWidgetItem

from napari_medseg.workspace.compare import HEADLINE, Comparison, shown_value

__all__ = ["AgreementTable"]


class AgreementTable(QTableWidget):
    """One row for each structure; a tip has the unit, the method, or why there is no number."""

    def __init__(self) -> None:
        super().__init__(0, 1 + len(HEADLINE))
        self.setAccessibleName("Agreement by structure")
        self.setHorizontalHeaderLabels(["structure", *(item.info.title for item in HEADLINE)])
        if (rows := self.verticalHeader()) is not None:
            rows.hide()

    def show_comparison(self, found: Comparison) -> None:
        """Show these numbers."""
        self.setRowCount(len(found.structures))
        for row, structure in enumerate(found.structures):
            self._fill(row, 0, structure.name, structure.name)
            for column, item in enumerate(structure.rows, start=1):
                told = "" if item is None else item.reason or f"{item.value!r} {item.unit} · {item.method}"
                self._fill(row, column, shown_value(item), told)
        self.resizeColumnsToContents()

    def _fill(self, row: int, column: int, text: str, tip: str) -> None:
        cell = QTableWidgetItem(text)
        cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
        cell.setToolTip(tip)
        self.setItem(row, column, cell)
