"""Which layer is which channel: proposed, shown, and doubted aloud."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image as ImageLayer
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QWidget

from medseg.domain import Image, SegmenterSpec
from medseg.errors import InputError
from napari_medseg._qt.job import is_alive
from napari_medseg.bridge.layers import image_of, oblique_note, placement_of
from napari_medseg.bridge.placement import Placement, kept_value
from napari_medseg.workspace.assign import doubts, propose

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["ChannelChoice"]

_NOTHING = "choose an image"


class ChannelChoice(QWidget):
    """One row per channel; layers that come, go or are renamed are followed."""

    def __init__(self, viewer: "Viewer", spec: SegmenterSpec) -> None:
        super().__init__()
        self.viewer, self.spec = viewer, spec
        self.boxes: dict[str, QComboBox] = {}
        self._images: list[ImageLayer] = []
        self._by_hand: set[str] = set()
        self.note = QLabel(wordWrap=True)
        self.note.setAccessibleName("about the images")
        self.same_space = QCheckBox("channels share one world space")
        self.same_space.setToolTip(
            "Declare it where the files don't say so; never for scans of different positions"
        )
        self.same_space.setVisible(len(spec.channels) > 1)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for need in spec.channels:
            box = QComboBox()
            box.setAccessibleName(f"image for {need.name}")
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.activated.connect(lambda _at, name=need.name: self._by_hand.add(name))
            box.currentIndexChanged.connect(self._show_note)
            self.boxes[need.name] = box
            layout.addRow(f"{need.name}{f' ({need.modality})' if need.modality else ''}", box)
        layout.addRow(self.same_space)
        layout.addRow(self.note)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self.refresh)
        self.refresh()

    def refresh(self, _event: Any = None) -> None:
        """Offer the image layers that there are now; what a user chose stays chosen, also under a new name."""
        if not is_alive(self):
            return
        before = {name: self._chosen(name) for name in self.boxes}
        self._images = [layer for layer in self.viewer.layers if isinstance(layer, ImageLayer)]
        for layer in self._images:
            layer.events.name.connect(self.refresh)
        proposed = self._proposed()
        for channel, box in self.boxes.items():
            kept = before[channel] if channel in self._by_hand else None
            layer = kept if kept in self._images else proposed[channel]
            box.blockSignals(True)  # noqa: FBT003 - Qt's signature
            box.clear()
            box.addItems([_NOTHING, *(item.name for item in self._images)])
            box.setCurrentIndex(0 if layer is None else 1 + self._images.index(layer))
            box.blockSignals(False)  # noqa: FBT003
        self._show_note()

    def inputs(self) -> tuple[dict[str, Image], dict[str, Placement]]:
        """Image and place in the window of each channel.

        Raises
        ------
        InputError
            If a channel has no layer, or its layer is no image that can be segmented.
        """
        images, places = {}, {}
        for name in self.boxes:
            layer = self._chosen(name)
            if layer is None:
                what = (
                    "open an image first: drop a file on the window"
                    if not self._images
                    else f"choose {name}'s image"
                )
                raise InputError(what)
            data, meta, _ = layer.as_layer_data_tuple()
            images[name], places[name] = image_of(data, meta), placement_of(data, meta)
        return images, places

    def _proposed(self) -> dict[str, ImageLayer | None]:
        found = propose(self.spec, {layer.name: _modality(layer) for layer in self._images})
        by_name = {layer.name: layer for layer in self._images}
        chosen = {channel: None if name is None else by_name[name] for channel, name in found.items()}
        if len(chosen) == 1 and self._images and None in chosen.values():
            active = self.viewer.layers.selection.active
            return dict.fromkeys(chosen, active if active in self._images else self._images[0])
        return chosen

    def _chosen(self, channel: str) -> ImageLayer | None:
        at = self.boxes[channel].currentIndex() - 1
        return self._images[at] if 0 <= at < len(self._images) else None

    def _show_note(self, _index: int = 0) -> None:
        """What speaks against the choice, and what is not shown as it lies in the patient."""
        layers = {name: layer for name in self.boxes if (layer := self._chosen(name)) is not None}
        modalities = {layer.name: _modality(layer) for layer in layers.values()}
        notes = list(doubts(self.spec, {name: layer.name for name, layer in layers.items()}, modalities))
        for layer in layers.values():
            kept = kept_value({"metadata": layer.metadata})
            note = oblique_note(kept) if isinstance(kept, Image) else ""
            notes += [f"{layer.name}: {note}"] if note else []
        self.note.setText("\n".join(notes))
        self.note.setVisible(bool(notes))


def _modality(layer: ImageLayer) -> str | None:
    kept = kept_value({"metadata": layer.metadata})
    return kept.modality if isinstance(kept, Image) else None
