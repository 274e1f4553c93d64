"""A piece of work beside the window, which can be stopped."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from medseg.domain import Run
from medseg.errors import Cancelled, MedsegError

__all__ = ["Job"]


class Job(QObject):
    """Runs `work` in a thread and tells the window's thread how it goes.

    It holds no widget, so that a window can be closed while it runs; after `cancel` no result is told any more.
    """

    progressed = Signal(int, int, str)
    finished = Signal(object)
    failed = Signal(str)
    _ended = Signal(object, str)
    #: Jobs at work: an object of the window must not be deleted in another thread.
    _at_work: ClassVar[set["Job"]] = set()

    def __init__(self, work: Callable[[Run], Any]) -> None:
        super().__init__()
        self._work = work
        self._stop = threading.Event()
        self._ended.connect(self._tell)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._at_work.add(self)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to stop; it does so at its next check."""
        self._stop.set()

    @property
    def is_running(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    def _run(self) -> None:
        """In the working thread: no widget is touched here."""
        run = Run(
            progress=lambda done, total, what: self.progressed.emit(done, total or 0, what),
            cancel=self._stop.is_set,
        )
        result, fault = None, ""
        try:
            result = self._work(run)
        except (Cancelled, MedsegError) as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: else the window would wait for ever
            fault = f"a fault in medseg: {type(error).__name__}: {error}"
        self._ended.emit(result, fault)

    def _tell(self, result: Any, fault: str) -> None:
        self._at_work.discard(self)
        del self._work  # with the images it holds
        if self._stop.is_set():
            self.failed.emit("Stopped. Nothing was changed.")
        elif fault:
            self.failed.emit(fault)
        else:
            self.finished.emit(result)
