"""Work beside the window by napari's own workers, which it knows of: it asks before it closes, and stops them."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakMethod

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_medseg.workspace.jobs import Jobs

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["follow", "is_alive", "jobs_of"]

_JOBS: "WeakKeyDictionary[Any, Jobs]" = WeakKeyDictionary()


def jobs_of(viewer: "Viewer") -> Jobs:
    """The jobs of a viewer: one works at a time, whatever panel asked for it."""
    key = getattr(viewer.layers, "__wrapped__", viewer.layers)  # a plugin gets a new proxy each time
    if key not in _JOBS:
        beside = _Beside()
        _JOBS[key] = Jobs(beside.launch, beside.tell)
    return _JOBS[key]


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
