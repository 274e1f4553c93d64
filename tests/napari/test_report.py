"""Report, signature, comparison and training set in a real window, by the buttons of its panel."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

import pydicom
from qtpy.QtCore import Qt
from typer.testing import CliRunner

from medseg.cli.everything import app
from medseg.domain import Grid, Image, LabelTable, Quantity, Segmentation
from medseg.geometry import affine_orientation
from medseg.workflows import open_dataset, read_record
from medseg.workflows.verify import verify_files
from napari.settings import get_plugin_settings
from napari_medseg.bridge.layers import image_layer, labels_layer
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.review import RULES
from tests.napari.test_events import drag

pytestmark = pytest.mark.gui


class Panel:
    """The one dock of a window, opened through napari's own door."""

    def __init__(self, screen: Any, qtbot: Any) -> None:
        self.screen, self.viewer, self.qtbot = screen, screen.viewer, qtbot
        self.viewer.window.resize(1280, 800)
        self.tabs = self.viewer.window.add_plugin_dock_widget("medseg", "medseg")[1]

    def tab(self, title: str) -> Any:
        self.qtbot.wait(50)  # what came is listed when the event loop comes round
        return self.tabs.tab(title)

    def wait(self, panel: Any) -> str:
        self.qtbot.waitUntil(lambda: not panel.task.is_running, timeout=120_000)
        return str(panel.task.message.text())

    def segment(self, method: str = "otsu") -> None:
        panel = self.tab("Segment")
        panel.choice.setCurrentIndex(panel.choice.findData(method))
        panel.run_button.click()
        self.qtbot.waitUntil(panel.run_button.isEnabled, timeout=120_000)

    def write(self, folder: Path, *views: str) -> Any:
        panel = self.tab("Report")
        panel.form.folder.line.setText(str(folder))
        for name, box in panel.form.views.boxes.items():
            box.setChecked(name in views)
        panel.write_button.click()
        return panel


@pytest.fixture
def panel(screen: Any, qtbot: Any) -> Iterator[Panel]:
    found = Panel(screen, qtbot)
    yield found
    vars(found).clear()  # else the window that it holds would count as one that something keeps alive


def add_image(viewer: Any, image: Image, name: str) -> Any:
    data, meta, _ = image_layer(image, name)
    return viewer.add_image(data, **meta)


def pick(box: Any, text: str) -> None:
    """As a user does."""
    box.setCurrentText(text)
    box.activated.emit(box.currentIndex())


def command(*words: object) -> None:
    seen = CliRunner().invoke(app, [str(word) for word in words])
    assert seen.exit_code == 0, seen.output


def test_from_a_sample_to_a_signed_report_that_a_stroke_ends(panel: Panel, tmp_path: Path) -> None:
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    report = panel.write(tmp_path / "out", "html")
    assert "no report was written yet" in report.state.text()
    panel.wait(report)
    assert report.state.text() == "NOT REVIEWED: written, and not signed."
    report.signing.reader.setText("A. Reader")
    report.signing.organization.setText("Study centre")
    for at in range(report.signing.findings.count()):
        assert not report.signing.button.isEnabled()
        report.signing.findings.item(at).setCheckState(Qt.CheckState.Checked)
    report.signing.button.click()
    assert not panel.wait(report)
    assert report.state.text().startswith("REVIEWED by A. Reader, Study centre, ")
    assert read_record(tmp_path / "out" / "record.json").review.state == "reviewed"
    layer = panel.viewer.layers["otsu mask"]
    layer.data_setitem((np.array([0]), np.array([1]), np.array([1])), 1 - int(layer.data[0, 1, 1]))
    assert report.state.text().startswith("NOT REVIEWED: the mask was changed after A. Reader signed on ")
    assert not report.signing.button.isEnabled()
    assert all(check.holds for check in verify_files(tmp_path / "out" / "record.json"))


