"""The Measure tab in a real window: digits of the command line, never wrong while the mask is worked on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication

from medseg.domain import Grid, Image, Quantity, Segmentation
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.workflows import measure
from medseg.workflows.digits import first_numbers
from napari_medseg._qt.lines import STALE, children
from napari_medseg._qt.panel import panel_of
from napari_medseg.bridge.layers import image_layer, labels_layer
from tests.napari.test_events import SHAPE, TABLE, drag, opened, scan

pytestmark = pytest.mark.gui


@pytest.fixture
def tab(screen: Any, qtbot: Any) -> Callable[..., Any]:
    """Opens a scan with a mask of two blobs and the tab; gives layer, mask, panel, and a wait for quiet."""

    def open_tab(image: Image | None = None) -> Any:
        _, layer, mask = opened(screen.viewer, image or scan())
        layer.data[2:5, 3:7, 4:8], layer.data[6, 1:3, 1:3] = 1, 2
        mask.notice()
        panel: Any = panel_of(screen.viewer).tab("Measure")

        def quiet() -> None:
            qtbot.waitUntil(lambda: panel.measures is not None and panel.measures.is_fresh, timeout=60_000)
            qtbot.waitUntil(lambda: "up to date" in panel.state.text(), timeout=10_000)

        quiet()
        return layer, mask, panel, quiet

    return open_tab


def tree_rows(panel: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """(structure, quantity) → (value, status) of every line of the tree."""
    found: dict[tuple[str, str], tuple[str, str]] = {}

    def walk(line: Any, above: str) -> None:
        for child in children(line):
            if child.childCount():
                walk(child, child.text(0))
            else:
                found[above, child.text(0)] = child.text(1), child.text(3)

    walk(panel.tree.tree.invisibleRootItem(), "")
    return found


def expected(record: Any) -> dict[tuple[str, str], str]:
    return {
        (item.target.structure, item.quantity.info.title + (f" ({item.channel})" if item.channel else "")): (
            "not computed" if item.value is None else repr(item.value)
        )
        for item in record.measurements
    }


def test_every_digit_is_the_core_s_before_and_after_a_stroke(tab: Any) -> None:
    layer, mask, panel, quiet = tab()
    for _ in range(2):
        record = measure(mask.now(), panel.measures.images)
        shown = tree_rows(panel)
        assert {key: value for key, (value, _) in shown.items()} == expected(record)
        assert not any(status == STALE for _, status in shown.values())
        drag(layer, [(3, 5, 8), (3, 6, 8)], 1)
        quiet()


def test_a_stroke_is_followed_at_once_and_the_rest_says_that_it_is_being_measured(
    tab: Any, qtbot: Any
) -> None:
    layer, mask, panel, quiet = tab()
    layer.brush_size = 1
    before = int((mask.labels == 1).sum())
    drag(layer, [(3, 1, 1)], 1)
    gained = int((mask.labels == 1).sum()) - before
    assert gained > 0
    qtbot.waitUntil(lambda: "measured again" in panel.state.text(), timeout=2_000)
    shown = tree_rows(panel)
    assert shown["tumour", "Voxels"] == (repr(before + gained), "✓ ok")
    assert shown["tumour", "Surface area"][1] == STALE
    assert shown["liver", "Surface area"][1] != STALE
    quiet()
    assert tree_rows(panel)["tumour", "Surface area"][1] != STALE


def test_at_most_eight_stand_first_rounded_as_on_the_page(tab: Any) -> None:
    _, mask, panel, _ = tab()
    record = measure(mask.now(), panel.measures.images)
    assert 1 <= panel.first.rowCount() <= 8
    texts = [panel.first.item(row, 1).text() for row in range(panel.first.rowCount())]
    assert texts == [row.value for row in first_numbers(record)]
    assert any(text.endswith(" ml") for text in texts)
    assert all(panel.first.item(row, 2).text().strip() for row in range(panel.first.rowCount()))


def test_the_tree_filters_sorts_copies_and_exports(tab: Any, tmp_path: Path, monkeypatch: Any) -> None:
    _, _, panel, _ = tab()
    panel.tree.filter.setText("tumour volume")
    left = panel.tree.chosen()
    assert {item.target.name for item in left} == {"tumour"}
    assert all("volume" in item.quantity.info.title.lower() for item in left)
    panel.tree.copy()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == len(left) + 1
    assert any(repr(item.value) in line for item in left for line in lines)
    out = tmp_path / "numbers.csv"
    monkeypatch.setattr("napari_medseg._qt.parts.QFileDialog.getSaveFileName", lambda *_args: (str(out), ""))
    panel.export()
    assert len(out.read_text().splitlines()) == len(left) + 1
    panel.tree.filter.setText("")
    panel.tree.tree.sortItems(1, panel.tree.tree.header().sortIndicatorOrder())
    root = next(child for child in children(panel.tree.tree.invisibleRootItem()) if child.text(0) == "tumour")
    values = [float(line.text(1)) for line in children(root) if line.text(1) != "not computed"]
    assert values == sorted(values) or values == sorted(values, reverse=True)


def test_a_number_leads_to_its_place(tab: Any, screen: Any) -> None:
    layer, _, panel, _ = tab()
    row = next(
        row.item
        for row in panel.measures.rows
        if row.item.quantity is Quantity.LONGEST_DIAMETER and row.item.target.name == "liver"
    )
    screen.viewer.dims.set_current_step(0, 0)
    panel.tree.clicked.emit(row)
    assert screen.viewer.dims.current_step[0] == 6
    assert layer.selected_label == 2
    at = layer.world_to_data(screen.viewer.dims.point)
    assert 1 <= at[1] <= 2.5
    assert 1 <= at[2] <= 2.5


def test_lesions_have_rows_axes_and_layers(tab: Any, screen: Any) -> None:
    _, mask, panel, quiet = tab()
    panel.plan.lesions.setCurrentText("lesions, RECIST 1.1")
    quiet()
    plan = MeasurePlan(lesions=LesionPlan(rule="recist-1.1"))
    assert (
        panel.measures.record.measurements
        == measure(mask.now(), panel.measures.images, plan=plan).measurements
    )
    for button in panel.shapes.findChildren(type(panel.shapes.layout().itemAt(0).widget())):
        button.click()
    names = [layer.name for layer in screen.viewer.layers]
    assert {"mask: axes", "mask: lesions", "mask: outlines"} <= set(names), panel.state.text()
    axes = screen.viewer.layers["mask: axes"]
    row = next(
        row.item
        for row in panel.measures.rows
        if row.item.target.kind == "lesion" and row.item.quantity is Quantity.LONGEST_DIAMETER
    )
    line = np.array([axes.data_to_world(point) for point in axes.data[0]])
    assert np.linalg.norm(line[0] - line[1]) == pytest.approx(row.value, rel=1e-6)
    outline = screen.viewer.layers["mask: outlines"]
    assert len(outline.data) >= 4


def test_uptake_and_tissue_are_asked_for_in_the_window(tab: Any, screen: Any) -> None:
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32) * 9
    pet = Image(
        values,
        Grid(SHAPE, np.diag([0.5, 0.5, 3.0, 1.0])),
        value_unit="g/ml{SUVbw}",
        modality="PT",
        channel="pt",
    )
    _, _, panel, quiet = tab(pet)
    panel.plan.uptake.setCurrentText("mask, 41 %")
    quiet()
    quantities = {row.item.quantity for row in panel.measures.rows}
    assert {Quantity.SUV_MAX, Quantity.MTV, Quantity.TLG} <= quantities
    panel.plan.tissue.setCurrentText("tumour")
    quiet()


def test_a_mask_is_measured_without_segmenting_and_another_one_when_it_is_chosen(
    tab: Any, screen: Any
) -> None:
    _, _, panel, quiet = tab()
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:4, 1:4, 1:4] = 2
    data, meta, _ = labels_layer(Segmentation(labels, scan().grid, TABLE), "second")
    screen.viewer.add_labels(data, **meta)
    assert panel.choice.layer is screen.viewer.layers["second"]
    quiet()
    assert tree_rows(panel)["liver", "Voxels"][0] == "27"


def test_layers_that_go_leave_no_numbers(tab: Any, screen: Any) -> None:
    _, _, panel, _ = tab()
    screen.viewer.layers.clear()
    assert panel.measures is None
    assert panel.first.rowCount() == 0
    data, meta, _ = image_layer(scan(), "again")
    screen.viewer.add_image(data, **meta)
    assert "no mask" in panel.choice.message.text()
