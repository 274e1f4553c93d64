"""Points and shapes layers → prompts in world coordinates, so that what was drawn can be replayed.

A layer whose name begins with "not" (or "-") marks what is no object. Points are points; lines and paths are
strokes as wide as their edge; polygons and ellipses are lassos in the slice they lie in; rectangles are boxes.

What is drawn belongs to the voxel that it is seen on. So every place goes from its layer, by the layer's whole
transform, to the window, from there to the index in the image that is segmented as that image lies in the window,
and by the image's own grid to its position: exact for oblique images and for layers that were moved.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Prompts
from medseg.domain.prompts import Box, Point, Stroke
from medseg.errors import InputError
from napari_medseg.bridge.placement import Placement, affine_of, units_of

__all__ = ["PROMPT_KINDS", "is_negative", "prompts_of"]

#: Types of layers that hold seeds.
PROMPT_KINDS = ("points", "shapes")
#: Corners of the polygon that stands for an ellipse.
_ELLIPSE_CORNERS = 64
Position = tuple[float, float, float]


def is_negative(name: str) -> bool:
    """Whether a layer's name says that its seeds lie outside the object.

    >>> is_negative("not tumour"), is_negative("tumour"), is_negative("nothing")
    (True, False, False)
    """
    words = name.strip().lower()
    return words.startswith("-") or words.split(" ")[0] == "not"


def prompts_of(layers: Iterable[tuple[Any, Mapping[str, Any], str]], place: Placement) -> Prompts:
    """Prompts of points and shapes layers (as layer data), in the order of the layers; others hold none.

    Parameters
    ----------
    layers
        What was drawn.
    place
        Where the image that is segmented lies in the window.

    Returns
    -------
    Positions in RAS+ mm (pixels on a `px` grid). A box has the patient's axes, so around an oblique image's
    rectangle it is larger than what was drawn.

    Raises
    ------
    InputError
        If a layer of two dimensions does not say on which of several slices it lies.
    """
    points: list[Point] = []
    boxes: list[Box] = []
    strokes: list[Stroke] = []
    for data, meta, kind in layers:
        positive = not is_negative(str(meta.get("name", "")))
        if kind == "points":
            points += [Point(position, positive) for position in _positions(np.asarray(data), meta, place)]
        elif kind == "shapes":
            for shape, corners, width in _shapes(data, meta):
                positions = tuple(_positions(corners, meta, place))
                if shape == "rectangle":
                    boxes.append(_box(positions))
                    continue
                radius = width / 2 * _size_of_step(corners, meta, place)
                strokes.append(Stroke(positions, radius, positive, shape in ("polygon", "ellipse")))
    return Prompts(tuple(points), tuple(boxes), tuple(strokes))


def _shapes(data: Any, meta: Mapping[str, Any]) -> Iterator[tuple[str, NDArray[np.float64], float]]:
    """Kind, corners and width of the edge of each shape of a layer."""
    kinds, widths = meta.get("shape_type", ()), meta.get("edge_width", ())
    for number, item in enumerate(data):
        corners = np.asarray(item, np.float64)
        kind = kinds if isinstance(kinds, str) else str(kinds[number])
        width = float(widths if isinstance(widths, int | float) else widths[number])
        yield kind, _ellipse(corners) if kind == "ellipse" else corners, width


def _ellipse(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """A polygon along the ellipse in a box of four corners, which is what napari keeps of it."""
    across, down = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    return np.asarray(corners.mean(axis=0) + np.cos(angle) * across + np.sin(angle) * down)


def _positions(data: NDArray[Any], meta: Mapping[str, Any], place: Placement) -> list[Position]:
    if not len(data):
        return []
    ndim = data.shape[1]
    matrix = affine_of(meta, ndim)
    world = np.zeros((len(data), max(3, ndim)))
    world[:, -ndim:] = data @ matrix[:-1, :-1].T + matrix[:-1, -1]
    index = place.index(world[:, -3:], units_of(meta, 3))
    if ndim == 2:
        if place.shape[0] > 1:
            name = meta.get("name")
            raise InputError(f"layer {name!r} has two dimensions and no slice; draw in a layer of three")
        index[:, 0] = 0
    return [(float(x), float(y), float(z)) for x, y, z in place.position(index)]


def _size_of_step(corners: NDArray[np.float64], meta: Mapping[str, Any], place: Placement) -> float:
    """Length in mm of one step of the layer in the plane that a shape lies in (the mean of both directions).

    The plane lies across the axis along which the shape does not move, or moves least.
    """
    ndim = corners.shape[1]
    origin, *ends = _positions(np.vstack([np.zeros(ndim), np.eye(ndim)[-3:]]), meta, place)
    steps = np.linalg.norm(np.array(ends) - np.array(origin), axis=1)
    if ndim > 2:
        steps = np.delete(steps, np.argmin(np.ptp(corners[:, -3:], axis=0)))
    return float(np.sqrt(np.prod(steps)))


def _box(positions: Iterable[Position]) -> Box:
    corners = np.array(tuple(positions))
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Box(tuple(map(float, low)), tuple(map(float, high)))  # type: ignore[arg-type]
