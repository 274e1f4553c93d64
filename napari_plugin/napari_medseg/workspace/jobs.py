"""Work beside the window: one job at a time, each with its own way to stop, and no result that nobody waits for."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from psygnal import Signal

from medseg.domain import Run
from medseg.errors import Cancelled, MedsegError

__all__ = ["STOPPED", "Job", "Jobs", "Launch", "Tell"]

#: Said of a job that was stopped.
STOPPED = "Stopped. Nothing was changed."

#: Starts the work of a job beside the window; given the work and what it is called, it may pass on a wish to stop.
Launch: TypeAlias = Callable[[Callable[[Callable[[], bool]], None], str], None]
#: Has something done in the window's thread.
Tell: TypeAlias = Callable[[Callable[[], None]], None]


def _never() -> bool:
    return False


@dataclass(eq=False)
class Job:
    """One piece of work: what it is for, how far it is, and the way to stop it.

    Parameters
    ----------
    kind
        What it does, in a word for a person: `segment`, `measure`. Of one kind the last one asked for counts.
    key
        What it was asked about; its result is dropped when another key, or none, is current by then.
    work
        Called beside the window with a Run of its own.
    """

    kind: str
    key: Hashable
    work: Callable[[Run], Any]
    done: Callable[[Any], None]
    failed: Callable[[str], None]
    phase: str = "waiting"
    finished: int = 0
    total: int | None = None
    started: float | None = None
    _since: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Have it stopped; nothing is heard of its result any more."""
        self._stop.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began; 0 while it waits."""
        return 0.0 if self.started is None else time.monotonic() - self.started

    @property
    def left_s(self) -> float | None:
        """Seconds that this phase will take, by how fast it went so far; None where that can't be said yet."""
        if not self.total or not 0 < self.finished < self.total:
            return None
        return (time.monotonic() - self._since) / self.finished * (self.total - self.finished)

    def went(self, done: int, total: int | None, what: str) -> None:
        """Note how far it is."""
        if what != self.phase:
            self._since = time.monotonic()
        self.phase, self.finished, self.total = what, done, total


class Jobs:
    """The jobs of one window.

    Parameters
    ----------
    launch, tell
        How to work beside the window, and how to come back to its thread; by default a thread, and at once.

    One works at a time; others wait in the order in which they were asked for. A new one of the same kind takes the
    place of what waits or works.
    """

    #: Something began, went on or ended; always in the window's thread.
    changed = Signal()

    def __init__(self, launch: Launch | None = None, tell: Tell | None = None) -> None:
        self._launch = launch or _in_thread
        self._tell = tell or _at_once
        self._lock = threading.RLock()
        self._waiting: list[Job] = []
        self._working: Job | None = None
        self._current: dict[str, Hashable] = {}

    @property
    def working(self) -> Job | None:
        """The job at work that somebody waits for."""
        job = self._working
        return None if job is None or job.is_cancelled else job

    @property
    def is_idle(self) -> bool:
        """Whether nothing works, also nothing that is only ending, and nothing waits."""
        with self._lock:
            return self._working is None and not self._waiting

    def submit(
        self,
        kind: str,
        key: Hashable,
        work: Callable[[Run], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None] = lambda _message: None,
    ) -> Job:
        """Ask for work; `done` gets its result, or `failed` one line, in the window's thread."""
        job = Job(kind, key, work, done, failed)
        with self._lock:
            self.cancel(kind)
            self._current[kind] = key
            self._waiting.append(job)
        self._next()
        return job

    def cancel(self, kind: str | None = None) -> None:
        """Stop what works, and what waits; of one kind, or all of them."""
        with self._lock:
            dropped = [job for job in self._waiting if kind in (None, job.kind)]
            self._waiting = [job for job in self._waiting if job not in dropped]
            if self._working is not None and kind in (None, self._working.kind):
                self._working.cancel()
        for job in dropped:
            job.cancel()
            self._tell(partial(self._end, job, None, STOPPED))

    def forget(self, kind: str) -> None:
        """What this kind of job is asked about has changed: a result on its way is dropped."""
        with self._lock:
            self._current.pop(kind, None)
        self.cancel(kind)

    def _next(self) -> None:
        with self._lock:
            if self._working is not None or not self._waiting:
                return
            job = self._working = self._waiting.pop(0)
        job.started = job._since = time.monotonic()  # noqa: SLF001 - the job is ours
        self._launch(lambda asked: self._carry_out(job, asked), f"medseg: {job.kind}")
        self.changed.emit()

    def _carry_out(self, job: Job, asked_to_stop: Callable[[], bool]) -> None:
        """In the working thread."""

        def cancel() -> bool:
            if asked_to_stop():
                job.cancel()
            return job.is_cancelled

        def progress(done: int, total: int | None, what: str) -> None:
            job.went(done, total, what)
            self._tell(self.changed.emit)

        result, fault = None, ""
        try:
            run = Run(progress=progress, cancel=cancel)
            run.check()
            result = job.work(run)
        except (Cancelled, MedsegError) as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: else the window would wait for ever
            fault = f"a fault in medseg: {type(error).__name__}: {error}"
        self._tell(lambda: self._end(job, result, fault))

    def _end(self, job: Job, result: Any, fault: str) -> None:
        """In the window's thread."""
        with self._lock:
            if self._working is job:
                self._working = None
            is_current = self._current.get(job.kind, job) == job.key
        try:
            if job.is_cancelled:
                job.failed(STOPPED)
            elif fault:
                job.failed(fault)
            elif is_current:
                job.done(result)
        finally:
            self._next()
            self.changed.emit()


def _in_thread(work: Callable[[Callable[[], bool]], None], name: str) -> None:
    threading.Thread(target=work, args=(_never,), name=name, daemon=True).start()


def _at_once(call: Callable[[], None]) -> None:
    call()