def test_the_page_is_that_of_the_command_line_with_the_window_of_the_layer(
    panel: Panel, tmp_path: Path
) -> None:
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    panel.viewer.layers["mr"].contrast_limits = (200, 900)
    report = panel.write(tmp_path / "out", "html", "csv", "xlsx")
    panel.wait(report)
    other = tmp_path / "other"
    scan = report.review.record.images[0]
    path = (tmp_path / "out" / scan.path).resolve() if not Path(scan.path).is_absolute() else scan.path
    record = tmp_path / "out" / "other.json"
    command("measure", tmp_path / "out/mask.nii.gz", "--channel", f"{scan.channel}={path}", "--out", record)
    assert record.read_bytes() == (tmp_path / "out" / "record.json").read_bytes()
    other.mkdir()
    views = ("--html", other / "report.html", "--csv", other / "measurements.csv", "--xlsx")
    command("report", record, *views, other / "measurements.xlsx", "--window", f"{scan.channel}=200:900")
    for file in other.iterdir():
        assert file.read_bytes() == (tmp_path / "out" / file.name).read_bytes(), file.name


@pytest.fixture
def preferred() -> Iterator[None]:
    """Reader, organisation and device, as a user sets them in napari's preferences."""
    found = get_plugin_settings("medseg")
    found.report.reader, found.report.organisation, found.run.device = "B. Reader", "Ward 6", "cpu"
    yield
    found.report.reader, found.report.organisation, found.run.device = "", "", "auto"
    found.report.rule = "as in Measure"


def test_napari_s_preferences_name_the_signer_and_the_device(preferred: None, panel: Panel) -> None:
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    mask = window_of(panel.viewer).mask_of(panel.viewer.layers["otsu mask"])
    assert mask is not None
    assert "cpu" in dict(mask.now().made_by.run).values()
    signing = panel.tab("Report").signing
    assert (signing.reader.text(), signing.organization.text()) == ("B. Reader", "Ward 6")


def test_an_open_panel_sees_a_change_of_napari_s_preferences_and_keeps_what_was_typed(
    preferred: None, panel: Panel
) -> None:
    report = panel.tab("Report")
    signing, rule = report.signing, report.form.rule
    panel.tab("Open")
    for _ in range(2):  # with the tab in front, and behind another one
        found = get_plugin_settings("medseg").report
        found.reader, found.organisation, found.rule = "C. Reader", "Ward 7", "lesions, RECIST 1.1"
        assert (signing.reader.text(), signing.organization.text()) == ("C. Reader", "Ward 7")
        assert rule.currentText() == "lesions, RECIST 1.1"
        assert report.form.rule.currentData() == RULES["lesions, RECIST 1.1"]
        found.reader, found.organisation, found.rule = "B. Reader", "Ward 6", "as in Measure"
        panel.tab("Report")
    signing.reader.setText("D. Reader")
    rule.setCurrentText("structures only")
    found.reader, found.organisation, found.rule = "C. Reader", "Ward 7", "lesions"
    assert (signing.reader.text(), signing.organization.text()) == ("D. Reader", "Ward 7")
    assert rule.currentText() == "structures only"


@pytest.mark.parametrize("words", RULES)
def test_the_preferences_offer_each_rule_set_of_the_panel(preferred: None, panel: Panel, words: str) -> None:
    get_plugin_settings("medseg").report.rule = words
    assert panel.tab("Report").form.rule.currentData() == RULES[words]


def test_what_cannot_be_written_says_why_beside_its_box(
    panel: Panel, data: Callable[[str], Path], tmp_path: Path
) -> None:
    report = panel.tab("Report")
    assert "no mask is open" in report.form.views.note.text()
    assert not report.write_button.isEnabled()
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    boxes = panel.tab("Report").form.views
    assert not boxes.boxes["seg"].isEnabled()
    assert boxes.reasons["seg"].text() == "no image here is a DICOM series, which this refers to"
    assert boxes.reasons["html"].isHidden()
    panel.viewer.layers.clear()
    panel.viewer.open(data("dicom/mr_sag_gre_fieldmap"), plugin="medseg")
    panel.segment()
    report = panel.write(tmp_path / "out", "seg", "sr", "rtstruct", "fhir")
    assert all(box.isEnabled() for box in report.form.views.boxes.values())
    assert "files in" in panel.wait(report)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"segmentation.dcm", "measurements.dcm", "structures.dcm", "report.fhir.json"} < names


