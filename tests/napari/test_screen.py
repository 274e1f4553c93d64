"""What is really drawn in the window: every orientation, where a radiologist looks for it."""

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("napari")

from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.geometry import order_to
from napari_medseg.bridge.layers import image_layer, labels_layer, placement_of
from napari_medseg.bridge.seeds import prompts_of

pytestmark = pytest.mark.gui

ORIENTATIONS = ["".join(letters) for axes in permutations(("RL", "AP", "SI")) for letters in product(*axes)]
SPACING = np.array([2.0, 3.0, 4.0])
SHAPE = (13, 15, 9)
MIDDLE = (np.array(SHAPE) - 1) // 2
#: Steps of the bright dot from the middle voxel, to the right, front and head; in mm 6, 12, 8.
STEPS = np.array([3, 4, 2])
#: Where the dot is seen, in mm from the middle of the canvas: rows downwards, columns to the right.
SEEN = {"axial": (-12.0, -6.0), "coronal": (-8.0, -6.0), "sagittal": (-8.0, -12.0)}
#: Half a pixel of the canvas is less than this (mm).
NEAR = 0.3


def rotation(degrees: float, axis: tuple[float, float, float]) -> NDArray[np.float64]:
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def scan(orientation: str, turn: NDArray[np.float64] | None = None) -> tuple[Image, NDArray[np.float64]]:
    """A dark volume with a bright dot, stored in an axis order and turned, and the dot's true position."""
    array = np.zeros(SHAPE, np.float32)
    array[tuple(MIDDLE + STEPS)] = 100
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if turn is None else turn) @ np.diag(SPACING)
    affine[:3, 3] = (31, -42, 13)
    grid = Grid(SHAPE, affine)
    order = order_to(Grid(SHAPE, np.diag([*SPACING, 1.0])), orientation)
    return Image(order.apply(array), order.grid(grid)), grid.to_position(MIDDLE + STEPS)


def show(screen: Any, image: Image) -> dict[str, Any]:
    """The image as the only layer; its arguments."""
    values, meta, _ = image_layer(image, "scan")
    screen.viewer.add_image(values, **meta)
    for old in screen.viewer.layers[:-1]:
        screen.viewer.layers.remove(old)
    return meta


def dot(meta: dict[str, Any]) -> tuple[float, ...]:
    """Place of the dot in the viewer's world: the layer's axes grow to the feet, the back and the left."""
    return tuple(np.array(meta["translate"]) + np.array(meta["scale"]) * (MIDDLE - STEPS)[::-1])


def test_right_is_left_front_and_head_are_up_in_all_48_orientations(screen: Any) -> None:
    wrong = {}
    assert len(set(ORIENTATIONS)) == 48
    for orientation in ORIENTATIONS:
        image, position = scan(orientation)
        assert image.grid.orientation == orientation
        place = dot(show(screen, image))
        assert place == pytest.approx(-position[::-1])
        for plane, expected in SEEN.items():
            screen.look(plane, place)
            if not np.allclose(screen.bright(), expected, atol=NEAR):
                wrong[orientation, plane] = screen.bright()
    assert not wrong


@pytest.mark.parametrize("degrees", [3.5, 20, 45])
def test_an_oblique_scan_is_shown_along_its_own_axes_about_its_true_middle(
    screen: Any, degrees: float
) -> None:
    for axis, orientation in [((1, 2, 3), "LPS"), ((3, -1, 1), "PIR"), ((0.5, 2, -1), "ASL")]:
        image, _ = scan(orientation, rotation(degrees, axis))
        meta = show(screen, image)
        assert "affine" not in meta
        middle = image.grid.to_position((np.array(image.grid.shape) - 1) / 2)
        for plane, expected in SEEN.items():
            screen.look(plane)
            assert screen.world(0, 0) == pytest.approx(-middle[::-1])
            screen.look(plane, dot(meta))
            assert screen.bright() == pytest.approx(expected, abs=NEAR), (orientation, plane)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_a_scan_half_way_between_two_directions_is_shown(
    screen: Any, axis: tuple[float, float, float]
) -> None:
    image, _ = scan("RAS", rotation(45, axis))
    values, meta, _ = image_layer(image, "scan")
    layer = screen.viewer.add_image(values, **meta)
    index = np.argwhere(values > 0)[0]
    for plane in SEEN:
        screen.look(plane, layer.data_to_world(index))
        assert screen.picture().max() > 200


