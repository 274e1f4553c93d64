"""Look: window, planes, and another series over the one that is shown."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QGroupBox, QLabel, QPushButton

from medseg.errors import MedsegError
from medseg.workflows.look import windows_of
from napari_medseg._qt.parts import tipped
from napari_medseg._qt.planes import PlanesDock
from napari_medseg.bridge.layers import VOLUMES
from napari_medseg.bridge.overlay import lay_over, take_volume
from napari_medseg.bridge.signs import image_behind, signs_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

__all__ = ["LookBox"]


class LookBox(QGroupBox):
    """How the image on top, or the one selected in the list of layers, is looked at.

    Parameters
    ----------
    viewer
        The viewer.
    """

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__("Look")
        self.viewer = viewer
        self.signs = signs_of(viewer)
        self.planes: PlanesDock | None = None
        self.window_choice, self.over, self.message = QComboBox(), QComboBox(), QLabel(wordWrap=True)
        self.three = tipped(
            QPushButton("Three planes"), "Coronal and sagittal beside the axial; a click moves all"
        )
        self.three.setCheckable(True)
        self.volume = tipped(QPushButton("3D"), "The volume in 3D; again for slices")
        self.volume.setCheckable(True)
        self.squares = tipped(QCheckBox("squares"), "A checkerboard of both, to see how they fit")
        self.declared = tipped(
            QCheckBox("they share one space"),
            "You know it where the files don't say it",
        )
        self.lay = tipped(
            QPushButton("Lay over"), "Show this series on the grid of the image on top; display only"
        )
        self.take = tipped(
            QPushButton("Take this volume"), "The volume shown as an image of its own, to be measured"
        )
        tipped(
            self.window_choice,
            "Window of the grey scale; the slider of the layer controls reaches all values",
        )
        tipped(self.over, "Another series, to be laid over the one on top")
        self._arrange()
        self.window_choice.activated.connect(self.set_window)
        self.three.toggled.connect(self.show_planes)
        self.volume.toggled.connect(self.show_volume)
        self.lay.clicked.connect(self.lay_over)
        self.take.clicked.connect(self.take_volume)
        layers = viewer.layers.events
        for event in (
            layers.inserted,
            layers.removed,
            layers.reordered,
            viewer.layers.selection.events.active,
        ):
            event.connect(self.refresh)
        self.refresh()

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        rows: list[tuple[Any, ...]] = [
            (QLabel("window"), self.window_choice),
            (self.three, self.volume),
            (self.take,),
            (QLabel("over it"), self.over),
            (self.squares, self.lay),
            (self.declared,),
            (self.message,),
        ]
        for row, widgets in enumerate(rows):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column, 1, 3 - len(widgets))
        grid.setColumnStretch(1, 1)
        for choice in (self.window_choice, self.over):
            choice.setMinimumContentsLength(8)
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def layer(self) -> "Layer | None":
        """The image that is looked at: the one selected, else the one on top."""
        active = self.viewer.layers.selection.active
        if active is not None and image_behind(active, self.viewer) is not None:
            return active
        return self.signs.base()

    def refresh(self, _event: Any = None) -> None:
        """Offer what there is now."""
        layer = self.layer()
        image = None if layer is None else image_behind(layer, self.viewer)
        self.window_choice.clear()
        for item in () if image is None else windows_of(image):
            self.window_choice.addItem(item.name, (item.low, item.high))
        others = [
            item
            for item in self.viewer.layers
            if image_behind(item, self.viewer) is not None and item != layer
        ]
        self.over.clear()
        self.over.addItems([item.name for item in others])
        for widget in (self.over, self.squares, self.declared, self.lay):
            widget.setEnabled(bool(others))
        self.take.setVisible(layer is not None and VOLUMES in layer.metadata)

    def set_window(self, at: int) -> None:
        """Take a named window for the image that is looked at."""
        layer, limits = self.layer(), self.window_choice.itemData(at)
        if layer is not None and limits is not None:
            low, high = layer.contrast_limits_range
            layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
            layer.contrast_limits = limits

    def show_planes(self, on: bool) -> None:  # noqa: FBT001 - Qt's signal
        """Open or close the other two planes."""
        if on and self.planes is None:
            self.planes = PlanesDock(self.viewer, self)
        if self.planes is not None:
            self.planes.set_shown(shown=on)

    def show_volume(self, on: bool) -> None:  # noqa: FBT001 - Qt's signal
        """Between slices and the volume."""
        self.viewer.dims.ndisplay = 3 if on else 2

    def lay_over(self) -> None:
        """Lay the chosen series over the image that is looked at."""
        base = self.layer()
        if base is not None and self.over.currentText():
            moving = self.viewer.layers[self.over.currentText()]
            self._do(
                lambda: lay_over(
                    self.viewer,
                    moving,
                    base,
                    squares=self.squares.isChecked(),
                    same_space=self.declared.isChecked(),
                )
            )

    def take_volume(self) -> None:
        """Make the volume that is shown an image of its own."""
        layer = self.layer()
        if layer is not None:
            self._do(lambda: take_volume(self.viewer, layer))

    def _do(self, act: Any) -> None:
        self.message.setText("")
        try:
            act()
        except MedsegError as error:
            self.message.setText(str(error))
