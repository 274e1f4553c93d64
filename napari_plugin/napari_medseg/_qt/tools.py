"""Painting: napari's tools with a brush in mm, and where they may change something."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QWidget,
)

from medseg.geometry import same_grid
from napari_medseg._qt.parts import button, side_by_side
from napari_medseg.bridge.window import window_of

if TYPE_CHECKING:
    from napari import Viewer

    from napari_medseg._qt.masks import MaskChoice

__all__ = ["PaintTools"]

_TOOLS = (
    ("Look", "pan_zoom", "Move and zoom"),
    ("Brush", "paint", "Paint the label that is selected"),
    ("Erase", "erase", "Take voxels away"),
    ("Fill", "fill", "Give all that is joined under the cursor the label that is selected"),
    ("Polygon", "polygon", "Paint what a polygon holds"),
)
_ANYWHERE = "anywhere"


class PaintTools(QWidget):
    """Tools, size of the brush, and limits: inside one label, inside a range of the image."""

    def __init__(self, viewer: "Viewer", choice: "MaskChoice") -> None:
        super().__init__()
        self._viewer, self._choice = viewer, choice
        self.brush = QDoubleSpinBox(minimum=0.1, maximum=500.0, value=10.0, decimals=1, suffix=" mm")
        self.brush.valueChanged.connect(self._resize)
        self.in_3d = QCheckBox("in 3D")
        self.in_3d.toggled.connect(self._deepen)
        self.inside, self.low, self.high = QComboBox(), QLineEdit(), QLineEdit()
        self.inside.currentIndexChanged.connect(self._limit)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow(self._tools())
        layout.addRow("Brush", side_by_side(self.brush, self.in_3d))
        layout.addRow("Paint only", self.inside)
        layout.addRow("where values are", side_by_side(self.low, self.high))
        for field, name, tip in (
            (self.brush, "Size of the brush", "Diameter of the brush in mm"),
            (self.in_3d, "Paint in 3D", "Paint through the slices too"),
            (self.inside, "Paint only inside", "Change only voxels of this label; 0 is what has none"),
            (self.low, "Lowest value", "Change only voxels whose value is at least this; empty: no limit"),
            (self.high, "Highest value", "Change only voxels whose value is at most this; empty: no limit"),
        ):
            field.setAccessibleName(name)
            field.setToolTip(tip)
        for line, hint in ((self.low, "from"), (self.high, "to")):
            line.setPlaceholderText(hint)
            line.editingFinished.connect(self._limit)

    def refresh(self) -> None:
        """Offer the labels of the mask that is chosen, and show what it has."""
        mask = self._choice.current
        self.setEnabled(mask is not None)
        if mask is None:
            return
        kept = mask.limits.inside
        self.inside.blockSignals(True)  # noqa: FBT003 - Qt's signature
        self.inside.clear()
        self.inside.addItem(_ANYWHERE, None)
        self.inside.addItem("where no label is", 0)
        for label in mask.table.labels:
            self.inside.addItem(f"inside {label.name}", label.value)
        self.inside.setCurrentIndex(max(self.inside.findData(kept), 0))
        self.inside.blockSignals(False)  # noqa: FBT003

    def lock(self, values: frozenset[int]) -> None:
        """Labels that painting may not change."""
        if (mask := self._choice.current) is not None:
            mask.limits = replace(mask.limits, locked=values)

    def _tools(self) -> QWidget:
        buttons = []
        for name, mode, tip in _TOOLS:
            buttons.append(button(name, tip, partial(self._use, mode)))
        return side_by_side(*buttons)

    def _use(self, mode: str) -> None:
        layer = self._choice.layer
        if layer is not None and self._choice.current is not None:
            self._viewer.layers.selection.active = layer
            layer.mode = mode
            self._resize(self.brush.value())

    def _resize(self, diameter: float) -> None:
        """Napari's brush has its size in the world of the window, which is mm for every layer of medseg."""
        if (layer := self._choice.layer) is not None:
            layer.brush_size = diameter

    def _deepen(self, deep: bool) -> None:  # noqa: FBT001 - Qt's signal
        if (layer := self._choice.layer) is not None:
            layer.n_edit_dimensions = 3 if deep else 2

    def _limit(self, _index: Any = None) -> None:
        mask = self._choice.current
        if mask is None:
            return
        ends = []
        for line in (self.low, self.high):
            try:
                ends.append(float(line.text()) if line.text().strip() else None)
            except ValueError:
                self._choice.say(f"{line.text()!r} is no number")
                return
        image = window_of(self._viewer).session.images.get(mask.image or "")
        if any(end is not None for end in ends) and (
            image is None or not same_grid(image.grid, mask.before.grid)
        ):
            self._choice.say("A range needs an image on the mask's grid; open it, or leave the range empty.")
            return
        self._choice.say("")
        mask.limits = replace(
            mask.limits, inside=self.inside.currentData(), low=ends[0], high=ends[1], image=image
        )
