"""Two layers that prompts are drawn on, one for points and one for shapes; nobody has to make or name them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Shapes
from psygnal import Signal

from medseg.domain import Label, Prompts
from napari_medseg.bridge.clicks import CLICKS
from napari_medseg.bridge.placement import Placement
from napari_medseg.bridge.seeds import PROMPT_KINDS, lone_faces, prompts_of
from napari_medseg.workspace.prompting import Prompting, Tool

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["PromptLayers"]

#: Name in the metadata of a layer that prompts are drawn on by the tools.
MARK = "medseg prompts"
_MODES: dict[Tool, str] = {
    "point": "add",
    "box": "add_rectangle",
    "scribble": "add_path",
    "lasso": "add_polygon_lasso",
}
#: Colour of all that lies outside objects; those inside have the colour of their label.
_OUTSIDE = (0.84, 0.15, 0.16, 1.0)
_ENDED = ("added", "changed", "removed")
#: Size of a point on the screen's plane, in mm.
_POINT_MM = 2.5


class PromptLayers:
    """What is drawn in a viewer, as prompts; each seed knows its object, its side, and when it came.

    Layers of points and shapes that the user made count as well.
    """

    #: A prompt was drawn, moved or taken away.
    changed = Signal()

    def __init__(self, viewer: "Viewer", prompting: Prompting) -> None:
        self._viewer = viewer
        self.prompting = prompting
        self._place: Placement | None = None
        self._quiet = False
        prompting.changed.connect(self._style)
        viewer.dims.events.order.connect(self._style)  # a width in mm is another one in another plane

    def take_up(self, tool: Tool | None, place: Placement) -> None:
        """Make the layer of a tool the one that is drawn on, over the image that lies at `place`."""
        self._place = place
        for kind in PROMPT_KINDS:
            layer = self._own(kind)
            if layer is not None and tool is None:
                layer.mode = "pan_zoom"
        if tool is not None:
            layer = self._own("points" if tool == "point" else "shapes") or self._make(tool)
            self._viewer.layers.selection.active = layer
            layer.mode = _MODES[tool]
            self._style()

    def drawn(self, place: Placement) -> Prompts:
        """All that is drawn and visible."""
        return prompts_of(self._data(), place)

    @property
    def waits_for_a_face(self) -> bool:
        """Whether a box has but one of its two rectangles."""
        return lone_faces(self._data()) > 0

    def undo(self) -> bool:
        """Take away what was drawn last by the tools; False if nothing is left."""
        last: tuple[int, Any, int] | None = None
        for layer in filter(None, map(self._own, PROMPT_KINDS)):
            times = list(layer.features["time"])
            if times and (last is None or max(times) > last[0]):
                last = max(times), layer, int(np.argmax(times))
        if last is None:
            return False
        _, layer, row = last
        layer.selected_data = {row}
        layer.remove_selected()
        return True

    def clear(self) -> None:
        """Take away all that was drawn by the tools, and the start."""
        self._quiet = True
        for layer in filter(None, map(self._own, PROMPT_KINDS)):
            layer.selected_data = set(range(len(layer.data)))
            layer.remove_selected()
        self._quiet = False
        self.prompting.start = Prompts()
        self.changed.emit()

    def _data(self) -> list[Any]:
        return [
            layer.as_layer_data_tuple()
            for layer in self._viewer.layers
            if layer.visible
            and isinstance(layer, Points | Shapes)
            and len(layer.data)
            and CLICKS not in layer.metadata
        ]

    def _own(self, kind: str) -> Any:
        """The layer of this kind that the tools draw on, if it is there."""
        return next((layer for layer in self._viewer.layers if layer.metadata.get(MARK) == kind), None)

    def _make(self, tool: Tool) -> Any:
        kind = "points" if tool == "point" else "shapes"
        assert self._place is not None  # noqa: S101 - set by who takes up a tool
        empty: dict[str, Any] = {
            "object": np.zeros(0, int),
            "inside": np.zeros(0, bool),
            "time": np.zeros(0, int),
        }
        if kind == "shapes":
            empty["depth_mm"] = np.zeros(0)
        layer = (Points if kind == "points" else Shapes)(
            ndim=3, name=f"prompts: {kind}", features=empty, metadata={MARK: kind}, **self._place.arguments()
        )
        if isinstance(layer, Points):
            layer.current_size = _POINT_MM / min(self._place.grid.spacing)
        self._viewer.add_layer(layer)
        layer.events.data.connect(self._data_changed)
        return layer

    def _data_changed(self, event: Any) -> None:
        if self._quiet or str(getattr(event, "action", "")).split(".")[-1].lower() not in _ENDED:
            return
        self._style()  # the next one comes later
        self.changed.emit()

    def _step_mm(self, layer: Any) -> float:
        """A step of a layer in the plane that is shown: the mean of its two axes, by which a width is read again."""
        shown = [axis - self._viewer.dims.ndim + layer.ndim for axis in self._viewer.dims.order[-2:]]
        return float(np.sqrt(np.prod(np.abs(layer.scale)[shown])))

    def _style(self, _event: Any = None) -> None:
        """What the next prompt will look like, and say."""
        said = self.prompting
        color = (*(part / 255 for part in Label(said.label, "object").rgb), 1.0) if said.inside else _OUTSIDE
        time = 1 + max(
            (
                int(layer.features["time"].max())
                for layer in map(self._own, PROMPT_KINDS)
                if layer and len(layer.data)
            ),
            default=0,
        )
        for kind in PROMPT_KINDS:
            layer = self._own(kind)
            if layer is None:
                continue
            layer.selected_data = set()  # napari would give the selected ones the new look
            row = {"object": [said.label], "inside": [said.inside], "time": [time]}
            layer.feature_defaults = row | ({"depth_mm": [said.depth_mm]} if kind == "shapes" else {})
            if kind == "points":
                layer.current_face_color = color
                layer.current_symbol = "disc" if said.inside else "cross"
                continue
            layer.current_edge_color = color
            layer.current_face_color = (*color[:3], 0.15)
            layer.current_edge_width = said.width_mm / self._step_mm(layer)
