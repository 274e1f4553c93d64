"""The first widget: pick a model or method, run it beside the window, see mask and numbers."""

import threading
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal
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
from medseg.errors import Cancelled, MedsegError
from medseg.workflows import measure, segment
from medseg.workflows.segmenters import find_segmenter, list_segmenters
from napari_medseg._qt.form import ParameterForm
from napari_medseg.layers import image_of, result_layers
from napari_medseg.seeds import PROMPT_KINDS, prompts_of

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


class _Signals(QObject):  # type: ignore[misc]
    """Carries messages from the working thread to the window's."""

    progressed = Signal(int, int, str)
    finished = Signal(object, object)
    failed = Signal(str)


class SegmentWidget(QWidget):  # type: ignore[misc]
    """Segmenter, channels, parameters, run and cancel; below, the measurements."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = viewer
        self.record: Record | None = None
        self._cancel = threading.Event()
        self._signals = _Signals()
        self._signals.progressed.connect(self._show_progress)
        self._signals.finished.connect(self._show_result)
        self._signals.failed.connect(self._show_error)
        self._build()
        viewer.layers.events.inserted.connect(self._refresh_layers)
        viewer.layers.events.removed.connect(self._refresh_layers)
        self._choose()

    def _build(self) -> None:
        self.choice = QComboBox()
        for found in list_segmenters():
            self.choice.addItem(f"{found.spec.title}", found.spec.name)
        self.choice.currentIndexChanged.connect(self._choose)
        self.summary = QLabel(wordWrap=True)
        self.channels = QFormLayout()
        self.same_space = QCheckBox("channels share one world space")
        self.form_place = QVBoxLayout()
        self.run_button, self.cancel_button = QPushButton("Segment and measure"), QPushButton("Cancel")
        self.run_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self._cancel.set)
        self.cancel_button.setEnabled(False)
        self.progress = QProgressBar()
        self.message = QLabel(wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.verticalHeader().hide()
        self.setMinimumWidth(_WIDTH)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button)
        buttons.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device."))
        layout.addWidget(self.choice)
        layout.addWidget(self.summary)
        layout.addLayout(self.channels)
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
            self.layer_choices[need.name] = box
            self.channels.addRow(f"{need.name}{f' ({need.modality})' if need.modality else ''}", box)
        self.same_space.setVisible(len(self.layer_choices) > 1)
        while self.form_place.count():
            old = self.form_place.takeAt(0).widget()
            old.hide()  # deleting waits for the event loop; until then it would lie over the new one
            old.deleteLater()
        self.form = ParameterForm(self.segmenter.Params)
        self.form_place.addWidget(self.form)
        self._refresh_layers()

    def _refresh_layers(self, _event: Any = None) -> None:
        names = [layer.name for layer in self.viewer.layers if layer._type_string == "image"]  # noqa: SLF001
        for number, (channel, box) in enumerate(self.layer_choices.items()):
            chosen = box.currentText()
            box.clear()
            box.addItems(names)
            near = next((name for name in names if channel.lower() in name.lower()), None)
            pick = (
                chosen if chosen in names else near or (names[min(number, len(names) - 1)] if names else "")
            )
            box.setCurrentText(pick)

    def start(self) -> None:
        """Run in a thread of its own; the window stays alive."""
        try:
            images = {name: self._image(box.currentText()) for name, box in self.layer_choices.items()}
        except MedsegError as error:
            self._show_error(str(error))
            return
        self._cancel.clear()
        self._set_running(running=True)
        self.message.setText("")
        values, declared = self.form.values(), self.same_space.isChecked()
        work = (images, values, declared, self._prompts())
        self._thread = threading.Thread(target=self._work, args=work, daemon=True)
        self._thread.start()

    def _prompts(self) -> Prompts | None:
        """Seeds of every visible points and shapes layer, for a segmenter that wants them."""
        if not self.segmenter.spec.needs_prompts:
            return None
        drawn = [layer.as_layer_data_tuple() for layer in self.viewer.layers if layer.visible]
        return prompts_of(item for item in drawn if item[2] in PROMPT_KINDS)

    def _image(self, name: str) -> Image:
        if name not in self.viewer.layers:
            raise MedsegError("open an image first: drop a file on the window")
        data, meta, _ = self.viewer.layers[name].as_layer_data_tuple()
        return image_of(data, meta)

    def _work(
        self,
        images: dict[str, Image],
        values: dict[str, Any],
        declared: bool,  # noqa: FBT001 - a thread's arguments have no names
        prompts: Prompts | None,
    ) -> None:
        """In the working thread: no widget is touched here."""
        run = Run(
            progress=lambda done, total, what: self._signals.progressed.emit(done, total or 0, what),
            cancel=self._cancel.is_set,
        )
        try:
            mask = segment(
                self.segmenter, images, params=values, prompts=prompts, same_space=declared, run=run
            )
            self._signals.finished.emit(mask, measure(mask, images, same_space=declared))
        except Cancelled:
            self._signals.failed.emit("Stopped. Nothing was changed.")
        except MedsegError as error:
            self._signals.failed.emit(str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: else the window would wait for ever
            self._signals.failed.emit(f"a fault in medseg: {type(error).__name__}: {error}")

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(what)

    def _show_result(self, mask: Segmentation, record: Record) -> None:
        self._set_running(running=False)
        self.record = record
        for data, meta, _ in result_layers(mask):
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
