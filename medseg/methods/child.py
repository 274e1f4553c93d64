"""Work that can't be interrupted, in a process of its own that is ended when the user cancels.

The process is a fresh interpreter that waits for its next task, so that only the first call pays for its start.
It is no fork: a parent with threads (a viewer, torch, SimpleITK) would hand on locked locks. It is not
`multiprocessing` either, which runs the user's script again unless that is guarded.
"""

import atexit
import json
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, TypeVar

import numpy as np
import psutil

from medseg.domain import Run
from medseg.domain.run import Progress
from medseg.errors import ResourceError

__all__ = ["here_or_in_child", "in_child", "serve"]

T = TypeVar("T")
_POLL_S = 0.05
#: Images with more voxels are worked on in another process, so that a cancel is heard.
_QUICK = 1 << 17
#: A process that closed its answers is given this long to be gone.
_LAST_WORDS_S = 1.0
_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from medseg.methods.child import serve; serve()"
)
_LENGTH = struct.Struct("<Q")
#: First part of a message from the other process: how far it is, or its answer.
_TOLD, _ANSWER = b"told", b"answer"


def in_child(run: Run, function: Callable[..., T], *args: Any) -> T:
    """Call a function in another process and wait for its answer; `run.cancel` is polled every 50 ms.

    Parameters
    ----------
    run
        Whose cancel ends the process, and whose progress is told.
    function
        A top-level function of an importable module, so not of a script or a notebook. If it has a parameter
        `progress`, it gets a function to call with (done, total, what), as `run.progress` is.
    args
        What it is called with; arrays travel without a copy in this process, and are one copy in the other.

    Returns
    -------
    What the function returned; arrays are new, and writeable where the function's were.

    Raises
    ------
    Cancelled
        If the user asked to stop; the process is gone by then.
    ResourceError
        If the system ended the process, or it ran out of memory.
    RuntimeError
        If the process ended by itself, without an answer.
    Exception
        Whatever the function raised, with the other process's traceback as a note.
    """
    task = _packed((function, args))
    worker = _idle_worker()
    told: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    answers: list[list[Any]] = []
    thread = threading.Thread(target=worker.ask, args=(task, told, answers), daemon=True)
    try:
        thread.start()
        works = True
        while works:
            run.check()
            thread.join(_POLL_S)
            works = thread.is_alive()
            while not told.empty():
                run.progress(*_unpacked(told.get()))
    except BaseException:
        worker.end()
        thread.join()
        raise
    if not answers:
        raise _ended(worker.end(_LAST_WORDS_S), function)
    _keep(worker)
    value, failure = _unpacked(answers[0])
    if failure is None:
        return value  # type: ignore[no-any-return]
    raise _failed(*failure)


def here_or_in_child(run: Run, voxels: int, function: Callable[..., T], *args: Any) -> T:
    """Call a function as `in_child` does, or in this process where so few voxels take well under a second."""
    if voxels > _QUICK:
        return in_child(run, function, *args)
    run.check()
    return function(*args, **_told_by(function, run.progress))


def serve() -> None:
    """Answer tasks from standard input until it closes; runs in the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide on
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with answers
    tasks: queue.Queue[list[Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()

    def tell(done: int, total: int | None, what: str) -> None:
        _write(answers, [_TOLD, *_packed((done, total, what))])

    while True:
        _write(answers, [_ANSWER, *_packed(_carried_out(tasks.get(), tell))])


def _listen(tasks: queue.Queue[list[Any]]) -> None:
    """Pass tasks on; end the process when the parent is gone, whatever is being worked on."""
    try:
        while True:
            tasks.put(_read(sys.stdin.buffer))
    except EOFError:
        os._exit(0)


def _carried_out(task: list[Any], tell: Progress) -> tuple[Any, tuple[bytes, str, str] | None]:
    try:
        function, args = _unpacked(task)
        return function(*args, **_told_by(function, tell)), None
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        told = "".join(traceback.format_exception(error))
        try:
            return None, (pickle.dumps(error), f"{type(error).__name__}: {error}", told)
        except Exception:  # noqa: BLE001 - an exception may hold what can't be pickled
            return None, (b"", f"{type(error).__name__}: {error}", told)


def _told_by(function: Callable[..., Any], progress: Progress) -> dict[str, Progress]:
    return {"progress": progress} if "progress" in getattr(function, "__annotations__", {}) else {}


def _failed(pickled: bytes, line: str, told: str) -> BaseException:
    """The exception of the other process, or where it can't travel one with its name and message."""
    error: BaseException
    try:
        error = pickle.loads(pickled)  # noqa: S301 - our own process wrote it
    except Exception:  # noqa: BLE001 - constructors with several arguments don't survive pickling
        error = RuntimeError(line)
    if isinstance(error, MemoryError) and not isinstance(error, ResourceError):
        error = ResourceError("memory ran out while segmenting; crop the image or close other programs")
    error.add_note(f"In the process that did the work:\n{told}")
    return error