def test_the_report_measures_what_the_numbers_in_the_window_show(panel: Panel, tmp_path: Path) -> None:
    grid = Grid((16, 16, 6), np.diag([2.0, 2.0, 3.0, 1.0]))
    values = np.random.default_rng(0).random(grid.shape).astype(np.float32) * 9
    add_image(
        panel.viewer,
        Image(values, grid, value_unit="g/ml{SUVbw}", modality="PT", channel="pt"),
        "pet",
    )
    panel.segment()
    measure = panel.tab("Measure")
    measure.plan.uptake.setCurrentText("mask, 41 %")
    measure.plan.lesions.setCurrentText("lesions, RECIST 1.1")
    report = panel.write(tmp_path / "out", "csv")
    assert " files in " in panel.wait(report)
    panel.qtbot.waitUntil(lambda: measure.measures.is_fresh, timeout=60_000)
    record = read_record(tmp_path / "out" / "record.json")
    assert record.measurements == measure.measures.record.measurements
    assert Quantity.MTV in {item.quantity for item in record.measurements}
    report.form.rule.setCurrentText("structures only")
    report.form.replace.setChecked(True)
    panel.wait(panel.write(tmp_path / "out", "csv"))
    again = read_record(tmp_path / "out" / "record.json")
    assert {item.quantity.info.kind for item in again.measurements} < {
        item.quantity.info.kind for item in record.measurements
    }


def test_cancelled_or_without_a_folder_nothing_is_written(panel: Panel, tmp_path: Path) -> None:
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    report = panel.write(Path(), "html")
    assert report.task.message.text() == "choose a folder for the report first"
    report = panel.write(tmp_path / "out", "html", "pdf")
    report.task.cancel_button.click()
    assert "Stopped" in panel.wait(report)
    report = panel.write(tmp_path / "out", "html", "pdf")
    panel.qtbot.waitUntil(lambda: "drawing" in report.task.progress.format(), timeout=60_000)
    since = time.monotonic()
    report.task.cancel_button.click()
    assert "Stopped" in panel.wait(report)
    assert time.monotonic() - since < 1
    assert not (tmp_path / "out").exists()
    assert "no report was written yet" in report.state.text()


def test_replaced_values_of_an_image_end_a_review(panel: Panel, tmp_path: Path) -> None:
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    report = panel.write(tmp_path / "out", "csv")
    panel.wait(report)
    layer = panel.viewer.layers["mr"]
    layer.data = np.array(layer.data) + 1
    assert "an image was changed after the report was written" in report.state.text()


def two_readers(viewer: Any) -> tuple[Segmentation, Segmentation]:
    affine = affine_orientation((1.0, 1.5, 3.0), "LPS")
    array = np.zeros((24, 20, 12), np.float32)
    image = Image(array, Grid(array.shape, affine), modality="MR")
    add_image(viewer, image, "mr")
    found = []
    for start in (4, 6):
        labels = np.zeros(array.shape, np.uint8)
        labels[start : start + 10, 4:16, 2:10] = 1
        mask = Segmentation(labels, image.grid, LabelTable.from_values((1,)))
        data, meta, _ = labels_layer(mask, f"reader {start}")
        viewer.add_labels(data, **meta)
        found.append(mask)
    return found[0], found[1]


