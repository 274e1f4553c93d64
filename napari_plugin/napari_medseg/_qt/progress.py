"""How far a job is, in words, and the button that stops it."""

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_medseg._qt.job import follow
from napari_medseg.workspace.jobs import Job, Jobs

__all__ = ["JobBar", "progress_text"]

#: Milliseconds from one look at what works to the next. What ends before the first is not shown: a bar that flashes
#: tells nothing, and to draw it takes longer than many an answer to a prompt.
_TICK_MS = 400
_MINUTE_S = 60


class JobBar(QWidget):
    """Phase, progress and time left of what works in this window; hidden while nothing does."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self.jobs = jobs
        self.bar = QProgressBar()
        self.bar.setAccessibleName("progress")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop what is running; nothing is changed by it")
        self.cancel_button.clicked.connect(self.stop)
        self.bar.setTextVisible(False)
        self.phase = QLabel()  # a bar whose end is not known shows no text
        self.phase.setAccessibleName("what is being done")
        row = QHBoxLayout()
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.phase)
        layout.addLayout(row)
        self._clock = QTimer(self)
        self._clock.setInterval(_TICK_MS)
        self._clock.timeout.connect(self.show_job)
        follow(jobs, self._begin_or_end)
        self.setVisible(False)
        self._begin_or_end()

    def stop(self) -> None:
        """Stop what works and what waits."""
        self.jobs.cancel()

    def show_job(self) -> None:
        """Show what works now."""
        job = self.jobs.working
        self.setVisible(job is not None)
        if job is not None:
            self.bar.setRange(0, job.total or 0)
            self.bar.setValue(job.finished)
            self.phase.setText(progress_text(job))

    def _begin_or_end(self) -> None:
        if self.jobs.working is None:
            self._clock.stop()
            self.setVisible(False)
        elif not self._clock.isActive():
            self._clock.start()


def progress_text(job: Job) -> str:
    """Phase, and how long it will take, or has taken where that is not known.

    >>> progress_text(Job("segment", 1, lambda run: None, print, print, phase="loading"))
    'loading, 0 s'
    """
    left = job.left_s
    return f"{job.phase}, {_time(job.elapsed_s) if left is None else f'about {_time(left)} left'}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE_S else f"{seconds / _MINUTE_S:.0f} min"
