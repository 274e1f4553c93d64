"""Supervoxels and livewire as tools of the tab Correct, clicked with the mouse in a real window."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from medseg.domain import Grid, Image, LabelTable, Segmentation
from medseg.domain.labels import Label
from napari_medseg._qt.panel import panel_of
from napari_medseg.bridge.clicks import CLICKS
from napari_medseg.bridge.layers import image_layer, labels_layer
from napari_medseg.bridge.window import window_of
from tests.napari.conftest import PLANES
from tests.napari.test_mouse import Mouse

pytestmark = pytest.mark.gui

SHAPE = (40, 36, 12)
BLOCK = (slice(12, 26), slice(10, 24), slice(3, 9))
GRID = Grid(SHAPE, np.diag([-1.0, -1.0, 2.0, 1.0]))


class Tab:
    """The tab Correct over a bright block in noise, with a mask that is empty."""

    def __init__(self, screen: Any, qtbot: Any) -> None:
        self.screen, self.viewer, self.qtbot = screen, screen.viewer, qtbot
        self.viewer.window.resize(1280, 800)
        values = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
        values[BLOCK] += 100
        data, meta, _ = image_layer(Image(values, GRID, channel="image"), "image")
        self.viewer.add_image(data, **meta)
        table = LabelTable((Label(1, "tumour"), Label(2, "node")))
        data, meta, _ = labels_layer(Segmentation(np.zeros(SHAPE, np.uint8), GRID, table), "mask")
        self.layer = self.viewer.add_labels(data, **meta)
        self.panel: Any = panel_of(self.viewer).tab("Correct")
        self.mask: Any = window_of(self.viewer).mask_of(self.layer)
        self.viewer.layers.selection.active = self.layer

    def look(self, plane: str, index: tuple[int, int, int]) -> None:
        self.viewer.dims.order = PLANES[plane]
        self.viewer.dims.point = self.world(index)
        self.viewer.reset_view()
        QApplication.processEvents()

    def world(self, index: tuple[int, int, int]) -> tuple[float, ...]:
        """Place in the window of a voxel, by its index (i, j, k)."""
        before = self.mask.labels[index]
        self.mask.labels[index] = 9  # the very memory that the layer shows
        (at,) = np.argwhere(np.asarray(self.layer.data) == 9)
        self.mask.labels[index] = before
        return tuple(float(part) for part in self.layer.data_to_world(at))

    def click(self, index: tuple[int, int, int]) -> None:
        place = self.world(index)
        mouse = Mouse(self.screen)
        mouse.drag(place, place)
        self.qtbot.wait(20)

    def idle(self) -> None:
        self.qtbot.waitUntil(lambda: self.panel.clicks._runs.jobs.is_idle, timeout=120_000)


@pytest.fixture
def tab(screen: Any, qtbot: Any) -> Any:
    found = Tab(screen, qtbot)
    yield found
    vars(found).clear()


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_click_paints_the_piece_that_looks_alike(tab: Tab, plane: str) -> None:
    tab.layer.selected_label = 2
    inside = (18, 16, 5)
    tab.look(plane, inside)
    tab.panel.clicks.pieces.click()
    tab.click(inside)
    tab.idle()
    painted = tab.mask.labels == 2
    assert painted[inside], tab.panel.message.text()
    assert 8 < painted.sum() < painted.size / 8
    assert tab.mask.journal.done[-1].tool == "pick-supervoxels"
    assert np.shares_memory(np.asarray(tab.layer.data), tab.mask.labels)
    assert int((np.asarray(tab.layer.data) == 2).sum()) == int(painted.sum())
    tab.panel.undo_button.click()
    assert not tab.mask.labels.any()
    tab.panel.redo_button.click()
    assert (painted == (tab.mask.labels == 2)).all()
    (edit,) = tab.mask.now().made_by.edits
    assert dict(edit.parameters)["tool"] == "pick-supervoxels"


def test_a_click_that_comes_before_the_answer_to_the_last_one_loses_none(tab: Tab) -> None:
    places = [(14, 12, 5), (24, 22, 5), (2, 30, 5)]
    tab.look("axial", places[0])
    tab.layer.selected_label = 1
    tab.panel.clicks.pieces.click()
    for place in places:
        tab.click(place)
    tab.idle()
    assert [tab.mask.labels[place] for place in places] == [1, 1, 1]
    assert len(tab.mask.journal.done) == 3


def test_a_contour_runs_along_the_edge_and_is_filled(tab: Tab) -> None:
    tab.layer.selected_label = 1
    tab.look("axial", (18, 16, 5))
    tab.panel.clicks.wire.click()
    assert not tab.panel.clicks.close_wire.isEnabled()
    for corner in ((12, 10, 5), (25, 10, 5), (25, 23, 5), (12, 23, 5)):
        tab.click(corner)
    assert tab.panel.clicks.close_wire.isEnabled()
    tab.panel.clicks.close_wire.click()
    tab.idle()
    block = np.zeros(SHAPE, bool)
    block[BLOCK] = True
    painted = tab.mask.labels == 1
    assert not painted[..., [4, 6]].any(), "one slice only"
    overlap = 2 * (painted & block)[..., 5].sum() / (painted[..., 5].sum() + block[..., 5].sum())
    assert overlap > 0.9, tab.panel.message.text()
    assert tab.mask.journal.done[-1].tool == "livewire"
    tab.panel.clicks.stop.click()
    assert not any(CLICKS in layer.metadata for layer in tab.viewer.layers)
    assert tab.viewer.layers.selection.active is tab.layer


def test_limits_of_painting_hold_for_clicks(tab: Tab) -> None:
    tab.mask.paint_region(np.ones(SHAPE, bool), 2, tool="brush")
    tab.panel.labels.table.item(1, 2).setCheckState(Qt.CheckState.Checked)
    tab.layer.selected_label = 1
    tab.look("axial", (18, 16, 5))
    tab.panel.clicks.pieces.click()
    tab.click((18, 16, 5))
    tab.idle()
    assert (tab.mask.labels == 2).all()
    assert "Nothing was changed" in tab.panel.message.text()


def test_clicks_are_no_prompts(tab: Tab) -> None:
    tab.look("axial", (18, 16, 5))
    tab.panel.clicks.wire.click()
    tab.click((18, 16, 5))
    segment: Any = panel_of(tab.viewer).tab("Segment")
    place = tab.panel.clicks._clicks._place
    assert segment.prompts.tools.layers.drawn(place).is_empty
