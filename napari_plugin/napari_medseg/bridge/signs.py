"""What is written on the canvas: letters on four sides, slice, window, value under the pointer, a scale bar.

All by napari's own overlays, so that a screenshot has them too.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components.overlays import TextOverlay
from napari.layers import Image as ImageLayer

from medseg.domain import Image
from medseg.workflows.look import DISPLAY_ONLY, grey_text, window_text
from napari_medseg.bridge.layers import VOLUMES
from napari_medseg.bridge.placement import Placement, kept_value, obliqueness, place_grid, place_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["Signs", "image_behind", "plane_name", "signs_of"]

#: Where the axes of the viewer's world (z, y, x) come from and grow to.
_ENDS = (("S", "I"), ("A", "P"), ("R", "L"))
_PLANES = {0: "axial", 1: "coronal", 2: "sagittal"}
#: Sides of the canvas, and where napari puts a text there.
_SIDES = {"top": "top_center", "bottom": "bottom_center", "left": "middle_left", "right": "middle_right"}
_NAME = "medseg {}"
_LETTER_POINTS, _TEXT_POINTS = 16, 10
_LONGEST_NAME = 24
#: Pixels of the canvas: napari's longest scale bar with its ends; half a letter, and what parts things from the edge
#: and from each other; what the bar's own text needs; the height that keeps the bar below the letter on the right.
_LONGEST_BAR, _HALF_LETTER, _EDGE, _GAP, _BAR_ENDS = 153, 12, 10, 4, 3
_BAR_TEXT, _LEAST_HEIGHT = 80, 120


class Signs:
    """Keeps the texts of one viewer true; they are made when an image of medseg comes, and hidden without one.

    Parameters
    ----------
    viewer
        Whatever has layers, dims, a scene and a canvas: napari's window, or one of three planes.
    brief
        For a small canvas: place and number of the slice only.
    """

    def __init__(self, viewer: "ViewerModel", *, brief: bool = False) -> None:
        self.viewer = viewer
        self._brief = brief
        overlays = viewer.canvas.overlays
        for side, position in _SIDES.items():
            overlays[_NAME.format(side)] = TextOverlay(position=position, font_size=_LETTER_POINTS, box=False)
        overlays[_NAME.format("slice")] = TextOverlay(position="top_left", font_size=_TEXT_POINTS)
        overlays[_NAME.format("value")] = TextOverlay(position="bottom_left", font_size=_TEXT_POINTS)
        dims, camera = viewer.dims.events, viewer.scene.camera.events
        for event in (dims.order, dims.point, dims.ndisplay, camera.angles, camera.orientation):
            event.connect(self.refresh)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._follow)
        for event in (viewer.canvas.events.size, camera.zoom):
            event.connect(self._fit_bar)
        viewer.mouse_move_callbacks.append(self._tell_value)
        self._follow()

    def text(self, name: str) -> str:
        """What is written now: `top`, `bottom`, `left`, `right`, `slice` or `value`; empty where nothing is."""
        sign = self.viewer.canvas.overlays[_NAME.format(name)]
        return str(sign.text) if sign.visible else ""

    def refresh(self, _event: Any = None) -> None:
        """Write again."""
        layer = self.base()
        letters = _letters(self.viewer) if layer is not None and self._all_lie_in_a_patient() else ("",) * 4
        for side, letter in zip(("top", "bottom", "left", "right"), letters, strict=True):
            self._write(side, letter)
        self._write("slice", "" if layer is None else self._slice_text(layer))
        self._fit_bar()

    def base(self) -> "Layer | None":
        """The topmost visible image of medseg, whose slices are counted; PET is only if there is nothing below it."""
        known = [(layer, image_behind(layer, self.viewer)) for layer in self.viewer.layers if layer.visible]
        seen = [(layer, image) for layer, image in known if image is not None]
        below = [layer for layer, image in seen if not image.is_pet]
        return (below or [layer for layer, _ in seen] or [None])[-1]

    def _write(self, name: str, text: str) -> None:
        sign = self.viewer.canvas.overlays[_NAME.format(name)]
        sign.text, sign.visible = text, bool(text)

    def _fit_bar(self, _event: Any = None) -> None:
        """Keep the scale bar between the letter below and the edge; a canvas too small for both has no bar."""
        height, width = self.viewer.canvas.size
        room = width / 2 - _HALF_LETTER - _GAP - _EDGE
        bar = self.viewer.canvas.overlays.scale_bar
        zoom = self.viewer.scene.camera.zoom
        length = None if room >= _LONGEST_BAR or zoom <= 0 else _round_length((room - _BAR_ENDS) / zoom)
        if bar.length != length:
            bar.length = length
            bar.events.font_size()  # napari draws a new length only at a new zoom, or a new size of the text
        bar.visible = self.base() is not None and room >= _BAR_TEXT and height >= _LEAST_HEIGHT

    def _follow(self, _event: Any = None) -> None:
        for layer in self.viewer.layers:
            if image_behind(layer, self.viewer) is not None:
                for event in (layer.events.visible, layer.events.contrast_limits):
                    event.connect(self.refresh)
        self.refresh()

    def _all_lie_in_a_patient(self) -> bool:
        images = (image_behind(layer, self.viewer) for layer in self.viewer.layers if layer.visible)
        return all(
            item.grid.unit == "mm" and item.grid.orientation_known for item in images if item is not None
        )

    def _slice_text(self, layer: "Layer") -> str:
        image = image_behind(layer, self.viewer)
        if image is None:
            return ""
        lines = [] if self._brief else [_short(layer.name), window_text(image, *layer.contrast_limits)]
        if self.viewer.dims.ndisplay == 2:
            where, *number = _place_text(self.viewer, layer, image) or [""]
            # A small canvas has its plane in its letters.
            lines[:0] = [where.partition(" ")[2] if self._brief and number else where, *number]
        if degrees := obliqueness(image.grid):
            lines.append(f"turned {degrees:.1f}° off the body")
        if any(item.code == DISPLAY_ONLY for item in image.findings):
            lines.append("display only")
        return "\n".join(lines[:2] if self._brief else lines)

    def _tell_value(self, viewer: "ViewerModel", _event: Any = None) -> None:
        place = viewer.cursor.position
        found = []
        for layer in reversed(viewer.layers):
            image = image_behind(layer, viewer) if layer.visible else None
            value = None if image is None else layer.get_value(place, world=True)
            if image is not None and value is not None:
                found.append(f"{_short(layer.name)}: {grey_text(image, float(value))}")
        self._write("value", "\n".join(found))


def signs_of(viewer: "ViewerModel", *, brief: bool = False) -> Signs:
    """The one Signs of a viewer, made when it is first asked for; it lives in the viewer, and goes with it."""
    for callback in viewer.mouse_move_callbacks:
        found = getattr(callback, "__self__", None)
        if isinstance(found, Signs):
            return found
    return Signs(viewer, brief=brief)


def image_behind(layer: "Layer", viewer: "ViewerModel") -> Image | None:
    """The image of medseg that an image layer shows; of a series the volume that the slider is at."""
    if not isinstance(layer, ImageLayer):
        return None
    volumes = layer.metadata.get(VOLUMES)
    if volumes:
        step = viewer.dims.current_step[0] if viewer.dims.ndim > 3 else 0
        return volumes[min(int(step), len(volumes) - 1)]  # type: ignore[no-any-return]
    kept = kept_value({"metadata": layer.metadata})
    return kept if isinstance(kept, Image) else None


def plane_name(viewer: "ViewerModel", image: Image) -> str:
    """What the plane shown is called; the axes of a scan without a place in a patient have no such names."""
    axis = viewer.dims.order[-3] - (viewer.dims.ndim - 3)
    if image.grid.unit != "mm" or not image.grid.orientation_known:
        return "slices as stored" if axis == 0 else "across the slices"
    return _PLANES.get(axis, "")


def _round_length(longest: float) -> float | None:
    """The longest of 1, 2 or 5 times a power of ten that is not longer than this; None where nothing has a length."""
    if longest <= 0:
        return None
    power = 10.0 ** math.floor(math.log10(longest))
    return max(times * power for times in (1, 2, 5) if times * power <= longest * (1 + 1e-9))


def _short(name: str) -> str:
    """A name that leaves room for the letter above or below the middle."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _place_text(viewer: "ViewerModel", layer: "Layer", image: Image) -> list[str]:
    """Plane, number of the slice as the report counts it, and place in the patient."""
    if viewer.dims.ndim < 3:
        return []
    axis = viewer.dims.order[-3] - (viewer.dims.ndim - 3)
    world = np.array(viewer.dims.point[-3:])
    place = _placement(layer, image)
    index = round(float(place.index(world, place.units)[axis]))
    count = place.shape[axis]
    where = plane_name(viewer, image)
    parts = []
    if 0 <= index < count:
        native = count - 1 - index if place.order.flipped[2 - axis] else index
        parts.append(f"slice {native + 1} of {count}")
    if image.grid.unit == "mm" and image.grid.orientation_known:
        letter = _ENDS[axis][0 if world[axis] <= 0 else 1]
        where += f" {letter} {abs(world[axis]):.1f} mm"
    return [where, *parts]


