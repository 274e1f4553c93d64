"""Looking through folders and reading files beside the window: what was asked for last is shown."""

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from medseg.domain import Run
from napari_medseg._qt.job import Job
from napari_medseg._qt.parts import tipped

__all__ = ["Reading"]


class Reading(QWidget):
    """Progress and *Cancel*, seen while something is read; what is asked for anew ends what went before."""

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self.progress = QProgressBar()
        self.progress.setAccessibleName("How far it is")
        self.cancel_button = tipped(QPushButton("Cancel"), "Stop looking or reading; nothing is changed")
        self.cancel_button.clicked.connect(self.stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.progress)
        row.addWidget(self.cancel_button)
        self._show_running(running=False)

    def start(
        self, work: Callable[[Run], Any], done: Callable[[Any], None], failed: Callable[[str], None]
    ) -> None:
        """Begin; `done` or `failed` is called in the window's thread, unless something else was begun since."""
        self.stop()
        self._show_running(running=True)
        job = self.job = Job(work)
        job.progressed.connect(lambda *told: self._show_progress(*told) if job is self.job else None)
        job.finished.connect(lambda found: self._end(job, done, found))
        job.failed.connect(lambda text: self._end(job, failed, text))
        self.destroyed.connect(job.cancel)
        job.start()

    def stop(self) -> None:
        """Stop what is running, if anything is."""
        if self.job is not None:
            self.job.cancel()

    def _end(self, job: Job, then: Callable[[Any], None], what: Any) -> None:
        if job is self.job:
            self._show_running(running=False)
            then(what)

    def _show_progress(self, done: int, total: int, what: str) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setFormat(what)

    def _show_running(self, *, running: bool) -> None:
        self.cancel_button.setEnabled(running)
        self.setVisible(running)
        self.progress.setRange(0, 0 if running else 1)
        self.progress.setFormat("")
