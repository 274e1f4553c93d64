"""Two things side by side in napari's grid: one camera and one slider in mm, so both show the same place.

What is compared is shown by copies on top of the list, which share their voxels with the layers that they show, and
can't be painted on; all else is hidden as long, and comes back as it was.
"""

from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_medseg.bridge.layers import labels_layer, placement_of
from napari_medseg.bridge.placement import KEY
from napari_medseg.bridge.window import UID, window_of
from napari_medseg.workspace.compare import Comparison

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

__all__ = ["DIFFERENCE", "SIDE", "end_beside", "is_beside", "show_beside", "show_difference"]

#: Name in a copy's metadata of the side it is on; and in a hidden layer's, that it was visible.
SIDE, _WAS_VISIBLE = "medseg side", "medseg was visible"
DIFFERENCE = "difference"
_PER_SIDE = 2


def is_beside(viewer: "Viewer") -> bool:
    """Whether two things are side by side now."""
    return any(SIDE in layer.metadata for layer in viewer.layers)


def show_beside(viewer: "Viewer", first: str, second: str) -> None:
    """Show two masks, or images, by uid: the first on the left, the second on the right, each over its image."""
    end_beside(viewer)
    parts = {"left": _layers_of(viewer, first), "right": _layers_of(viewer, second)}
    for layer in viewer.layers:
        layer.metadata[_WAS_VISIBLE] = layer.visible
        layer.visible = False
    images = []
    for side in ("right", "left"):  # the top of the list comes first in the grid
        layers = parts[side]
        for number, layer in enumerate([layers[0]] * (_PER_SIDE - len(layers)) + layers):
            copy = _copy(viewer, layer, f"{layer.name} ({side}{' below' * (number == 0)})", side)
            if not isinstance(copy, Labels):
                images.append(copy)
    if window_of(viewer).layer(first) is not window_of(viewer).layer(second) and _same_image(parts):
        viewer.layers.link_layers(images, ["contrast_limits", "gamma", "colormap"])
    grid = viewer.canvas.grid
    grid.stride, grid.shape, grid.enabled = -_PER_SIDE, (1, 2), True
    viewer.reset_view()


def end_beside(viewer: "Viewer") -> None:
    """One picture again, with all layers as they were."""
    if not is_beside(viewer):
        return
    viewer.canvas.grid.enabled = False
    for layer in [layer for layer in viewer.layers if SIDE in layer.metadata]:
        viewer.layers.remove(layer)
    for layer in viewer.layers:
        if _WAS_VISIBLE in layer.metadata:
            layer.visible = layer.metadata.pop(_WAS_VISIBLE)
    viewer.reset_view()


def show_difference(viewer: "Viewer", found: Comparison, second: str) -> None:
    """A layer over the second mask with the voxels in which two masks differ; an earlier one goes."""
    below = window_of(viewer).layer(second)
    place = None if below is None else placement_of(*below.as_layer_data_tuple()[:2])
    data, meta, _ = labels_layer(found.difference, DIFFERENCE, place)
    meta["metadata"] = {DIFFERENCE: True}
    meta["opacity"] = 0.8
    for layer in [layer for layer in viewer.layers if DIFFERENCE in layer.metadata]:
        viewer.layers.remove(layer)
    viewer.add_labels(data, **meta).editable = False


def _layers_of(viewer: "Viewer", uid: str) -> list["Layer"]:
    """The image below, if there is one, and the layer itself."""
    window = window_of(viewer)
    mask = window.session.masks.get(uid)
    below = None if mask is None or mask.image is None else window.layer(mask.image)
    return [layer for layer in (below, window.layer(uid)) if layer is not None]


def _same_image(parts: dict[str, list["Layer"]]) -> bool:
    return parts["left"][0] is parts["right"][0]


def _copy(viewer: "Viewer", layer: "Layer", name: str, side: str) -> Any:
    data, meta, kind = layer.as_layer_data_tuple()
    kept = {key: value for key, value in meta["metadata"].items() if key not in (KEY, UID, _WAS_VISIBLE)}
    meta |= {"name": name, "visible": True, "metadata": {**kept, SIDE: side}}
    copy = getattr(viewer, f"add_{kind}")(data, **meta)
    copy.editable = False
    return copy
