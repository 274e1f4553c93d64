"""All numbers as a tree: structure, lesion, quantity; sorted, filtered, copied, exported; each leads to its place."""

from collections.abc import Iterable, Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from medseg.domain import Measurement
from medseg.workflows.digits import ShownNumber
from napari_medseg._qt.lines import ITEM, NumberLine, children, fill, hide_empty, key_of, remove

__all__ = ["NumberTree"]

_HEADS = ("Structure, quantity", "Value", "Unit", "Status")


class NumberTree(QWidget):
    """The numbers of a Record with every digit; what is stale is grey and says so."""

    #: A number was clicked: its Measurement.
    clicked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: a structure, a quantity, a status")
        self.filter.setAccessibleName("Filter numbers")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._sift)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("All numbers")
        self.tree.setHeaderLabels(_HEADS)
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.tree.setSortingEnabled(True)
        self.tree.header().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.tree.itemClicked.connect(self._lead)
        self.tree.keyPressEvent = self._pressed  # type: ignore[method-assign]
        self.tree.setMinimumHeight(220)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.filter)
        layout.addWidget(self.tree, stretch=1)
        self._lines: dict[object, NumberLine] = {}

    def show_numbers(self, rows: Iterable[ShownNumber], stale: Mapping[object, bool]) -> None:
        """Show these; lines that stay keep their place, whether they are open, and their choice."""
        seen: dict[object, NumberLine] = {}
        self.tree.setSortingEnabled(False)
        for row in rows:
            key = key_of(row.item)
            line = self._lines.get(key)
            if line is None:
                line = NumberLine(self._parent_of(row))
                line.setData(0, ITEM, row.item)
            fill(line, row, is_stale=stale.get(key, False))
            seen[key] = line
        for key, line in self._lines.items():
            if key not in seen:
                remove(line)
        self._lines = seen
        self.tree.setSortingEnabled(True)
        self._sift()

    def chosen(self) -> list[Measurement]:
        """Numbers that are selected, else all that the filter leaves."""
        picked = [line for line in self._lines.values() if line.isSelected()]
        lines = picked or [line for line in self._lines.values() if not line.isHidden()]
        return [line.data(0, ITEM) for line in lines]

    def copy(self) -> None:
        """Put what is chosen on the clipboard, in columns, with every digit."""
        wanted = {key_of(item) for item in self.chosen()}
        rows = [line for key, line in self._lines.items() if key in wanted]
        text = ["\t".join(("structure", "quantity", "value", "unit", "status"))]
        for line in rows:
            parent = line.parent()
            cells = [line.text(column) for column in range(len(_HEADS))]
            text.append("\t".join([parent.text(0) if parent is not None else "", *cells]))
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText("\n".join(text))

    def _parent_of(self, row: ShownNumber) -> QTreeWidgetItem:
        """The line of the structure; of a lesion the one below its structure."""
        names = [row.item.target.name] + ([row.structure] if row.structure != row.item.target.name else [])
        root = self.tree.invisibleRootItem()
        assert root is not None  # noqa: S101 - a tree has one
        for depth, name in enumerate(names):
            lines = children(root)
            found = next(
                (line for line in lines if line.text(0) == name and line.data(0, ITEM) is None), None
            )
            if found is None:
                found = NumberLine(root, [name])
                found.setExpanded(depth == 0)
            root = found
        return root

    def _sift(self, _text: str = "") -> None:
        """Hide what has not every word of the filter; a structure without a line is hidden too."""
        words = self.filter.text().casefold().split()
        for line in self._lines.values():
            parent = line.parent()
            said = " ".join([parent.text(0) if parent else "", *(line.text(n) for n in (0, 3))]).casefold()
            line.setHidden(not all(word in said for word in words))
        root = self.tree.invisibleRootItem()
        if root is not None:
            hide_empty(root)

    def _lead(self, line: QTreeWidgetItem, _column: int = 0) -> None:
        if (item := line.data(0, ITEM)) is not None:
            self.clicked.emit(item)

    def _pressed(self, event: Any) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            QTreeWidget.keyPressEvent(self.tree, event)
