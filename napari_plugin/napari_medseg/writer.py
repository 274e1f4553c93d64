"""Writer: layers back to files, on the grid of the file they came from."""

from typing import Any

import numpy as np
from napari import current_viewer

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.workflows import write
from napari_medseg.bridge.layers import LayerData, image_of, segmentation_of
from napari_medseg.bridge.window import UID, window_of

__all__ = ["write_image", "write_labels"]


def write_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write an image layer; the dialog has asked about replacing."""
    image = image_of(data, meta)
    _require_upright(image.grid, meta)
    return [str(write(image, path, force=True))]


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as a mask with its sidecar."""
    viewer = current_viewer()
    worked_on = None if viewer is None else window_of(viewer).session.masks.get(_uid(meta))
    shown = worked_on is not None and np.shares_memory(worked_on.labels, data)
    mask = worked_on.now() if worked_on is not None and shown else segmentation_of(data, meta, _window())
    _require_upright(mask.grid, meta)
    written = write(mask, path, force=True)
    if worked_on is not None and shown:
        worked_on.saved(written)
    return [str(written)]


def _uid(meta: dict[str, Any]) -> str:
    return str((meta.get("metadata") or {}).get(UID, ""))


def _require_upright(grid: Grid, meta: dict[str, Any]) -> None:
    """Refuse to lose a shear: without a known orientation files hold voxel sizes, and those say another volume."""
    if grid.is_sheared and not grid.orientation_known:
        raise InputError(
            f"layer {meta.get('name')!r} is sheared, which a file without orientation can't hold"
        )


def _window() -> list[LayerData]:
    """Layers of the window that is saved from; napari hands a writer no more than the layer."""
    viewer = current_viewer()
    return [] if viewer is None else [layer.as_layer_data_tuple() for layer in viewer.layers]
