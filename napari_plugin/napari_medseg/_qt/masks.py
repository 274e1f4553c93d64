"""Which mask a panel works on: the labels layer that is chosen in napari's list, or here; others can be taken in."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medseg.errors import MedsegError
from napari_medseg.bridge.measuring import DRAWN
from napari_medseg.bridge.window import bare, window_of
from napari_medseg.workspace import EditedMask

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["MaskChoice"]

_NONE = "There is no mask: segment, open one, or add a labels layer over an image."


class MaskChoice(QWidget):
    """A list of the labels layers; one that medseg does not know is taken in on an image that is chosen beside it."""

    #: Another mask, or none, is worked on.
    chosen = Signal()

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._window = window_of(viewer)
        self._layers: list[Labels] = []
        self._known: tuple[Any, str] = (None, "")
        self._build()
        events = viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self._refresh)
        viewer.layers.selection.events.active.connect(self._follow)
        self._refresh()

    @property
    def layer(self) -> Labels | None:
        """The layer that is chosen."""
        at = self.box.currentIndex()
        return self._layers[at] if 0 <= at < len(self._layers) else None

    @property
    def current(self) -> EditedMask | None:
        """The mask of it; None for a layer that was not taken in."""
        return self._window.mask_of(self.layer)

    def say(self, text: str) -> None:
        """A line below the list."""
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def _build(self) -> None:
        self.box, self.image_box = QComboBox(), QComboBox()
        self.box.setAccessibleName("Mask")
        self.box.setToolTip("The mask that is worked on")
        self.box.currentIndexChanged.connect(self._picked)
        self.image_box.setAccessibleName("Image of the mask")
        self.image_box.setToolTip("The image whose voxels these labels are of")
        self.adopt_button = QPushButton("Work on it")
        self.adopt_button.setToolTip("Take these labels in as a mask of this image")
        self.adopt_button.clicked.connect(self._adopt)
        self.foreign = QWidget()
        row = QHBoxLayout(self.foreign)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("of"))
        row.addWidget(self.image_box, stretch=1)
        row.addWidget(self.adopt_button)
        self.message = QLabel(wordWrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.box, self.foreign, self.message):
            layout.addWidget(widget)
        for box in (self.box, self.image_box):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)

    def _refresh(self, _event: Any = None) -> None:
        """Layers that there are now; what was chosen stays, else the one on top."""
        before, known = self.layer, self._layers
        self._layers = [bare(layer) for layer in reversed(self._viewer.layers) if _is_mask(layer)]
        for layer in self._layers:
            layer.events.name.connect(self._rename)
        self._silently(self.box, [layer.name for layer in self._layers])
        active = bare(self._viewer.layers.selection.active)
        if active not in known and active in self._layers:
            before = active  # a layer that has just come
        kept = next((at for at, layer in enumerate(self._layers) if layer is before), 0)
        self.box.setCurrentIndex(kept if self._layers else -1)
        self._picked()

    def _rename(self, _event: Any = None) -> None:
        for at, layer in enumerate(self._layers):
            self.box.setItemText(at, layer.name)

    def _follow(self, _event: Any = None) -> None:
        active = bare(self._viewer.layers.selection.active)
        at = next((at for at, layer in enumerate(self._layers) if layer is active), None)
        if at is not None:
            self.box.setCurrentIndex(at)

    def _picked(self, _index: int = 0) -> None:
        layer, mask = self.layer, self.current
        self.foreign.setVisible(layer is not None and mask is None)
        self.say(_NONE if layer is None else "")
        if self.foreign.isVisibleTo(self):
            self._offer_images()
        now = (layer, "" if mask is None else mask.uid)
        if now[0] is not self._known[0] or now[1] != self._known[1]:
            self._known = now
            self.chosen.emit()

    def _offer_images(self) -> None:
        uids = [uid for uid in self._window.session.images if self._window.layer(uid) is not None]
        self._silently(self.image_box, [self._window.layer(uid).name for uid in uids])  # type: ignore[union-attr]
        for at, uid in enumerate(uids):
            self.image_box.setItemData(at, uid)
        self.adopt_button.setEnabled(bool(uids))
        self.say("" if uids else "These labels are of no image that is open: open it first.")

    def _adopt(self) -> None:
        layer, image = self.layer, self.image_box.currentData()
        if layer is not None and image is not None:
            self._try(lambda: self._window.adopt(layer, image))

    def _try(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except MedsegError as error:
            self.say(str(error))
            return
        self._picked()

    @staticmethod
    def _silently(box: QComboBox, names: list[str]) -> None:
        box.blockSignals(True)  # noqa: FBT003 - Qt's signature
        box.clear()
        box.addItems(names)
        box.blockSignals(False)  # noqa: FBT003


def _is_mask(layer: Any) -> bool:
    return isinstance(layer, Labels) and DRAWN not in layer.metadata
