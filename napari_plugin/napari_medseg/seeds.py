"""Points and shapes layers → prompts in world coordinates, so that what was drawn can be replayed.

A layer whose name begins with "not" (or "-") marks what is no object. Points are points; lines and paths are
strokes as wide as their edge; polygons and ellipses are lassos in the slice they lie in; rectangles are boxes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Prompts
from medseg.domain.prompts import Box, Point, Stroke
from medseg.geometry import flip_positions

__all__ = ["PROMPT_KINDS", "is_negative", "prompts_of"]

#: Types of layers that hold seeds.
PROMPT_KINDS = ("points", "shapes")
Position = tuple[float, float, float]


def is_negative(name: str) -> bool:
    """Whether a layer's name says that its seeds lie outside the object.

    >>> is_negative("not tumour"), is_negative("tumour"), is_negative("nothing")
    (True, False, False)
    """
    words = name.strip().lower()
    return words.startswith("-") or words.split(" ")[0] == "not"


def prompts_of(layers: Iterable[tuple[Any, Mapping[str, Any], str]]) -> Prompts:
    """Prompts of points and shapes layers (as layer data), in the order of the layers; others hold none.

    Layer coordinates are brought to the viewer's world by the layer's own transform, and from there to RAS+ mm;
    on `px` images the viewer's world is flipped in the same way.
    """
    points: list[Point] = []
    boxes: list[Box] = []
    strokes: list[Stroke] = []
    for data, meta, kind in layers:
        positive = not is_negative(str(meta.get("name", "")))
        matrix, shift = _transform(meta)
        if kind == "points":
            points += [Point(place, positive) for place in _positions(np.asarray(data), matrix, shift)]
        elif kind == "shapes":
            kinds, widths = meta.get("shape_type", ()), meta.get("edge_width", ())
            for number, corners in enumerate(data):
                places = _positions(np.asarray(corners), matrix, shift)
                shape = kinds if isinstance(kinds, str) else kinds[number]
                width = float(widths if np.isscalar(widths) else widths[number])
                if shape == "rectangle":
                    boxes.append(_box(places))
                else:
                    closed = shape in ("polygon", "ellipse")
                    radius = width / 2 * float(np.abs(np.linalg.det(matrix)) ** (1 / 3))
                    strokes.append(Stroke(tuple(places), radius, positive, closed))
    return Prompts(tuple(points), tuple(boxes), tuple(strokes))


def _transform(meta: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3×3, shift) from layer coordinates to the viewer's world (z, y, x); a 2D layer lies on z = 0."""
    affine = np.eye(4)
    given = np.asarray(meta.get("affine", np.eye(4)), dtype=np.float64)
    size = given.shape[0]
    affine[4 - size :, 4 - size :] = given
    scale, translate = np.ones(3), np.zeros(3)
    for target, key in ((scale, "scale"), (translate, "translate")):
        values = np.asarray(meta.get(key, ()), dtype=np.float64)
        if values.size:
            target[3 - values.size :] = values
    linear = affine[:3, :3] @ np.diag(scale)
    return linear, affine[:3, :3] @ translate + affine[:3, 3]


def _positions(data: NDArray[Any], matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> list[Position]:
    places = np.zeros((len(data), 3))
    if len(data):
        places[:, 3 - data.shape[1] :] = data
    world = places @ matrix.T + shift
    found = flip_positions(world[:, ::-1])
    return [(float(x), float(y), float(z)) for x, y, z in found]


def _box(places: list[Position]) -> Box:
    corners = np.array(places)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Box(tuple(map(float, low)), tuple(map(float, high)))  # type: ignore[arg-type]
