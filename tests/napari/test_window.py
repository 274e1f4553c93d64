"""Layers that come and go are known to the window's one session."""

import gc
import weakref
from typing import Any

import numpy as np

from medseg.domain import Grid, Image, LabelTable, Segmentation
from napari_medseg.bridge.layers import image_layer, labels_layer
from napari_medseg.bridge.window import UID, window_of


def _scan() -> Image:
    return Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), Grid((2, 3, 4), np.eye(4)))


def test_a_layer_of_medseg_is_in_the_session_as_long_as_it_is_open(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    session = window_of(viewer).session
    data, meta, _ = image_layer(_scan(), "scan")
    layer = viewer.add_image(data, **meta)
    assert list(session.images) == [layer.metadata[UID]]
    viewer.layers.remove(layer)
    assert not session.images


def test_a_mask_knows_the_image_on_its_grid(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    window = window_of(viewer)
    scan = _scan()
    data, meta, _ = image_layer(scan, "scan")
    viewer.add_image(data, **meta)
    labels = np.zeros((2, 3, 4), np.uint8)
    labels[0] = 1
    data, meta, _ = labels_layer(Segmentation(labels, scan.grid, LabelTable.from_values((1,))), "mask")
    viewer.add_labels(data, **meta)
    (mask,) = window.session.masks.values()
    assert mask.image == next(iter(window.session.images))
    assert window.layer(mask.uid) is viewer.layers["mask"]


def test_one_viewer_has_one_window_and_it_goes_with_it() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    window = weakref.ref(window_of(viewer))
    assert window_of(viewer) is window()
    del viewer
    gc.collect()
    assert window() is None
