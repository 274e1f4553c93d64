"""Look: window, planes, and another series over the one that is shown."""

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QGridLayout, QGroupBox, QLabel, QPushButton

from medseg.errors import MedsegError
from medseg.workflows.look import windows_of
from napari_medseg._qt.overlay import Overlay
from napari_medseg._qt.parts import narrow, tipped
from napari_medseg._qt.planes import PlanesDock
from napari_medseg.bridge.layers import VOLUMES
from napari_medseg.bridge.overlay import take_volume
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
        self.window_choice, self.message = QComboBox(), QLabel(wordWrap=True)
        self.overlay = Overlay(viewer, self.layer)
        self.three = tipped(
            QPushButton("Three planes"), "Coronal and sagittal beside the axial; a click moves all"
        )
        self.three.setCheckable(True)
        self.volume = tipped(QPushButton("3D"), "The volume in 3D; again for slices")
        self.volume.setCheckable(True)
        self.take = tipped(
            QPushButton("Take this volume"), "The volume shown as an image of its own, to be measured"
        )
        tipped(
            self.window_choice,
            "Window of the grey scale; the slider of the layer controls reaches all values",
        )
        self._arrange()
        self.window_choice.activated.connect(self.set_window)
        self.three.toggled.connect(self.show_planes)
        self.volume.toggled.connect(self.show_volume)
        self.overlay.said.connect(self.message.setText)
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
            (self.overlay,),
            (self.message,),
        ]
        for row, widgets in enumerate(rows):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column, 1, 3 - len(widgets))
        grid.setColumnStretch(1, 1)
        narrow(self.window_choice)

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
        self.overlay.refresh()
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
            self.planes.gone.connect(lambda: self.three.setChecked(False))
        if self.planes is not None:
            self.planes.set_shown(shown=on)

    def show_volume(self, on: bool) -> None:  # noqa: FBT001 - Qt's signal
        """Between slices and the volume."""
        self.viewer.dims.ndisplay = 3 if on else 2

    def take_volume(self) -> None:
        """Make the volume that is shown an image of its own."""
        layer = self.layer()
        if layer is not None:
            self.message.setText("")
            try:
                take_volume(self.viewer, layer)
            except MedsegError as error:
                self.message.setText(str(error))
