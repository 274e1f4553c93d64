"""What to do with a second answer of the same segmenter: replace the first, keep both, or compare them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medseg.domain import Segmentation
from napari_medseg.bridge.placement import Placement
from napari_medseg.bridge.results import earlier_mask, place_result, show_mask

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["AgainChoice"]

_WAYS = {
    "replace": ("Replace", "The earlier mask becomes this one"),
    "keep": ("Keep both", "This one becomes a layer of its own"),
    "compare": ("Compare", "Keep both, and show what differs in a third layer"),
}


class AgainChoice(QWidget):
    """Three buttons, hidden until there is something to choose.

    Parameters
    ----------
    viewer
        That gets the layers.
    """

    #: What is to be said of the way that was chosen.
    said = Signal(str)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self.text = QLabel(wordWrap=True)
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout()
        for way, (title, tip) in _WAYS.items():
            button = QPushButton(title)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked, way=way: self._choose(way))
            self.buttons[way] = button
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self._then: Callable[[str], str] | None = None
        self.hide()

    def show_or_ask(self, found: Segmentation, places: tuple[Placement, ...]) -> None:
        """Show an answer as a layer; of one that there is already, offer the three ways."""
        self.drop()
        before = earlier_mask(self._viewer, found)
        if before is None:
            show_mask(self._viewer, found, places)
            return
        self._then = lambda way: place_result(self._viewer, before, found, places, way)
        self.text.setText(f"There is a mask “{before.name}” already.")
        self.show()

    def drop(self) -> None:
        """Ask no longer; the answer is forgotten."""
        self._then = None
        self.hide()

    def _choose(self, way: str) -> None:
        then = self._then
        self.drop()
        if then is not None:
            self.said.emit(then(way))
