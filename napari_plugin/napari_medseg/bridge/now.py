"""What the layers of a window hold at this moment: masks, images, grey windows; and who is told when that changes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from medseg.domain import Image, Segmentation
from medseg.errors import InputError
from napari_medseg.bridge.layers import image_of, segmentation_of
from napari_medseg.bridge.window import UID, Window, window_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

__all__ = ["grey_windows", "images_now", "mask_names", "mask_now", "tell_changes"]

#: Name in a layer's metadata that says that its changes are told already.
_TOLD = "medseg told"


def mask_names(viewer: "Viewer") -> dict[str, str]:
    """Masks of the session by uid, with the names of their layers, in the order of the list."""
    session = window_of(viewer).session
    names = {layer.metadata.get(UID): layer.name for layer in reversed(viewer.layers)}
    return {uid: names[uid] for uid in session.masks if uid in names}


def mask_now(viewer: "Viewer", uid: str) -> Segmentation:
    """A mask as it is shown now, with what was changed by hand in its history. Cost: a pass over its voxels.

    Raises
    ------
    InputError
        If it is not open any more.
    """
    window = window_of(viewer)
    edited, layer = window.session.mask(uid), window.layer(uid)
    if layer is None:
        raise InputError("this mask is not open any more; open or make it again")
    if np.shares_memory(edited.labels, layer.data):
        return edited.now()
    data, meta, _ = layer.as_layer_data_tuple()
    return segmentation_of(data, meta, [item.as_layer_data_tuple() for item in viewer.layers])


def images_now(viewer: "Viewer") -> dict[str, Image]:
    """Images of the session by uid, with the values that their layers show now."""
    window = window_of(viewer)
    found = {}
    for uid, image in window.session.images.items():
        layer = window.layer(uid)
        found[uid] = image if layer is None else image_of(*layer.as_layer_data_tuple()[:2])
    return found


def grey_windows(viewer: "Viewer", channels: dict[str, str]) -> tuple[tuple[str, float, float], ...]:
    """(channel, low, high) as each image is windowed now; `channels` has the uid of each channel's image."""
    layers = {name: window_of(viewer).layer(uid) for name, uid in channels.items()}
    return tuple(
        (name, float(layer.contrast_limits[0]), float(layer.contrast_limits[1]))
        for name, layer in layers.items()
        if layer is not None
    )


def tell_changes(viewer: "Viewer") -> None:
    """Have the session told of every stroke and of replaced values, also of layers that come later."""
    window = window_of(viewer)
    for layer in viewer.layers:
        _tell(window, layer)
    viewer.layers.events.inserted.connect(lambda event: _tell(window, event.value))


def _tell(window: Window, layer: "Layer") -> None:
    uid = layer.metadata.get(UID)
    if uid is None or layer.metadata.get(_TOLD):
        return
    layer.metadata[_TOLD] = True
    is_mask = uid in window.session.masks
    event = window.session.events.mask_changed if is_mask else window.session.events.image_changed

    def told(_event: Any = None) -> None:
        event.emit(uid)

    for name in ("data", "paint", "labels_update"):
        if name in layer.events:
            layer.events[name].connect(told)
