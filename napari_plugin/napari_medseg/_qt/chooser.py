"""The list of what can be opened."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTreeWidget, QTreeWidgetItem

from napari_medseg.workspace.opening import COLUMNS, Row

__all__ = ["Chooser"]

#: Widest description (pixels); the rest is in the tip.
_DESCRIPTION = 170
_ROW = Qt.ItemDataRole.UserRole


class Chooser(QTreeWidget):
    """Rows of which several can be chosen; what can't be opened is grey and says why in its tip."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("What can be opened")
        self.setHeaderLabels(list(COLUMNS))
        self.setRootIsDecorated(False)
        self.setMinimumHeight(150)
        self.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these rows; one thing alone, or one series of volumes, is chosen."""
        self.clear()
        for row in rows:
            item = QTreeWidgetItem(list(row.cells))
            item.setData(0, _ROW, row)
            item.setDisabled(not row.is_open_able)
            for column in range(len(row.cells)):
                item.setToolTip(column, row.notes or row.cells[column])
            self.addTopLevelItem(item)
            item.setSelected(row.is_open_able and row is rows[0] and is_one_thing(rows))
        for column in range(len(COLUMNS)):
            self.resizeColumnToContents(column)
        self.setColumnWidth(1, min(_DESCRIPTION, self.columnWidth(1)))

    def chosen(self) -> list[Row]:
        """The rows that are chosen."""
        return [item.data(0, _ROW) for item in self.selectedItems()]


def is_one_thing(rows: Sequence[Row]) -> bool:
    """Whether there is nothing to choose: one row, or the row of a series and those of its volumes."""
    return len(rows) == 1 or (len(rows) > 1 and len(rows[0].offers) == len(rows) - 1 > 1)
