"""Correcting by clicks: pieces of the image that look alike, and contours that run along edges."""

from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QVBoxLayout, QWidget

from medseg.domain import Prompts, Segmentation
from medseg.domain.prompts import Point
from medseg.errors import MedsegError
from medseg.workflows.apart import Asked
from medseg.workflows.segmenters import find_segmenter
from napari_medseg._qt.job import jobs_of
from napari_medseg._qt.parts import button, side_by_side
from napari_medseg.bridge.clicks import Clicks
from napari_medseg.bridge.measuring import mask_place
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.mask import EditedMask
from napari_medseg.workspace.runs import Runs

if TYPE_CHECKING:
    from napari import Viewer

    from napari_medseg._qt.masks import MaskChoice

__all__ = ["ClickTools"]

#: Anchors that a contour needs.
_FEWEST = 3
#: Each answer is a job of its own kind: of one kind the last one asked for would take the place of those before it.
_NUMBERS = count(1)


class ClickTools(QWidget):
    """Two tools whose answers get the label that is selected, where the limits of painting allow it; one undo each."""

    #: What happened, in a line.
    said = Signal(str)

    def __init__(self, viewer: "Viewer", choice: "MaskChoice") -> None:
        super().__init__()
        self._viewer, self._choice = viewer, choice
        self._runs = Runs(jobs_of(viewer))
        self._clicks = Clicks(viewer, self._clicked)
        self._tool = ""
        self.pieces = button(
            "Supervoxels",
            "Click: the piece of the image that looks alike there gets the label",
            self._take_pieces,
        )
        self.wire = button(
            "Livewire",
            "Click anchors along an edge on one slice of the scan, then close the contour",
            partial(self._take, "livewire"),
        )
        self.close_wire = button("Close contour", "The inside of the contour gets the label", self.fill)
        self.stop = button("Done", "Back to the mask", self.leave)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(side_by_side(self.pieces, self.wire, self.close_wire, self.stop))
        self._show()

    def refresh(self) -> None:
        """Another mask is in hand: what was clicked for the last one is no longer meant."""
        self.leave()
        self.setEnabled(self._choice.current is not None)

    def leave(self) -> None:
        """Put the tool away."""
        self._tool = ""
        self._clicks.end()
        if (layer := self._choice.layer) is not None and layer in self._viewer.layers:
            self._viewer.layers.selection.active = layer
        self._show()

    def fill(self) -> None:
        """Close the contour of the anchors that were clicked."""
        self._ask("livewire", {}, self._clicks.taken())
        self._show()

    def _take_pieces(self) -> None:
        self._take("pick-supervoxels")

    def _take(self, tool: str) -> None:
        mask = self._choice.current
        place = None if mask is None else mask_place(self._viewer, mask)
        if mask is None or place is None:
            return
        if mask.image not in window_of(self._viewer).session.images:
            self.said.emit("This tool looks at the image of the mask; open it first.")
            return
        self._tool = tool
        self._clicks.begin(find_segmenter(tool).spec.title, place)
        self.said.emit("")
        self._show()

    def _clicked(self) -> None:
        if self._tool == "pick-supervoxels":
            self._ask(self._tool, {"reach_sd": 0.0}, self._clicks.points[-1:])
        self._show()

    def _ask(self, tool: str, params: dict[str, float], points: tuple[Point, ...]) -> None:
        mask, layer = self._choice.current, self._choice.layer
        image = None if mask is None else window_of(self._viewer).session.images.get(mask.image or "")
        if mask is None or layer is None or image is None or not points:
            return
        segmenter, value = find_segmenter(tool), int(layer.selected_label)
        asked = Asked(segmenter, {segmenter.spec.channels[0].name: image}, params, Prompts(points))
        done = partial(self._came, mask, value, tool)
        self._runs.segment(asked, done, self.said.emit, kind=f"{tool} {next(_NUMBERS)}", key=points)

    def _came(self, mask: EditedMask, value: int, tool: str, found: Segmentation) -> None:
        try:
            changed = mask.paint_region(found.labels > 0, value, tool=tool)
        except MedsegError as error:
            self.said.emit(str(error))
            return
        self.said.emit(
            "" if changed else "Nothing was changed: it has this label, or painting is limited there."
        )

    def _show(self) -> None:
        self.close_wire.setEnabled(self._tool == "livewire" and len(self._clicks.points) >= _FEWEST)
        self.stop.setEnabled(bool(self._tool))
