"""The napari plugin: manifest, layers there and back, and the widget in a real window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from medseg.domain import Grid, Image, Label, LabelTable, Provenance, Segmentation
from medseg.geometry import affine_orientation, same_grid
from napari_medseg.layers import (
    image_layer,
    image_of,
    labels_layer,
    result_layers,
    segmentation_of,
    viewer_affine,
)


def scan(orientation: str = "RAS") -> Image:
    rng = np.random.default_rng(0)
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    array = rng.normal(100, 5, (12, 10, 6)).astype(np.float32)
    array[3:8, 3:7, 2:5] += 200
    return Image(array, Grid(array.shape, affine), modality="MR")


def test_the_manifest_is_valid_and_named_as_the_distribution() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("medseg")
    assert manifest.name == "medseg"
    for command in manifest.contributions.commands or []:
        assert callable(command.python_name and _resolve(str(command.python_name)))


def _resolve(python_name: str) -> Any:
    import importlib

    module, _, name = python_name.partition(":")
    return getattr(importlib.import_module(module), name)


def test_columns_of_an_axial_slice_grow_to_the_patients_left() -> None:
    affine = viewer_affine(Grid((4, 4, 4), np.eye(4)))
    # Index along the last layer axis is RAS i, towards the right: columns must run against it.
    assert affine[2, 2] == -1
    assert affine[1, 1] == -1
    assert affine[0, 0] == 1


@pytest.mark.parametrize(
    ("ids", "names"), [(None, ["m mask"]), ([1, 1], ["m mask"]), ([1, 2], ["m mask", "m objects"])]
)
def test_objects_are_a_second_layer_where_there_are_several(ids: list[int] | None, names: list[str]) -> None:
    labels = np.zeros((4, 3, 2), np.uint8)
    labels[[0, 3]] = 1
    numbers = None
    if ids is not None:
        numbers = np.zeros(labels.shape, np.uint32)
        numbers[0], numbers[3] = ids
    table = LabelTable((Label(1, "lesion"),))
    mask = Segmentation(labels, Grid(labels.shape, np.eye(4)), table, Provenance("m"), instances=numbers)
    layers = result_layers(mask)
    assert [meta["name"] for _, meta, _ in layers] == names
    if len(layers) > 1:
        data, meta, _ = layers[1]
        assert (data[..., 3] == 2).all()
        assert meta["features"]["name"] == ["background", "lesion 1", "lesion 2"]


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PSR", "ILA"])
def test_a_layer_keeps_place_and_values(orientation: str) -> None:
    image = scan(orientation)
    data, meta, kind = image_layer(image, "mr")
    assert kind == "image"
    corner = np.array([2, 4, 7, 1])
    world = meta["affine"] @ corner
    position = image.grid.to_position(np.array([7, 4, 2]))
    assert np.allclose(world[:3], (position[2], -position[1], -position[0]))
    assert data[2, 4, 7] == image.array[7, 4, 2]
    assert image_of(data, meta) is image


def test_a_mask_comes_back_with_its_names_and_edits() -> None:
    image = scan()
    labels = (image.array > 200).astype(np.uint8)
    segmentation = Segmentation(labels, image.grid, LabelTable((Label(1, "tumour"),)))
    data, meta, _ = labels_layer(segmentation, "mask")
    data[0, 0, 0] = 1
    data[0, 0, 1] = 3
    again = segmentation_of(data, meta)
    assert same_grid(again.grid, image.grid)
    assert again.labels[0, 0, 0] == 1
    assert again.table.name_of(1) == "tumour"
    assert again.table.name_of(3) == "label 3"


def test_a_foreign_layer_without_units_is_px() -> None:
    image = image_of(np.zeros((5, 6)), {"name": "photo", "scale": (1, 1)})
    assert image.grid.unit == "px"
    assert image.grid.shape == (6, 5, 1)


def test_the_reader_takes_scans_and_leaves_the_rest(data: Callable[[str], Path], tmp_path: Path) -> None:
    from napari_medseg.reader import get_reader

    path = data("hippocampus/imagesTr/hippocampus_001.nii.gz")
    reader = get_reader(str(path))
    assert reader is not None
    ((values, meta, kind),) = reader(str(path))
    assert kind == "image"
    assert values.shape[::-1] == meta["metadata"]["medseg"].grid.shape
    assert meta["units"] == ("mm", "mm", "mm")
    note = tmp_path / "notes.txt"
    note.write_text("no scan", encoding="utf-8")
    assert get_reader(str(note)) is None


@pytest.mark.gui
def test_the_widget_gives_the_digits_of_the_command_line(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    import medseg
    from napari_medseg._qt.segment import SegmentWidget

    viewer = make_napari_viewer(show=True)
    image = scan()
    values, meta, _ = image_layer(image, "mr")
    viewer.add_image(values, **meta)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.choice.setCurrentIndex(widget.choice.findData("otsu"))
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.record is not None, timeout=30_000)
    labels = [layer for layer in viewer.layers if "mask" in layer.name]
    assert len(labels) == 1
    assert labels[0].data.sum() == 5 * 4 * 3
    expected = medseg.measure(medseg.segment("otsu", image), image)
    shown = {
        (widget.table.item(row, 3).text(), widget.table.item(row, 0).text()): widget.table.item(row, 1).text()
        for row in range(widget.table.rowCount())
    }
    for item in expected.measurements:
        title = item.quantity.info.title + (f" ({item.channel})" if item.channel else "")
        assert shown[item.target.name, title] == ("not computed" if item.value is None else repr(item.value))


@pytest.mark.gui
def test_cancel_leaves_no_layer(make_napari_viewer: Callable[..., Any], qtbot: Any, monkeypatch: Any) -> None:
    from medseg.methods.otsu import Otsu
    from napari_medseg._qt.segment import SegmentWidget

    def slow(_self: object, _images: object, _params: object, *, run: Any, **_: object) -> None:
        while True:
            run.check()

    monkeypatch.setattr(Otsu, "segment", slow)
    viewer = make_napari_viewer(show=True)
    values, meta, _ = image_layer(scan(), "mr")
    viewer.add_image(values, **meta)
    widget = SegmentWidget(viewer)
    widget.choice.setCurrentIndex(widget.choice.findData("otsu"))
    widget.run_button.click()
    assert widget.cancel_button.isEnabled()
    widget.cancel_button.click()
    qtbot.waitUntil(lambda: "Stopped" in widget.message.text(), timeout=5_000)
    assert [layer.name for layer in viewer.layers] == ["mr"]
    assert widget.run_button.isEnabled()


@pytest.mark.gui
def test_an_unsuitable_run_is_one_line_in_the_window(make_napari_viewer: Callable[..., Any]) -> None:
    from napari_medseg._qt.segment import SegmentWidget

    widget = SegmentWidget(make_napari_viewer(show=True))
    widget.choice.setCurrentIndex(widget.choice.findData("otsu"))
    widget.run_button.click()
    assert "open an image first" in widget.message.text()
