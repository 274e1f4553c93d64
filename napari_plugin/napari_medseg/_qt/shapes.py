"""Buttons that draw what was measured: axes, lesions, outlines, a surface."""

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QWidget

from medseg.domain.plan import LesionPlan
from medseg.errors import MedsegError
from napari_medseg._qt.parts import button
from napari_medseg.bridge.measuring import draw_axes, draw_lesions, draw_outlines, draw_surface

if TYPE_CHECKING:
    from napari import Viewer

    from napari_medseg._qt.measure import MeasurePanel

__all__ = ["ShowButtons"]


class ShowButtons(QWidget):
    """Each adds a layer, or replaces the one that it added before."""

    def __init__(self, viewer: "Viewer", panel: "MeasurePanel") -> None:
        super().__init__()
        self._viewer, self._panel = viewer, panel
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for name, tip, draw in (
            ("Axes", "Draw the longest and short diameters where they were measured", self._axes),
            ("Lesions", "Show each lesion as a label of its own, by its number", self._lesions),
            ("Outlines", "Draw the outline of every label in the slices as taken", self._outlines),
            ("Surface", "Show the surface of the chosen label, for 3D", self._surface),
        ):
            layout.addWidget(button(name, tip, partial(self._draw, draw, name)))

    def _draw(self, draw: Any, name: str) -> None:
        measures = self._panel.measures
        if measures is None:
            return
        try:
            if not draw(measures):
                self._panel.state.setText(f"{name}: there is nothing to draw.")
        except MedsegError as error:
            self._panel.state.setText(str(error))

    def _axes(self, measures: Any) -> bool:
        return draw_axes(self._viewer, measures.mask, [row.item for row in measures.rows if not row.is_stale])

    def _lesions(self, measures: Any) -> bool:
        return draw_lesions(self._viewer, measures.mask, measures.plan.lesions or LesionPlan())

    def _outlines(self, measures: Any) -> bool:
        return draw_outlines(self._viewer, measures.mask)

    def _surface(self, measures: Any) -> bool:
        layer = self._panel.choice.layer
        value = 0 if layer is None else int(layer.selected_label)
        named = measures.mask.table
        names = [label.name for label in named.labels if value in (0, label.value)] or [named.labels[0].name]
        return draw_surface(self._viewer, measures.mask, names[0])