def test_every_tab_offers_the_mask_in_hand_and_keeps_what_was_picked(panel: Panel) -> None:
    mask, _ = two_readers(panel.viewer)
    layers = panel.viewer.layers
    boxes = {
        "Correct": lambda: panel.tab("Correct").choice.box,
        "Measure": lambda: panel.tab("Measure").choice.box,
        "Compare": lambda: panel.tab("Compare").first,
        "Report": lambda: panel.tab("Report").form.mask_choice,
        "Learn": lambda: panel.tab("Learn").mask_choice,
    }

    def offered() -> dict[str, str]:
        return {title: box().currentText() for title, box in boxes.items()}

    assert offered() == dict.fromkeys(boxes, "reader 6"), "the newest, which came last"
    layers.selection.active = layers["reader 4"]
    assert offered() == dict.fromkeys(boxes, "reader 4"), "the one that is selected"
    assert panel.tab("Compare").second.currentText() == "reader 6"
    layers.selection.active = layers["mr"]
    for box in boxes.values():
        pick(box(), "reader 6")
    layers["reader 6"].name = "mine"
    assert offered() == dict.fromkeys(boxes, "mine")
    data, meta, _ = labels_layer(mask, "third")
    panel.viewer.add_labels(data, **meta)
    # What is painted and measured goes with the list of layers; what is written and compared is as it was picked.
    assert list(offered().values()) == ["third", "third", "mine", "mine", "mine"]
    layers.remove("mine")
    assert offered() == dict.fromkeys(boxes, "third")


def test_two_readers_are_compared_in_numbers_in_a_layer_and_side_by_side(panel: Panel) -> None:
    import medseg

    first, second = two_readers(panel.viewer)
    tab = panel.tab("Compare")
    pick(tab.first, "reader 4")
    pick(tab.second, "reader 6")
    tab.compare_button.click()
    assert not panel.wait(tab)
    assert tab.comparison.measurements == medseg.evaluate(first, second)
    assert tab.table.item(0, 1).text() == "0.800"
    layer = panel.viewer.layers["difference"]
    assert int((np.asarray(layer.data) > 0).sum()) == 2 * 2 * 12 * 8
    assert not layer.editable
    before = [(item.name, item.visible) for item in panel.viewer.layers]
    tab.side_button.click()
    panel.qtbot.wait(300)
    picture = panel.screen.picture()
    half = picture.shape[1] // 2
    left, right = picture[:, :half], picture[:, half:]
    lit = [np.argwhere(side > 20)[:, 1] for side in (left, right)]
    zoom = panel.viewer.scene.camera.zoom
    assert (lit[1].mean() - lit[0].mean()) / zoom == pytest.approx(2.0, abs=0.6)  # two voxels to the left
    tab.side_button.click()
    assert [(item.name, item.visible) for item in panel.viewer.layers] == before
    panel.viewer.layers["reader 4"].data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    assert "compare again" in tab.stale.text()


def test_two_time_points_on_other_grids_show_one_place_side_by_side(panel: Panel) -> None:
    spots = []
    for number, (shape, spacing, origin) in enumerate(
        (((40, 40, 20), (1.0, 1.0, 2.0), (0, 0, 0)), ((30, 24, 30), (1.5, 1.5, 1.5), (6, 8, -3)))
    ):
        affine = affine_orientation(spacing, "LPS")
        affine[:3, 3] = origin
        grid = Grid(shape, affine)
        array = np.full(shape, 20, np.float32)
        index = np.rint(grid.to_index(np.array([-18.0, -22.0, 18.0]))).astype(int)
        array[tuple(index)] = 1000
        spots.append(add_image(panel.viewer, Image(array, grid, modality="MR"), f"visit {number}"))
    tab = panel.tab("Compare")
    tab.side_button.click()
    panel.viewer.dims.point = (-18.0, 22.0, 18.0)
    panel.qtbot.wait(300)
    picture = panel.screen.picture()
    half = picture.shape[1] // 2
    sides = (picture[:, :half], picture[:, half:])
    places = [np.argwhere(side > 0.8 * side.max()).mean(axis=0) for side in sides]
    off = np.abs(places[0] - places[1]) / panel.viewer.scene.camera.zoom
    assert off.max() < 1.0  # mm; a voxel is 1.5
    tab.side_button.click()
    assert not panel.viewer.canvas.grid.enabled


