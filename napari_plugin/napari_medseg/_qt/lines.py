"""Lines of the tree of numbers: sorted by number, grey where stale, hidden where a filter leaves nothing."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTreeWidgetItem

from medseg.domain import Measurement
from medseg.workflows.digits import ShownNumber

__all__ = ["ITEM", "STALE", "NumberLine", "children", "fill", "hide_empty", "key_of", "remove"]

#: Where a line keeps its Measurement, and in its second column the number to sort by.
ITEM = Qt.ItemDataRole.UserRole
#: Said of what the mask has changed since.
STALE = "being measured"


class NumberLine(QTreeWidgetItem):
    """A line that is sorted by its number, not by its text."""

    def __lt__(self, other: QTreeWidgetItem) -> bool:
        tree = self.treeWidget()
        column = tree.sortColumn() if tree is not None else 0
        mine, theirs = self.data(column, ITEM), other.data(column, ITEM)
        if column == 1 and isinstance(mine, float) and isinstance(theirs, float):
            return mine < theirs
        return self.text(column).casefold() < other.text(column).casefold()


def children(line: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    """Lines below a line."""
    found = [line.child(at) for at in range(line.childCount())]
    return [child for child in found if child is not None]


def key_of(item: Measurement) -> object:
    """What tells a number from all others."""
    return item.target, item.quantity, item.channel


def fill(line: NumberLine, row: ShownNumber, *, is_stale: bool) -> None:
    """Show a number; what is stale is in italics and says so."""
    value = row.exact or "not computed"
    status = STALE if is_stale else f"{row.icon} {row.status}"
    for column, text in enumerate((row.quantity, value, row.unit, status)):
        line.setText(column, text)
        line.setToolTip(column, row.why)
    line.setData(0, ITEM, row.item)
    line.setData(1, ITEM, None if row.item.value is None else float(row.item.value))
    font = line.font(1)
    font.setItalic(is_stale)
    for column in range(4):
        line.setFont(column, font)


def remove(line: QTreeWidgetItem) -> None:
    """Take a line out of its tree."""
    parent = line.parent()
    if parent is not None:
        parent.removeChild(line)


def hide_empty(line: QTreeWidgetItem) -> bool:
    """Whether a line shows anything; those that show nothing are hidden."""
    if line.data(0, ITEM) is not None:
        return not line.isHidden()
    shown = [hide_empty(child) for child in children(line)]
    line.setHidden(not any(shown))
    return any(shown)
