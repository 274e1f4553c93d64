"""Open: a folder or files → a chooser → layers, read beside the window."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from medseg.workflows.study import find_offers
from napari_medseg._qt.job import Job
from napari_medseg._qt.look import LookBox
from napari_medseg.bridge.opened import show_opened
from napari_medseg.bridge.window import window_of
from napari_medseg.workspace.opening import COLUMNS, Opened, Row, load_rows, rows_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["OpenPanel"]

_HINT = "Drop a folder or files here."
#: Widest description (pixels); the rest is in the tip.
_DESCRIPTION = 170
_ROW = Qt.ItemDataRole.UserRole


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
        self.window_ = window_of(viewer)
        self.job: Job | None = None
        self.setAcceptDrops(True)
        self._build()
        self._arrange()
        self._set_running(running=False)

    def _build(self) -> None:
        self.folder_button = _button(
            "Open folder…", "Look through a folder: DICOM, NIfTI, a dataset, reports"
        )
        self.files_button = _button("Open files…", "Look through some files: images, masks, reports")
        self.cancel_button = _button("Cancel", "Stop looking or reading; nothing is changed")
        self.open_button = _button("Open", "Open the chosen rows; a double click opens one")
        self.mask_button = _button("Open as mask", "Read the chosen files as masks: their values are labels")
        self.folder_button.clicked.connect(self.ask_folder)
        self.files_button.clicked.connect(self.ask_files)
        self.cancel_button.clicked.connect(self.stop)
        self.open_button.clicked.connect(lambda *_: self.open_rows())
        self.mask_button.clicked.connect(lambda: self.open_rows(as_mask=True))
        self.rows = QTreeWidget()
        self.rows.setAccessibleName("What can be opened")
        self.rows.setHeaderLabels(list(COLUMNS))
        self.rows.setRootIsDecorated(False)
        self.rows.setMinimumHeight(150)
        self.rows.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.rows.itemDoubleClicked.connect(lambda *_: self.open_rows())
        self.progress = QProgressBar()
        self.progress.setAccessibleName("How far it is")
        self.message = QLabel(_HINT, wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device.", wordWrap=True))
        for buttons in ((self.folder_button, self.files_button), (self.open_button, self.mask_button)):
            line = QHBoxLayout()
            for button in buttons:
                line.addWidget(button)
            layout.addLayout(line)
            if self.folder_button in buttons:
                layout.addWidget(self.rows, stretch=1)
        line = QHBoxLayout()
        line.addWidget(self.progress)
        line.addWidget(self.cancel_button)
        layout.addLayout(line)
        layout.addWidget(self.message)
        layout.addWidget(LookBox(self.viewer))

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
        chosen = [item.data(0, _ROW) for item in self.rows.selectedItems()]
        if not chosen:
            self.message.setText("Choose rows of the list first.")
            return
        known = tuple(self.window_.session.images.values())
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

    def _start(self, work: Any, done: Any) -> None:
        self.stop()
        self._set_running(running=True)
        self.job = Job(work)
        self.job.progressed.connect(self._show_progress)
        self.job.finished.connect(done)
        self.job.failed.connect(self._show_message)
        self.destroyed.connect(self.job.cancel)
        self.job.start()

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(what)

    def _show_rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            item = QTreeWidgetItem(list(row.cells))
            item.setData(0, _ROW, row)
            item.setDisabled(not row.is_open_able)
            for column in range(len(row.cells)):
                item.setToolTip(column, row.notes or row.cells[column])
            self.rows.addTopLevelItem(item)
        for column in range(len(COLUMNS)):
            self.rows.resizeColumnToContents(column)
        self.rows.setColumnWidth(1, min(_DESCRIPTION, self.rows.columnWidth(1)))
        whole = [at for at, row in enumerate(rows) if row.is_open_able]
        self._show_message("Choose what to open." if whole else "\n".join(row.notes for row in rows) or _HINT)
        if whole and (len(rows) == 1 or len(rows[0].offers) == len(rows) - 1 > 0):
            self.rows.topLevelItem(whole[0]).setSelected(True)  # type: ignore[union-attr]
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


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAccessibleDescription(tip)
    return button
