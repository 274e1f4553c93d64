"""What to do with a second answer of the same segmenter: replace the first, keep both, or compare them."""

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

__all__ = ["AgainChoice"]

_WAYS = {
    "replace": ("Replace", "The earlier mask becomes this one"),
    "keep": ("Keep both", "This one becomes a layer of its own"),
    "compare": ("Compare", "Keep both, and show what differs in a third layer"),
}


class AgainChoice(QWidget):
    """Three buttons, hidden until there is something to choose."""

    def __init__(self) -> None:
        super().__init__()
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
        self._then: Callable[[str], None] | None = None
        self.hide()

    def ask(self, name: str, then: Callable[[str], None]) -> None:
        """Offer the three ways; `then` is called with the one chosen."""
        self._then = then
        self.text.setText(f"There is a mask “{name}” already.")
        self.show()

    def drop(self) -> None:
        """Ask no longer; the answer is forgotten."""
        self._then = None
        self.hide()

    def _choose(self, way: str) -> None:
        then = self._then
        self.drop()
        if then is not None:
            then(way)
