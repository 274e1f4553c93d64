"""Layers lie in the window where they lie in the patient, and come back to their own grid bit for bit."""

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import affine_orientation
from napari_medseg.bridge.placement import affine_of, mm_per_unit, obliqueness, place_grid, place_layer

ORIENTATIONS = ["".join(letters) for axes in permutations(("RL", "AP", "SI")) for letters in product(*axes)]
CORNER, FAR = np.array([0, 0, 0]), np.array([5, 9, 11])


def grid(orientation: str, degrees: float = 0.0, **rest: Any) -> Grid:
    """12 × 10 × 6 voxels of 1 × 1.5 × 3 mm, turned about the patient's long axis."""
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Grid((12, 10, 6), turn @ affine, **rest)


def world(place: Any, index: Any) -> Any:
    return place.matrix[:3, :3] @ index + place.matrix[:3, 3]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_voxel_is_at_its_place_and_comes_back_bit_for_bit(orientation: str) -> None:
    native = grid(orientation)
    array = np.random.default_rng(0).integers(0, 1000, native.shape)
    place = place_grid(native)
    shown = place.show(array)
    assert np.shares_memory(shown, array)
    assert shown.shape == place.shape
    assert np.array_equal(place.restore(shown), array)
    assert set(place.arguments()) == {"scale", "translate", "units", "axis_labels"}
    for index in np.argwhere(shown == shown[1, 2, 3]):
        position = place.position(index)
        assert world(place, index) == pytest.approx(-position[::-1])
        voxel = np.rint(native.to_index(position)).astype(int)
        assert array[tuple(voxel)] == shown[tuple(index)]


def test_axes_grow_to_the_feet_the_back_and_the_left() -> None:
    place = place_grid(grid("ASR"))
    there = place.position(np.eye(3)) - place.position(np.zeros(3))
    assert there == pytest.approx(np.array([[0, 0, -1.5], [0, -1.0, 0], [-3.0, 0, 0]]))


@pytest.mark.parametrize("degrees", [3.5, 20.0])
def test_obliqueness_is_left_out_of_the_window_and_kept_on_the_way_back(degrees: float) -> None:
    native = grid("PIR", degrees)
    place = place_grid(native)
    assert obliqueness(native) == pytest.approx(degrees)
    middle = (np.array(place.shape) - 1) / 2
    assert world(place, middle) == pytest.approx(-place.position(middle)[::-1])
    assert world(place, CORNER) != pytest.approx(-place.position(CORNER)[::-1])
    seen = place.index(world(place, FAR), place.units)
    assert seen == pytest.approx(FAR)
    assert native.to_index(place.position(seen)) == pytest.approx(
        np.rint(native.to_index(place.position(FAR)))
    )


def test_a_tilted_stack_is_shown_upright_and_says_how_far_it_is_tilted() -> None:
    affine = np.array(grid("LPS").affine)
    affine[1, 2] = 3.0 * np.tan(np.radians(14))
    place = place_grid(Grid((12, 10, 6), affine))
    assert place.grid.is_sheared
    assert "affine" not in place.arguments()
    assert obliqueness(place.grid) == pytest.approx(14)


@pytest.mark.parametrize("rest", [{"unit": "px"}, {"orientation_known": False}])
def test_without_a_known_orientation_arrays_are_shown_as_stored(rest: dict[str, Any]) -> None:
    place = place_grid(grid("RAS", **rest))
    assert place.order.source == (0, 1, 2)
    assert not any(place.order.flipped)
    assert place.arguments()["translate"] == (0, 0, 0)
    assert obliqueness(place.grid) == 0


def test_a_layer_moved_in_the_window_keeps_its_grid() -> None:
    native = grid("PSR", 20)
    meta = {**place_grid(native).arguments(), "metadata": {"medseg": _image(native)}}
    moved = {**meta, "translate": (100, 100, 100), "rotate": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]}
    place = place_layer(place_grid(native).shape, moved)
    assert place.grid is native
    assert world(place, CORNER) == pytest.approx((100, 100, 100))
    assert place.position(place.index(world(place, FAR), place.units)) == pytest.approx(
        place_grid(native).position(FAR)
    )