def test_a_corrected_mask_becomes_a_case_with_its_subject(panel: Panel, tmp_path: Path) -> None:
    panel.viewer.open_sample("medseg", "hippocampus")
    panel.segment()
    tab = panel.tab("Learn")
    tab.folder.line.setText(str(tmp_path / "set"))
    tab.case.setText("one")
    tab.button.click()
    assert "say whom the case shows" in panel.wait(tab)
    assert not (tmp_path / "set" / "cases.csv").exists()
    tab.subject.setText("P1")
    tab.button.click()
    assert "Case one is in" in panel.wait(tab)
    (case,) = open_dataset(tmp_path / "set" / "cases.csv").cases
    assert (case.id, case.subject) == ("one", "P1")


@pytest.mark.parametrize(
    "folder", ["dicom/rt_utils/oriented_data", "dicom/dicom2nifti/hitachi/anatomical/001"]
)
def test_painted_voxels_reach_table_record_sr_and_seg_to_the_last_one(
    folder: str, panel: Panel, data: Callable[[str], Path], tmp_path: Path
) -> None:
    """N voxels painted on an oblique series are N × |det| of its affine, wherever they are read."""
    panel.viewer.open(data(folder), plugin="medseg")
    panel.segment()
    layer = next(layer for layer in panel.viewer.layers if layer.name.startswith("otsu"))
    correct = panel.tab("Correct")
    correct.labels.new_button.click()
    value = int(layer.selected_label)
    correct.labels.table.item(correct.labels.table.rowCount() - 1, 1).setText("node")
    layer.mode, layer.brush_size = "paint", 9
    drag(layer, [tuple(n // 2 for n in layer.data.shape)], value)
    voxels = int((np.asarray(layer.data) == value).sum())
    assert voxels > 5
    mask = window_of(panel.viewer).mask_of(layer)
    ml = voxels * abs(np.linalg.det(mask.before.grid.affine[:3, :3])) / 1000
    report = panel.write(tmp_path / "out", "csv", "sr", "seg")
    assert "files in" in panel.wait(report)
    record = read_record(tmp_path / "out" / "record.json")
    (row,) = (
        item
        for item in record.measurements
        if item.target.name == "node" and item.quantity is Quantity.VOLUME
    )
    assert row.value == pytest.approx(ml, rel=1e-12)
    edit = record.made_by.edits[-1]
    assert edit.volume_change_ml is not None
    assert mask.journal.net()[value] == voxels
    sets = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    (sr,) = (item for item in sets if item.Modality == "SR")
    assert any(number == pytest.approx(ml, rel=1e-9) for number in volumes_ml(sr, "node"))
    (seg,) = (item for item in sets if item.Modality == "SEG")
    assert voxels_of(seg, "node") == voxels


def volumes_ml(sr: Any, name: str) -> list[float]:
    """Volumes in ml of the measurement groups that are tracked by this name."""
    found: list[float] = []
    for group in groups_of(sr):
        texts = [str(item.get("TextValue", "")) for item in group]
        if not any(name in text for text in texts):
            continue
        for item in group:
            if (
                item.ValueType == "NUM"
                and item.ConceptNameCodeSequence[0].CodeMeaning == "Volume from Voxel Summation"
            ):
                measured = item.MeasuredValueSequence[0]
                unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
                found.append(float(measured.NumericValue) / {"ml": 1, "mm3": 1000, "cm3": 1}[unit])
    return found


def groups_of(item: Any) -> Iterator[Any]:
    for part in item.get("ContentSequence", ()):
        if part.ValueType == "CONTAINER":
            if part.ConceptNameCodeSequence[0].CodeMeaning == "Measurement Group":
                yield part.ContentSequence
            yield from groups_of(part)


def voxels_of(seg: Any, name: str) -> int:
    """Set bits of the frames of a segment."""
    numbers = {item.SegmentLabel: item.SegmentNumber for item in seg.SegmentSequence}
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    return sum(
        int(frame.sum())
        for frame, about in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True)
        if about.SegmentIdentificationSequence[0].ReferencedSegmentNumber == numbers[name]
    )
