"""A segmenter's answer in the window: as new layers, in the place of an old one, or beside it with what differs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from medseg.domain import Prompts, Segmentation
from medseg.errors import InputError
from medseg.geometry import same_grid
from napari_medseg.bridge.layers import labels_layer, placement_of, result_layers, segmentation_of
from napari_medseg.bridge.placement import Placement, kept_value
from napari_medseg.bridge.window import UID, window_of
from napari_medseg.workspace.difference import difference

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

__all__ = ["GIVEN_PROMPTS", "Answer", "earlier_mask", "place_result", "show_mask", "update_mask"]

#: Name in a layer's metadata of the prompts that its mask was made from.
GIVEN_PROMPTS = "medseg given prompts"


def show_mask(
    viewer: "Viewer", found: Segmentation, places: Iterable[Placement], prompts: Prompts | None = None
) -> "Labels":
    """Add an answer, and its objects by number where it has some; the layer of the mask."""
    kept = viewer.layers.selection.active
    layers = [viewer.add_labels(data, **meta) for data, meta, _ in result_layers(found, places)]
    layers[0].metadata[GIVEN_PROMPTS] = prompts
    if prompts is not None and kept is not None:
        viewer.layers.move(viewer.layers.index(layers[0]), viewer.layers.index(kept))
        viewer.layers.selection.active = kept  # what is drawn on stays so
    return layers[0]


def update_mask(
    viewer: "Viewer", layer: "Labels", found: Segmentation, prompts: Prompts | None = None
) -> None:
    """Take another answer into the mask of a layer: one change, which its undo takes back.

    Raises
    ------
    InputError
        If the layer shows no mask, or one of another image.
    """
    mask = window_of(viewer).mask_of(layer)
    if mask is None:
        raise InputError(f"layer {layer.name!r} shows no mask any more; keep both instead")
    mask.made_anew(found, tool=found.made_by.segmenter)
    layer.metadata[GIVEN_PROMPTS] = prompts


def earlier_mask(viewer: "Viewer", found: Segmentation) -> "Labels | None":
    """The layer of a mask that the same segmenter made on the same grid before."""
    for layer in viewer.layers:
        kept: Any = kept_value({"metadata": layer.metadata})
        if (
            isinstance(kept, Segmentation)
            and UID in layer.metadata
            and kept.made_by.segmenter == found.made_by.segmenter
            and same_grid(kept.grid, found.grid)
        ):
            return layer
    return None


def place_result(
    viewer: "Viewer", before: "Labels", found: Segmentation, places: Iterable[Placement], way: str
) -> str:
    """Put a second answer where the user wants it: `replace` the first, `keep` both, or `compare` them.

    Returns
    -------
    What is to be said of it.
    """
    if before not in viewer.layers:
        way = "keep"
    if way == "replace":
        update_mask(viewer, before, found)
        return ""
    window = [layer.as_layer_data_tuple() for layer in viewer.layers]
    layer = show_mask(viewer, found, places)
    if way != "compare":
        return ""
    data, meta, _ = before.as_layer_data_tuple()
    differing = difference(segmentation_of(data, meta, window), found)
    if not differing.labels.any():
        return "The two masks are the same, voxel for voxel."
    place = placement_of(layer.data, layer.as_layer_data_tuple()[1])
    data, meta, _ = labels_layer(differing, f"difference: {before.name}, {layer.name}", place)
    viewer.add_labels(data, **meta)
    return f"{int(np.count_nonzero(differing.labels))} voxels differ."


class Answer:
    """The mask that follows what is drawn: one layer, for all prompts until they are taken away."""

    def __init__(self, viewer: "Viewer") -> None:
        self._viewer = viewer
        self.layer: Labels | None = None

    def show(self, found: Segmentation, prompts: Prompts | None, place: Placement) -> None:
        """Show the answer to all prompts that there are."""
        if self.layer is None or self.layer not in self._viewer.layers:
            self.layer = show_mask(self._viewer, found, (place,), prompts)
        else:
            update_mask(self._viewer, self.layer, found, prompts)

    def drop(self) -> None:
        """Nothing is asked any more."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        self.layer = None
