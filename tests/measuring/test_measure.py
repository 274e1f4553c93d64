"""Quantities, units and statuses: what a reader of the record sees."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import (
    Finding,
    Grid,
    Image,
    Label,
    LabelTable,
    Measurement,
    Quantity,
    Region,
    Segmentation,
    Status,
    Target,
)
from medseg.measuring import contours, measure
from medseg.measuring.firstorder import FIRST_ORDER
from medseg.measuring.regions import measure_regions

GRID = Grid((10, 10, 10), np.diag([1.0, 2.0, 3.0, 1.0]))
TABLE = LabelTable((Label(1, "a"), Label(2, "b")), (Region("both", (1, 2)),))


#: What a structure has a row of, whether or not it is there.
OF_EVERY_MASK = {quantity for quantity in Quantity if quantity.info.kind == "mask"} - {
    *(Quantity.VOLUME_BY_ICV, Quantity.VOLUME_BY_HEIGHT, Quantity.VOLUME_BY_SURFACE),
    Quantity.AREA,
    Quantity.PROBABILITY_VOLUME,
}


def block(*, low: int = 3, grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[low : low + 2, 3:6, 3:7] = 1
    labels[low + 2, 3:6, 3:7] = 2
    return Segmentation(labels, grid, TABLE)


def get(
    found: tuple[Measurement, ...], name: str, quantity: Quantity, channel: str | None = None
) -> Measurement:
    rows = [
        item
        for item in found
        if item.target.name == name and item.quantity is quantity and item.channel == channel
    ]
    assert len(rows) == 1
    return rows[0]


def test_a_block_by_hand() -> None:
    found = measure(block())
    expected = {
        Quantity.VOXEL_COUNT: 24,
        Quantity.VOLUME: 24 * 6 / 1000,
        Quantity.CENTROID_X: 3.5,
        Quantity.CENTROID_Y: 8.0,
        Quantity.CENTROID_Z: 13.5,
        Quantity.BOX_MIN_I: 3,
        Quantity.BOX_MAX_I: 4,
        Quantity.BOX_MIN_K: 3,
        Quantity.BOX_MAX_K: 6,
        Quantity.EXTENT_I: 2.0,
        Quantity.EXTENT_J: 6.0,
        Quantity.EXTENT_K: 12.0,
        Quantity.BORDER_VOXELS: 0,
        Quantity.LONGEST_DIAMETER: float(np.hypot(1, 6)),
    }
    for quantity, value in expected.items():
        item = get(found, "a", quantity)
        assert item.value == pytest.approx(value)
        assert item.status is Status.OK
        assert item.method
    assert get(found, "both", Quantity.VOXEL_COUNT).value == 36
    assert get(found, "both", Quantity.VOLUME).unit == "ml"
    assert get(found, "a", Quantity.LONGEST_DIAMETER).plane == "axial k=3"


def test_intensities_with_their_unit() -> None:
    values = np.arange(1000, dtype=np.int16).reshape(10, 10, 10)
    found = measure(block(), {"ct": Image(values, GRID, value_unit="[hnsf'U]")})
    inside = values[3:5, 3:6, 3:7]
    assert get(found, "a", Quantity.MEAN, "ct").value == pytest.approx(inside.mean())
    assert get(found, "a", Quantity.SD, "ct").value == pytest.approx(inside.std())
    assert get(found, "a", Quantity.P90, "ct").value == pytest.approx(np.percentile(inside, 90))
    assert get(found, "a", Quantity.MAXIMUM, "ct").unit == "[hnsf'U]"


def test_a_cut_structure_gives_lower_bounds() -> None:
    found = measure(block(low=0), {"mr": Image(np.ones((10, 10, 10), np.float32), GRID)})
    for quantity in (Quantity.VOLUME, Quantity.VOXEL_COUNT, Quantity.EXTENT_J, Quantity.LONGEST_DIAMETER):
        assert get(found, "a", quantity).status is Status.TRUNCATED_LOWER_BOUND
        assert "border" in (get(found, "a", quantity).reason or "")
    assert get(found, "a", Quantity.CENTROID_X).status is Status.TRUNCATED_UNRELIABLE
    assert get(found, "a", Quantity.MEAN, "mr").status is Status.TRUNCATED_UNRELIABLE
    assert get(found, "a", Quantity.MAXIMUM, "mr").status is Status.TRUNCATED_LOWER_BOUND
    assert get(found, "b", Quantity.VOLUME).status is Status.OK
    assert get(found, "both", Quantity.VOLUME).status is Status.TRUNCATED_LOWER_BOUND


def test_padding_is_a_border_and_stays_out_of_statistics() -> None:
    outside = np.zeros((10, 10, 10), dtype=np.bool_)
    outside[4, 3:6, 3:7] = True
    values = np.where(outside, -2000, 50).astype(np.int16)
    found = measure(block(), {"ct": Image(values, GRID, outside=outside)})
    assert get(found, "a", Quantity.VOLUME).status is Status.TRUNCATED_LOWER_BOUND
    assert get(found, "a", Quantity.MINIMUM, "ct").value == 50


def test_looked_for_and_not_found() -> None:
    empty = Segmentation(np.zeros((10, 10, 10), np.uint8), GRID, TABLE)
    found = measure(empty, {"mr": Image(np.ones((10, 10, 10), np.float32), GRID)})
    for quantity in (Quantity.VOLUME, Quantity.VOXEL_COUNT):
        assert get(found, "a", quantity).value == 0
        assert get(found, "a", quantity).status is Status.OK
    for item in found:
        if item.quantity not in (Quantity.VOLUME, Quantity.VOXEL_COUNT):
            assert item.value is None
            assert "not found" in (item.reason or "")
    assert {item.quantity for item in found if item.channel is None} == OF_EVERY_MASK
    assert {item.quantity for item in found if item.channel == "mr"} == set(FIRST_ORDER)


def test_of_what_could_not_be_read_not_even_the_count_is_known() -> None:
    mask, why = block(), "its contours do not close"
    image = Image(np.ones((10, 10, 10), np.float32), GRID, value_unit="[hnsf'U]")
    pairs = [(Target("label", name, (value,)), (value,)) for value, name in ((1, "a"), (2, "b"))]
    found = measure_regions(mask.labels, GRID, pairs, {"mr": image}, refused={"a": why})
    unknown = [item for item in found if item.target.name == "a"]
    assert {item.quantity for item in unknown if item.channel is None} == OF_EVERY_MASK
    assert {item.quantity for item in unknown if item.channel == "mr"} == set(FIRST_ORDER)
    assert {(item.value, item.status, item.reason) for item in unknown} == {(None, Status.NOT_COMPUTED, why)}
    assert get(found, "b", Quantity.VOXEL_COUNT).value == 12
    units = [
        {(item.quantity, item.channel): item.unit for item in found if item.target.name == name}
        for name in ("a", "b")
    ]
    assert units[0].items() <= units[1].items()


def test_px_has_areas_and_no_millimetres() -> None:
    grid = Grid((10, 10, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    labels = np.zeros((10, 10, 1), np.uint8)
    labels[2:5, 3:7] = 1
    found = measure(Segmentation(labels, grid, LabelTable((Label(1, "a"),))))
    assert get(found, "a", Quantity.AREA).value == 12
    assert get(found, "a", Quantity.AREA).unit == "{px}2"
    assert get(found, "a", Quantity.VOLUME).value is None
    assert get(found, "a", Quantity.LONGEST_DIAMETER).unit == "{px}"
    for item in found:
        assert item.value is None or "m" not in item.unit


@pytest.mark.parametrize(("thickness", "volume"), [(None, None), (5.0, 12 * 5 / 1000)])
def test_a_single_slice_has_a_volume_only_with_a_thickness(
    thickness: float | None, volume: float | None
) -> None:
    grid = Grid((10, 10, 1), np.eye(4), slice_thickness=thickness)
    labels = np.zeros((10, 10, 1), np.uint8)
    labels[2:5, 3:7] = 1
    found = measure(Segmentation(labels, grid, LabelTable((Label(1, "a"),))))
    assert get(found, "a", Quantity.VOLUME).value == (None if volume is None else pytest.approx(volume))
    assert get(found, "a", Quantity.AREA).value == pytest.approx(12)


def test_a_sheared_grid_has_volumes_and_no_diameters() -> None:
    affine = np.array(GRID.affine)
    affine[1, 2] = 1.5
    found = measure(block(grid=replace(GRID, affine=affine)))
    assert get(found, "a", Quantity.VOLUME).value == pytest.approx(24 * 6 / 1000)
    assert "sheared" in (get(found, "a", Quantity.LONGEST_DIAMETER).reason or "")


def test_an_unknown_orientation_has_no_positions() -> None:
    found = measure(block(grid=replace(GRID, orientation_known=False)))
    assert get(found, "a", Quantity.VOLUME).status is Status.OK
    assert "--orientation" in (get(found, "a", Quantity.CENTROID_X).reason or "")


def test_a_channel_on_another_grid_is_measured_on_its_own_voxels() -> None:
    coarse = Grid((5, 10, 15), np.array([[2.0, 0, 0, 0.5], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]))
    values = np.random.default_rng(0).normal(size=coarse.shape).astype(np.float32)
    item = get(measure(block(), {"pet": Image(values, coarse)}), "both", Quantity.MEAN, "pet")
    assert item.value is not None
    assert "own voxels" in item.method


def test_the_ibsi_digital_phantom(data: Callable[[str], Path]) -> None:
    """Mean 2.15, minimum 1, maximum 6, 10th and 90th percentile 1 and 4, volume 592 mm³ (IBSI manual)."""
    from medseg.io import read, read_segmentation

    image = read(data("ibsi_phantom/phantom.nii.gz"))
    mask = read_segmentation(data("ibsi_phantom/mask.nii.gz"))
    found = measure(mask, {"image": image})
    name = mask.table.labels[0].name
    expected = {
        Quantity.MEAN: 2.15,
        Quantity.MINIMUM: 1,
        Quantity.MAXIMUM: 6,
        Quantity.P10: 1,
        Quantity.P90: 4,
        Quantity.MEDIAN: 1,
    }
    for quantity, value in expected.items():
        assert get(found, name, quantity, "image").value == pytest.approx(value, abs=0.005)
    assert get(found, name, Quantity.VOLUME).value == pytest.approx(0.592)
    assert float(get(found, name, Quantity.SD, "image").value or 0) ** 2 == pytest.approx(3.05, abs=0.005)


def test_pyradiomics_published_voxel_volume(data: Callable[[str], Path]) -> None:
    from medseg.io import read_segmentation

    mask = read_segmentation(data("pyradiomics/brain1_label.nrrd"))
    found = measure(mask)
    assert get(found, "label 1", Quantity.VOXEL_COUNT).value == 4137
    assert float(get(found, "label 1", Quantity.VOLUME).value or 0) * 1000 == pytest.approx(
        16412.66, abs=0.01
    )


def test_contours_close_around_the_structure_in_mm() -> None:
    found = contours(block())
    assert found["unit"] == "mm"
    first = found["labels"][0]
    assert first["name"] == "a"
    assert [polygon["slice"] for polygon in first["polygons"]] == [3, 4, 5, 6]
    points = np.array(first["polygons"][0]["points"])
    assert points[:, 0].min() == pytest.approx(2.5)
    assert points[:, 1].max() == pytest.approx(11.0)
    assert (points[:, 2] == 9.0).all()


def test_a_hole_within_a_single_slice_cuts_no_shape() -> None:
    grid = Grid((10, 10, 1), np.diag([1.0, 1.0, 2.0, 1.0]), slice_thickness=2.0)
    labels, outside = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.bool_)
    labels[3:7, 3:7], outside[4, 4] = 1, True
    said = (Finding("image.not_finite", "warning", "one"),)
    image = Image(np.zeros(grid.shape, np.float32), grid, outside=outside, findings=said)
    mask = Segmentation(labels, grid, LabelTable((Label(1, "a"),)))
    assert get(measure(mask, {"mr": image}), "a", Quantity.AREA).status is Status.OK
    outside[4, :5] = True  # from the edge up to it
    assert get(measure(mask, {"mr": image}), "a", Quantity.AREA).status is Status.OK
    beyond = replace(image, outside=outside)
    assert get(measure(mask, {"mr": beyond}), "a", Quantity.AREA).status is Status.TRUNCATED_LOWER_BOUND


@pytest.mark.parametrize(("channels", "is_weighted"), [(3, True), (2, False), (4, False)])
def test_probabilities_are_those_of_the_table_or_of_nothing(channels: int, is_weighted: bool) -> None:
    """Background and two labels are three channels; of any other number nobody knows which is which."""
    mask = block()
    shares = np.full((channels, *GRID.shape), 0.25, np.float32)
    found = measure(replace(mask, probabilities=shares))
    row = get(found, "both", Quantity.PROBABILITY_VOLUME)
    assert row.value == (pytest.approx(2 * 0.25 * 6) if is_weighted else None)
    assert is_weighted or row.reason == "the kept probabilities are not those of the label table"


def test_what_has_no_value_keeps_its_unit() -> None:
    """Between the 10th and the 90th percentile of two values, 1 and 9 of 0 and 10, there is none."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4, 4, 4:6] = 1
    values = np.zeros(GRID.shape, np.int16)
    values[4, 4, 5] = 10
    image = Image(values, GRID, value_unit="[hnsf'U]")
    mask = Segmentation(labels, GRID, LabelTable((Label(1, "a"),)))
    row = get(measure(mask, {"ct": image}), "a", Quantity.ROBUST_MEAN_DEVIATION, "ct")
    assert (row.value, row.unit) == (None, "[hnsf'U]")


def test_a_voxel_without_a_number_cuts_no_shape() -> None:
    outside = np.zeros((10, 10, 10), dtype=np.bool_)
    outside[4, 4, 5] = True
    said = (Finding("image.not_finite", "warning", "one"),)
    values = np.where(outside, 0, 50).astype(np.float32)
    found = measure(block(), {"mr": Image(values, GRID, outside=outside, findings=said)})
    assert get(found, "a", Quantity.VOLUME).status is Status.OK
    assert get(found, "a", Quantity.CENTROID_X).status is Status.OK
    assert get(found, "a", Quantity.MINIMUM, "mr").value == 50
    assert get(found, "a", Quantity.MEAN, "mr").status is not Status.OK
    outside[4] = True
    found = measure(block(), {"mr": Image(values, GRID, outside=outside, findings=said)})
    assert get(found, "a", Quantity.VOLUME).status is Status.TRUNCATED_LOWER_BOUND
