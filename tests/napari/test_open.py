"""From a folder to layers, by the Open tab of a real window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

import medseg
from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.domain.source import Source
from medseg.workflows.study import Offer, find_offers
from napari_medseg.bridge.opened import RECORD
from napari_medseg.bridge.signs import signs_of
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.opening import COLUMNS, load_rows, rows_of

SHAPE = (8, 7, 6)


def image(value: int = 0) -> Image:
    values = np.arange(336, dtype=np.int16).reshape(SHAPE) + value
    return Image(values, Grid(SHAPE, np.diag([2.0, 2.0, 3.0, 1.0])))


def mask() -> Segmentation:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    return Segmentation(labels, image().grid, LabelTable((Label(1, "liver"),)))


class Panel:
    """The Open tab, used by its buttons."""

    def __init__(self, screen: Any, qtbot: Any) -> None:
        screen.viewer.window.resize(1280, 800)
        _, dock = screen.viewer.window.add_plugin_dock_widget("medseg", "medseg")
        self.viewer, self.tab, self._qtbot = screen.viewer, dock.tab("Open"), qtbot

    def wait(self) -> None:
        self._qtbot.waitUntil(lambda: not self.tab.cancel_button.isEnabled(), timeout=60_000)

    def look_through(self, *paths: Path) -> list[list[str]]:
        self.tab.look_through(paths)
        self.wait()
        rows = self.tab.rows
        items = [rows.topLevelItem(at) for at in range(rows.topLevelItemCount())]
        return [[item.text(column) for column in range(len(COLUMNS))] for item in items]

    def open(self, *descriptions: str, as_mask: bool = False) -> list[str]:
        rows = self.tab.rows
        for at in range(rows.topLevelItemCount()):
            item = rows.topLevelItem(at)
            item.setSelected(not descriptions or item.text(1) in descriptions)
        (self.tab.mask_button if as_mask else self.tab.open_button).click()
        self.wait()
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def panel(screen: Any, qtbot: Any) -> Panel:
    return Panel(screen, qtbot)


@pytest.mark.gui
def test_a_study_is_chosen_from_and_opened(panel: Panel, data: Callable[[str], Path]) -> None:
    rows = panel.look_through(data("dicom/ibsi_sts002"))
    assert [row[0] for row in rows] == ["CT", "mask", "MR", "mask", "PT", "mask"]
    assert rows[0][2:4] == ["161 × 143 × 48", "0.977 × 0.977 × 3.27 mm"]
    assert not panel.viewer.layers  # several things: the user chooses
    ct, contours = rows[0][1], rows[1][1]
    assert contours == "GTV_Mass_CT (RTSTRUCT)"
    assert panel.open(ct, contours) == [ct, contours]
    session = window_of(panel.viewer).session
    (opened,) = session.images.values()
    assert opened.digest == next(
        medseg.workflows.study.open_image(offer).digest
        for offer in find_offers([data("dicom/ibsi_sts002")])
        if offer.source is not None and offer.source.modality == "CT"
    )
    assert next(iter(session.masks.values())).image == next(iter(session.images))
    assert panel.viewer.layers.selection.active.name == ct
    assert signs_of(panel.viewer).text("slice").startswith("axial I")
    # PET and its mask come on top; another series is in the list, and hidden.
    panel.open(rows[2][1], rows[4][1])
    assert panel.viewer.layers[rows[4][1]].visible
    assert panel.viewer.layers[rows[4][1]].colorbar.visible


@pytest.mark.gui
def test_one_thing_alone_opens_at_once_also_when_it_is_dropped(panel: Panel, tmp_path: Path) -> None:
    from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
    from qtpy.QtGui import QDropEvent

    medseg.write(image(), tmp_path / "ct.nii.gz")
    what = QMimeData()
    what.setUrls([QUrl.fromLocalFile(str(tmp_path / "ct.nii.gz"))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    panel.tab.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, what, buttons, keys))
    panel.wait()
    panel._qtbot.waitUntil(lambda: len(panel.viewer.layers) == 1, timeout=20_000)
    assert panel.viewer.layers[0].name == "ct"


@pytest.mark.gui
def test_a_file_of_whole_numbers_opens_as_a_mask_when_the_user_says_so(panel: Panel, tmp_path: Path) -> None:
    medseg.write(image(), tmp_path / "ct.nii.gz")
    medseg.write(mask(), tmp_path / "seg.nii.gz")
    (tmp_path / "seg.seg.json").unlink()
    assert [row[:2] for row in panel.look_through(tmp_path)] == [["image", "ct"], ["image", "seg"]]
    panel.open("ct")
    panel.open("seg", as_mask=True)
    layer = panel.viewer.layers["seg"]
    assert type(layer).__name__ == "Labels"
    assert int((layer.data == 1).sum()) == 27


@pytest.mark.gui
def test_a_report_opens_with_its_mask_and_image(panel: Panel, tmp_path: Path) -> None:
    medseg.write(image(), tmp_path / "ct.nii.gz")
    medseg.write(mask(), tmp_path / "liver.nii.gz")
    medseg.workflows.measure_files(
        tmp_path / "liver.nii.gz", {"ct": tmp_path / "ct.nii.gz"}, tmp_path / "r.json"
    )
    panel.look_through(tmp_path / "r.json")
    panel.wait()
    panel._qtbot.waitUntil(lambda: len(panel.viewer.layers) == 2, timeout=20_000)
    assert [layer.name for layer in panel.viewer.layers] == ["ct", "r mask"]
    assert panel.viewer.layers["r mask"].metadata[RECORD].measurements


@pytest.mark.gui
def test_cancel_leaves_nothing_and_a_second_look_wins_over_the_first(
    panel: Panel, tmp_path: Path, data: Callable[[str], Path]
) -> None:
    panel.tab.look_through([data("dicom/ibsi_sts002")])
    panel.tab.cancel_button.click()
    panel.wait()
    assert panel.tab.rows.topLevelItemCount() == 0
    assert "Nothing was changed" in panel.tab.message.text()
    medseg.write(image(), tmp_path / "a.nii.gz")
    medseg.write(image(1), tmp_path / "b.nii.gz")
    panel.tab.look_through([data("dicom/ibsi_sts002")])
    assert [row[1] for row in panel.look_through(tmp_path)] == ["a", "b"]


@pytest.mark.gui
def test_what_can_not_be_opened_says_why_in_words_without_options(panel: Panel, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no scan", encoding="utf-8")
    ((_, _, _, _, _, said),) = panel.look_through(tmp_path / "notes.txt")
    assert said == "can't be opened"
    assert "no known format" in panel.tab.message.text()
    assert "--" not in panel.tab.message.text()


def test_volumes_of_one_series_are_one_row_with_a_slider_and_a_row_each(tmp_path: Path) -> None:
    import nibabel

    values = np.stack([image(n).array for n in range(3)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0])), tmp_path / "dce.nii.gz")
    rows = rows_of(find_offers([tmp_path / "dce.nii.gz"]))
    assert [len(row.offers) for row in rows] == [3, 1, 1, 1]
    assert "3 volumes, with a slider" in rows[0].cells[1]
    ((_, volumes),) = load_rows(rows[:1]).series
    assert [int(volume.array[0, 0, 0]) for volume in volumes] == [0, 1, 2]
    ((_, second),) = load_rows([rows[2]]).images
    assert int(second.array[0, 0, 0]) == 1


def test_the_interval_is_days_from_the_first_series() -> None:
    def offer(day: str | None) -> Offer:
        return Offer("image", "t1", Path("x"), Source("x", "dicom", grid=image().grid, acquired=day))

    rows = rows_of([offer("2024-03-01"), offer("2024-01-31"), offer(None)])
    assert [row.cells[COLUMNS.index("days")] for row in rows] == ["+30", "+0", ""]
    same = rows_of([offer("2024-03-01"), offer("2024-03-01")])
    assert {row.cells[COLUMNS.index("days")] for row in same} == {""}
