"""Layers ↔ domain values.

How an array is turned for the window, and where it lies there, says `napari_medseg.bridge.placement`. The value a layer
came from stays in its metadata, with its native grid; it is believed only as long as the layer still shows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Image, LabelTable, Segmentation
from medseg.domain.values import same_values
from medseg.errors import InputError
from medseg.geometry import same_grid
from medseg.workflows import objects_as_labels
from medseg.workflows.edit import changed_by_hand
from medseg.workflows.look import windows_of
from napari_medseg.bridge.placement import (
    KEY,
    ORDER,
    Placement,
    kept_value,
    obliqueness,
    place_grid,
    place_layer,
)

if TYPE_CHECKING:
    from napari.layers import Labels

__all__ = [
    "VOLUMES",
    "LayerData",
    "dress",
    "image_layer",
    "image_of",
    "labels_layer",
    "oblique_note",
    "placement_of",
    "result_layers",
    "segmentation_of",
    "series_layer",
]

#: Name in a layer's metadata of the volumes of a series.
VOLUMES = "medseg volumes"
LayerData: TypeAlias = tuple[NDArray[Any], dict[str, Any], str]

#: More than a person tells apart by eye, and than a table of names should hold.
_MOST_OBJECTS = 10_000
#: Colour of a label that has no name yet: painted ones must be seen.
_UNNAMED = (1.0, 0.0, 1.0, 1.0)
_LARGEST_LABEL = 65535
_REPLACED = Finding(
    "image.replaced",
    "warning",
    "The values of this image were replaced in the viewer; they are not those of its file.",
)


def image_layer(image: Image, name: str) -> LayerData:
    """Layer data of an image, in the first window of its kind; PET lies over what is below it."""
    place = place_grid(image.grid)
    meta = {**place.arguments(), **_shown_as(image, name), "metadata": {KEY: image, ORDER: place.order}}
    return place.show(image.array), meta, "image"


def series_layer(images: Sequence[Image], name: str) -> LayerData:
    """Layer data of several volumes on one grid, with a slider through them; for the eye, until one is taken out.

    Raises
    ------
    InputError
        If they lie on different grids.
    """
    first = images[0]
    if not all(same_grid(image.grid, first.grid) for image in images):
        raise InputError(f"{name}: the volumes lie on different grids; open them one by one")
    place = place_grid(first.grid)
    three = place.arguments()
    meta = {
        "scale": (1.0, *three["scale"]),
        "translate": (0.0, *three.get("translate", (0.0, 0.0, 0.0))),
        "units": ("pixel", *three["units"]),
        "axis_labels": ("volume", *three["axis_labels"]),
        **_shown_as(first, name),
        "metadata": {VOLUMES: tuple(images)},
    }
    return np.stack([place.show(image.array) for image in images]), meta, "image"


def _shown_as(image: Image, name: str) -> dict[str, Any]:
    window = windows_of(image)[0]
    return {
        "name": name,
        "colormap": "inferno" if image.is_pet else "gray",
        "blending": "additive" if image.is_pet else "translucent_no_depth",
        "rgb": False,  # else napari takes four sagittal slices for red, green, blue and opacity
        "contrast_limits": (window.low, window.high),
    }


def labels_layer(segmentation: Segmentation, name: str, place: Placement | None = None) -> LayerData:
    """Layer data of a segmentation; labels carry their names and colours, and can be painted on (a copy).

    It lies where `place` is, the place of the image that was segmented, else where its own grid says.
    """
    place = place or place_grid(segmentation.grid)
    meta = {
        **place.arguments(),
        "name": name,
        "metadata": {KEY: segmentation, ORDER: place.order},
        **_dress(segmentation.table),
        "opacity": 0.5,
    }
    return np.array(place.show(segmentation.labels)), meta, "labels"


def dress(layer: "Labels", table: LabelTable) -> None:
    """Give a layer names and colours; a label without a name has a colour that is seen."""
    for name, value in _dress(table).items():
        setattr(layer, name, value)


def _dress(table: LabelTable) -> dict[str, Any]:
    rows = [(0, "background"), *((label.value, label.name) for label in table.labels)]
    colors: dict[int | None, Any] = {None: _UNNAMED, 0: (0, 0, 0, 0)}
    colors |= {label.value: (*(part / 255 for part in label.rgb), 1.0) for label in table.labels}
    return {
        "features": {"index": [value for value, _ in rows], "name": [text for _, text in rows]},
        "colormap": colors,
    }


def result_layers(segmentation: Segmentation, places: Iterable[Placement] = ()) -> list[LayerData]:
    """The mask, and its objects by number where it has more than one; over the image on their grid, if it is there."""
    place = next((item for item in places if same_grid(item.grid, segmentation.grid)), None)
    made_by = segmentation.made_by.segmenter
    layers = [labels_layer(segmentation, f"{made_by} mask", place)]
    ids = segmentation.instances
    if ids is not None and 1 < int(ids.max()) <= _MOST_OBJECTS:
        layers.append(labels_layer(objects_as_labels(segmentation), f"{made_by} objects", place))
    return layers


def placement_of(data: Any, meta: Mapping[str, Any]) -> Placement:
    """Where an image or labels layer lies; see `place_layer`.

    Raises
    ------
    InputError
        If it is no scalar layer of two or three dimensions, or its units are no lengths.
    """
    return place_layer(_finest(data, meta).shape, meta)


def image_of(data: Any, meta: Mapping[str, Any]) -> Image:
    """The Image behind a layer, on its native grid.

    Values that were replaced since medseg read them are taken as they are now, with a Finding, and are in no known
    unit. A layer that medseg did not make is taken from its data and its whole transform; the finest level counts.

    Raises
    ------
    InputError
        If the layer is no scalar 2D or 3D image, or its units are no lengths.
    """
    values = _finest(data, meta)
    if values.dtype.kind not in "iuf":
        raise InputError(f"layer {meta.get('name')!r} holds {values.dtype}; an image has integers or floats")
    place = place_layer(values.shape, meta)
    native = place.restore(values.reshape(place.shape))
    kept = kept_value(meta)
    if not isinstance(kept, Image) or place.grid is not kept.grid:
        return Image(native, place.grid, channel=str(meta.get("name", "image")))
    if same_values(native, kept.array):
        return kept
    findings = (*kept.findings, _REPLACED)
    return replace(kept, array=native, value_unit="[arb'U]", source=None, findings=findings)


def segmentation_of(data: Any, meta: Mapping[str, Any], window: Iterable[LayerData] = ()) -> Segmentation:
    """The Segmentation behind a labels layer, with the layer's present labels, on its native grid.

    A layer that medseg did not make lies on the grid of the layer in `window` that has the same voxels at the same
    places, else on the one its own transform gives.

    Raises
    ------
    InputError
        If its values are no labels, its units no lengths, or several scans share its place in the window.
    """
    values = _finest(data, meta)
    if values.dtype.kind not in "iub" or int(values.min()) < 0 or int(values.max()) > _LARGEST_LABEL:
        raise InputError(f"layer {meta.get('name')!r}: labels are whole numbers from 0 to {_LARGEST_LABEL}")
    place = place_layer(values.shape, meta)
    kept = kept_value(meta)
    if kept is None or place.grid is not kept.grid:
        place = _scan_below(place, window) or place
    labels = place.restore(values.reshape(place.shape))
    if not isinstance(kept, Segmentation) or place.grid is not kept.grid:
        return Segmentation(labels.astype(np.uint16), place.grid, LabelTable.from_values(_present(labels)))
    return kept if same_values(labels, kept.labels) else _corrected(kept, labels.astype(np.uint16))


def oblique_note(image: Image) -> str:
    """A sentence for the user of an image that is not shown as it lies in the patient; else empty."""
    degrees = obliqueness(image.grid)
    if not degrees:
        return ""
    return (
        f"Its axes lie up to {degrees:.1f}° off the patient's, and it is shown along its own, so images with other "
        "axes do not lie over it exactly. Numbers, seeds and saved masks are at their true places."
    )


def _corrected(before: Segmentation, labels: NDArray[Any]) -> Segmentation:
    """What became of a mask whose voxels were changed in the window; its history says by how much and when."""
    return changed_by_hand(
        before, labels, changed_at=datetime.now().astimezone().isoformat(timespec="seconds")
    )


def _present(labels: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in np.unique(labels) if value)


def _finest(data: Any, meta: Mapping[str, Any]) -> NDArray[Any]:
    """Values of a scalar layer of two or three dimensions; of several levels the finest."""
    if meta.get("rgb"):
        raise InputError(f"layer {meta.get('name')!r} is a colour picture; split it into its channels first")
    values = np.asarray(data[0] if meta.get("multiscale") else data)
    if values.ndim not in (2, 3) or not values.size:
        raise InputError(f"layer {meta.get('name')!r} is no scalar image of two or three dimensions")
    return values


def _scan_below(place: Placement, window: Iterable[LayerData]) -> Placement | None:
    """Place of the layers made by medseg that have the same voxels at the same places of the window."""
    found: list[Placement] = []
    for data, meta, kind in window:
        if kind not in ("image", "labels") or kept_value(meta) is None:
            continue
        other = placement_of(data, meta)
        if other.grid is kept_value(meta).grid and place.lies_on(other):  # type: ignore[union-attr]
            found.append(other)
    if any(not same_grid(other.grid, found[0].grid) for other in found):
        raise InputError(
            "several scans lie at this place of the window; close all but the one the labels are of"
        )
    return found[0] if found else None
