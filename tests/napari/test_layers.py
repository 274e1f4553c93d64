"""Layers there and back: what a layer shows is what is segmented, measured and saved."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from medseg.domain import Grid, Image, Label, LabelTable, Provenance, Segmentation
from medseg.errors import InputError
from medseg.geometry import affine_orientation, same_grid
from napari_medseg.bridge.layers import (
    LayerData,
    image_layer,
    image_of,
    labels_layer,
    oblique_note,
    result_layers,
    segmentation_of,
)

SHAPE = (12, 10, 6)


def scan(orientation: str = "PSR", **rest: Any) -> Image:
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    array = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    array[3:8, 3:7, 2:5] += 200
    return Image(array, Grid(SHAPE, affine), modality="MR", **rest)


def mask_of(image: Image) -> Segmentation:
    labels = (image.array > 200).astype(np.uint8)
    return Segmentation(labels, image.grid, LabelTable((Label(1, "tumour"),)), Provenance("otsu"))


# Images


def test_an_image_comes_back_as_itself() -> None:
    image = scan()
    assert image_of(*image_layer(image, "mr")[:2]) is image


def test_a_duplicate_comes_back_as_the_same_values() -> None:
    data, meta, _ = image_layer(scan(), "mr")
    again = image_of(*deepcopy((data, meta)))
    assert again.modality == "MR"
    assert again.digest == scan().digest


def test_missing_values_do_not_make_an_image_another() -> None:
    image = scan()
    array = image.array.copy()
    array[0, 0, 0] = np.nan
    data, meta, _ = image_layer(Image(array, image.grid), "mr")
    assert image_of(data.copy(), meta) is meta["metadata"]["medseg"]


@pytest.mark.parametrize("copied", [False, True])
def test_replaced_values_are_what_is_segmented(copied: bool) -> None:
    image = scan(value_unit="[hnsf'U]")
    data, meta, _ = image_layer(image, "ct")
    meta = deepcopy(meta) if copied else meta
    new = image_of(data[:, ::-1], meta)
    assert np.array_equal(new.array, np.flip(image.array, 0))  # the layer's rows grow to the back: axis P
    assert same_grid(new.grid, image.grid)
    assert new.value_unit == "[arb'U]"
    assert [finding.code for finding in new.findings] == ["image.replaced"]


def test_replaced_values_of_another_shape_are_no_more_on_its_grid() -> None:
    data, meta, _ = image_layer(scan(), "mr")
    new = image_of(data[1:], meta)
    assert new.grid.shape == data[1:].shape[::-1]
    assert not new.grid.orientation_known


def test_three_or_four_sagittal_slices_are_no_colours() -> None:
    from napari.layers import Layer

    image = Image(np.zeros((20, 30, 4), np.uint8), Grid((20, 30, 4), affine_orientation((1, 1, 5), "PIR")))
    layer = Layer.create(*image_layer(image, "mr"))
    assert layer.ndim == 3
    assert not layer.rgb


def test_a_foreign_layer_keeps_values_and_size() -> None:
    values = np.arange(24).reshape(2, 3, 4)
    image = image_of(values, {"name": "cells", "scale": (3, 2, 1), "units": "mm"})
    assert image.channel == "cells"
    assert np.array_equal(image.array, values.transpose(2, 1, 0))
    assert image.grid.spacing == (1, 2, 3)


def test_of_several_levels_the_finest_counts() -> None:
    from napari.layers import Image as ImageLayer

    levels = [np.ones((8, 8, 8)), np.ones((4, 4, 4))]
    layer = ImageLayer(levels, multiscale=True, scale=(1, 1, 2), units="mm")
    image = image_of(*layer.as_layer_data_tuple()[:2])
    assert image.grid.shape == (8, 8, 8)
    assert image.grid.voxel_volume == pytest.approx(2)


@pytest.mark.parametrize(
    ("data", "meta", "message"),
    [
        (np.zeros((5, 6, 3), np.uint8), {"rgb": True}, "is a colour picture"),
        (np.zeros((2, 5, 6, 3)), {}, "no scalar image of two or three dimensions"),
        (np.zeros((5, 6, 3), complex), {}, "an image has integers or floats"),
        (np.zeros((5, 6, 3)), {"units": "second"}, "units are a length on every axis"),
    ],
)
def test_what_is_no_scan_is_refused_in_one_line(data: Any, meta: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"layer 'photo'.*{message}") as caught:
        image_of(data, {"name": "photo", **meta})
    assert "\n" not in str(caught.value)


def test_an_oblique_image_says_so() -> None:
    angle = np.radians(3.5)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert "3.5°" in oblique_note(Image(np.zeros((4, 4, 4), np.uint8), Grid((4, 4, 4), affine)))
    assert oblique_note(scan()) == ""


# Labels


def test_an_untouched_mask_comes_back_as_itself() -> None:
    mask = mask_of(scan())
    assert segmentation_of(*labels_layer(mask, "mask")[:2]) is mask


def test_a_corrected_mask_comes_back_with_its_names_and_the_correction() -> None:
    image = scan("RAS")
    data, meta, _ = labels_layer(mask_of(image), "mask")
    data[0, 0, 0] = 1
    data[0, 0, 1] = 3
    again = segmentation_of(data, meta)
    assert same_grid(again.grid, image.grid)
    # The layer's axes grow to the feet, the back and the left; those of the scan the other way.
    assert again.labels[11, 9, 5] == 1
    assert again.labels[10, 9, 5] == 3
    assert again.table.name_of(1) == "tumour"
    assert again.table.name_of(3) == "label 3"


def test_a_new_label_is_painted_in_a_colour_that_is_seen() -> None:
    from napari.layers import Layer

    data, meta, kind = labels_layer(mask_of(scan()), "mask")
    layer = Layer.create(data, meta, kind)
    assert layer.get_color(9)[3] > 0
    assert tuple(layer.get_color(9)) != tuple(layer.get_color(1))


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
        assert (data[..., 0] == 2).all()  # the last index of a scan that grows to the right is shown first
        assert meta["features"]["name"] == ["background", "lesion 1", "lesion 2"]


def drawn_on(layer: LayerData, shape: tuple[int, ...] | None = None) -> LayerData:
    """What napari's button for a new labels layer makes of the layer that is selected."""
    data, meta, _ = layer
    labels = np.zeros(shape or data.shape, np.uint8)
    labels[0, 1, 2] = 5
    kept = {name: meta[name] for name in ("scale", "translate", "units")}
    return labels, {"name": "Labels", "metadata": {}, **kept}, "labels"


