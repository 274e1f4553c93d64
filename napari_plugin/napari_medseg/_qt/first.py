"""The numbers that stand first, at most eight, as the page rounds them."""

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from medseg.workflows.digits import ShownNumber
from napari_medseg._qt.lines import STALE, key_of

__all__ = ["FirstNumbers"]

_HEADS = ("", "Value", "Status")


class FirstNumbers(QTableWidget):
    """Structure and quantity, value with unit and interval, status by sign and word."""

    #: A number was clicked: its Measurement.
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADS))
        self.setAccessibleName("Main numbers")
        self.setHorizontalHeaderLabels(_HEADS)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrap(True)
        self._rows: Sequence[ShownNumber] = ()
        if (rows := self.verticalHeader()) is not None:
            rows.hide()
        if (heads := self.horizontalHeader()) is not None:
            heads.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.cellClicked.connect(lambda row, _column: self.chosen.emit(self._rows[row].item))

    def show_numbers(self, rows: Sequence[ShownNumber], stale: Mapping[object, bool]) -> None:
        """Show these; the table is as high as they are."""
        self._rows = rows
        self.setRowCount(len(rows))
        for at, row in enumerate(rows):
            is_stale = stale.get(key_of(row.item), False)
            estimated = row.item.interval is not None
            texts = (
                f"{row.structure}: {row.quantity}",
                row.value + (f"\n{row.interval}" if estimated else ""),
                STALE if is_stale else f"{row.icon} {row.status}",
            )
            for column, text in enumerate(texts):
                cell = QTableWidgetItem(text)
                cell.setToolTip(f"{row.exact} {row.unit}\n{row.interval}\n{row.why}".strip())
                font = cell.font()
                font.setItalic(is_stale)
                cell.setFont(font)
                self.setItem(at, column, cell)
        self.resizeRowsToContents()
        heads = self.horizontalHeader()
        height = (0 if heads is None else heads.height()) + sum(self.rowHeight(at) for at in range(len(rows)))
        self.setFixedHeight(height + 4)
        self.setVisible(bool(rows))