def _image(native: Grid) -> Any:
    from medseg.domain import Image

    return Image(np.zeros(native.shape, np.uint8), native)


TRANSFORMS: list[dict[str, Any]] = [
    {"scale": (2.0, 3.0, 4.0), "translate": (5, 6, 7)},
    {"affine": np.diag([2.0, 3.0, 4.0, 1.0])},
    {"scale": (2, 1, 1), "rotate": (30, 40, 50)},
    {"scale": (2, 1, 3), "shear": (0.5, 0.2, 0.1), "translate": (1, 2, 3)},
    {
        "scale": (2, 1, 3),
        "rotate": (30, 40, 50),
        "shear": (0.5, 0.2, 0.1),
        "affine": np.diag([3.0, 1, 2, 1.0]),
    },
]


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari's word on a rotated layer
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_whole_transform_of_a_layer_counts(transform: dict[str, Any]) -> None:
    from napari.layers import Image

    layer = Image(np.zeros((6, 10, 12)), units="mm", **transform)
    for meta in (transform, layer.as_layer_data_tuple()[1]):
        assert affine_of(meta, 3)[:3] @ [5, 9, 11, 1] == pytest.approx(layer.data_to_world(FAR))
    place = place_layer((6, 10, 12), layer.as_layer_data_tuple()[1])
    assert place.grid.unit == "mm"
    assert not place.grid.orientation_known
    assert place.position(FAR) == pytest.approx(-np.array(layer.data_to_world(FAR))[::-1])
    copy = Image(np.zeros((6, 10, 12)), **place.arguments())
    assert copy.data_to_world(FAR) == pytest.approx(layer.data_to_world(FAR))


@pytest.mark.parametrize(
    ("units", "spacing"),
    [
        ("mm", (4, 3, 2)),
        ("cm", (40, 30, 20)),
        ("um", (0.004, 0.003, 0.002)),
        ("micrometer", (0.004, 0.003, 0.002)),
        (("m", "mm", "mm"), (4, 3, 2000)),
    ],
)
def test_lengths_become_mm(units: Any, spacing: tuple[float, ...]) -> None:
    meta = {"scale": (2, 3, 4), "units": units}
    assert place_layer((6, 10, 12), meta).grid.spacing == pytest.approx(spacing)


@pytest.mark.parametrize("units", [None, "pixel", ("pixel",) * 3, "dimensionless"])
def test_the_scale_of_pixels_is_not_trusted(units: Any) -> None:
    place = place_layer((6, 10, 12), {"scale": (2, 3, 4), "units": units})
    assert place.grid.unit == "px"
    assert place.grid.spacing == (1, 1, 1)
    assert place.arguments()["scale"] == (2, 3, 4)


@pytest.mark.parametrize("units", ["second", ("pixel", "mm", "mm")])
def test_other_units_are_refused_in_one_line(units: Any) -> None:
    with pytest.raises(InputError, match=r"layer 'film': units are a length on every axis"):
        place_layer((6, 10, 12), {"name": "film", "units": units})


def test_two_dimensions_have_no_thickness_and_stay_pixels() -> None:
    place = place_layer((10, 12), {"scale": (0.5, 0.5), "units": "mm", "translate": (3, 4)})
    assert place.grid.unit == "px"
    assert place.grid.shape == (12, 10, 1)
    assert place.arguments()["scale"] == (1, 0.5, 0.5)


def test_layers_in_other_lengths_meet_in_the_window() -> None:
    place = place_layer((6, 10, 12), {"scale": (2, 3, 4), "units": "um"})
    assert place.index(np.array([[0.002, 0.003, 0.004]]), ("mm",) * 3) == pytest.approx(np.ones((1, 3)))
    assert place.index(np.array([[2.0, 3.0, 4.0]]), ("pixel",) * 3) == pytest.approx(np.ones((1, 3)))
    assert mm_per_unit(("pixel",) * 3) is None
