"""Points and shapes layers → prompts in world coordinates, so that what was drawn can be replayed.

A layer whose name begins with "not" (or "-") marks what is no object. Points are points; lines and paths are
strokes as wide as their edge; polygons and ellipses are lassos in the slice they lie in; rectangles are boxes. A
layer with the columns of `FEATURES` says more: which object a seed is of, on which side, and how deep a box is.

What is drawn belongs to the voxel that it is seen on. So every place goes from its layer, by the layer's whole
transform, to the window, from there to the index in the image that is segmented as that image lies in the window,
and by the image's own grid to its position: exact for oblique images and for layers that were moved.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Prompts
from medseg.domain.prompts import Box, Point, Stroke
from medseg.errors import InputError
from napari_medseg.bridge.placement import Placement, affine_of, units_of

__all__ = ["FEATURES", "PROMPT_KINDS", "Mark", "is_negative", "lone_faces", "marks_of", "prompts_of"]

#: Columns of a layer's features: object (1, 2, …), whether inside it, depth of a box in mm (0: the next rectangle of
#: the object is its other face).
FEATURES = ("object", "inside", "depth_mm")
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
    rectangle it is larger than what was drawn. A box outside the object becomes a lasso on each of its slices.

    Raises
    ------
    InputError
        If a layer of two dimensions does not say on which of several slices it lies.
    """
    points: list[Point] = []
    boxes: list[Box] = []
    strokes: list[Stroke] = []
    for data, meta, kind in layers:
        if kind == "points":
            positions = _positions(np.asarray(data), meta, place)
            for mark, position in zip(marks_of(meta, len(positions)), positions, strict=True):
                points.append(Point(position, mark.inside, mark.label))
        elif kind == "shapes":
            found = _drawn(data, meta, place)
            boxes += found.boxes
            strokes += found.strokes
    return Prompts(tuple(points), tuple(boxes), tuple(strokes))


@dataclass(frozen=True, slots=True)
class Mark:
    """What a row of a layer says of its seed; `depth_mm` is None where it says nothing, 0 for a face of a box."""

    label: int = 1
    inside: bool = True
    depth_mm: float | None = None


def marks_of(meta: Mapping[str, Any], count: int) -> list[Mark]:
    """Of each seed of a layer: by its features, else by the name of the layer."""
    table = meta.get("features")
    columns = {name: list(table[name]) for name in FEATURES if table is not None and name in table}
    if any(len(column) != count for column in columns.values()) or "object" not in columns:
        return [Mark(1, not is_negative(str(meta.get("name", ""))))] * count
    depths = columns.get("depth_mm", [None] * count)
    return [
        Mark(int(label), bool(inside), None if depth is None else float(depth))
        for label, inside, depth in zip(columns["object"], columns["inside"], depths, strict=True)
    ]


def _drawn(data: Any, meta: Mapping[str, Any], place: Placement) -> Prompts:
    """Boxes and strokes of one layer."""
    boxes: list[Box] = []
    strokes: list[Stroke] = []
    faces: dict[int, NDArray[np.float64]] = {}
    marks = marks_of(meta, len(data))
    for mark, (shape, corners, width) in zip(marks, _shapes(data, meta), strict=True):
        if shape != "rectangle":
            positions = tuple(_positions(corners, meta, place))
            radius = width / 2 * _size_of_step(corners, meta, place)
            closed = shape in ("polygon", "ellipse")
            strokes.append(Stroke(positions, radius, mark.inside, closed, mark.label))
            continue
        index = _index(corners, meta, place)
        if mark.depth_mm == 0 and mark.inside:  # one face; the next one of the same object is the other
            first = faces.pop(mark.label, None)
            if first is None:
                faces[mark.label] = index
                continue
            index = np.vstack([first, index])
        elif mark.depth_mm:
            index = _deep(index, mark.depth_mm, place)
        if mark.inside or mark.depth_mm is None:
            boxes.append(_box(index, place, mark.label))
        else:
            strokes += _lassos(index, place, mark.label)
    boxes += [_box(index, place, label) for label, index in faces.items()]
    return Prompts((), tuple(boxes), tuple(strokes))


def lone_faces(layers: Iterable[tuple[Any, Mapping[str, Any], str]]) -> int:
    """How many boxes wait for their second rectangle."""
    waiting: set[int] = set()
    for data, meta, kind in layers:
        if kind != "shapes":
            continue
        for mark, (shape, _, _) in zip(marks_of(meta, len(data)), _shapes(data, meta), strict=True):
            if shape == "rectangle" and mark.depth_mm == 0 and mark.inside:
                waiting ^= {mark.label}
    return len(waiting)


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
    return [(float(x), float(y), float(z)) for x, y, z in place.position(_index(data, meta, place))]


def _index(data: NDArray[Any], meta: Mapping[str, Any], place: Placement) -> NDArray[np.float64]:
    """Indices (z, y, x) in the image, as it lies in the window, of places in a layer."""
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
    return index


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


def _across(index: NDArray[np.float64]) -> int:
    """Axis (z, y, x) across the plane that a rectangle lies in."""
    return int(np.argmin(np.ptp(index[:4], axis=0)))


def _deep(index: NDArray[np.float64], depth_mm: float, place: Placement) -> NDArray[np.float64]:
    """Corners of a rectangle, half of `depth_mm` to either side of its plane."""
    axis = _across(index)
    half = depth_mm / 2 / place.grid.spacing[place.order.source[2 - axis]]
    step = np.zeros(3)
    step[axis] = half
    return np.vstack([index - step, index + step])


def _box(index: NDArray[np.float64], place: Placement, label: int) -> Box:
    """The box, in the patient's axes, around all corners of what lies between the lowest and highest index."""
    ends = np.array([index.min(axis=0), index.max(axis=0)])
    corners = np.array([[ends[n >> axis & 1][axis] for axis in range(3)] for n in range(8)])
    positions = place.position(corners)
    low, high = positions.min(axis=0), positions.max(axis=0)
    return Box(tuple(map(float, low)), tuple(map(float, high)), label)  # type: ignore[arg-type]


def _lassos(index: NDArray[np.float64], place: Placement, label: int) -> Iterator[Stroke]:
    """What a box outside the object marks: its rectangle on each of its slices."""
    axis = _across(index)
    last = place.shape[axis] - 1
    first, end = (
        int(np.clip(np.rint(edge), 0, last)) for edge in (index[:, axis].min(), index[:, axis].max())
    )
    for number in range(first, end + 1):
        corners = index[:4].copy()
        corners[:, axis] = number
        positions = tuple((float(x), float(y), float(z)) for x, y, z in place.position(corners))
        yield Stroke(positions, 0.0, positive=False, closed=True, label=label)