@pytest.mark.parametrize("degrees", [0, 3.5, 20, 45])
def test_a_seed_on_the_dot_that_is_seen_is_at_its_true_position(screen: Any, degrees: float) -> None:
    image, position = scan("PIR", rotation(degrees, (1, 2, 3)))
    meta = show(screen, image)
    place = placement_of(screen.viewer.layers[0].data, screen.viewer.layers[0].as_layer_data_tuple()[1])
    for plane in SEEN:
        screen.look(plane, dot(meta))
        seed = screen.viewer.add_points([screen.world(*screen.bright())], units=meta["units"])
        found = prompts_of([seed.as_layer_data_tuple()], place).points[0].position
        assert np.linalg.norm(found - position) < 2 * NEAR
        screen.viewer.layers.remove(seed)


def test_the_volume_is_not_mirrored(screen: Any) -> None:
    # Seen from the feet in 3D: the right on the left and the front up, as in an axial slice.
    image, _ = scan("RAS")
    show(screen, image)
    screen.viewer.dims.ndisplay = 3
    screen.viewer.reset_view()
    row, column = screen.bright()
    assert row < -5
    assert column < -3
    assert screen.viewer.scene.camera.view_direction == pytest.approx((-1, 0, 0))  # towards the head


def test_a_mask_and_a_painted_label_lie_over_their_image(screen: Any) -> None:
    image, _ = scan("PSR", rotation(20, (1, 2, 3)))
    table = LabelTable((Label(1, "dot", color=(0, 255, 0)),))
    mask = Segmentation((image.array > 0).astype(np.uint8), image.grid, table)
    meta = show(screen, image)
    values, labels, _ = labels_layer(mask, "mask")
    layer = screen.viewer.add_labels(values, **{**labels, "opacity": 1.0})
    screen.viewer.layers[0].visible = False
    screen.look("axial", dot(meta))
    assert screen.bright() == pytest.approx(SEEN["axial"], abs=NEAR)
    voxel = np.nonzero(layer.data)
    layer.data_setitem(voxel, 0)
    assert screen.picture().max() < 50
    layer.data_setitem(voxel, 7)
    assert screen.picture().max() > 100
    assert screen.bright() == pytest.approx(SEEN["axial"], abs=NEAR)


@pytest.mark.parametrize("known", [{"unit": "px"}, {"orientation_known": False}])
def test_what_has_no_place_in_a_patient_is_shown_as_stored(screen: Any, known: dict[str, Any]) -> None:
    array = np.zeros((20, 16, 3), np.float32)
    array[2, 4, 0] = 100
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if "unit" in known else np.diag([1.0, 1.0, 1.0, 1.0])
    meta = show(screen, Image(array, Grid(array.shape, affine, **known)))
    assert meta["translate"] == (0, 0, 0)
    screen.look("axial", (0, 0, 0))
    assert screen.bright() == pytest.approx((4 - 7.5, 2 - 9.5), abs=NEAR)


@pytest.mark.parametrize(
    ("path", "degrees"),
    [
        ("dicom/mr_sag_gre_fieldmap", None),
        ("dicom/dicom2nifti/hitachi/anatomical/001", "38.7°"),
        ("dicom/dicom2nifti/philips/anatomical/001", "2.5°"),
        ("dicom/rt_utils/oriented_data", "28.3°"),
        ("misc/cord/t2/t2.nii.gz", None),
    ],
)
def test_a_series_of_any_direction_opens_and_gives_the_digits_of_the_command_line(
    widget: Any, data: Callable[[str], Path], path: str, degrees: str | None
) -> None:
    import medseg

    file = data(path)
    viewer = widget.screen.viewer
    viewer.open(file, plugin="medseg")
    for plane in SEEN:
        widget.screen.look(plane)
        assert widget.screen.picture().max() > 50, plane
    widget.choose("otsu")
    note = widget.panel.channels.note
    assert (degrees or "") in note.text()
    assert note.isHidden() is (degrees is None)
    widget.run("otsu")
    image = medseg.read(file)
    expected = medseg.segment("otsu", image)
    found = widget.mask("otsu mask")
    assert found.digest == expected.digest
    assert medseg.measure(found, image).measurements == medseg.measure(expected, image).measurements
    mask = viewer.layers["otsu mask"]
    assert placement_of(mask.data, mask.as_layer_data_tuple()[1]).lies_on(
        placement_of(viewer.layers[0].data, viewer.layers[0].as_layer_data_tuple()[1])
    )
