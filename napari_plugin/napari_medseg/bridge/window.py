"""One session for each viewer: layers that come and go are told to it."""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Labels

from medseg.domain import Image, Segmentation
from medseg.domain.values import same_values
from medseg.errors import InputError
from medseg.settings import work_folder
from medseg.workflows.look import full_range
from napari_medseg.bridge.events import LayerLink
from napari_medseg.bridge.layers import dress, labels_layer, placement_of, segmentation_of
from napari_medseg.bridge.placement import KEY, ORDER, Placement, kept_value, place_grid
from napari_medseg.workspace import EditedMask, Session
from napari_medseg.workspace.review import Review

if TYPE_CHECKING:
    from pathlib import Path

    from napari import Viewer
    from napari.components import LayerList
    from napari.layers import Layer

__all__ = ["UID", "Window", "bare", "open_range", "review_of", "window_of"]

#: Name in a layer's metadata of the uid of what it shows.
UID = "medseg uid"

_WINDOWS: "WeakKeyDictionary[Any, Window]" = WeakKeyDictionary()


class Window:
    """Layers of a viewer and its session: each layer with a value of medseg has a uid of the session in its metadata.

    It keeps no viewer alive: what needs one is given it.
    """

    def __init__(self, layers: "LayerList") -> None:
        self.session = Session(work_folder())
        self.review = Review(self.session)
        self._layers = ref(layers)
        self._links: dict[str, LayerLink] = {}
        for layer in layers:
            self._take(layer)
        layers.events.inserted.connect(self._inserted)
        layers.events.removed.connect(self._removed)

    def layer(self, uid: str) -> "Layer | None":
        """The first layer that shows this image or mask."""
        return next((layer for layer in self._layers() or () if layer.metadata.get(UID) == uid), None)

    def mask_of(self, layer: "Layer | None") -> EditedMask | None:
        """The mask that a layer shows; None for a layer that none is known of."""
        return None if layer is None else self.session.masks.get(layer.metadata.get(UID, ""))

    def fault_of(self, uid: str) -> str:
        """Why a layer no longer shows its mask, or its changes are not kept; empty where all is well."""
        link = self._links.get(uid)
        return "" if link is None else link.fault or link.mask.fault

    def adopt(self, layer: "Labels", image: str) -> EditedMask:
        """Work on a labels layer that medseg did not make, as a mask of an open image.

        Raises
        ------
        InputError
            If it does not have the image's voxels at their places in the window, or holds what is no label.
        """
        below = self.layer(image)
        if not isinstance(below, ImageLayer):
            raise InputError("this image is not open any more; choose another one")
        data, meta, _ = layer.as_layer_data_tuple()
        own, there = placement_of(data, meta), placement_of(*below.as_layer_data_tuple()[:2])
        if not own.lies_on(there):
            raise InputError(
                f"layer {layer.name!r} has {own.shape} voxels, and not those of {below.name!r} ({there.shape}) at "
                "their places; take away its scale, shift or rotation, or draw in a new layer over the image"
            )
        layer.metadata[KEY], layer.metadata[ORDER] = self.session.images[image], there.order
        try:
            found = segmentation_of(data, layer.as_layer_data_tuple()[1])
        except InputError:
            del layer.metadata[KEY], layer.metadata[ORDER]
            raise
        if not layer.multiscale and not isinstance(layer.data, np.ndarray):
            layer.data = np.asarray(layer.data)
        mask = self.session.add_mask(found, image=image)
        self._join(layer, mask, Placement(there.grid, there.order, own.matrix, own.units))
        dress(layer, mask.table)
        return mask

    def reopen(self, path: "Path") -> "Labels":
        """Work that a window left which is gone, as a layer of this one."""
        mask = self.session.reopen(path)
        image = self.layer(mask.image or "")
        place = (
            place_grid(mask.before.grid) if image is None else placement_of(*image.as_layer_data_tuple()[:2])
        )
        data, meta, _ = labels_layer(mask.now(), mask.name, place)
        meta["metadata"] = {KEY: mask.before, ORDER: place.order, UID: mask.uid}
        layer = Labels(data, **meta)
        self._link(layer, mask, Placement(mask.before.grid, place.order, place.matrix, place.units))
        layers = self._layers()
        if layers is not None:
            layers.append(layer)
        return layer

    def _inserted(self, event: Any) -> None:
        self._take(event.value)

    def _removed(self, event: Any) -> None:
        uid = event.value.metadata.get(UID)
        if uid is not None and self.layer(uid) is None:
            if (link := self._links.pop(uid, None)) is not None:
                link.cut()
            self.session.remove(uid)

    def _take(self, layer: "Layer") -> None:
        uid = layer.metadata.get(UID)
        if uid in {**self.session.images, **self.session.masks} and self.layer(uid) in (layer, None):
            return
        value = kept_value({"metadata": layer.metadata})
        if isinstance(layer, ImageLayer) and isinstance(value, Image):
            layer.metadata[UID] = self.session.add_image(value)
            open_range(layer, value)
        elif isinstance(layer, Labels) and isinstance(value, Segmentation):
            self._take_mask(layer, value)

    def _take_mask(self, layer: "Labels", value: Segmentation) -> None:
        """A layer made by medseg; a duplicate of one has an array of its own and becomes a mask of its own."""
        data, meta, _ = layer.as_layer_data_tuple()
        try:
            place = placement_of(data, meta)
            found = self._shown_twice(layer, place) or segmentation_of(data, meta)
        except InputError:
            return  # it is no longer what medseg made
        file = layer.source.path if found is value else None
        layer.metadata[KEY] = found
        self._join(layer, self.session.add_mask(found, file=str(file or "")), place)

    def _shown_twice(self, layer: "Labels", place: Placement) -> Segmentation | None:
        """The mask that another layer shows, if this one has its uid and its voxels."""
        first = self.mask_of(layer)
        if first is None or layer.multiscale:
            return None
        same = same_values(first.labels, place.restore(np.asarray(layer.data).reshape(place.shape)))
        return first.now() if same else None

    def _join(self, layer: "Labels", mask: EditedMask, place: Placement) -> None:
        layer.metadata[KEY], layer.metadata[ORDER], layer.metadata[UID] = mask.before, place.order, mask.uid
        self._link(layer, mask, place)

    def _link(self, layer: "Labels", mask: EditedMask, place: Placement) -> None:
        self._links[mask.uid] = LayerLink(layer, mask, place)


def bare(item: Any) -> Any:
    """What is behind napari's proxy, of which a plugin gets a new one each time."""
    return getattr(item, "__wrapped__", item)


def open_range(layer: "Layer", image: Image) -> None:
    """Let the slider of an image layer reach all values, not those of its window only; PET gets a colour bar."""
    limits = layer.contrast_limits
    low, high = full_range(image)
    layer.contrast_limits_range = (min(low, limits[0]), max(high, limits[1]))
    layer.colorbar.visible = image.is_pet


def window_of(viewer: "Viewer") -> Window:
    """The one Window of a viewer, made when it is first asked for.

    napari hands plugins a proxy of the viewer, which gives a new proxy of the layer list each time; behind all of them
    is the same list.
    """
    key = bare(viewer.layers)
    if key not in _WINDOWS:
        _WINDOWS[key] = Window(key)
    return _WINDOWS[key]


def review_of(viewer: "Viewer") -> Review:
    """The review of what a viewer shows."""
    return window_of(viewer).review
