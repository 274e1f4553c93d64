"""Open: a folder or files → a chooser → layers, read beside the window."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from medseg.domain import Run
from medseg.workflows.study import find_offers
from napari_medseg._qt.chooser import Chooser, is_one_thing
from napari_medseg._qt.job import Job
from napari_medseg._qt.look import LookBox
from napari_medseg._qt.parts import tipped
from napari_medseg.bridge.opened import show_opened
from napari_medseg.bridge.readers import opens_scans, set_opens_scans
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.opening import Opened, Row, load_rows, rows_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["OpenPanel"]

_HINT = "Drop a folder or files here."


class OpenPanel(QWidget):
    """Chooser of what a study offers; below it, how the picture is looked at.

    Parameters
    ----------
    viewer
        The viewer that gets the layers.
    """

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = viewer
        self.job: Job | None = None
        self.setAcceptDrops(True)
        self.folder_button = tipped(
            QPushButton("Open folder…"), "Look through a folder: scans, a dataset, reports"
        )
        self.files_button = tipped(
            QPushButton("Open files…"), "Look through some files: images, masks, reports"
        )
        self.open_button = tipped(QPushButton("Open"), "Open the chosen rows; a double click opens one")
        self.mask_button = tipped(
            QPushButton("Open as mask"), "Read the chosen files as masks: values are labels"
        )
        self.cancel_button = tipped(QPushButton("Cancel"), "Stop looking or reading; nothing is changed")
        self.always = tipped(
            QCheckBox("napari opens dropped scans with medseg"),
            "Else napari asks which reader to take, each time",
        )
        self.always.setChecked(opens_scans())
        self.rows, self.progress = Chooser(), QProgressBar()
        self.progress.setAccessibleName("How far it is")
        self.message = QLabel(_HINT, wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._arrange()
        self._connect()
        self._set_running(running=False)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device.", wordWrap=True))
        layout.addLayout(_line(self.folder_button, self.files_button))
        layout.addWidget(self.rows, stretch=1)
        layout.addLayout(_line(self.open_button, self.mask_button))
        layout.addLayout(_line(self.progress, self.cancel_button))
        layout.addWidget(self.message)
        layout.addWidget(LookBox(self.viewer))
        layout.addWidget(self.always)

    def _connect(self) -> None:
        self.folder_button.clicked.connect(self.ask_folder)
        self.files_button.clicked.connect(self.ask_files)
        self.cancel_button.clicked.connect(self.stop)
        self.open_button.clicked.connect(lambda *_: self.open_rows())
        self.mask_button.clicked.connect(lambda *_: self.open_rows(as_mask=True))
        self.rows.itemDoubleClicked.connect(lambda *_: self.open_rows())
        self.always.toggled.connect(lambda on: set_opens_scans(on=on))

    def ask_folder(self) -> None:
        """Ask for a folder, and look through it."""
        if path := QFileDialog.getExistingDirectory(self, "Open study"):
            self.look_through([path])

    def ask_files(self) -> None:
        """Ask for files, and look through them."""
        if paths := QFileDialog.getOpenFileNames(self, "Open files")[0]:
            self.look_through(paths)

    def look_through(self, paths: Sequence[str | Path]) -> None:
        """Find what can be opened, beside the window; one thing alone is opened at once."""
        self.rows.clear()
        self._start(lambda run: rows_of(find_offers(paths, run=run)), self._show_rows)

    def open_rows(self, *, as_mask: bool = False) -> None:
        """Read the chosen rows beside the window, and show them."""
        chosen = self.rows.chosen()
        if not chosen:
            self.message.setText("Choose rows of the list first.")
            return
        known = tuple(window_of(self.viewer).session.images.values())
        self._start(lambda run: load_rows(chosen, known, as_mask=as_mask, run=run), self._show_opened)

    def stop(self) -> None:
        """Stop what is running, if anything is."""
        if self.job is not None:
            self.job.cancel()

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Files and folders may be dropped."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Look through what is dropped."""
        event.acceptProposedAction()
        self.look_through([url.toLocalFile() for url in event.mimeData().urls()])

    def _start(self, work: Callable[[Run], Any], done: Callable[[Any], None]) -> None:
        self.stop()
        self._set_running(running=True)
        job = self.job = Job(work)
        job.progressed.connect(lambda *told: self._show_progress(*told) if job is self.job else None)
        job.finished.connect(lambda found: done(found) if job is self.job else None)
        job.failed.connect(lambda text: self._show_message(text) if job is self.job else None)
        self.destroyed.connect(job.cancel)
        job.start()

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(what)

    def _show_rows(self, rows: Sequence[Row]) -> None:
        self.rows.fill(rows)
        can = any(row.is_open_able for row in rows)
        self._show_message("Choose what to open." if can else "\n".join(row.notes for row in rows) or _HINT)
        if can and is_one_thing(rows):
            self.open_rows()

    def _show_opened(self, opened: Opened) -> None:
        hidden = show_opened(self.viewer, opened)
        notes = [
            *opened.notes,
            *([f"Opened, and hidden in the list of layers: {', '.join(hidden)}"] if hidden else []),
        ]
        self._show_message("\n".join(notes) or "Opened.")

    def _show_message(self, text: str) -> None:
        self._set_running(running=False)
        self.message.setText(text)

    def _set_running(self, *, running: bool) -> None:
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        self.cancel_button.setVisible(running)
        self.progress.setRange(0, 0 if running else 1)
        self.progress.setFormat("")


def _line(*widgets: QWidget) -> QHBoxLayout:
    line = QHBoxLayout()
    for widget in widgets:
        line.addWidget(widget)
    return line
