"""The labels of a mask: name, colour, lock; a new one is named and seen from the start."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from medseg.errors import MedsegError
from napari_medseg._qt.parts import button

if TYPE_CHECKING:
    from napari_medseg._qt.masks import MaskChoice

__all__ = ["LabelList"]

_VALUE = Qt.ItemDataRole.UserRole
_HEADS = ("", "Label", "Locked")


class LabelList(QWidget):
    """A row per label: its colour (click to change), its name (type to change), whether painting may change it."""

    #: Labels that are locked: a frozenset of values.
    locked = Signal(object)

    def __init__(self, choice: "MaskChoice") -> None:
        super().__init__()
        self._choice = choice
        self.table = QTableWidget(0, len(_HEADS))
        self.table.setAccessibleName("Labels")
        self.table.setHorizontalHeaderLabels(_HEADS)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.table.setFixedHeight(130)
        if (rows := self.table.verticalHeader()) is not None:
            rows.hide()
        if (heads := self.table.horizontalHeader()) is not None:
            heads.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
            for column in (0, 2):
                heads.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.table.itemChanged.connect(self._typed)
        self.table.itemSelectionChanged.connect(self._select)
        self.table.cellDoubleClicked.connect(self._color)
        self.new_button = button(
            "New label", "Add a label with a name and a colour, and paint with it", self.add
        )
        self.color_button = button(
            "Colour …",
            "Choose the colour of the label that is selected",
            lambda: self._color(self.table.currentRow(), 0),
        )
        buttons = QHBoxLayout()
        buttons.addWidget(self.new_button)
        buttons.addWidget(self.color_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(buttons)

    def refresh(self) -> None:
        """Show the labels that the mask has now; what is locked stays so."""
        mask = self._choice.current
        self.setEnabled(mask is not None)
        labels = () if mask is None else mask.table.labels
        locked = frozenset() if mask is None else mask.limits.locked
        self.table.blockSignals(True)  # noqa: FBT003 - Qt's signature
        self.table.setRowCount(len(labels))
        for row, label in enumerate(labels):
            color, name, lock = QTableWidgetItem(), QTableWidgetItem(label.name), QTableWidgetItem()
            color.setBackground(QColor(*label.rgb))
            color.setToolTip(f"Label {label.value}; double-click for another colour")
            color.setFlags(color.flags() & ~Qt.ItemFlag.ItemIsEditable)
            lock.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            lock.setCheckState(Qt.CheckState.Checked if label.value in locked else Qt.CheckState.Unchecked)
            lock.setToolTip("Painting neither takes voxels of this label nor adds any")
            for column, cell in enumerate((color, name, lock)):
                cell.setData(_VALUE, label.value)
                self.table.setItem(row, column, cell)
        self.table.blockSignals(False)  # noqa: FBT003

    def add(self) -> None:
        """A label that no voxel has yet, with a name and a colour, chosen for painting."""
        mask, layer = self._choice.current, self._choice.layer
        if mask is None or layer is None:
            return
        value = mask.new_value()
        mask.make_room(value)
        mask.name_label(value, f"label {value}")
        self.refresh()
        self._choice.layer.selected_label = value  # type: ignore[union-attr]
        self.table.selectRow(self.table.rowCount() - 1)

    def _select(self) -> None:
        cell, layer = self.table.item(self.table.currentRow(), 0), self._choice.layer
        if cell is not None and layer is not None and self._choice.current is not None:
            layer.selected_label = cell.data(_VALUE)

    def _typed(self, cell: QTableWidgetItem) -> None:
        if cell.column() == 2:
            cells = [self.table.item(row, 2) for row in range(self.table.rowCount())]
            self.locked.emit(
                frozenset(
                    item.data(_VALUE) for item in cells if item and item.checkState() == Qt.CheckState.Checked
                )
            )
        elif cell.column() == 1:
            self._rename(cell.data(_VALUE), cell.text())

    def _rename(self, value: int, name: str, color: Any = None) -> None:
        mask = self._choice.current
        if mask is None:
            return
        try:
            mask.name_label(value, name, color)
        except MedsegError as error:
            self._choice.say(str(error))
        self.refresh()

    def _color(self, row: int, column: int) -> None:
        cell, name = self.table.item(row, 0), self.table.item(row, 1)
        if column == 0 and cell is not None and name is not None:
            found = QColorDialog.getColor(cell.background().color(), self, "Colour of the label")
            if found.isValid():
                self._rename(cell.data(_VALUE), name.text(), (found.red(), found.green(), found.blue()))
