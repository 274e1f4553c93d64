"""The report of a mask: what is written, where, and its state: reviewed only while nothing has changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from medseg.errors import MedsegError
from napari_medseg._qt.sign import SignBox
from napari_medseg._qt.task import TaskRow
from napari_medseg._qt.views import ViewBoxes
from napari_medseg.bridge.now import mask_names, tell_changes
from napari_medseg.bridge.reporting import ask_report, obstacles_now
from napari_medseg.bridge.window import review_of, window_of
from napari_medseg.workspace.review import RULES

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["ReportPanel"]

#: Not reviewed and reviewed; both are read on light and on dark.
_LOOK = {
    False: "padding: 6px; font-weight: bold; color: black; background: #f2b134;",
    True: "padding: 6px; font-weight: bold; color: white; background: #2e7d4f;",
}


class ReportPanel(QWidget):
    """View of the window's review: choose a mask and views, write, confirm, sign.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.review = review_of(napari_viewer)
        tell_changes(napari_viewer)
        self.state = QLabel(wordWrap=True)
        self.state.setAccessibleName("State of the review")
        self.mask_choice, self.rule, self.subject, self.folder = (
            QComboBox(),
            QComboBox(),
            QLineEdit(),
            QLineEdit(),
        )
        for words, plan in RULES.items():
            self.rule.addItem(words, plan)
        self.rule.setToolTip(
            "How lesions are found and judged by size; structures only measures labels as they are"
        )
        self.subject.setPlaceholderText("pseudonym; default: from the image")
        self.folder.setPlaceholderText("a new folder")
        self.browse = QPushButton("Browse…")
        self.views = ViewBoxes()
        self.windowed = QCheckBox("Pictures with the grey window of the image layers")
        self.windowed.setChecked(True)
        self.replace = QCheckBox("Replace an earlier report in this folder")
        self.task = TaskRow()
        self.write_button, self.open_button = QPushButton("Write report"), QPushButton("Open page")
        self.open_button.setToolTip("Show the page in the web browser")
        self.signing = SignBox(self.review, self.task)
        self._arrange()
        self._connect()
        self.refresh()

    def _arrange(self) -> None:
        where = QHBoxLayout()
        where.addWidget(self.folder, stretch=1)
        where.addWidget(self.browse)
        form = QFormLayout()
        form.addRow("Mask", self.mask_choice)
        form.addRow("Rule set", self.rule)
        form.addRow("Subject", self.subject)
        form.addRow("Folder", where)
        buttons = QHBoxLayout()
        buttons.addWidget(self.write_button)
        buttons.addWidget(self.open_button)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("For research use; not a medical device."))
        layout.addWidget(self.state)
        layout.addLayout(form)
        for part in (self.views, self.windowed, self.replace):
            layout.addWidget(part)
        layout.addLayout(buttons)
        layout.addWidget(self.task)
        layout.addWidget(self.signing)
        layout.addStretch()

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.write_button.clicked.connect(self.write)
        self.open_button.clicked.connect(self.open_page)
        self.mask_choice.currentIndexChanged.connect(self._show_obstacles)
        self.task.running.connect(self._enable)
        events = window_of(self.viewer).session.events
        for event in (events.mask_added, events.mask_removed, events.image_added, events.image_removed):
            event.connect(self._refresh_soon)
        self.review.events.changed.connect(self.show_state)

    def _refresh_soon(self, _uid: str) -> None:
        # Its layer is told who it is only after the session has it.
        QTimer.singleShot(0, self, self.refresh)

    def refresh(self) -> None:
        """Offer the masks that there are now; what was chosen stays chosen."""
        chosen = self.mask_choice.currentData()
        self.mask_choice.blockSignals(True)  # noqa: FBT003 - Qt's signature
        self.mask_choice.clear()
        for uid, name in mask_names(self.viewer).items():
            self.mask_choice.addItem(name, uid)
        self.mask_choice.setCurrentIndex(
            max(self.mask_choice.findData(chosen), 0) if self.mask_choice.count() else -1
        )
        self.mask_choice.blockSignals(False)  # noqa: FBT003
        self._show_obstacles()
        self.show_state()

    def show_state(self) -> None:
        """The review's state as it is now."""
        self.state.setText(self.review.words)
        self.state.setStyleSheet(_LOOK[self.review.is_reviewed])
        self.open_button.setEnabled(self.review.page is not None)
        self.signing.refresh()

    def write(self) -> None:
        """Measure and write everything that is ticked, beside the window."""
        try:
            self.review.plan = self.rule.currentData()
            asked = ask_report(
                self.viewer,
                self.mask_choice.currentData(),
                Path(self.folder.text().strip()).expanduser(),
                views=(self.views.views, self.views.kinds),
                subject=self.subject.text().strip() or None,
                windowed=self.windowed.isChecked(),
                force=self.replace.isChecked(),
            )
        except MedsegError as error:
            self.task.say(str(error))
            return
        self.task.run(asked.work, lambda written: self._written(asked, written))

    def open_page(self) -> None:
        """Show the page in the browser."""
        if self.review.page is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.review.page)))

    def _written(self, asked: Any, written: Any) -> None:
        self.review.accept(asked, written)
        copied = (
            f" Written beside it, as no file holds them: {', '.join(written.copied)}."
            if written.copied
            else ""
        )
        self.task.say(f"{len(written.files)} files in {written.folder}.{copied}")

    def _browse(self) -> None:
        found = QFileDialog.getExistingDirectory(self, "Folder of the report", self.folder.text())
        if found:
            self.folder.setText(found)

    def _show_obstacles(self, _index: int = 0) -> None:
        self.views.show_obstacles(obstacles_now(self.viewer, self.mask_choice.currentData()))
        self._enable(running=self.task.is_running)

    def _enable(self, running: bool) -> None:  # noqa: FBT001 - a signal of Qt
        self.write_button.setEnabled(not running and self.mask_choice.count() > 0)
