"""What is written on the canvas, and three planes at one place of the patient."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtWidgets import QApplication

from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from napari.qt import QtViewer
from napari_medseg.bridge.layers import image_layer, labels_layer, series_layer
from napari_medseg.bridge.overlay import lay_over, take_volume
from napari_medseg.bridge.planes import CROSSHAIR
from napari_medseg.bridge.signs import image_behind, signs_of
from napari_medseg.bridge.window import open_range, window_of
from napari_medseg.workspace.limits import Limits
from tests.napari.test_screen import ORIENTATIONS, dot, rotation, scan, show

pytestmark = pytest.mark.gui

#: Letters at the top, bottom, left and right of each plane.
LETTERS = {"axial": "APRL", "coronal": "SIRL", "sagittal": "SIAP"}


def letters(viewer: Any) -> str:
    signs = signs_of(viewer)
    return "".join(signs.text(side) for side in ("top", "bottom", "left", "right"))


@pytest.mark.parametrize("orientation", ORIENTATIONS[::12])
@pytest.mark.parametrize("degrees", [0, 20])
def test_letters_are_those_of_the_body(screen: Any, orientation: str, degrees: float) -> None:
    image, _ = scan(orientation, rotation(degrees, (1, 2, 3)))
    signs = signs_of(screen.viewer)
    meta = show(screen, image)
    for plane, expected in LETTERS.items():
        screen.look(plane, dot(meta))
        assert letters(screen.viewer) == expected
        row, column = screen.bright()
        # The dot lies to the right, the front and the head of the middle: on the side of the letter that says so.
        seen = {"RL": column, "AP": row if plane == "axial" else column, "SI": row}
        assert all(
            seen["RL" if letter in "RL" else "AP" if letter in "AP" else "SI"] < 0 for letter in expected[::2]
        )
        assert ("off the body" in signs.text("slice")) is (degrees == 20)


def test_letters_follow_the_volume_as_it_is_turned(screen: Any) -> None:
    show(screen, scan("LPS")[0])
    signs_of(screen.viewer)
    screen.viewer.dims.ndisplay = 3
    screen.viewer.reset_view()
    assert letters(screen.viewer) == "APRL"
    screen.viewer.scene.camera.set_view_direction((0, 1, 0), (-1, 0, 0))  # from the front, head up
    assert letters(screen.viewer) == "SIRL"
    screen.viewer.scene.camera.set_view_direction((0, 0, -1), (-1, 0, 0))  # from the left
    assert letters(screen.viewer) == "SIAP"


def test_the_slice_is_numbered_as_the_report_counts_it_and_placed_in_mm(screen: Any) -> None:
    for orientation in ("RAS", "LPI", "SAR"):
        image, position = scan(orientation)
        meta = show(screen, image)
        screen.look("axial", dot(meta))
        axis = next(axis for axis, letter in enumerate(image.grid.orientation) if letter in "SI")
        voxel = np.argwhere(image.array > 0)[0]
        said = signs_of(screen.viewer).text("slice").splitlines()
        assert said[0] == f"axial S {position[2]:.1f} mm"
        assert said[1] == f"slice {voxel[axis] + 1} of {image.grid.shape[axis]}"


@pytest.mark.parametrize("known", [{"unit": "px"}, {"orientation_known": False}])
def test_what_has_no_place_in_a_patient_has_no_letters_and_no_planes_of_the_body(
    screen: Any, known: Any
) -> None:
    array = np.zeros((20, 16, 3), np.float32)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if "unit" in known else np.eye(4)
    show(screen, Image(array, Grid(array.shape, affine, **known)))
    assert letters(screen.viewer) == ""
    assert signs_of(screen.viewer).text("slice").startswith("slices as stored\nslice 2 of 3")


def test_the_value_under_the_pointer_has_its_unit(screen: Any) -> None:
    image, _ = scan("PIR")
    ct = Image(image.array, image.grid, modality="CT", value_unit="[hnsf'U]")
    meta = show(screen, ct)
    signs = signs_of(screen.viewer)
    screen.look("axial", dot(meta))
    screen.viewer.cursor.position = dot(meta)
    for callback in screen.viewer.mouse_move_callbacks:
        callback(screen.viewer, None)
    assert signs.text("value") == "scan: 100 HU"


def test_the_slider_reaches_every_value_and_pet_has_a_bar(screen: Any) -> None:
    window_of(screen.viewer)
    values = np.arange(-1000, 1000, dtype=np.int16).reshape(20, 10, 10)
    grid = Grid((20, 10, 10), np.eye(4))
    for image, limits, whole in [
        (Image(values, grid, modality="CT", value_unit="[hnsf'U]"), [-160, 240], [-1000, 999]),
        (Image(values.clip(0) / 100, grid, modality="PT", value_unit="g/ml{SUVbw}"), [0, 7], [0, 9.99]),
    ]:
        data, meta, _ = image_layer(image, "scan")
        layer = screen.viewer.add_image(data, **meta)
        assert layer.contrast_limits == pytest.approx(limits)
        assert layer.contrast_limits_range == pytest.approx(whole)
        assert layer.colorbar.visible is image.is_pet


@pytest.fixture
def look(screen: Any) -> Iterator[Any]:
    """The box of the Open tab."""
    from napari_medseg._qt.look import LookBox

    screen.viewer.window.resize(1400, 900)
    _, panel = screen.viewer.window.add_plugin_dock_widget("medseg", "medseg")
    box = panel.findChild(LookBox)
    yield box
    box.three.setChecked(False)


def test_windows_of_the_modality_are_offered_and_set(screen: Any, look: Any) -> None:
    values = np.arange(-1000, 1000, dtype=np.int16).reshape(20, 10, 10)
    show(screen, Image(values, Grid((20, 10, 10), np.eye(4)), modality="CT", value_unit="[hnsf'U]"))
    names = [look.window_choice.itemText(at) for at in range(look.window_choice.count())]
    assert names == ["soft tissue", "lung", "bone", "brain", "full range"]
    for name, limits in [("lung", [-1350, 150]), ("full range", [-1000, 999])]:
        look.window_choice.setCurrentText(name)
        look.window_choice.activated.emit(look.window_choice.currentIndex())
        assert screen.viewer.layers[0].contrast_limits == pytest.approx(limits)


def test_three_planes_show_one_place_and_follow_each_other(screen: Any, look: Any, qtbot: Any) -> None:
    image, _ = scan("SLA")
    meta = show(screen, image)
    screen.look("axial")
    look.three.click()
    models = look.planes.planes.models
    assert list(models) == ["coronal", "sagittal"]
    for viewer in (*models.values(), screen.viewer):
        viewer.dims.point = dot(meta)
        for other in (*models.values(), screen.viewer):
            assert other.dims.point == pytest.approx(dot(meta))
            cross = other.layers[CROSSHAIR].data * other.layers[CROSSHAIR].scale
            assert np.allclose(
                cross[:, 0][~np.eye(3, dtype=bool)], np.tile(dot(meta), (3, 1))[~np.eye(3, dtype=bool)]
            )
        viewer.dims.point = (0, 0, 0)
    for name, model in models.items():
        assert letters(model) == LETTERS[name]
        assert np.shares_memory(model.layers["scan"].data, screen.viewer.layers["scan"].data)


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 3.0), (2.0, 1.0, 0.4)])
def test_the_slider_stays_where_it_is_as_planes_open_and_close(
    screen: Any, look: Any, spacing: tuple[float, ...]
) -> None:
    """Its steps are the slices of the image, with the crosshair too."""
    grid = Grid((20, 18, 16), np.diag([*spacing, 1.0]))
    show(screen, Image(np.arange(20 * 18 * 16, dtype=np.float32).reshape(grid.shape), grid))
    dims = screen.viewer.dims
    dims.set_current_step(0, 5)
    for _ in range(2):
        before = dims.point, dims.range
        look.three.click()
        assert (dims.point, dims.range) == before
    look.three.click()
    dims.set_current_step(0, 11)
    look.three.click()
    assert dims.current_step[0] == 11


def test_one_click_moves_all_planes(screen: Any, look: Any) -> None:
    from types import SimpleNamespace

    image, _ = scan("LPS")
    meta = show(screen, image)
    look.three.click()
    planes = look.planes.planes
    for viewer in (screen.viewer, *planes.models.values()):
        planes.go_to((0, 0, 0))
        event = SimpleNamespace(
            type="mouse_press", button=1, pos=(50, 50), press_event=None, position=dot(meta)
        )
        for _ in planes._clicked(viewer, event):
            event.type = "mouse_release"
        assert [list(other.dims.point) for other in planes.models.values()] == [pytest.approx(dot(meta))] * 2
        assert screen.viewer.dims.point == pytest.approx(dot(meta))


def test_layers_come_and_go_in_all_planes_and_look_the_same(screen: Any, look: Any) -> None:
    show(screen, scan("RAS")[0])
    look.three.click()
    models = look.planes.planes.models.values()
    labels = screen.viewer.add_labels(
        np.zeros((9, 15, 13), np.uint8), name="mine", scale=(4, 3, 2), units="mm"
    )
    labels.data_setitem((np.array([4]), np.array([7]), np.array([6])), 3)
    screen.viewer.layers["scan"].contrast_limits = (10, 20)
    screen.viewer.layers["scan"].visible = False
    for model in models:
        assert model.layers["mine"].data[4, 7, 6] == 3
        assert model.layers["scan"].contrast_limits == [10, 20]
        assert not model.layers["scan"].visible
    screen.viewer.layers.remove("mine")
    assert not any("mine" in model.layers for model in models)
    look.three.click()
    assert CROSSHAIR not in screen.viewer.layers
    assert not any(model.layers for model in models)
    assert not planes_in(screen).isVisible()


def planes_in(screen: Any) -> Any:
    """What the planes' dock holds."""
    return screen.viewer.window.dock_widgets["medseg planes"]


