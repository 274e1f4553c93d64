"""All numbers as a tree: structure, lesion, quantity; sorted, filtered, copied, exported; each leads to its place."""

from collections.abc import Iterable, Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QGuiApplication, QKeySequence
from qtpy.QtWidgets import QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from medseg.domain import Measurement
from medseg.workflows.digits import ShownNumber

__all__ = ["NumberTree"]

_HEADS = ("Structure, quantity", "Value", "Unit", "Status")
_ITEM = Qt.ItemDataRole.UserRole
#: Said of what the mask has changed since.
STALE = "being measured"


class _Line(QTreeWidgetItem):
    """A line that is sorted by its number, not by its text."""

    def __lt__(self, other: QTreeWidgetItem) -> bool:
        tree = self.treeWidget()
        column = tree.sortColumn() if tree is not None else 0
        mine, theirs = self.data(column, _ITEM), other.data(column, _ITEM)
        if column == 1 and isinstance(mine, float) and isinstance(theirs, float):
            return mine < theirs
        return self.text(column).casefold() < other.text(column).casefold()


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
        self._lines: dict[object, _Line] = {}

    def show_numbers(self, rows: Iterable[ShownNumber], stale: Mapping[object, bool]) -> None:
        """Show these; lines that stay keep their place, whether they are open, and their choice."""
        seen: dict[object, _Line] = {}
        self.tree.setSortingEnabled(False)
        for row in rows:
            key = key_of(row.item)
            line = self._lines.get(key)
            if line is None:
                line = _Line(self._parent_of(row))
                line.setData(0, _ITEM, row.item)
            _fill(line, row, is_stale=stale.get(key, False))
            seen[key] = line
        for key, line in self._lines.items():
            if key not in seen:
                _remove(line)
        self._lines = seen
        self.tree.setSortingEnabled(True)
        self._sift()

    def chosen(self) -> list[Measurement]:
        """Numbers that are selected, else all that the filter leaves."""
        picked = [line for line in self._lines.values() if line.isSelected()]
        lines = picked or [line for line in self._lines.values() if not line.isHidden()]
        return [line.data(0, _ITEM) for line in lines]

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
                (line for line in lines if line.text(0) == name and line.data(0, _ITEM) is None), None
            )
            if found is None:
                found = _Line(root, [name])
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
            _hide_empty(root)

    def _lead(self, line: QTreeWidgetItem, _column: int = 0) -> None:
        if (item := line.data(0, _ITEM)) is not None:
            self.clicked.emit(item)

    def _pressed(self, event: Any) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            QTreeWidget.keyPressEvent(self.tree, event)


def children(line: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    """Lines below a line."""
    found = [line.child(at) for at in range(line.childCount())]
    return [child for child in found if child is not None]


def key_of(item: Measurement) -> object:
    """What tells a number from all others."""
    return item.target, item.quantity, item.channel


def _fill(line: _Line, row: ShownNumber, *, is_stale: bool) -> None:
    value = row.exact or "not computed"
    status = STALE if is_stale else f"{row.icon} {row.status}"
    for column, text in enumerate((row.quantity, value, row.unit, status)):
        line.setText(column, text)
        line.setToolTip(column, row.why)
    line.setData(0, _ITEM, row.item)
    line.setData(1, _ITEM, None if row.item.value is None else float(row.item.value))
    font = line.font(1)
    font.setItalic(is_stale)
    for column in range(4):
        line.setFont(column, font)


def _remove(line: QTreeWidgetItem) -> None:
    parent = line.parent()
    if parent is not None:
        parent.removeChild(line)


def _hide_empty(line: QTreeWidgetItem) -> bool:
    """Whether a line shows anything; those that show nothing are hidden."""
    if line.data(0, _ITEM) is not None:
        return not line.isHidden()
    shown = [_hide_empty(child) for child in children(line)]
    line.setHidden(not any(shown))
    return any(shown)