def test_labels_drawn_by_hand_lie_on_the_grid_of_the_scan_below() -> None:
    image = scan()
    layer = image_layer(image, "mr")
    data, meta, _ = drawn_on(layer)
    mask = segmentation_of(data, meta, [layer, labels_layer(mask_of(image), "mask")])
    assert same_grid(mask.grid, image.grid)
    assert mask.grid.orientation_known
    assert mask.present == (5,)
    assert layer[0][0, 1, 2] == image.array[mask.labels == 5]


def test_labels_beside_every_scan_get_the_grid_of_their_transform() -> None:
    layer = image_layer(scan(), "mr")
    data, meta, _ = drawn_on(layer)
    meta["translate"] = (0.5, 0, 0)
    grid = segmentation_of(data, meta, [layer]).grid
    assert grid.spacing == pytest.approx(layer[1]["scale"][::-1])
    assert not grid.orientation_known


def test_labels_on_two_scans_that_only_look_alike_are_refused() -> None:
    image = scan("LPI")
    angle = np.radians(10)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    middle = image.grid.to_position((np.array(SHAPE) - 1) / 2)
    affine = turn @ image.grid.affine
    affine[:3, 3] += middle - turn[:3, :3] @ middle
    other = Image(image.array, Grid(SHAPE, affine))
    layers = [image_layer(image, "a"), image_layer(other, "b")]
    data, meta, _ = drawn_on(layers[0])
    with pytest.raises(InputError, match="several scans lie at this place"):
        segmentation_of(data, meta, layers)


@pytest.mark.parametrize("values", [-1, 65536, 0.5])
def test_what_is_no_label_is_refused(values: float) -> None:
    with pytest.raises(InputError, match="labels are whole numbers from 0 to 65535"):
        segmentation_of(np.full((3, 4, 5), values), {"name": "Labels"})
