"""Which model or method: the list, and what a user must know of the one chosen."""

from html import escape

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from medseg.domain import ModelCard, Segmenter
from medseg.workflows.segmenters import find_segmenter, list_segmenters

__all__ = ["SegmenterChoice", "about"]

_GROUPS = {"model": "Models", "prompted": "From prompts", "classical": "Methods"}


class SegmenterChoice(QWidget):
    """The list by kind, and the card of the one chosen."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice = QComboBox()
        self.choice.setAccessibleName("model or method")
        self.choice.setToolTip("What finds the structure")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(20)
        self.card = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice)
        layout.addWidget(self.card)
        self._fill()
        self.choice.currentIndexChanged.connect(self._choose)
        self._choose()

    def _fill(self) -> None:
        found = list(list_segmenters())
        for kind, title in _GROUPS.items():
            specs = [item.spec for item in found if item.spec.kind == kind]
            if not specs:
                continue
            self.choice.addItem(title)
            model = self.choice.model()
            model.item(self.choice.count() - 1).setEnabled(False)  # type: ignore[attr-defined]
            for spec in specs:
                self.choice.addItem(f"  {spec.title}", spec.name)
        self.choice.setCurrentIndex(1)

    def _choose(self) -> None:
        name = self.choice.currentData()
        if name is None:
            return
        self.segmenter: Segmenter = find_segmenter(name)
        self.card.setText(about(self.segmenter))
        self.chosen.emit()


def about(segmenter: Segmenter) -> str:
    """A segmenter in HTML: what it does, whose it is, what it may be used for and where it fails."""
    spec = segmenter.spec
    card = getattr(segmenter, "card", None)
    lines = [escape(spec.summary)]
    if isinstance(card, ModelCard):
        lines += [
            f"<b>Version</b> {escape(card.version)} · <b>Licence</b> {escape(card.licence or 'not stated')}",
            f"<b>Finds</b> {escape(', '.join(label.name for label in card.table.labels[:12]))}",
            f"<b>Use</b> {escape(card.intended_use)}",
            *(f"<b>Limit</b> {escape(limit)}" for limit in card.limits),
        ]
    else:
        lines.append(f"<small>{escape(spec.source)}</small>")
    return "<br>".join(lines)
