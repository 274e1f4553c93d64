"""Three linked planes: two more viewers of the same arrays, one place in the patient for all, and a crosshair there."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari.layers import Labels, Layer, Points, Shapes
from numpy.typing import NDArray

from napari_medseg.bridge.signs import signs_of
from napari_medseg.bridge.window import bare

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["CROSSHAIR", "Planes"]

#: Name of the layer that marks the common place.
CROSSHAIR = "crosshair"
#: Axes of the world (z, y, x), the one that the slider goes through first.
_ORDERS = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}
#: What a copy of a layer takes over from it.
_SAME = (
    "visible",
    "opacity",
    "blending",
    "colormap",
    "gamma",
    "contrast_limits_range",
    "contrast_limits",
    "name",
)
#: What the tool in hand is.
_TOOL = ("mode", "selected_label", "brush_size", "n_edit_dimensions", "contiguous", "preserve_labels")
#: Thickness of the crosshair as a share of what is shown.
_THIN = 1 / 500


class Planes:
    """The planes that a viewer does not show, each as a viewer of its own; they show the same layers.

    Image and labels layers are shared array by array, nothing is copied. The tool in hand paints in every plane, and
    what it paints is told by the layer of the main window, as if it were painted there. Points and shapes are shown in
    every plane and drawn in the main window.

    The models are empty until `fill`, so that canvases can be made for them first, and again after `close`, so that
    their canvases can serve the next planes: napari does not give back all that a canvas takes.

    Parameters
    ----------
    main
        The window's viewer.
    models
        Two empty viewers; None makes them.
    """

    def __init__(self, main: "Viewer", models: Sequence[ViewerModel] | None = None) -> None:
        self.main = main
        shown = tuple(axis - (main.dims.ndim - 3) for axis in main.dims.order[-3:])
        others = [name for name, order in _ORDERS.items() if order != shown][:2]
        self.models = dict(zip(others, models or (ViewerModel(), ViewerModel()), strict=True))
        self._copies: dict[Layer, list[Layer]] = {}
        self._moving = False
        self._links: list[tuple[Any, Callable[..., Any]]] = []

    def fill(self) -> None:
        """Show the layers that there are, and follow the main window from now on."""
        main = self.main
        for layer in main.layers:
            self._copy(layer)
        for name, model in self.models.items():
            model.title = name
            lead = tuple(range(model.dims.ndim - 3))
            model.dims.order = (*lead, *(axis + len(lead) for axis in _ORDERS[name]))
            signs_of(model, brief=True)
            model.mouse_drag_callbacks.append(self._clicked)
            self._link(model.dims.events.point, self._follow)
            model.reset_view()
        main.mouse_drag_callbacks.append(self._clicked)
        self._link(main.dims.events.point, self._follow)
        self._link(main.layers.events.inserted, self._inserted)
        self._link(main.layers.events.removed, self._removed)
        self._link(main.layers.events.reordered, self._reordered)
        self._link(main.layers.selection.events.active, self._chosen)
        self._chosen()
        self.go_to(main.dims.point)

    def go_to(self, world: Any) -> None:
        """Show this place of the viewer's world in every plane, with the crosshair on it."""
        if self._moving:
            return
        self._moving = True
        try:
            for viewer in (self.main, *self.models.values()):
                viewer.dims.point = tuple(world)[-viewer.dims.ndim :]
            self._mark()
        finally:
            self._moving = False

    def close(self) -> None:
        """Leave the main window as it was."""
        self._unlink(lambda _source: True)
        self.main.mouse_drag_callbacks.remove(self._clicked)
        self._moving = True
        place = self.main.dims.point
        self._unmark()
        self.main.dims.point = place
        for model in self.models.values():
            model.mouse_drag_callbacks.remove(self._clicked)
            model.layers.clear()
        self._copies.clear()

    def _link(self, event: Any, callback: Callable[..., Any]) -> None:
        event.connect(callback)
        self._links.append((event, callback))

    def _unlink(self, wanted: Callable[[Any], bool]) -> None:
        """Let go of what is linked to such sources of events."""
        gone = [link for link in self._links if wanted(bare(link[0].source))]
        for event, callback in gone:
            event.disconnect(callback)
        self._links = [link for link in self._links if link not in gone]

    def _follow(self, event: Any) -> None:
        viewers = (self.main, *self.models.values())
        moved = next(
            (viewer for viewer in viewers if viewer.dims.events.point is event.source.events.point), self.main
        )
        self.go_to(moved.dims.point)

    def _clicked(self, viewer: "Viewer", event: Any) -> Iterator[None]:
        """A click that is no drag, with no tool in hand, moves all planes to the place that was clicked."""
        active = viewer.layers.selection.active
        if (
            event.button != 1
            or viewer.dims.ndisplay != 2
            or (active is not None and active.mode != "pan_zoom")
        ):
            return
        yield
        while event.type == "mouse_move":
            if np.abs(np.array(event.pos) - self._pressed(event)).max() > 3:
                return
            yield
        self.go_to(event.position)

    @staticmethod
    def _pressed(event: Any) -> NDArray[np.float64]:
        press = event.press_event
        return np.array(event.pos if press is None else press.pos, np.float64)

    def _copy(self, layer: Layer) -> None:
        if layer.name == CROSSHAIR or not isinstance(layer, ImageLayer | Labels | Points | Shapes):
            return
        made = []
        for model in self.models.values():
            copy = Layer.create(*layer.as_layer_data_tuple())
            model.layers.append(copy)
            made.append(copy)
        self._copies[layer] = made
        if isinstance(layer, Points | Shapes):
            self._link(layer.events.data, lambda _=None: self._draw_again(layer))
            self._keep_same(layer, ("visible", "opacity", "name"))
            return
        self._keep_same(layer, _SAME)
        self._link(layer.events.data, lambda _=None: self._same(layer, "data"))
        if isinstance(layer, Labels):
            self._keep_same(layer, _TOOL)
            self._link(layer.events.set_data, lambda _=None: self._refresh(layer))
            for copy in made:
                self._tell(copy, layer)

    def _keep_same(self, layer: Layer, names: tuple[str, ...]) -> None:
        for name in names:
            if hasattr(layer, name):
                self._same(layer, name)
                if hasattr(layer.events, name):
                    self._link(getattr(layer.events, name), lambda _=None, name=name: self._same(layer, name))

    def _tell(self, copy: Labels, layer: Labels) -> None:
        """What is painted in a copy is told by its layer, whose array it is; so is what its keys take back."""
        self._link(copy.events.paint, lambda event: layer.events.paint(value=event.value))
        self._link(copy.events.labels_update, lambda _=None: layer.refresh())
        self._link(layer.events.mode, lambda _=None: copy.keymap.update(layer.keymap))
        copy.keymap.update(layer.keymap)

    def _draw_again(self, layer: Layer) -> None:
        """Points and shapes were added, moved or taken away."""
        for model, copy in zip(self.models.values(), self._copies.get(layer, ()), strict=False):
            at = model.layers.index(copy)
            model.layers.remove(copy)
            model.layers.insert(at, Layer.create(*layer.as_layer_data_tuple()))
            self._copies[layer][list(self.models.values()).index(model)] = model.layers[at]

    def _chosen(self, _event: Any = None) -> None:
        """The layer in hand is that of every plane, so that its tool is."""
        active = self.main.layers.selection.active
        for at, model in enumerate(self.models.values()):
            copies = self._copies.get(active) if active is not None else None
            model.layers.selection.active = copies[at] if copies else None

    def _same(self, layer: Layer, name: str) -> None:
        for copy in self._copies.get(layer, ()):
            setattr(copy, name, getattr(layer, name))

    def _refresh(self, layer: Layer) -> None:
        if not self._moving:
            for copy in self._copies.get(layer, ()):
                copy.refresh()

    def _inserted(self, event: Any) -> None:
        if event.value.name != CROSSHAIR:
            self._copy(event.value)
            self._reordered()
            self._chosen()
            self.go_to(self.main.dims.point)

    def _removed(self, event: Any) -> None:
        layer = event.value
        for model, copy in zip(self.models.values(), self._copies.pop(layer, ()), strict=False):
            model.layers.remove(copy)
        self._unlink(lambda source: source is bare(layer))  # else it is kept, with its voxels
        if not self._copies and layer.name != CROSSHAIR:
            self._unmark()  # its steps are those of what is gone

    def _reordered(self, _event: Any = None) -> None:
        for at, model in enumerate(self.models.values()):
            wanted = [self._copies[layer][at] for layer in self.main.layers if layer in self._copies]
            for place, copy in enumerate(wanted):
                if (now := model.layers.index(copy)) != place:
                    model.layers.move(now, place)

    def _mark(self) -> None:
        """The crosshair at the common place, from one end of what is shown to the other."""
        if not self._copies or self.main.dims.ndim < 3:  # the last layer is just going
            return
        low, high = self.main.layers.extent.world[:, -3:]
        place = np.array(self.main.dims.point[-3:])
        lines = np.zeros((3, 2, 3))
        lines[:, 0] = place
        lines[range(3), 0, range(3)] = low
        lines[range(3), 1, range(3)] = high - low
        for viewer in (self.main, *self.models.values()):
            if CROSSHAIR in viewer.layers:
                cross = viewer.layers[CROSSHAIR]
                cross.data = lines / cross.scale
            else:
                _add_cross(viewer, lines, float((high - low).max()) * _THIN)

    def _unmark(self) -> None:
        for viewer in (self.main, *self.models.values()):
            if CROSSHAIR in viewer.layers:
                viewer.layers.remove(CROSSHAIR)


def _add_cross(viewer: Any, lines: NDArray[np.float64], width: float) -> None:
    """Lines in mm.

    The smallest step of all layers is that of napari's sliders, and a slider that gets another step keeps the number of
    its step, not its place. So the crosshair has a step of its own that is the smallest along no axis.
    """
    selected = viewer.layers.selection.active
    step = max(float(axis.step) for axis in viewer.dims.range[-3:])
    viewer.add_vectors(
        lines / step,
        scale=(step,) * 3,
        name=CROSSHAIR,
        edge_color="#3fd0c9",
        edge_width=width / step,
        vector_style="line",
        opacity=0.7,
        units=viewer.layers[0].units[-3:],
        axis_labels=("z", "y", "x"),
    )
    viewer.layers.selection.active = selected
