"""The widget in a real window, opened through napari's own door and used by its buttons."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

import medseg
from medseg.domain import Grid, Image
from medseg.geometry import affine_orientation
from napari_medseg.bridge.layers import image_layer

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
