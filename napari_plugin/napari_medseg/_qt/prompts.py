"""The tools for prompts: what is drawn with, on which side, of which object; and what was drawn."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_medseg.bridge.prompts import PromptLayers
from napari_medseg.workspace.prompting import TOOLS, Prompting

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["PromptTools"]

_TIPS = {
    "point": "Click on the object",
    "box": "Drag a rectangle around it; its depth is set below",
    "scribble": "Draw a line through it",
    "lasso": "Draw around a part of it on one slice",
}


class PromptTools(QWidget):
    """Tools with keys P, B, S, L; T is the other side, R the next object; every prompt is answered by itself."""

    #: A tool was asked for; who knows the image takes it up.
    taken_up = Signal(str)
    #: Something that the answer depends on has changed.
    asked = Signal()
    from_mask = Signal()

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.prompting = Prompting()
        self.layers = PromptLayers(viewer, self.prompting)
        self.tools = {tool: self._button(tool.capitalize(), key, _TIPS[tool]) for key, tool in TOOLS.items()}
        for tool, button in self.tools.items():
            button.setCheckable(True)
            button.clicked.connect(lambda _on, tool=tool: self.taken_up.emit(tool))
        self.side = self._button("", "t", "Whether what is drawn next lies in the object; key T")
        self.side.clicked.connect(self.prompting.flip)
        self.next = self._button("Next object", "r", "Go on with another object, under the next number")
        self.undo = self._button("Undo prompt", "u", "Take the last prompt away")
        self.undo.clicked.connect(self.layers.undo)
        self.clear = self._button("Clear", "", "Take all prompts away")
        self.clear.clicked.connect(self.layers.clear)
        self.start = self._button("From mask", "", "Start from the selected mask and find its boundary anew")
        self.start.clicked.connect(self.from_mask.emit)
        self.save = self._button(
            "Save…", "", "Save the prompts; 'medseg segment --prompts FILE' gives the same mask"
        )
        self.load = self._button("Load…", "", "Start from prompts that were saved")
        self.auto = QCheckBox("answer every prompt by itself")
        self.auto.setChecked(True)
        self.box_depth = _millimetres(
            self.prompting.depth_mm, "Depth of a box; 0: draw its first and its last slice"
        )
        self.line_width = _millimetres(self.prompting.width_mm, "Width of a scribble")
        for box in (self.box_depth, self.line_width):
            box.valueChanged.connect(self._set_sizes)
        self._arrange()
        self.prompting.changed.connect(self._show)
        self.layers.changed.connect(self._drawn)
        self._show()

    def keys(self) -> dict[str, Any]:
        """Key → what it does, in a window."""
        tools = {key: lambda _=None, tool=tool: self.taken_up.emit(tool) for key, tool in TOOLS.items()}
        others = {"t": self.side, "r": self.next, "u": self.undo}
        return {
            **tools,
            **{key: lambda _=None, button=button: button.click() for key, button in others.items()},
        }

    def _button(self, text: str, key: str, tip: str) -> QPushButton:
        button = QPushButton(f"{text} ({key.upper()})" if key and text else text)
        button.setToolTip(tip)
        button.setAccessibleDescription(tip)
        return button

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        tools = list(self.tools.values())
        for row in (tools[:2], tools[2:], [self.side, self.next], [self.undo, self.clear]):
            layout.addLayout(_row(row))
        sizes = QFormLayout()
        sizes.addRow("box depth (mm)", self.box_depth)
        sizes.addRow("scribble width (mm)", self.line_width)
        layout.addLayout(sizes)
        layout.addLayout(_row([self.start, self.save, self.load]))
        layout.addWidget(self.auto)

    def _set_sizes(self) -> None:
        self.prompting.depth_mm, self.prompting.width_mm = self.box_depth.value(), self.line_width.value()
        self.prompting.changed.emit()

    def _show(self) -> None:
        said = self.prompting
        for tool, button in self.tools.items():
            button.setChecked(tool == said.tool)
        self.side.setText(f"object {said.label}: {'inside' if said.inside else 'outside'} (T)")

    def _drawn(self) -> None:
        if self.auto.isChecked():
            self.asked.emit()


def _row(buttons: list[QPushButton]) -> QHBoxLayout:
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    return row


def _millimetres(value: float, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox(minimum=0, maximum=1000, singleStep=1, value=value)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box
