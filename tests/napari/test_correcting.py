"""The Correct tab in a real window: tools with limits, every operation, one undo, work that survives a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from medseg.workflows import edit, read_segmentation
from medseg.workflows.edit import OPERATIONS, Request
from napari_medseg._qt.panel import panel_of
from napari_medseg.bridge.layers import image_layer
from napari_medseg.bridge.window import window_of
from napari_medseg.writer import write_labels
from tests.napari.test_events import drag, opened, scan

pytestmark = pytest.mark.gui

#: What has no default that changes this mask.
NEEDED = {
    "margin": {"margin_mm": "3"},
    "split-plane": {"point": "[2.0, 0.0, 0.0]", "normal": "[1.0, 0.0, 0.0]"},
    "crop-box": {"low": "[0, 0, 0]", "high": "[3.0, 9.0, 12.0]"},
    "keep-size": {"minimum_mm3": "2"},
    "close": {"radius_mm": "1"},
}


@pytest.fixture
def tab(screen: Any) -> Callable[[], Any]:
    def open_tab() -> Any:
        _, layer, mask = opened(screen.viewer, scan())
        layer.data[2:5, 3:7, 4:8], layer.data[6, 1:3, 1:3], layer.data[1, 1, 1] = 1, 2, 1
        mask.notice()
        return layer, mask, panel_of(screen.viewer).tab("Correct")

    return open_tab


def field_of(form: Any, name: str) -> Any:
    return (form.fields if hasattr(form, "fields") else form._fields)[name]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_does_what_the_command_line_does(tab: Any, qtbot: Any, name: str) -> None:
    """By its form, on the label that is chosen; one undo takes it back, and the history can be replayed."""
    layer, mask, panel = tab()
    before = mask.now()
    box = panel.operations
    box.operation.setCurrentIndex(box.operation.findData(name))
    box.label.setCurrentText("tumour")
    box.other.setCurrentText("liver")
    assert OPERATIONS[name].summary == box.summary.text()
    for field, value in NEEDED.get(name, {}).items():
        field_of(box.form, field).setText(value)
    box.button.click()
    qtbot.waitUntil(lambda: not panel.message.text().endswith("…"), timeout=30_000)
    given = NEEDED.get(name, {}) | ({"other": "liver"} if OPERATIONS[name].needs_other else {})
    expected = edit(before, [Request(name, tuple(given.items()), ("tumour",))])
    assert (mask.now().labels == expected.labels).all(), panel.message.text()
    assert mask.now().table == expected.table
    assert mask.now().made_by.edits[-1] == expected.made_by.edits[-1]
    assert np.shares_memory(layer.data, mask.labels)
    if (before.labels != expected.labels).any():
        panel.undo_button.click()
        assert (mask.labels == before.labels).all()


def test_a_new_label_is_seen_and_painted(tab: Any) -> None:
    layer, mask, panel = tab()
    panel.labels.new_button.click()
    value = int(layer.selected_label)
    assert value == 3
    assert layer.get_color(value)[3] == 1.0
    name = panel.labels.table.item(2, 1)
    name.setText("node")
    assert mask.table.name_of(value) == "node"
    drag(layer, [(3, 1, 1)], value)
    assert mask.now().table.name_of(value) == "node"
    panel.labels.table.item(2, 1).setText("tumour")
    assert "differ" in panel.choice.message.text()
    assert mask.table.name_of(value) == "node"


def test_a_locked_label_is_not_painted_over(tab: Any) -> None:
    layer, mask, panel = tab()
    tumour = mask.labels == 1
    panel.labels.table.item(0, 2).setCheckState(Qt.CheckState.Checked)
    layer.fill((3, 4, 5), 2)
    layer.paint((3, 4, 5), 2)
    assert ((mask.labels == 1) == tumour).all()
    panel.labels.table.item(0, 2).setCheckState(Qt.CheckState.Unchecked)
    layer.fill((3, 4, 5), 2)
    assert not (mask.labels == 1)[tumour].all()


def test_painting_keeps_within_a_label_and_a_range(tab: Any, screen: Any) -> None:
    layer, mask, panel = tab()
    values = next(iter(window_of(screen.viewer).session.images.values())).array
    panel.tools.inside.setCurrentIndex(panel.tools.inside.findData(1))
    middle = int(np.median(values[mask.labels == 1]))
    panel.tools.low.setText(str(middle))
    panel.tools.low.editingFinished.emit()
    before = mask.labels.copy()
    layer.n_edit_dimensions, layer.brush_size = 3, 60
    drag(layer, [(3, 4, 5)], 2)
    changed = mask.labels != before
    assert changed.any()
    assert (changed <= ((before == 1) & (values >= middle))).all()


def test_the_brush_has_its_size_in_mm(tab: Any) -> None:
    layer, _, panel = tab()
    panel.tools.brush.setValue(2.0)
    buttons = {button.text(): button for button in panel.tools.findChildren(QPushButton)}
    buttons["Brush"].click()
    assert (layer.mode, layer.brush_size) == ("paint", 2.0)
    layer.data[:] = 0
    layer.paint((4, 5, 6), 1)
    across = np.ptp(np.argwhere(layer.data)[:, 1]) + 1
    assert across * layer.scale[1] <= 2.5
    buttons["Erase"].click()
    assert layer.mode == "erase"


def test_undo_and_redo_are_offered_as_far_as_they_reach(tab: Any) -> None:
    layer, mask, panel = tab()
    states = [mask.labels.copy()]
    for k in (1, 2):
        drag(layer, [(k, 8, 8)], 2)
        states.append(mask.labels.copy())
    panel.undo_button.click()
    assert (mask.labels == states[1]).all()
    panel.redo_button.click()
    assert (mask.labels == states[2]).all()
    assert not panel.redo_button.isEnabled()
    while panel.undo_button.isEnabled():
        panel.undo_button.click()
    assert not mask.labels.any()
    assert "0 changes" in panel.state.text()


def test_a_layer_of_another_is_taken_in_by_a_button(tab: Any, screen: Any) -> None:
    layer, _, panel = tab()
    other = screen.viewer.add_labels(
        np.zeros(layer.data.shape, np.int64), name="drawn", scale=layer.scale, translate=layer.translate
    )
    assert panel.choice.layer is other
    assert panel.choice.current is None
    assert not panel.labels.isEnabled()
    panel.choice.adopt_button.click()
    mask = panel.choice.current
    assert mask is not None
    drag(other, [(3, 4, 5)], 1)
    assert mask.journal.done


def test_what_was_saved_by_napari_is_no_longer_offered(tab: Any, screen: Any, tmp_path: Path) -> None:
    layer, mask, _ = tab()
    drag(layer, [(1, 8, 8)], 2)
    assert not mask.is_saved
    write_labels(str(tmp_path / "mask.nii.gz"), *layer.as_layer_data_tuple()[:2])
    assert mask.is_saved
    found = read_segmentation(tmp_path / "mask.nii.gz")
    assert found.digest == mask.now().digest
    assert found.made_by.edits == mask.now().made_by.edits
    screen.viewer.layers.remove(layer)
    assert window_of(screen.viewer).session.left_over() == {}


WORK = """
import napari, numpy as np, sys, time
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer(show=True)
from tests.napari.test_events import opened, scan, drag, digest
_, layer, mask = opened(viewer, scan())
layer.brush_size = 5
for k in range(5):
    drag(layer, [(k, 4, 4), (k, 4, 6)], 1 + k % 2)
mask.operate("dilate=1", labels=["tumour"])
mask.undo()
mask.settle()
print(digest(mask.labels), flush=True)
while True:
    QApplication.processEvents(); time.sleep(0.01)
"""


def test_after_kill_9_of_a_window_the_next_one_offers_its_work(
    screen: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MEDSEG_WORK_DIR", str(tmp_path / "work"))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    assert len(told) == 64
    data, meta, _ = image_layer(scan(), "scan")
    screen.viewer.add_image(data, **meta)
    panel: Any = panel_of(screen.viewer).tab("Correct")
    assert panel.left_over.isVisibleTo(panel)
    assert "7 changes" in panel.left_over.box.currentText()
    panel.left_over.open_button.click()
    mask = panel.choice.current
    assert mask is not None
    assert mask.now().digest == told
    assert not panel.left_over.isVisibleTo(panel)
    assert panel.redo_button.isEnabled()
    for _ in range(5):
        panel.undo_button.click()
    assert not mask.labels.any()
