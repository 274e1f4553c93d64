"""Seeds drawn in the viewer land on the voxel that they were drawn on, whatever the axes of image and layer."""

import numpy as np
import pytest

pytest.importorskip("napari")

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import affine_orientation
from napari_medseg.bridge.placement import Placement, place_grid, place_layer
from napari_medseg.bridge.seeds import is_negative, prompts_of

#: 40 × 40 × 40 voxels of 1 mm, seen at (z, y, x) = (index) in the window.
CUBE = place_grid(Grid((40, 40, 40), np.diag([-1.0, -1.0, -1.0, 1.0])))
#: Index in the layer (z, y, x).
VOXEL = np.array([2.0, 4.0, 7.0])


def turned(degrees: float, orientation: str) -> Placement:
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return place_grid(Grid((12, 10, 11), turn @ affine))


@pytest.mark.parametrize("degrees", [0, 3.5, 20, 45])
@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PSR", "ILA"])
def test_a_point_on_a_voxel_is_its_true_position(orientation: str, degrees: float) -> None:
    place = turned(degrees, orientation)
    index = place.order.undo(np.arange(12 * 10 * 11).reshape(place.shape).transpose(2, 1, 0))
    voxel = np.argwhere(index == np.ravel_multi_index((2, 4, 7), place.shape))[0]
    found = prompts_of([(VOXEL[None], {"name": "tumour", **place.arguments()}, "points")], place)
    assert found.points[0].position == pytest.approx(place.grid.to_position(voxel))
    assert found.points[0].positive


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari's word on a rotated layer
def test_the_layer_of_the_seeds_may_have_any_transform() -> None:
    from napari.layers import Points

    place = turned(20, "PSR")
    seen = place.matrix[:3, :3] @ VOXEL + place.matrix[:3, 3]
    for transform in (
        {},
        {"scale": (2, 0.5, 3), "translate": (7, 8, 9)},
        {"rotate": (10, 20, 30), "scale": (1, 2, 1), "shear": (0.1, 0.2, 0.3)},
        {"affine": np.array([[0, 2, 0, 1], [1, 0, 0, 2], [0, 0.5, 1, 3], [0, 0, 0, 1.0]])},
    ):
        layer = Points(ndim=3, units="mm", **transform)
        layer.data = [layer.world_to_data(seen)]
        found = prompts_of([layer.as_layer_data_tuple()], place)
        assert found.points[0].position == pytest.approx(place.position(VOXEL))


def test_the_image_may_have_been_moved_in_the_window() -> None:
    grid = Grid((12, 10, 11), np.eye(4))
    place = place_grid(grid)
    moved = np.eye(4)
    moved[:3, 3] = (50, 60, 70)
    there = Placement(grid, place.order, moved, place.units)
    found = prompts_of([(np.array([[52.0, 64.0, 77.0]]), {"name": "a", "units": "mm"}, "points")], there)
    assert found.points[0].position == pytest.approx(place.position(VOXEL))


def test_seeds_on_a_scaled_layer_in_pixels_land_on_the_object() -> None:
    place = place_layer((11, 10, 12), {"scale": (5, 2, 2), "translate": (100, 0, 0)})
    drawn = (np.array([[110.0, 8.0, 14.0]]), {"name": "a"}, "points")
    assert place.grid.to_index(np.array(prompts_of([drawn], place).points[0].position)) == pytest.approx(
        VOXEL[::-1]
    )


def test_shapes_become_strokes_and_boxes() -> None:
    square = np.array([[1.0, 2, 2], [1, 2, 6], [1, 6, 6], [1, 6, 2]])
    meta = {
        "name": "not tumour",
        "shape_type": ["polygon", "path", "rectangle"],
        "edge_width": [1, 2, 1],
        "affine": np.eye(4),
    }
    found = prompts_of([([square, square[:3], square], meta, "shapes")], CUBE)
    assert [(item.closed, item.positive) for item in found.strokes] == [(True, False), (False, False)]
    assert found.strokes[1].radius_mm == 1.0
    assert found.boxes[0].low == pytest.approx((-6.0, -6.0, -1.0))
    assert found.boxes[0].high == pytest.approx((-2.0, -2.0, -1.0))


def test_a_stroke_is_as_wide_as_it_is_drawn_in_its_slice() -> None:
    # One step of the layer is 4 mm from slice to slice and 0.5 mm within the slice.
    path = np.array([[3.0, 10, 10], [3, 12, 20]])
    meta = {"name": "a", "shape_type": "path", "edge_width": 6, "scale": (4, 0.5, 0.5)}
    assert prompts_of([([path], meta, "shapes")], CUBE).strokes[0].radius_mm == pytest.approx(1.5)


def test_an_ellipse_is_round() -> None:
    corners = np.array([[5.0, 10, 10], [5, 10, 30], [5, 20, 30], [5, 20, 10]])
    meta = {"name": "a", "shape_type": ["ellipse"], "edge_width": [1]}
    (stroke,) = prompts_of([([corners], meta, "shapes")], CUBE).strokes
    x, y, z = np.array(stroke.positions).T
    assert stroke.closed
    assert ((x + 20) / 10) ** 2 + ((y + 15) / 5) ** 2 == pytest.approx(np.ones(len(x)))
    assert z == pytest.approx(np.full(len(x), -5.0))


def test_two_dimensions_lie_on_the_one_slice_there_is_and_are_refused_where_there_are_more() -> None:
    drawn = (np.array([[3.0, 4.0]]), {"name": "a"}, "points")
    affine = np.diag([-1.0, -1.0, -1.0, 1.0])
    affine[2, 3] = 30
    one = place_grid(Grid((10, 10, 1), affine))
    assert prompts_of([drawn], one).points[0].position == pytest.approx((-4.0, -3.0, 30.0))
    with pytest.raises(InputError, match="layer 'a' has two dimensions and no slice"):
        prompts_of([drawn], CUBE)


def test_an_empty_layer_holds_no_seeds() -> None:
    assert prompts_of([(np.zeros((0, 3)), {"name": "a"}, "points")], CUBE).is_empty


@pytest.mark.parametrize(
    ("name", "negative"), [("tumour", False), ("not tumour", True), ("- fat", True), ("nothing", False)]
)
def test_names_say_what_is_outside(name: str, negative: bool) -> None:
    assert is_negative(name) is negative
