"""One session for each viewer: layers that come and go are told to it."""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from medseg.domain import Image, Segmentation
from napari_medseg.bridge.placement import kept_value
from napari_medseg.workspace import Session

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import LayerList
    from napari.layers import Layer

__all__ = ["UID", "Window", "window_of"]

#: Name in a layer's metadata of the uid of what it shows.
UID = "medseg uid"

_WINDOWS: "WeakKeyDictionary[Any, Window]" = WeakKeyDictionary()


class Window:
    """Layers of a viewer and its session: each layer with a value of medseg has a uid of the session in its metadata.

    It keeps no viewer alive: what needs one is given it.
    """

    def __init__(self, layers: "LayerList") -> None:
        self.session = Session()
        self._layers = ref(layers)
        for layer in layers:
            self._take(layer)
        layers.events.inserted.connect(self._inserted)
        layers.events.removed.connect(self._removed)

    def layer(self, uid: str) -> "Layer | None":
        """The first layer that shows this image or mask."""
        return next((layer for layer in self._layers() or () if layer.metadata.get(UID) == uid), None)

    def _inserted(self, event: Any) -> None:
        self._take(event.value)

    def _removed(self, event: Any) -> None:
        uid = event.value.metadata.get(UID)
        if uid is not None and self.layer(uid) is None:
            self.session.remove(uid)

    def _take(self, layer: "Layer") -> None:
        if layer.metadata.get(UID) in {**self.session.images, **self.session.masks}:
            return
        value = kept_value({"metadata": layer.metadata})
        if isinstance(value, Image):
            layer.metadata[UID] = self.session.add_image(value)
        elif isinstance(value, Segmentation):
            layer.metadata[UID] = self.session.add_mask(value).uid


def window_of(viewer: "Viewer") -> Window:
    """The one Window of a viewer, made when it is first asked for.

    napari hands plugins a proxy of the viewer; its layer list is the same object behind each.
    """
    key = viewer.layers
    if key not in _WINDOWS:
        _WINDOWS[key] = Window(key)
    return _WINDOWS[key]
