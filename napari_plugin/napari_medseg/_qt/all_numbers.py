"""All numbers: the tree, and what can be done with those that are chosen in it."""

from collections.abc import Callable

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_medseg._qt.numbers import NumberTree
from napari_medseg._qt.parts import button, side_by_side

__all__ = ["AllNumbers"]


class AllNumbers(QWidget):
    """Tree with its buttons below.

    Parameters
    ----------
    export
        Writes the chosen numbers.
    """

    def __init__(self, export: Callable[[], None]) -> None:
        super().__init__()
        self.tree = NumberTree()
        copy_tip = "Copy the chosen numbers, or all shown, with every digit"
        export_tip = "Write the chosen numbers, or all shown, as CSV"
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree, stretch=1)
        layout.addWidget(
            side_by_side(button("Copy", copy_tip, self.tree.copy), button("Export …", export_tip, export))
        )
