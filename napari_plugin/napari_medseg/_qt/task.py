"""A row that shows how far a piece of work is, with the button that stops it and the line that tells how it ended."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from medseg.domain import Run
from napari_medseg._qt.job import Job

__all__ = ["TaskRow"]


class TaskRow(QWidget):
    """Runs one job at a time beside the window."""

    #: Whether something runs.
    running = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self._done: Callable[[Any], None] | None = None
        self.progress = QProgressBar()
        self.progress.setAccessibleName("Progress")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop; nothing is written")
        self.cancel_button.setEnabled(False)
        self.cancel_button.clicked.connect(self.stop)
        self.message = QLabel(wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout()
        row.addWidget(self.progress, stretch=1)
        row.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.message)

    def run(self, work: Callable[[Run], Any], done: Callable[[Any], None]) -> None:
        """Start `work`; `done` gets what it gives, in the window's thread."""
        self.say("")
        self._set_running(running=True)
        self.job = Job(work)
        self.job.progressed.connect(self._went)
        # Methods only: what Qt holds is not seen by Python, so a closure there would keep the window for ever.
        self._done = done
        self.job.finished.connect(self._ended)
        self.job.failed.connect(self._failed)
        self.destroyed.connect(self.job.cancel)
        self.job.start()

    @property
    def is_running(self) -> bool:
        """Whether something runs."""
        return self.cancel_button.isEnabled()

    def say(self, text: str) -> None:
        """One line for the user."""
        self.message.setText(text)

    def stop(self) -> None:
        """Stop what is running, if anything is."""
        if self.job is not None:
            self.job.cancel()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """A row taken out of its window stops its work: napari's way to close a dock."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.stop()
        super().changeEvent(event)

    def _went(self, done: int, total: int, what: str) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(what)

    def _ended(self, result: Any) -> None:
        done, self._done = self._done, None
        self._set_running(running=False)
        if done is not None:
            done(result)

    def _failed(self, text: str) -> None:
        self._done = None
        self._set_running(running=False)
        self.say(text)

    def _set_running(self, *, running: bool) -> None:
        self.cancel_button.setEnabled(running)
        self.progress.setRange(0, 0 if running else 1)
        self.progress.setValue(0)
        self.progress.setFormat("")
        self.running.emit(running)
