"""Prompts drawn by the mouse, as a hand draws them: press, move, release on the canvas, in every plane."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("napari")

from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari.settings import get_settings
from tests.napari.conftest import PLANES
from tests.napari.test_prompts import BLOCKS, Drawing, block, overlap, scan

pytestmark = pytest.mark.gui

#: A step of the mouse in pixels, and how near a prompt is to where the mouse was, in mm: less than a pixel.
STEP, NEAR = 6, 0.35
#: Orientation in which it is stored, and degrees by which it is turned.
SCANS = [("LPS", 0), ("PSR", 0), ("IPL", 20)]


class Mouse:
    """A mouse over the canvas of a window, moved to places of the viewer's world."""

    def __init__(self, screen: Any) -> None:
        self.screen, self.viewer = screen, screen.viewer
        (self.canvas,) = (
            widget
            for widget in QApplication.allWidgets()
            if type(widget).__name__ == "CanvasBackendDesktop" and widget.isVisible()
        )

    def pixel(self, world: NDArray[np.float64]) -> NDArray[np.float64]:
        """Column and row on the canvas of a place in the plane that is shown."""
        camera, shown = self.viewer.scene.camera, list(self.viewer.dims.displayed)
        away = (world[shown] - np.array(camera.center)[-2:]) * camera.zoom
        return np.array((self.canvas.width(), self.canvas.height())) / 2 + away[::-1]

    @property
    def between_vertices_mm(self) -> float:
        """How far the mouse goes before napari takes another vertex of a freehand line."""
        return float(get_settings().experimental.lasso_vertex_distance / self.viewer.scene.camera.zoom)

    def drag(self, *places: Any) -> None:
        """Press at the first place, move from one to the next, release at the last."""
        self._wait_for_layout()
        pixels = [self.pixel(np.array(place)) for place in places]
        self._send(QEvent.Type.MouseMove, pixels[0], held=False)
        self._send(QEvent.Type.MouseButtonPress, pixels[0])
        for start, end in pairwise(pixels):
            steps = max(1, int(np.abs(end - start).max() / STEP))
            for step in range(1, steps + 1):
                self._send(QEvent.Type.MouseMove, start + (end - start) * step / steps)
        self._send(QEvent.Type.MouseButtonRelease, pixels[-1], held=False)

    def _wait_for_layout(self) -> None:
        """Until the canvas keeps its size: a slider that napari hides for another plane leaves it its room late."""
        last, same = None, 0
        while same < 5:
            QTest.qWait(20)
            size = self.canvas.width(), self.canvas.height()
            last, same = size, same + 1 if size == last else 0

    def _send(self, kind: QEvent.Type, pixel: NDArray[np.float64], *, held: bool = True) -> None:
        place = QPointF(*pixel)
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
        event = QMouseEvent(
            kind,
            place,
            QPointF(self.canvas.mapToGlobal(place.toPoint())),
            button,
            buttons,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.canvas, event)
        QApplication.processEvents()


