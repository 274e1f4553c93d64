"""A real window, opened as a user opens it, and what is seen in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Segmentation
from napari_medseg.bridge.window import window_of

#: `dims.order` of the three planes.
PLANES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}


@dataclass
class Screen:
    """The canvas of a window, in mm from its middle: rows downwards, columns to the right."""

    viewer: Any

    def look(self, plane: str, world: tuple[float, ...] | None = None) -> None:
        """Show a plane through a place of the viewer's world, by default through the middle of what is there."""
        self.viewer.dims.order = PLANES[plane]
        low, high = self.viewer.layers.extent.world
        self.viewer.dims.point = (low + high) / 2 if world is None else world
        self.viewer.reset_view()

    def picture(self) -> NDArray[np.float64]:
        """Brightness (rows, columns) of what is really drawn."""
        shot = self.viewer.screenshot(canvas_only=True, flash=False)
        return np.asarray(shot[..., :3].astype(float).mean(axis=2))

    def bright(self) -> tuple[float, float]:
        """Where the bright spot is."""
        picture = self.picture()
        spot = np.argwhere(picture > 0.8 * picture.max())
        middle = (np.array(picture.shape) - 1) / 2
        row, column = (spot.mean(axis=0) - middle) / self.viewer.scene.camera.zoom
        return float(row), float(column)

    def world(self, row: float, column: float) -> tuple[float, ...]:
        """Place in the viewer's world of a place on the canvas, in the plane that is shown."""
        place = np.array(self.viewer.dims.point)
        shown = list(self.viewer.dims.displayed)
        place[shown] = np.array(self.viewer.scene.camera.center)[-2:] + np.array((row, column))
        return tuple(float(part) for part in place)


@pytest.fixture
def screen(make_napari_viewer: Callable[..., Any]) -> Screen:
    """An empty window that is really shown."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(800, 600)
    return Screen(viewer)


@dataclass
class Widget:
    """The panel for segmenting, used by its buttons."""

    screen: Screen
    panel: Any
    wait: Callable[[Callable[[], bool]], None]

    def choose(self, segmenter: str) -> None:
        self.panel.choice.setCurrentIndex(self.panel.choice.findData(segmenter))

    def run(self, segmenter: str, **typed: object) -> None:
        """Choose, type parameters, press the button, wait for an answer or a message."""
        self.choose(segmenter)
        self.panel.form.set_values(typed)
        self.panel.run_button.click()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing works and nothing waits."""
        self.wait(lambda: bool(self.panel.runs.jobs.is_idle))

    def layer(self, name: str) -> Any:
        """A layer that must have come."""
        assert name in self.screen.viewer.layers, self.panel.message.text()
        return self.screen.viewer.layers[name]

    def mask(self, name: str) -> Segmentation:
        """What a layer shows, with its history."""
        mask = window_of(self.screen.viewer).mask_of(self.layer(name))
        assert mask is not None
        return mask.now()


@pytest.fixture
def widget(screen: Screen, qtbot: Any) -> Iterator[Widget]:
    """The panel, opened through napari's own door."""
    screen.viewer.window.resize(1300, 700)
    _, panel = screen.viewer.window.add_plugin_dock_widget("medseg", "Segment and measure")
    found = Widget(screen, panel, lambda done: qtbot.waitUntil(done, timeout=60_000))
    yield found
    if found.panel is not None:
        found.panel.stop()
        found.settle()
