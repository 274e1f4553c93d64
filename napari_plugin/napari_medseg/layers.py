"""Layers ↔ domain values.

napari draws the last two axes as rows and columns. An array (I, J, K) becomes a layer (K, J, I), a view
without copying, and the world becomes LPS in the order (z, y, x), in mm: rows grow to the back and columns
to the patient's left, the radiological convention. The value a layer came from stays in its metadata;
grids are taken from there and never from what the viewer's transforms have become.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, LabelTable, Segmentation
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.workflows.relabel import objects_as_labels

__all__ = ["LayerData", "image_layer", "image_of", "labels_layer", "result_layers", "segmentation_of"]

LayerData: TypeAlias = tuple[NDArray[Any], dict[str, Any], str]

KEY = "medseg"
#: More than a person tells apart by eye, and than a table of names should hold.
_MOST_OBJECTS = 10_000
_REVERSE = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])


def viewer_affine(grid: Grid) -> NDArray[np.float64]:
    """4×4 from layer index (k, j, i) to the viewer's world (z, y, x) in LPS."""
    affine: NDArray[np.float64] = _REVERSE @ flip_affine(grid.affine) @ _REVERSE
    return affine


def image_layer(image: Image, name: str) -> LayerData:
    """Layer data of an image; contrast limits by percentiles of its finite values."""
    finite = image.array[np.isfinite(image.array)] if image.array.dtype.kind == "f" else image.array
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0.0, 1.0)
    meta = {
        **_placement(image.grid),
        "name": name,
        "metadata": {KEY: image},
        "colormap": "inferno" if image.modality == "PT" else "gray",
        "contrast_limits": (float(low), float(max(high, low + 1e-6))),
    }
    return image.array.transpose(2, 1, 0), meta, "image"


def labels_layer(segmentation: Segmentation, name: str) -> LayerData:
    """Layer data of a segmentation; labels carry their names and colours, and can be painted on (a copy)."""
    table = segmentation.table
    rows = [(0, "background"), *((label.value, label.name) for label in table.labels)]
    colors: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
    colors |= {label.value: (*(part / 255 for part in label.rgb), 1.0) for label in table.labels}
    meta = {
        **_placement(segmentation.grid),
        "name": name,
        "metadata": {KEY: segmentation},
        "features": {"index": [value for value, _ in rows], "name": [text for _, text in rows]},
        "colormap": colors,
        "opacity": 0.5,
    }
    return np.array(segmentation.labels.transpose(2, 1, 0)), meta, "labels"


def result_layers(segmentation: Segmentation) -> list[LayerData]:
    """The mask, and its objects by number where it has more than one."""
    made_by = segmentation.made_by.segmenter
    layers = [labels_layer(segmentation, f"{made_by} mask")]
    ids = segmentation.instances
    if ids is not None and 1 < int(ids.max()) <= _MOST_OBJECTS:
        layers.append(labels_layer(objects_as_labels(segmentation), f"{made_by} objects"))
    return layers


def image_of(data: NDArray[Any], meta: Mapping[str, Any]) -> Image:
    """The Image behind a layer; one that medseg did not read is taken from its data and transforms.

    Raises
    ------
    InputError
        If the layer is no scalar 2D or 3D image.
    """
    kept = meta.get("metadata", {}).get(KEY)
    if isinstance(kept, Image) and data.shape == kept.array.shape[::-1]:
        return kept
    values = np.asarray(data)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.dtype.kind not in "iuf":
        raise InputError(f"layer {meta.get('name')!r} is no scalar image of two or three dimensions")
    return Image(
        values.transpose(2, 1, 0), _grid_of(values.shape, meta), channel=str(meta.get("name", "image"))
    )


def segmentation_of(data: NDArray[Any], meta: Mapping[str, Any]) -> Segmentation:
    """The Segmentation behind a labels layer, with the layer's present labels.

    Raises
    ------
    InputError
        If the layer was not made by medseg: then nothing says which grid it belongs to.
    """
    from dataclasses import replace

    kept = meta.get("metadata", {}).get(KEY)
    if not isinstance(kept, Segmentation | Image):
        raise InputError(f"layer {meta.get('name')!r} does not come from medseg, so its grid is unknown")
    labels = np.asarray(data).transpose(2, 1, 0).astype(np.uint32)
    if isinstance(kept, Image):
        values = tuple(int(value) for value in np.unique(labels) if value)
        return Segmentation(labels, kept.grid, LabelTable.from_values(values))
    known = {label.value for label in kept.table.labels}
    new = tuple(int(value) for value in np.unique(labels) if value and int(value) not in known)
    table = replace(kept.table, labels=(*kept.table.labels, *LabelTable.from_values(new).labels))
    return replace(kept, labels=labels, table=table, probabilities=None, instances=None)


def _placement(grid: Grid) -> dict[str, Any]:
    unit = "mm" if grid.unit == "mm" else "pixel"
    return {"affine": viewer_affine(grid), "units": (unit,) * 3, "axis_labels": ("z", "y", "x")}


def _grid_of(shape: tuple[int, ...], meta: Mapping[str, Any]) -> Grid:
    units = {str(unit) for unit in meta.get("units") or ()}
    scale = np.ones(3)
    given = np.asarray(meta.get("scale", (1.0,) * 3), float)[-3:]
    scale[3 - given.size :] = given
    zyx = np.diag([*scale, 1.0])
    translate = np.asarray(meta.get("translate", ()), float)[-3:]
    if translate.size:
        zyx[3 - translate.size : 3, 3] = translate
    physical = units <= {"mm", "millimeter"} and bool(units)
    affine = flip_affine(_REVERSE @ zyx @ _REVERSE) if physical else np.diag([-1.0, -1.0, 1.0, 1.0])
    return Grid((shape[2], shape[1], shape[0]), affine, unit="mm" if physical else "px")
