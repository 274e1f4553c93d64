"""Values that were opened become layers: images below, what lies over them above."""

from typing import TYPE_CHECKING

import numpy as np
from napari import current_viewer

from medseg.geometry import same_grid
from napari_medseg.bridge.layers import image_layer, labels_layer, series_layer
from napari_medseg.bridge.signs import signs_of
from napari_medseg.bridge.window import open_range, window_of
from napari_medseg.workspace.opening import Opened

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["RECORD", "show_opened", "watch_window"]

#: Name in a mask's metadata of the Record that it was opened with.
RECORD = "medseg record"


def watch_window() -> None:
    """Let the window in front know layers of medseg: what napari itself opens gets its texts and its session too."""
    viewer = current_viewer()
    if viewer is not None:
        window_of(viewer)
        signs_of(viewer)


def show_opened(viewer: "Viewer", opened: Opened) -> tuple[str, ...]:
    """Add layers for what was opened, and tell which were left hidden.

    Of several series only the first is seen, with PET and masks on it: more of them over each other is no picture.
    """
    window_of(viewer)
    signs_of(viewer)
    empty, hidden = not viewer.layers, []
    for name, volumes in opened.series:
        data, meta, _ = series_layer(volumes, name)
        open_range(viewer.add_image(data, **meta), volumes[0])
    base = next((image for _, image in opened.images if not image.is_pet), None)
    for name, image in opened.images:
        data, meta, _ = image_layer(image, name)
        seen = base is None or image is base or image.is_pet
        hidden += [] if seen else [name]
        viewer.add_image(data, visible=seen, **meta)
    for name, mask, record in opened.masks:
        data, meta, _ = labels_layer(mask, name)
        if record is not None:
            meta["metadata"] = {**meta["metadata"], RECORD: record}
        seen = base is None or not hidden or same_grid(mask.grid, base.grid)
        hidden += [] if seen else [name]
        viewer.add_labels(data, visible=seen, **meta)
    if (shown := signs_of(viewer).base()) is not None:
        viewer.layers.selection.active = shown
    if empty and viewer.layers:
        low, high = viewer.layers.extent.world
        viewer.dims.point = tuple(np.where(np.isfinite(low), (low + high) / 2, 0))
        viewer.reset_view()
    return tuple(hidden)