def _ended(code: int, function: Callable[..., Any]) -> Exception:
    name = getattr(function, "__name__", str(function))
    if code == -getattr(signal, "SIGKILL", 9):
        return ResourceError(
            f"the system ended the process that ran {name}, most likely because memory ran out; "
            "crop the image or close other programs"
        )
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return RuntimeError(f"the process that ran {name} ended without an answer ({how})")


class _Worker:
    """One process, and the pipes to it."""

    def __init__(self) -> None:
        self.owner, self.path = os.getpid(), list(sys.path)
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and code written above
            [sys.executable, "-P", "-c", _COMMAND, json.dumps([str(part) for part in self.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def is_ready(self) -> bool:
        """Whether it lives, belongs to this process, and would import the same modules."""
        return self.owner == os.getpid() and self.path == sys.path and self._process.poll() is None

    def ask(self, task: list[Any], told: queue.SimpleQueue[list[Any]], answers: list[list[Any]]) -> None:
        """Send a task, pass on what is told, append the answer; nothing if the process ends before."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        try:
            _write(self._process.stdin, task)
            kind, *message = _read(self._process.stdout)
            while kind == _TOLD:
                told.put(message)
                kind, *message = _read(self._process.stdout)
            answers.append(message)
        except (OSError, EOFError):
            return

    def end(self, patience_s: float = 0.0) -> int:
        """End the process unless it ends by itself in time; returns its status (negative: the signal)."""
        if self.owner != os.getpid():
            return 0
        try:
            code = self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            _end_started_by(self._process.pid)
            self._process.kill()
            code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not yet sent has nobody to go to
                if stream is not None:
                    stream.close()
        return code


def _end_started_by(process: int) -> None:
    """End what a process has started: a solver that it waits for would go on for nobody."""
    with suppress(psutil.Error):
        for child in psutil.Process(process).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()


_idle: list[_Worker] = []
_lock = threading.Lock()


def _idle_worker() -> _Worker:
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.is_ready:
                return worker
            worker.end()
    return _Worker()


def _keep(worker: _Worker) -> None:
    with _lock:
        if not _idle:
            _idle.append(worker)
            return
    worker.end()


@atexit.register
def _end_all() -> None:
    with _lock:
        while _idle:
            _idle.pop().end()


def _packed(value: Any) -> list[Any]:
    """Pickle of a value, then the buffers of its arrays, which are not copied."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return [head, *(buffer.raw() for buffer in buffers)]


def _unpacked(parts: list[Any]) -> Any:
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - our own process wrote it


def _write(stream: IO[bytes], parts: list[Any]) -> None:
    stream.write(_LENGTH.pack(len(parts)))
    for part in parts:
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def _read(stream: IO[bytes]) -> list[Any]:
    (count,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return [_exactly(stream, _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]) for _ in range(count)]


def _exactly(stream: IO[bytes], length: int) -> memoryview:
    """Bytes of a stream in writeable memory."""
    memory = np.empty(length, np.uint8).data
    done = 0
    while done < length:
        got = stream.readinto(memory[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        done += got
    return memory
