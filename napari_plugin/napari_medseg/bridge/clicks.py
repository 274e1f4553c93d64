"""Clicks on a mask that is corrected: a layer of points to click on, read as places in the mask's image."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Points

from medseg.domain.prompts import Point
from napari_medseg.bridge.placement import Placement
from napari_medseg.bridge.seeds import prompts_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["CLICKS", "Clicks"]

#: Name in the metadata of a layer that is clicked on: its points are no prompts.
CLICKS = "medseg clicks"
#: Size of a point on the screen's plane, in mm.
_POINT_MM = 2.5


class Clicks:
    """The places clicked on so far; the layer goes when they are no longer needed.

    Parameters
    ----------
    viewer
        Of the window.
    clicked
        Called after each click.
    """

    def __init__(self, viewer: "Viewer", clicked: Callable[[], None]) -> None:
        self._viewer, self._clicked = viewer, clicked
        self._layer: Any = None
        self._place: Placement | None = None

    def begin(self, name: str, place: Placement) -> None:
        """Have a layer of points over the mask that lies at `place`, ready to be clicked on."""
        self.end()
        self._place = place
        self._layer = Points(
            ndim=3,
            name=name,
            metadata={CLICKS: True},
            size=_POINT_MM / min(place.grid.spacing),
            **place.arguments(),
        )
        self._viewer.add_layer(self._layer)
        self._viewer.layers.selection.active = self._layer
        self._layer.mode = "add"
        self._layer.events.data.connect(self._changed)

    def taken(self) -> tuple[Point, ...]:
        """The places, in the order of the clicks; the layer is empty again."""
        found = self.points
        if self._layer is not None:
            self._layer.data = []
        return found

    def end(self) -> None:
        """Take the layer away."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    @property
    def points(self) -> tuple[Point, ...]:
        """The places, in the order of the clicks."""
        if self._layer is None or self._place is None or not len(self._layer.data):
            return ()
        return prompts_of([self._layer.as_layer_data_tuple()], self._place).points

    def _changed(self, event: Any) -> None:
        if str(getattr(event, "action", "")).split(".")[-1].lower() == "added":
            self._clicked()
