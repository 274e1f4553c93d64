"""A corrected mask and its images become a case of a training set."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from medseg.errors import MedsegError
from napari_medseg._qt.asking import FolderLine, offer
from napari_medseg._qt.task import TaskRow
from napari_medseg.bridge.now import mask_names
from napari_medseg.bridge.reporting import lesson_of
from napari_medseg.bridge.window import window_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["LearnPanel"]


class LearnPanel(QWidget):
    """Choose a mask, name case and subject, add it.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it to a parameter of this name only.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.mask_choice, self.case, self.subject = QComboBox(), QLineEdit(), QLineEdit()
        self.case.setPlaceholderText("a name that no other case has")
        self.subject.setPlaceholderText("whom it shows (a pseudonym)")
        self.subject.setToolTip(
            "The same for all scans of one person: training never tests on whom it has seen"
        )
        self.folder = FolderLine("Folder of the training set", "a new folder, or one begun here")
        self.button, self.task = QPushButton("Add to training set"), TaskRow()
        form = QFormLayout()
        form.addRow("Mask", self.mask_choice)
        form.addRow("Case", self.case)
        form.addRow("Subject", self.subject)
        form.addRow("Folder", self.folder)
        layout = QVBoxLayout(self)
        layout.addWidget(
            QLabel(
                "Corrected masks become a data set for training. Nothing there is replaced.", wordWrap=True
            )
        )
        layout.addLayout(form)
        layout.addWidget(self.button)
        layout.addWidget(self.task)
        layout.addStretch()
        self.button.clicked.connect(self.add)
        self.task.running.connect(self.button.setDisabled)
        events = window_of(napari_viewer).session.events
        events.mask_added.connect(self._refresh_soon)
        events.mask_removed.connect(self._refresh_now)
        self.refresh()

    def refresh(self) -> None:
        """Offer the masks that there are now."""
        offer(self.mask_choice, mask_names(self.viewer))

    def add(self) -> None:
        """Write the case beside the window."""
        try:
            lesson = lesson_of(
                self.viewer,
                self.mask_choice.currentData(),
                self.folder.path,
                case=self.case.text().strip(),
                subject=self.subject.text(),
            )
        except MedsegError as error:
            self.task.say(str(error))
            return
        self.task.run(lesson.work, self._added)

    def _added(self, listed: Any) -> None:
        self.task.say(f"Case {self.case.text().strip()} is in {listed}.")
        self.case.clear()

    def _refresh_now(self, _uid: str) -> None:
        self.refresh()

    def _refresh_soon(self, _uid: str) -> None:
        # Its layer is told who it is only after the session has it.
        QTimer.singleShot(0, self, self.refresh)