def test_the_same_two_canvases_serve_again_since_closed_ones_keep_memory(screen: Any, look: Any) -> None:
    image, _ = scan("RAS")
    meta = show(screen, image)
    screen.look("axial")
    look.three.click()
    first = planes_in(screen)
    canvases = first.canvases
    look.three.click()
    screen.viewer.layers.clear()
    meta = show(screen, scan("PIR")[0])
    screen.look("coronal", dot(meta))
    look.three.click()
    assert planes_in(screen) is first
    assert first.canvases == canvases
    assert first.isVisible()
    models = look.planes.planes.models
    assert list(models) == ["axial", "sagittal"] == [canvas.accessibleName() for canvas in canvases]
    for name, model in models.items():
        assert model.title == name
        assert letters(model) == LETTERS[name]
        assert model.dims.point == pytest.approx(dot(meta))
        assert [layer.name for layer in model.layers] == ["scan", CROSSHAIR]


def test_planes_stay_when_all_layers_go_and_show_what_comes_next(screen: Any, look: Any) -> None:
    show(screen, scan("RAS")[0])
    screen.viewer.add_points(np.array([[8.0, 6.0, 4.0]]), units="mm")
    look.three.click()
    for orientation in ("PIR", "LPS"):
        screen.viewer.layers.clear()
        models = look.planes.planes.models.values()
        assert not any(viewer.layers for viewer in (screen.viewer, *models))
        values, meta, _ = image_layer(scan(orientation)[0], "scan")
        screen.viewer.add_image(values, **meta)
        screen.viewer.dims.point = dot(meta)
        for viewer in (screen.viewer, *models):
            assert viewer.dims.point == pytest.approx(dot(meta))
            assert sorted(layer.name for layer in viewer.layers) == [CROSSHAIR, "scan"]