def _placement(layer: "Layer", image: Image) -> Placement:
    if layer.ndim > 3:
        return place_grid(image.grid)
    shift = {"scale": layer.scale, "translate": layer.translate, "rotate": layer.rotate, "shear": layer.shear}
    meta = {
        **shift,
        "affine": layer.affine,
        "units": layer.units,
        "metadata": layer.metadata,
        "name": layer.name,
    }
    return place_layer(layer.data.shape, meta)


def _letters(viewer: "ViewerModel") -> tuple[str, str, str, str]:
    """Letters at the top, bottom, left and right."""
    dims, camera = viewer.dims, viewer.scene.camera
    if dims.ndim < 3:
        return ("",) * 4
    if dims.ndisplay == 3:
        up = np.array(camera.up_direction)
        right = np.cross(np.array(camera.view_direction), up)
        return _end(up), _end(-up), _end(-right), _end(right)
    down, across = (axis - (dims.ndim - 3) for axis in dims.displayed)
    if min(down, across) < 0:
        return ("",) * 4
    vertical, horizontal = (str(item).lower() for item in camera.orientation2d)
    top, bottom = _ENDS[down] if vertical.endswith("down") else reversed(_ENDS[down])
    left, right_letter = _ENDS[across] if horizontal.endswith("right") else reversed(_ENDS[across])
    return top, bottom, left, right_letter


def _end(direction: Any) -> str:
    """The letter of the side of the body that a direction of the viewer's world (z, y, x) leads to most."""
    axis = int(np.argmax(np.abs(direction)))
    return _ENDS[axis][1 if direction[axis] > 0 else 0]
