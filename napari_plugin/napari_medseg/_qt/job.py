"""Work beside the window by napari's own workers, which it knows of: it asks before it closes, and stops them."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from weakref import WeakKeyDictionary, WeakMethod

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from medseg.domain import Run
from medseg.errors import Cancelled, MedsegError
from napari_medseg.workspace.jobs import Jobs

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["Job", "follow", "is_alive", "jobs_of", "measuring_of"]

_Queues: TypeAlias = "WeakKeyDictionary[Any, Jobs]"
_MAKING: _Queues = WeakKeyDictionary()
_MEASURING: _Queues = WeakKeyDictionary()


def jobs_of(viewer: "Viewer") -> Jobs:
    """What makes and changes masks in a window: one job at a time, whatever panel asked for it."""
    return _queue(_MAKING, viewer)


def measuring_of(viewer: "Viewer") -> Jobs:
    """What measures in a window: numbers that follow a stroke don't wait for a run, and stopping one ends no other."""
    return _queue(_MEASURING, viewer)


def _queue(known: _Queues, viewer: "Viewer") -> Jobs:
    key = getattr(viewer.layers, "__wrapped__", viewer.layers)  # a plugin gets a new proxy each time
    if key not in known:
        beside = _Beside()
        known[key] = Jobs(beside.launch, beside.tell)
    return known[key]


def is_alive(widget: Any) -> bool:
    """Whether the window still has it, whatever Python still holds."""
    return bool(isalive(widget))  # type: ignore[no-untyped-call]


def follow(jobs: Jobs, slot: Callable[[], None]) -> None:
    """Call a widget's method when a job begins, goes on or ends; not once the widget is gone."""
    weak = WeakMethod(slot)

    def told() -> None:
        call = weak()
        if call is not None and is_alive(getattr(call, "__self__", None)):
            call()

    jobs.changed.connect(told)


class _Beside(QObject):
    """Starts workers, and has what they say done in the window's thread."""

    _said = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._said.connect(self._do)

    def launch(self, work: Callable[[Callable[[], bool]], None], name: str) -> None:
        """Begin; napari's wish to stop is passed on to the work."""
        worker: Any = create_worker(_Named(lambda: work(lambda: bool(worker.abort_requested)), name))
        worker.start()

    def tell(self, call: Callable[[], None]) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the window is gone, with all that could be told
            self._said.emit(call)

    def _do(self, call: Callable[[], None]) -> None:
        call()


class _Named:
    """A call under the name that napari shows when it asks whether to close."""

    def __init__(self, call: Callable[[], None], name: str) -> None:
        self._call: Callable[[], None] | None = call
        self._name = name

    def __call__(self) -> None:
        """Once; napari keeps every worker, and must not keep the images that it worked on."""
        call, self._call = self._call, None
        if call is not None:
            call()

    def __str__(self) -> str:
        return self._name

    __repr__ = __str__


class Job(QObject):
    """Runs `work` in a thread and tells the window's thread how it goes.

    It holds no widget, so that a window can be closed while it runs. What came to its end before it heard of `cancel`
    is told as done: its files are there.
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
        if fault:
            self.failed.emit("Stopped. Nothing was changed." if self._stop.is_set() else fault)
        else:
            self.finished.emit(result)