def test_planes_taken_out_by_hand_come_again(screen: Any, look: Any, qtbot: Any) -> None:
    show(screen, scan("RAS")[0])
    look.three.click()
    screen.viewer.window.remove_dock_widget(planes_in(screen))
    assert not look.three.isChecked()
    assert look.planes.planes is None
    assert CROSSHAIR not in screen.viewer.layers
    look.three.click()
    qtbot.waitUntil(lambda: planes_in(screen).isVisible())


def test_a_layer_that_is_gone_is_kept_by_no_plane(screen: Any, look: Any) -> None:
    """What was linked to it would keep its voxels for as long as the planes are open."""
    from napari.layers import Labels

    show(screen, scan("RAS")[0])

    def links_left() -> int:
        layer = Labels(np.zeros((9, 15, 13), np.uint8), name="mine", scale=(4, 3, 2), units="mm")
        screen.viewer.layers.append(layer)
        screen.viewer.layers.remove(layer)
        return sum(len(emitter.callbacks) for emitter in layer.events.emitters.values())

    without = links_left()
    look.three.click()
    assert links_left() == without


def test_the_tool_in_hand_paints_in_every_plane_and_the_mask_knows(screen: Any, look: Any) -> None:
    image, _ = scan("RAS")
    show(screen, image)
    empty = Segmentation(np.zeros(image.grid.shape, np.uint8), image.grid, LabelTable((Label(1, "tumour"),)))
    data, meta, _ = labels_layer(empty, "mask")
    layer = screen.viewer.add_labels(data, **meta)
    look.three.click()
    session = window_of(screen.viewer).session
    (mask,) = session.masks.values()
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 3
    painted = 0
    for at, model in enumerate(look.planes.planes.models.values()):
        copy = model.layers.selection.active
        assert (copy.name, str(copy.mode), copy.selected_label, copy.brush_size) == ("mask", "paint", 1, 3)
        copy.paint((3 + 2 * at, 7, 6), 1)
        assert np.count_nonzero(layer.data) > painted
        painted = int(np.count_nonzero(layer.data))
        assert len(mask.journal.done) == at + 1
        assert np.count_nonzero(mask.labels) == painted
        assert not mask.notice()  # nothing was painted that the history does not have
    undo = next(iter(model.layers["mask"].keymap.values()))
    undo(copy)
    assert 0 < np.count_nonzero(mask.labels) < painted
    mask.limits = Limits(locked=frozenset({1}))
    kept = mask.labels.copy()
    copy.brush_size = 30
    copy.paint((3, 7, 6), 0)
    copy.paint((3, 7, 6), 2)
    assert np.array_equal(mask.labels == 1, kept == 1)
    assert np.count_nonzero(layer.data == 2) == np.count_nonzero(mask.labels == 2) > 0


