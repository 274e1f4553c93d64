"""Positions of the patient → places in the window, and what is drawn there: axes, outlines, surfaces, lesions."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Measurement, Quantity, Target
from napari_medseg.bridge.placement import Placement

__all__ = ["axes_layer", "in_window", "place_of"]

_CENTRE = (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z)
_BOX = tuple(Quantity[f"BOX_{end}_{axis}"] for end in ("MIN", "MAX") for axis in "IJK")


def in_window(place: Placement, positions: NDArray[Any]) -> NDArray[np.float64]:
    """Places in the window (…, 3) of positions (…, 3) in RAS+ mm (pixels on a `px` grid)."""
    index = layer_index(place, positions)
    found: NDArray[np.float64] = index @ place.matrix[:3, :3].T + place.matrix[:3, 3]
    return found


def layer_index(place: Placement, positions: NDArray[Any]) -> NDArray[np.float64]:
    """Indices (…, 3) in the layer of positions (…, 3)."""
    affine = place.order.grid(place.grid).affine
    native = (np.asarray(positions, np.float64) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    found: NDArray[np.float64] = native[..., ::-1]
    return found


def place_of(
    item: Measurement, others: Iterable[Measurement], place: Placement
) -> NDArray[np.float64] | None:
    """Where in the window a number is: the middle of what shows it, else of its structure; None where none is known."""
    if item.points_mm:
        return in_window(place, np.asarray(item.points_mm).mean(axis=0))
    own = {other.quantity: other.value for other in others if _same_object(other.target, item.target)}
    centre = [own.get(quantity) for quantity in _CENTRE]
    if all(value is not None for value in centre):
        return in_window(place, np.array(centre, np.float64))
    box = [own.get(quantity) for quantity in _BOX]
    if any(value is None for value in box):
        return None
    middle = (np.array(box[:3], np.float64) + np.array(box[3:], np.float64)) / 2
    return in_window(place, place.grid.to_position(middle))


def axes_layer(
    items: Iterable[Measurement], quantities: Sequence[Quantity], place: Placement
) -> tuple[list[NDArray[np.float64]], dict[str, Any], str] | None:
    """Lines that show lengths where they were measured, with their words; None where there is none."""
    chosen = [item for item in items if item.quantity in quantities and len(item.points_mm) == 2]
    if not chosen:
        return None
    lines = [layer_index(place, np.asarray(item.points_mm)) for item in chosen]
    words = [f"{item.value:.3g} {item.unit}" for item in chosen]
    meta = {
        **place.arguments(),
        "name": "axes",
        "shape_type": "line",
        "edge_width": 0.4,
        "edge_color": "yellow",
        "features": {"words": words, "of": [item.target.structure for item in chosen]},
        "text": {"string": "{words}", "size": 9, "color": "yellow", "anchor": "upper_left"},
        "opacity": 1.0,
    }
    return lines, meta, "shapes"


def _same_object(one: Target, other: Target) -> bool:
    return (one.name, one.labels, one.lesion) == (other.name, other.labels, other.lesion)
