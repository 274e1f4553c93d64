"""The first widget: pick a model or method, run it beside the window, see mask and numbers."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from medseg.domain import Image, Prompts, Record, Run, Segmentation
from medseg.errors import InputError, MedsegError
from medseg.workflows import measure, segment
from medseg.workflows.segmenters import find_segmenter, list_segmenters
from napari_medseg._qt.form import ParameterForm
from napari_medseg._qt.job import Job
from napari_medseg.bridge.layers import image_of, oblique_note, placement_of, result_layers
from napari_medseg.bridge.placement import Placement, kept_value
from napari_medseg.bridge.seeds import PROMPT_KINDS, prompts_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["SegmentWidget"]

#: Said of a segmenter that starts from seeds.
_SEEDS = (
    " Draw seeds in points or shapes layers: points, paths, polygons; rectangles limit it. A layer whose name "
    "begins with “not” marks what lies outside."
)
_COLUMNS = ("quantity", "value", "unit", "structure", "status")
#: Pixels that let quantity, value and unit be read without scrolling.
_WIDTH = 500


class SegmentWidget(QWidget):
    """Segmenter, channels, parameters, run and cancel; below, the measurements.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only, and lets it do what is public only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.record: Record | None = None
        self.job: Job | None = None
        self._images: list[ImageLayer] = []
        self._build()
        self.viewer.layers.events.inserted.connect(self._refresh_layers)
        self.viewer.layers.events.removed.connect(self._refresh_layers)
        self._choose()

    def _build(self) -> None:
        self.choice = QComboBox()
        for found in list_segmenters():
            self.choice.addItem(f"{found.spec.title}", found.spec.name)
        self.choice.currentIndexChanged.connect(self._choose)
        self.summary = QLabel(wordWrap=True)
        self.channels = QFormLayout()
        self.note = QLabel(wordWrap=True)
        self.same_space = QCheckBox("channels share one world space")
        self.form_place = QVBoxLayout()
        self.run_button, self.cancel_button = QPushButton("Segment and measure"), QPushButton("Cancel")
        self.run_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.stop)
        self.cancel_button.setEnabled(False)
        self.progress = QProgressBar()
        self.message = QLabel(wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.verticalHeader().hide()
        self.setMinimumWidth(_WIDTH)
        self._arrange()

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button)
        buttons.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device."))
        layout.addWidget(self.choice)
        layout.addWidget(self.summary)
        layout.addLayout(self.channels)
        layout.addWidget(self.note)
        layout.addWidget(self.same_space)
        layout.addLayout(self.form_place)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.message)
        layout.addWidget(self.table, stretch=1)

    def _choose(self) -> None:
        """Show what the chosen segmenter needs."""
        name = self.choice.currentData()
        if name is None:
            return
        self.segmenter = find_segmenter(name)
        self.summary.setText(
            self.segmenter.spec.summary + (_SEEDS if self.segmenter.spec.needs_prompts else "")
        )
        while self.channels.rowCount():
            self.channels.removeRow(0)
        self.layer_choices: dict[str, QComboBox] = {}
        for need in self.segmenter.spec.channels:
            box = QComboBox()
            box.currentIndexChanged.connect(self._show_note)
            self.layer_choices[need.name] = box
            self.channels.addRow(f"{need.name}{f' ({need.modality})' if need.modality else ''}", box)
        self.same_space.setVisible(len(self.layer_choices) > 1)
        while self.form_place.count():
            place = self.form_place.takeAt(0)
            if place is not None and (old := place.widget()) is not None:
                old.hide()  # deleting waits for the event loop; until then it would lie over the new one
                old.deleteLater()
        self.form = ParameterForm(self.segmenter.Params)
        self.form_place.addWidget(self.form)
        self._refresh_layers()

    def _refresh_layers(self, _event: Any = None) -> None:
        """Offer the image layers that there are now; what was chosen stays chosen, also under a new name."""
        before = {name: self._chosen(box) for name, box in self.layer_choices.items()}
        self._images = [layer for layer in self.viewer.layers if isinstance(layer, ImageLayer)]
        for layer in self._images:
            layer.events.name.connect(self._refresh_layers)
        names = [layer.name for layer in self._images]
        for number, (channel, box) in enumerate(self.layer_choices.items()):
            kept = next((at for at, layer in enumerate(self._images) if layer == before[channel]), None)
            near = next((at for at, name in enumerate(names) if channel.lower() in name.lower()), None)
            other = min(number, len(names) - 1)
            box.blockSignals(True)  # noqa: FBT003 - Qt's signature
            box.clear()
            box.addItems(names)
            box.setCurrentIndex(next(at for at in (kept, near, other) if at is not None))
            box.blockSignals(False)  # noqa: FBT003
        self._show_note()

    def _chosen(self, box: QComboBox) -> ImageLayer | None:
        at = box.currentIndex()
        return self._images[at] if 0 <= at < len(self._images) else None

    def _show_note(self, _index: int = 0) -> None:
        """Say of each chosen image that is not shown as it lies in the patient that it is not."""
        notes = []
        for layer in filter(None, map(self._chosen, self.layer_choices.values())):
            kept = kept_value({"metadata": layer.metadata})
            text = oblique_note(kept) if isinstance(kept, Image) else ""
            notes += [f"{layer.name}: {text}"] if text else []
        self.note.setText("\n".join(notes))
        self.note.setVisible(bool(notes))

    def start(self) -> None:
        """Run in a thread of its own; the window stays alive."""
        try:
            images, places = self._inputs()
            spec = self.segmenter.spec
            prompts = self._prompts(places[spec.reference or spec.channels[0].name])
        except MedsegError as error:
            self._show_error(str(error))
            return
        segmenter, values, declared = self.segmenter, self.form.values(), self.same_space.isChecked()

        def work(run: Run) -> tuple[Segmentation, Record]:
            mask = segment(segmenter, images, params=values, prompts=prompts, same_space=declared, run=run)
            run.check()
            return mask, measure(mask, images, same_space=declared)

        self._places = tuple(places.values())
        self._set_running(running=True)
        self.message.setText("")
        self.job = Job(work)
        self.job.progressed.connect(self._show_progress)
        self.job.finished.connect(self._show_result)
        self.job.failed.connect(self._show_error)
        self.destroyed.connect(self.job.cancel)
        self.job.start()

    def stop(self) -> None:
        """Stop what is running, if anything is."""
        if self.job is not None:
            self.job.cancel()

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """A closed widget stops its run."""
        self.stop()
        super().closeEvent(event)

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """A widget taken out of its dock stops its run: napari's way to close one."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.stop()
        super().changeEvent(event)

    def _inputs(self) -> tuple[dict[str, Image], dict[str, Placement]]:
        """Image and place in the window of each channel."""
        images, places = {}, {}
        for name, box in self.layer_choices.items():
            layer = self._chosen(box)
            if layer is None:
                raise InputError("open an image first: drop a file on the window")
            data, meta, _ = layer.as_layer_data_tuple()
            images[name], places[name] = image_of(data, meta), placement_of(data, meta)
        return images, places

    def _prompts(self, place: Placement) -> Prompts | None:
        """Seeds of every visible points and shapes layer, for a segmenter that wants them."""
        if not self.segmenter.spec.needs_prompts:
            return None
        drawn = [layer.as_layer_data_tuple() for layer in self.viewer.layers if layer.visible]
        return prompts_of((item for item in drawn if item[2] in PROMPT_KINDS), place)

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(what)

    def _show_result(self, found: tuple[Segmentation, Record]) -> None:
        self._set_running(running=False)
        mask, record = found
        self.record = record
        for data, meta, _ in result_layers(mask, self._places):
            self.viewer.add_labels(data, **meta)
        self.message.setText("\n".join(finding.message for finding in record.findings))
        self.table.setRowCount(len(record.measurements))
        for row, item in enumerate(record.measurements):
            value = "not computed" if item.value is None else repr(item.value)
            quantity = item.quantity.info.title + (f" ({item.channel})" if item.channel else "")
            texts = (quantity, value, item.unit, item.target.name, item.status.value)
            for column, text in enumerate(texts):
                cell = QTableWidgetItem(text)
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
                cell.setToolTip(item.reason or item.method)
                self.table.setItem(row, column, cell)
        self.table.resizeColumnsToContents()

    def _show_error(self, text: str) -> None:
        self._set_running(running=False)
        self.message.setText(text)

    def _set_running(self, *, running: bool) -> None:
        self.run_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.progress.setRange(0, 0 if running else 1)
        self.progress.setFormat("")