def test_points_and_shapes_are_seen_in_every_plane(screen: Any, look: Any) -> None:
    show(screen, scan("RAS")[0])
    points = screen.viewer.add_points(np.array([[8.0, 6.0, 4.0]]), name="here", units="mm")
    look.three.click()
    boxes = screen.viewer.add_shapes(
        [np.array([[8.0, 2, 2], [8, 2, 6], [8, 6, 6], [8, 6, 2]])], name="box", units="mm"
    )
    points.add([8.0, 9.0, 9.0])
    boxes.data = []
    for model in look.planes.planes.models.values():
        assert np.array_equal(model.layers["here"].data, points.data)
        assert len(model.layers["box"].data) == 0
    screen.viewer.layers.remove("here")
    assert not any("here" in model.layers for model in look.planes.planes.models.values())


def boxes(canvas: Any) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom, in pixels, of the letters and the scale bar that a canvas draws."""
    canvas.on_draw(None)
    overlays = canvas.viewer.canvas.overlays
    named = {side: overlays[f"medseg {side}"] for side in ("top", "bottom", "left", "right")}
    found = {}
    for name, overlay in {**named, "bar": overlays.scale_bar}.items():
        if overlay.visible:
            (drawn,) = canvas._viewer_overlay_to_visual[overlay]
            left, top = drawn.node.transform.translate[:2]
            found[name] = (left, top, left + drawn.x_size, top + drawn.y_size)
    return found


def assert_apart(canvas: Any) -> None:
    height, width = canvas.viewer.canvas.size
    found = boxes(canvas)
    assert {"top", "bottom", "left", "right"} <= set(found)
    for left, top, right, bottom in found.values():
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    for one, other in combinations(found.values(), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], found


@pytest.mark.parametrize(
    ("size", "barred"),
    [
        ((90, 120), False),
        ((130, 700), True),
        ((180, 180), False),
        ((180, 330), True),
        ((400, 250), True),
        ((600, 900), True),
    ],
)
def test_the_scale_bar_covers_no_letter(screen: Any, size: tuple[int, int], barred: bool) -> None:
    show(screen, scan("LPS")[0])
    signs_of(screen.viewer)
    canvas = screen.viewer.window._qt_viewer.canvas
    canvas.native.setFixedSize(size[1], size[0])
    QApplication.processEvents()
    assert tuple(screen.viewer.canvas.size) == size
    for plane, zoom in product(LETTERS, (0.2, 1, 3.7, 60)):
        screen.look(plane)
        screen.viewer.scene.camera.zoom = zoom
        assert_apart(canvas)
        assert ("bar" in boxes(canvas)) is barred


def test_the_scale_bar_covers_no_letter_in_three_planes_of_a_small_window(
    screen: Any, look: Any, qtbot: Any
) -> None:
    screen.viewer.window.resize(1280, 800)
    show(screen, scan("LPS")[0])
    look.three.click()
    qtbot.wait(200)
    canvases = [
        screen.viewer.window._qt_viewer.canvas,
        *(each.canvas for each in planes_in(screen).findChildren(QtViewer)),
    ]
    assert len(canvases) == 3
    for canvas in canvases:
        for zoom in (0.5, 1.3, 8):
            canvas.viewer.scene.camera.zoom = zoom
            assert_apart(canvas)
            assert "bar" in boxes(canvas)


def test_another_series_is_laid_over_and_marked(screen: Any) -> None:
    window_of(screen.viewer)
    frame = {"frame_of_reference": "1.2"}
    grid, coarse = (
        Grid((12, 12, 12), np.eye(4), **frame),
        Grid((6, 6, 6), np.diag([2.0, 2.0, 2.0, 1.0]), **frame),
    )
    ct = Image(np.full((12, 12, 12), 50, np.int16), grid, modality="CT", value_unit="[hnsf'U]", channel="ct")
    pet = Image(
        np.full((6, 6, 6), 3, np.float32), coarse, modality="PT", value_unit="g/ml{SUVbw}", channel="pet"
    )
    made = []
    for image in (ct, pet):
        data, meta, _ = image_layer(image, image.channel)
        made.append(screen.viewer.add_image(data, **meta))
    (over,) = lay_over(screen.viewer, made[1], made[0])
    assert over.data.shape == made[0].data.shape
    assert "display only" in over.name
    signs = signs_of(screen.viewer)
    made[0].visible = made[1].visible = False
    assert "display only" in signs.text("slice")
    even, odd = lay_over(screen.viewer, made[1], made[0], squares=True)
    assert (even.blending, odd.blending) == ("additive", "additive")


def test_volumes_of_a_series_go_by_a_slider_and_one_is_taken_out(screen: Any) -> None:
    grid = Grid((6, 5, 4), np.eye(4))
    volumes = [Image(np.full((6, 5, 4), value, np.int16), grid, channel=str(value)) for value in (1, 2, 3)]
    data, meta, _ = series_layer(volumes, "perfusion")
    layer = screen.viewer.add_image(data, **meta)
    open_range(layer, volumes[0])
    signs = signs_of(screen.viewer)
    for at, volume in enumerate(volumes):
        screen.viewer.dims.set_current_step(0, at)
        assert image_behind(layer, screen.viewer) is volume
    assert "slice" in signs.text("slice")
    assert letters(screen.viewer) == "APRL"
    taken = take_volume(screen.viewer, layer)
    assert taken.data.shape == (4, 5, 6)
    assert int(taken.data.max()) == 3
