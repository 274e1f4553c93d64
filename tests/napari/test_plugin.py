"""Every command of the manifest, through napari's own doors: menus, open, samples, save."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

pytest.importorskip("napari")

from medseg.domain import Grid, Image
from medseg.errors import InputError
from medseg.geometry import affine_orientation, same_grid
from medseg.workflows import read, read_segmentation
from medseg.workflows.study import find_offers
from napari_medseg.bridge.layers import image_layer, image_of
from napari_medseg.reader import get_reader
from napari_medseg.workspace.opening import load_rows, rows_of
from napari_medseg.writer import write_image, write_labels


def manifest() -> Any:
    from npe2 import PluginManifest

    return PluginManifest.from_distribution("medseg")


def add_scan(viewer: Any, orientation: str = "PSR") -> Image:
    array = np.random.default_rng(0).normal(100, 5, (12, 10, 6)).astype(np.float32)
    array[3:8, 3:7, 2:5] += 200
    affine = affine_orientation((1.0, 1.5, 3.0), orientation)
    affine[:3, 3] = (-10, 20, 5)
    image = Image(array, Grid(array.shape, affine), modality="MR")
    values, meta, _ = image_layer(image, "mr")
    viewer.add_image(values, **meta)
    return image


def entries(menu: Any) -> list[Any]:
    """Entries of a menu and of those in it, by what is clicked."""
    found = []
    for action in menu.actions():
        found += [action] if action.menu() is None else entries(action.menu())
    return found


def test_the_manifest_is_valid_and_named_as_the_distribution() -> None:
    found = manifest()
    assert found.name == "medseg"
    found.validate_imports()


def test_every_command_is_reached_by_a_door_that_is_tested_here() -> None:
    found = manifest().contributions
    doors = [*found.readers, *found.writers, *found.sample_data, *found.widgets]
    placed = {item.command for items in found.menus.values() for item in items}
    assert {door.command for door in doors} | placed == {command.id for command in found.commands}
    assert len(found.readers) == 1
    assert {kind for writer in found.writers for kind in writer.layer_types} == {"image", "labels"}


@pytest.mark.gui
@pytest.mark.parametrize("name", [item.display_name for item in manifest().contributions.widgets])
def test_a_widget_opens_from_the_menu_and_a_second_click_hides_it(screen: Any, qtbot: Any, name: str) -> None:
    window = screen.viewer.window
    (action,) = [item for item in entries(window.plugins_menu) if item.text() == f"{name} (medseg)"]
    action.trigger()
    (panel,) = window.dock_widgets.values()
    qtbot.waitUntil(panel.isVisible)
    assert "For research use" in "".join(label.text() for label in panel.findChildren(QLabel))
    action.trigger()
    qtbot.waitUntil(lambda: not panel.isVisible())


@pytest.mark.gui
def test_the_menus_lead_to_the_tabs(screen: Any, monkeypatch: Any) -> None:
    asked = []
    for name in ("ask_folder", "ask_files"):
        monkeypatch.setattr(
            f"napari_medseg._qt.open.OpenPanel.{name}", lambda self, name=name: asked.append(name)
        )
    window = screen.viewer.window
    for menu, text, tab in [
        (window.file_menu, "Open study…", "Open"),
        (window.file_menu, "Open scans, masks, reports…", "Open"),
        (window.layers_menu, "Segment with medseg", "Segment"),
        (window.layers_menu, "Measure with medseg", None),
    ]:
        (action,) = [item for item in entries(menu) if item.text() == f"{text} (medseg)"]
        action.trigger()
        (panel,) = window.dock_widgets.values()
        assert panel.isVisible()
        assert tab in (None, panel.tabText(panel.currentIndex()))
    assert asked == ["ask_folder", "ask_files"]


@pytest.mark.gui
@pytest.mark.parametrize(
    "command", [item.id for item in manifest().contributions.commands if "write" not in item.id]
)
def test_the_palette_runs_every_command_that_asks_for_no_file(
    screen: Any, monkeypatch: Any, command: str
) -> None:
    from napari._app_model import get_app_model

    for name in ("ask_folder", "ask_files"):
        monkeypatch.setattr(f"napari_medseg._qt.open.OpenPanel.{name}", lambda self: None)
    palette = {
        item.id: item.title for item in (action for action in get_app_model().registered_actions.values())
    }
    if command == "medseg.read" or "sample" in command:
        return
    assert "medseg" in palette[command]
    get_app_model().commands.execute_command(command).result()
    assert screen.viewer.window.dock_widgets


@pytest.mark.gui
def test_keys_lead_to_the_tabs(screen: Any) -> None:
    _, panel = screen.viewer.window.add_plugin_dock_widget("medseg", "medseg")
    for at in reversed(range(panel.count())):
        (bound,) = [act for key, act in screen.viewer.keymap.items() if str(key) == f"Alt+{at + 1}"]
        bound(screen.viewer)
        assert panel.currentIndex() == at


def test_preferences_are_napari_s_own() -> None:
    from napari.settings import get_plugin_settings
    from napari_medseg.bridge.preferences import Preferences, preferences

    assert preferences() == Preferences()
    settings = get_plugin_settings("medseg")
    try:
        settings.report.reader, settings.report.organisation, settings.run.device = "Dr Who", "Ward 6", "cpu"
        assert preferences() == Preferences("Dr Who", "Ward 6", "cpu")
        with pytest.raises(ValueError, match="not one of the allowed"):
            settings.run.device = "abacus"
    finally:
        settings.report.reader, settings.report.organisation, settings.run.device = "", "", "auto"


@pytest.mark.parametrize(
    ("name", "is_scan"),
    [(name, True) for name in ("ct.nii.gz", "a.dcm", "b.mha", "c.nrrd", "d.mgz")]
    + [(name, False) for name in ("photo.png", "cells.tif", "t.csv", "n.txt", "x.zarr", "IM0001")],
)
def test_the_reader_answers_for_scans_and_leaves_other_files_alone(name: str, is_scan: bool) -> None:
    from napari.plugins._npe2 import get_readers

    assert ("medseg" in get_readers(name)) is is_scan


@pytest.mark.gui
def test_a_dropped_scan_opens_without_a_question_once_the_user_said_so(screen: Any, tmp_path: Path) -> None:
    from napari.errors import MultipleReaderError
    from napari.settings import get_settings

    add_scan(screen.viewer)
    path = tmp_path / "mr.nii.gz"
    screen.viewer.layers["mr"].save(str(path), plugin="medseg")
    before = dict(get_settings().plugins.extension2reader)
    _, panel = screen.viewer.window.add_plugin_dock_widget("medseg", "medseg")
    box = panel.tab("Open").always
    try:
        box.setChecked(True)
        (layer,) = screen.viewer.open(path, plugin=None)
        assert isinstance(image_of(*layer.as_layer_data_tuple()[:2]), Image)
        box.setChecked(False)
        assert dict(get_settings().plugins.extension2reader) == before
        with pytest.raises(MultipleReaderError):
            screen.viewer.open(path, plugin=None)
    finally:
        get_settings().plugins.extension2reader = before


@pytest.mark.gui
def test_every_sample_opens(screen: Any) -> None:
    for sample in manifest().contributions.sample_data:
        layers = screen.viewer.open_sample("medseg", sample.key)
        assert layers
        for layer in layers:
            assert isinstance(image_of(*layer.as_layer_data_tuple()[:2]), Image)
            assert screen.picture().max() > 50


@pytest.mark.gui
@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_an_image_is_saved_and_opened_voxel_for_voxel(screen: Any, tmp_path: Path, ending: str) -> None:
    image = add_scan(screen.viewer)
    path = tmp_path / f"out{ending}"
    assert screen.viewer.layers["mr"].save(str(path), plugin="medseg") == [str(path)]
    (opened,) = screen.viewer.open(path, plugin="medseg")
    again = image_of(*opened.as_layer_data_tuple()[:2])
    assert same_grid(again.grid, image.grid)
    assert np.array_equal(again.array, image.array)


@pytest.mark.gui
def test_pictures_are_saved_and_opened_pixel_for_pixel(screen: Any, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    screen.viewer.add_image(picture, name="photo")
    for ending in (".png", ".tif"):
        path = tmp_path / f"photo{ending}"
        assert screen.viewer.layers["photo"].save(str(path), plugin="medseg") == [str(path)]
        # napari's own reader takes pictures that are dropped; medseg's is reached by its Open tab.
        ((_, image),) = load_rows(rows_of(find_offers([path]))).images
        assert np.array_equal(image.array[..., 0].T, picture)


@pytest.mark.gui
def test_labels_drawn_with_naparis_own_button_are_saved_on_the_grid_of_the_scan(
    screen: Any, tmp_path: Path
) -> None:
    viewer = screen.viewer
    image = add_scan(viewer)
    viewer.layers.selection.active = viewer.layers["mr"]
    viewer._new_labels()
    layer = viewer.layers[-1]
    layer.name = "mine"
    layer.data_setitem((np.array([1]), np.array([2]), np.array([3])), 4)
    path = tmp_path / "mine.nii.gz"
    assert viewer.layers.save(str(path), selected=True, plugin="medseg") == [str(path)]
    mask = read_segmentation(path)
    assert same_grid(mask.grid, image.grid)
    assert image.array[mask.labels == 4] == viewer.layers["mr"].data[1, 2, 3]
    (opened,) = viewer.open(path, plugin="medseg")
    assert np.array_equal(opened.data, layer.data)
    assert opened.data_to_world((1, 2, 3)) == pytest.approx(layer.data_to_world((1, 2, 3)))


def test_a_sheared_layer_of_others_is_not_saved_without_its_shear(tmp_path: Path) -> None:
    meta = {"name": "tilted", "shear": (0.5, 0, 0), "units": "mm"}
    for write in (write_image, write_labels):
        with pytest.raises(InputError, match="layer 'tilted' is sheared"):
            write(str(tmp_path / "out.nii.gz"), np.ones((3, 4, 5), np.uint8), meta)
    assert not list(tmp_path.iterdir())


@pytest.mark.gui
def test_a_dicom_folder_opens(screen: Any, data: Callable[[str], Path]) -> None:
    folder = data("dicom/mr_sag_gre_fieldmap")
    (layer,) = screen.viewer.open(folder, plugin="medseg")
    assert layer.data.shape == (64, 42, 5)
    assert image_of(*layer.as_layer_data_tuple()[:2]).digest == read(folder).digest


def test_the_reader_leaves_what_is_no_scan(tmp_path: Path) -> None:
    note = tmp_path / "notes.txt"
    note.write_text("no scan", encoding="utf-8")
    assert get_reader(str(note)) is None


def test_who_opens_an_oblique_series_is_told(data: Callable[[str], Path]) -> None:
    from napari.utils.notifications import notification_manager

    path = str(data("dicom/mr_xa30_gre_enh"))
    reader = get_reader(path)
    assert reader is not None
    ((_, meta, _),) = reader(path)
    assert meta["units"] == ("mm", "mm", "mm")
    assert "3.5° off the patient's" in notification_manager.records[-1].message
