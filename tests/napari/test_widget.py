"""The widget in a real window, opened through napari's own door and used by its buttons."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

import medseg
from medseg.domain import Grid, Image
from medseg.geometry import affine_orientation
from medseg.workflows import read_record, read_segmentation
from medseg.workflows.demo import sample_folder
from napari_medseg._qt.panel import panel_of
from napari_medseg.bridge.layers import image_layer
from napari_medseg.bridge.window import window_of

pytestmark = pytest.mark.gui


def scan(orientation: str = "LPS", low: float = 10.0, high: float = 300.0) -> Image:
    """A block of 5 × 4 × 3 bright voxels; 4.5 mm³ each."""
    array = np.full((12, 10, 6), low, np.float32)
    array[3:8, 3:7, 2:5] = high
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    return Image(array, Grid(array.shape, affine), modality="MR")


def add(widget: Any, image: Image, name: str = "mr") -> Any:
    values, meta, _ = image_layer(image, name)
    return widget.screen.viewer.add_image(values, **meta)


def middle(values: Any) -> Any:
    """Index of a voxel in the middle of the block."""
    return np.median(np.argwhere(values > 100), axis=0).astype(int)


def volume(mask: Any) -> float | None:
    record = medseg.measure(mask)
    return next(item.value for item in record.measurements if item.quantity.info.title == "Volume")


@pytest.mark.parametrize("orientation", ["LPS", "PSR"])
def test_it_gives_the_digits_of_the_command_line(widget: Any, orientation: str) -> None:
    image = scan(orientation)
    layer = add(widget, image)
    widget.run("otsu")
    mask = widget.layer("otsu mask")
    assert mask.data.sum() == 5 * 4 * 3
    assert (mask.data > 0).tolist() == (layer.data > 100).tolist()
    assert mask.data_to_world((0, 0, 0)) == layer.data_to_world((0, 0, 0))
    there = medseg.segment("otsu", image)
    assert widget.mask("otsu mask").digest == there.digest
    assert widget.mask("otsu mask").made_by == there.made_by


def test_seeds_on_the_canvas_land_on_the_object(widget: Any) -> None:
    angle = np.radians(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    straight = scan("PSR")
    image = Image(straight.array, Grid(straight.grid.shape, turn @ straight.grid.affine))
    layer = add(widget, image)
    inside = layer.data_to_world(middle(layer.data))
    widget.choose("connected-threshold")
    widget.screen.viewer.add_points([inside], name="tumour", units="mm")
    widget.run("connected-threshold")
    mask = widget.layer("connected-threshold mask")
    assert (mask.data > 0).tolist() == (layer.data > 100).tolist()


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari's word on a rotated layer
@pytest.mark.parametrize(
    ("transform", "millilitres"),
    [
        ({"scale": (3, 1.5, 1), "units": "mm"}, 0.27),
        ({"affine": np.diag([3, 1.5, 1, 1.0]), "units": "mm"}, 0.27),
        ({"scale": (0.3, 0.15, 0.1), "units": "cm"}, 0.27),
        ({"scale": (3, 1.5, 1), "rotate": (30, 40, 50), "units": "mm"}, 0.27),
        ({"scale": (3, 1.5, 1), "shear": (0.5, 0.2, 0.1), "units": "mm"}, 0.27),
        ({"scale": (3000, 1500, 1000), "units": "um"}, 0.27),
        ({"scale": (3, 1.5, 1)}, None),
    ],
)
def test_layers_of_others_are_measured_and_hit_by_seeds(
    widget: Any, transform: dict[str, Any], millilitres: float | None
) -> None:
    values = scan().array.transpose(2, 1, 0)
    layer = widget.screen.viewer.add_image(values, name="foreign", **transform)
    seed = layer.data_to_world(middle(values))
    widget.screen.viewer.add_points([seed], units=transform.get("units"))
    widget.run("connected-threshold", low=100)
    mask = widget.layer("connected-threshold mask")
    assert (mask.data > 0).tolist() == (values > 100).tolist()
    assert mask.data_to_world((5, 9, 11)) == pytest.approx(layer.data_to_world((5, 9, 11)))
    assert mask.units == layer.units
    measured = volume(widget.mask("connected-threshold mask"))
    assert measured == (None if millilitres is None else pytest.approx(millilitres))


def test_a_picture_of_others_is_segmented_where_it_lies(widget: Any) -> None:
    picture = np.full((20, 30), 10, np.float32)
    picture[5:9, 10:20] = 300
    layer = widget.screen.viewer.add_image(picture, name="photo", scale=(0.5, 0.5), translate=(7, 8))
    widget.run("otsu")
    mask = widget.layer("otsu mask")
    assert (mask.data[0] > 0).tolist() == (picture > 100).tolist()
    assert mask.data_to_world((0, 5, 9))[1:] == layer.data_to_world((5, 9))
    assert volume(widget.mask("otsu mask")) is None


def test_what_cannot_be_taken_is_one_line_in_the_window(widget: Any) -> None:
    widget.run("otsu")
    assert "open an image first" in widget.panel.message.text()
    widget.screen.viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True, name="photo")
    widget.run("otsu")
    assert "layer 'photo' is a colour picture" in widget.panel.message.text()
    assert len(widget.screen.viewer.layers) == 1


def test_replaced_data_are_segmented_also_on_a_duplicate(widget: Any) -> None:
    layer = add(widget, scan())
    values = np.full(layer.data.shape, 10, np.float32)
    values[0, 0, :2] = 300
    layer.data = values
    widget.run("otsu")
    assert widget.layer("otsu mask").data.sum() == 2
    assert "replaced in the viewer" in widget.panel.message.text()


def test_a_renamed_layer_stays_chosen(widget: Any) -> None:
    add(widget, scan(high=300), "first")
    second = add(widget, scan(high=500), "second")
    widget.choose("otsu")
    box = widget.panel.channels.boxes["image"]
    box.setCurrentIndex(2)
    box.activated.emit(2)
    second.name = "another name"
    assert box.currentText() == "another name"
    widget.screen.viewer.layers.remove("first")
    assert box.currentText() == "another name"
    widget.run("otsu")
    assert "otsu mask" in widget.screen.viewer.layers


def test_a_painted_correction_is_told_in_the_mask_and_in_the_record(widget: Any, tmp_path: Path) -> None:
    image = scan()
    add(widget, image)
    widget.run("otsu")
    layer = widget.layer("otsu mask")
    strokes = (np.array([0, 0, 0]), np.array([1, 1, 1]), np.array([1, 2, 3]))
    layer.data_setitem(strokes, 1)
    path = tmp_path / "painted.nii.gz"
    assert layer.save(str(path), plugin="medseg") == [str(path)]
    record = medseg.measure(medseg.read_segmentation(path), image)
    assert record.made_by.segmenter == "otsu"
    (edit,) = record.made_by.edits
    assert edit.operation == "changed by hand"
    assert dict(edit.parameters) == {"changed_voxels": 3}
    assert [(item.label, item.added, item.removed) for item in edit.changes] == [("foreground", 3, 0)]
    assert edit.changes[0].net_ml == pytest.approx(3 * image.grid.voxel_volume / 1000)
    assert edit.changed_at is not None
    assert "mask.changed_by_hand" in {finding.code for finding in record.findings}


@pytest.mark.parametrize("way", ["replace", "keep", "compare"])
def test_a_second_answer_replaces_the_first_stands_beside_it_or_is_compared(widget: Any, way: str) -> None:
    add(widget, scan())
    widget.run("threshold", low=100)
    first, layer = widget.mask("threshold mask"), widget.layer("threshold mask")
    widget.run("threshold", low=5)
    second = medseg.segment("threshold", scan(), params={"low": 5})
    layers = widget.screen.viewer.layers
    again = widget.panel.again
    assert "There is a mask “threshold mask” already." in again.text.text()
    assert [item.name for item in layers] == ["mr", "threshold mask"], "nothing comes before it is chosen"
    assert widget.mask("threshold mask").digest == first.digest
    again.buttons[way].click()
    assert not again.isVisible()
    if way == "replace":
        assert [item.name for item in layers] == ["mr", "threshold mask"]
        assert widget.mask("threshold mask").digest == second.digest
        window_of(widget.screen.viewer).mask_of(layer).undo()
        assert widget.mask("threshold mask").digest == first.digest
        return
    assert widget.mask("threshold mask").digest == first.digest
    assert widget.mask("threshold mask [1]").digest == second.digest
    if way == "compare":
        (difference,) = [item for item in layers if item.name.startswith("difference: ")]
        differing = 12 * 10 * 6 - 5 * 4 * 3
        assert int((difference.data == 2).sum()) == int((difference.data > 0).sum()) == differing
        assert f"{differing} voxels differ." in widget.panel.message.text()
    else:
        assert len(layers) == 3


def test_a_model_in_the_window_gives_the_digits_of_the_command_line(
    widget: Any, qtbot: Any, tmp_path: Path
) -> None:
    """Mask voxel for voxel, and every number with its interval, as `segment` and `measure` write them in a shell."""
    pytest.importorskip("monai")
    scan_file = sample_folder("hippocampus") / "mr.nii.gz"
    mask_file, record_file = tmp_path / "mask.nii.gz", tmp_path / "record.json"
    shell = [sys.executable, "-m", "medseg"]
    subprocess.run([*shell, "segment", "hippocampus", scan_file, "--out", mask_file], check=True)
    subprocess.run(
        [*shell, "measure", mask_file, "--channel", f"mr={scan_file}", "--out", record_file], check=True
    )
    viewer = widget.screen.viewer
    viewer.open_sample("medseg", "hippocampus")
    widget.run("hippocampus")
    assert widget.mask("hippocampus mask").digest == read_segmentation(mask_file).digest
    panel: Any = panel_of(viewer).tab("Measure")
    assert panel.choice.layer is widget.layer("hippocampus mask")
    qtbot.waitUntil(lambda: panel.measures is not None and panel.measures.is_fresh, timeout=120_000)
    expected = read_record(record_file).measurements
    assert panel.measures.record.measurements == expected
    assert any(item.interval is not None for item in expected)
