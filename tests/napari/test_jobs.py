"""A run in a real window: stopped in every phase within a second, by its button, its dock or the window."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("napari")

from medseg.domain import Grid, Image, Quantity
from medseg.workflows.apart import Asked
from napari_medseg._qt.job import is_alive
from napari_medseg._qt.panel import panel_of
from napari_medseg.bridge.layers import image_layer
from tests.napari.conftest import Widget

pytestmark = pytest.mark.gui

#: A segmenter that can't be interrupted in one phase, and is loaded, solves and is measured otherwise.
STUBBORN = """
import os, time
from medseg.domain import Params, SegmenterSpec
from medseg.methods.base import answer

if "{phase}" == "loading" and os.getpid() != {mine}:
    time.sleep(600)

class Stubborn:
    spec = SegmenterSpec("stubborn", "Stubborn", "Hears nothing.", "own")
    Params = Params

    def segment(self, images, params, *, within=None, prompts=None, run):
        run.progress(0, 8, "windows")
        if "{phase}" == "fault":
            raise ZeroDivisionError("by chance")
        if "{phase}" == "killed":
            import signal
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)

    def memory_bytes(self, grids, params):
        return 0
"""


def stubborn(phase: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    name = f"stubborn_in_window_{phase}"
    (folder / f"{name}.py").write_text(STUBBORN.format(phase=phase, mine=os.getpid()), encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return __import__(name).Stubborn()


def begin(widget: Any, segmenter: Any, phase: str) -> None:
    """Run a segmenter, and wait until it hears nothing."""
    array = np.zeros((12, 10, 6), np.float32)
    array[3:8, 3:7, 2:5] = 300
    values, meta, _ = image_layer(
        Image(array, Grid(array.shape, np.diag([-1.0, -1, 2, 1])), modality="MR"), "mr"
    )
    widget.screen.viewer.add_image(values, **meta)
    widget.choose("otsu")
    widget.panel.segmenters.segmenter = segmenter
    widget.panel.segmenters.chosen.emit()
    widget.panel.run_button.click()
    jobs = widget.panel.runs.jobs
    if phase == "loading":
        widget.wait(lambda: jobs.working is not None and bool(processes()))
    elif phase == "windows":
        widget.wait(lambda: jobs.is_idle or jobs.working.phase == "windows")
        assert jobs.working is not None, widget.panel.message.text()


def processes() -> list[psutil.Process]:
    """Those that work for this one."""
    found = psutil.Process().children(recursive=True)
    return [one for one in found if any("serve()" in part for part in one.cmdline())]


def gone(widget: Any, started: list[psutil.Process], since: float) -> None:
    widget.wait(lambda: not any(one.is_running() for one in started))
    widget.settle()
    assert time.monotonic() - since < 1


@pytest.mark.parametrize("phase", ["loading", "windows"])
def test_cancel_is_heard_within_a_second_in_every_phase(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    begin(widget, stubborn(phase, tmp_path, monkeypatch), phase)
    widget.wait(widget.panel.job_bar.cancel_button.isVisible)  # what ends at once shows no bar
    started = processes()
    since = time.monotonic()
    widget.panel.job_bar.cancel_button.click()
    gone(widget, started, since)
    assert "Stopped" in widget.panel.message.text()
    assert [layer.name for layer in widget.screen.viewer.layers] == ["mr"]
    assert widget.panel.run_button.isEnabled()


@pytest.mark.parametrize("phase", ["loading", "windows"])
@pytest.mark.parametrize("way", ["dock", "window"])
def test_closing_the_dock_or_the_window_ends_the_process(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, phase: str
) -> None:
    begin(widget, stubborn(phase, tmp_path, monkeypatch), phase)
    started = processes()
    viewer = widget.screen.viewer
    jobs = widget.panel.runs.jobs
    if way == "dock":
        viewer.window.remove_dock_widget(widget.panel)
    else:
        viewer.close()
    since = time.monotonic()
    widget.wait(lambda: not any(one.is_running() for one in started) and jobs.is_idle)
    assert time.monotonic() - since < 1
    panel, widget.panel = widget.panel, None
    widget.wait(lambda: not is_alive(panel))


@pytest.fixture
def tabs(screen: Any, qtbot: Any) -> Iterator[Widget]:
    """The same panel as a tab of the one dock."""
    screen.viewer.window.resize(1300, 700)
    _, docked = screen.viewer.window.add_plugin_dock_widget("medseg", "medseg")
    found = Widget(screen, docked.tab("Segment"), lambda done: qtbot.waitUntil(done, timeout=60_000))
    yield found
    vars(found).clear()


def test_numbers_follow_a_stroke_while_a_run_goes_on_and_stopping_one_ends_no_other(
    tabs: Widget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tabs, stubborn("windows", tmp_path, monkeypatch), "windows")
    viewer, jobs = tabs.screen.viewer, tabs.panel.runs.jobs
    below = viewer.layers["mr"]
    layer = viewer.add_labels(np.zeros(below.data.shape, np.uint8), scale=below.scale, name="mine")
    layer.translate, layer.units = below.translate, below.units
    measure: Any = panel_of(viewer).tab("Measure")
    tabs.wait(measure.choice.adopt_button.isVisible)
    measure.choice.adopt_button.click()

    def measured() -> bool:
        return measure.measures is not None and bool(measure.measures.is_fresh)

    tabs.wait(measured)
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 3
    layer.paint((3, 5, 6), 1)
    assert not measured()
    tabs.wait(measured)
    rows = {row.item.quantity: row.item.value for row in measure.measures.rows}
    assert rows[Quantity.VOLUME] == pytest.approx(np.count_nonzero(layer.data) * 2 / 1000)
    assert jobs.working is not None  # the run hears nothing, and goes on
    layer.paint((3, 5, 2), 1)
    measure.measure()
    tabs.panel.job_bar.cancel_button.click()
    tabs.wait(measured)
    tabs.settle()
    begin(tabs, tabs.panel.segmenters.segmenter, "windows")
    measure.jobs.cancel()
    tabs.wait(lambda: bool(measure.jobs.is_idle))
    assert jobs.working is not None
    tabs.panel.job_bar.cancel_button.click()
    tabs.settle()


@pytest.mark.parametrize("way", ["dock", "window"])
def test_closing_the_dock_of_tabs_or_its_window_ends_the_process(
    tabs: Widget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    begin(tabs, stubborn("windows", tmp_path, monkeypatch), "windows")
    started = processes()
    assert started
    viewer, jobs = tabs.screen.viewer, tabs.panel.runs.jobs
    if way == "dock":
        viewer.window.remove_dock_widget(panel_of(viewer))
    else:
        viewer.close()
    since = time.monotonic()
    tabs.wait(lambda: not any(one.is_running() for one in started) and jobs.is_idle)
    assert time.monotonic() - since < 1
    tabs.wait(lambda: not is_alive(tabs.panel))
    if way == "dock":
        viewer.layers["mr"].name = "another"
        viewer.add_labels(np.zeros((6, 10, 12), np.uint8))
        assert "another" in viewer.layers, "the window lives on"
        again: Any = panel_of(viewer).tab("Segment")
        assert again.run_button.isEnabled()


def test_napari_knows_of_the_run_and_asks_before_it_closes(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(widget, stubborn("windows", tmp_path, monkeypatch), "windows")
    window = widget.screen.viewer.window._qt_window._window
    assert any("medseg: segment" in text for text in window._task_status_manager.get_status())


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("fault", "a fault in medseg: ZeroDivisionError: by chance"),
        ("killed", "the system ended the process that ran _segment"),
    ],
)
def test_a_fault_or_a_killed_process_is_one_line_and_the_window_stays_alive(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str, said: str
) -> None:
    begin(widget, stubborn(phase, tmp_path, monkeypatch), phase)
    widget.settle()
    assert said in widget.panel.message.text()
    assert [layer.name for layer in widget.screen.viewer.layers] == ["mr"]
    widget.run("threshold", low=100)
    assert widget.layer("threshold mask").data.sum() == 5 * 4 * 3


def test_phase_progress_and_time_are_seen(
    widget: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(widget, stubborn("windows", tmp_path, monkeypatch), "windows")
    widget.wait(lambda: widget.panel.job_bar.phase.text().startswith("windows, "))
    assert widget.panel.job_bar.bar.maximum() == 8


def test_what_is_asked_is_what_the_panel_shows(widget: Any) -> None:
    begin(widget, widget.panel.segmenter, "none")
    widget.settle()
    widget.choose("threshold")
    widget.panel.form.set_values({"low": 2.5})
    asked, _ = widget.panel.asked()
    assert isinstance(asked, Asked)
    assert asked.segmenter.spec.name == "threshold"
    assert asked.params == {"low": "2.5"}