class Hand:
    """Draws with the tools of the panel on a scan of two blocks."""

    def __init__(self, widget: Any, orientation: str, degrees: float, plane: str) -> None:
        self.hands = Drawing(widget, scan(orientation, degrees), "random-walker")
        self.widget, self.image, self.plane = widget, self.hands.image, plane
        self.mouse = Mouse(widget.screen)

    def world(self, voxel: tuple[int, int, int]) -> NDArray[np.float64]:
        return np.array(self.hands.layer.data_to_world(self.hands.seen(*voxel)))

    def look(self, voxel: tuple[int, int, int]) -> None:
        self.widget.screen.look(self.plane, tuple(self.world(voxel)))
        QApplication.processEvents()

    def across(self) -> tuple[int, int]:
        """Axes of the file that the plane shows: rows, columns."""
        axes = []
        for shown in PLANES[self.plane][1:]:
            ways = [np.array(self.hands.seen(*(5 * (at == axis) for at in range(3)))) for axis in range(3)]
            start = np.array(self.hands.seen(0, 0, 0))
            axes.append(int(np.argmax([abs((way - start)[shown]) for way in ways])))
        return axes[0], axes[1]

    def corners(self, grow: int = 0) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Two opposite corners of the first block's section by the plane through its middle, in voxels."""
        low, high = (np.array(corner) for corner in BLOCKS[0])
        first, last = (low + high) // 2, (low + high) // 2
        for axis in self.across():
            first[axis], last[axis] = low[axis] - grow, high[axis] - 1 + grow
        return tuple(first.tolist()), tuple(last.tolist())

    def drawn(self) -> Any:
        _, places = self.hands.panel.channels.inputs()
        return self.hands.panel.prompts.tools.layers.drawn(next(iter(places.values())))

    def take_up(self, tool: str) -> None:
        self.hands.take_up(tool)
        self.look(self.corners()[0])


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(("orientation", "degrees"), SCANS)
def test_a_scribble_is_where_the_mouse_went(
    widget: Any, orientation: str, degrees: float, plane: str
) -> None:
    hand = Hand(widget, orientation, degrees, plane)
    hand.take_up("scribble")
    first, last = hand.corners(grow=-3)
    hand.mouse.drag(hand.world(first), hand.world(last))
    widget.settle()
    (stroke,) = hand.drawn().strokes
    start, end = (np.array(hand.image.grid.to_position(np.array(voxel))) for voxel in (first, last))
    points = np.array(stroke.positions)
    assert not stroke.closed
    assert stroke.radius_mm == pytest.approx(hand.hands.panel.prompts.tools.line_width.value() / 2)
    assert np.linalg.norm(points[0] - start) < NEAR
    assert np.linalg.norm(points[-1] - end) < NEAR + hand.mouse.between_vertices_mm
    along = (points - start) @ (end - start) / np.linalg.norm(end - start) ** 2
    away = points - start - along[:, None] * (end - start)
    assert np.linalg.norm(away, axis=1).max() < NEAR
    assert len(points) > 3
    assert overlap(hand.hands.labels() == 1, block(0)) > 0.8


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(("orientation", "degrees"), SCANS)
def test_a_box_is_as_the_mouse_drew_it(widget: Any, orientation: str, degrees: float, plane: str) -> None:
    hand = Hand(widget, orientation, degrees, plane)
    (across,) = {0, 1, 2} - set(hand.across())
    low, high = (np.array(corner) for corner in BLOCKS[0])
    depth = float((high - low + 6)[across] * hand.image.grid.spacing[across])
    hand.hands.panel.prompts.tools.box_depth.setValue(depth)
    hand.take_up("box")
    first, last = hand.corners(grow=3)
    hand.mouse.drag(hand.world(first), hand.world(last))
    widget.settle()
    (box,) = hand.drawn().boxes
    near = np.zeros(hand.image.grid.shape, np.bool_)
    near[tuple(slice(a - 5, b + 5) for a, b in zip(low, high, strict=True))] = True
    labels = hand.hands.labels()
    assert overlap(labels > 0, block(0)) > 0.8, box
    assert not (labels[~near] > 0).any()


@pytest.mark.parametrize("plane", PLANES)
def test_a_lasso_is_closed_around_what_the_mouse_went_round(widget: Any, plane: str) -> None:
    hand = Hand(widget, "IPL", 20, plane)
    hand.take_up("lasso")
    first, last = np.array(hand.corners(grow=-2))
    rows, columns = hand.across()
    two, four = first.copy(), last.copy()
    two[columns], four[columns] = last[columns], first[columns]
    path = [hand.world(tuple(voxel.tolist())) for voxel in (first, two, last, four, first)]
    hand.mouse.drag(*path)
    widget.settle()
    (stroke,) = hand.drawn().strokes
    assert stroke.closed
    index = hand.image.grid.to_index(np.array(stroke.positions))
    for axis in (rows, columns):
        spacing = hand.image.grid.spacing[axis]
        assert index[:, axis].min() == pytest.approx(min(first[axis], last[axis]), abs=2 * NEAR / spacing)
        assert index[:, axis].max() == pytest.approx(max(first[axis], last[axis]), abs=2 * NEAR / spacing)
    assert overlap(hand.hands.labels() == 1, block(0)) > 0.8
