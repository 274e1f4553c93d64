"""One try: a command in a process of its own, which is ended by SIGKILL at an instant or right before a file operation.

The process is forked from this one after all libraries were imported and before any of them did work, so that no thread
is lost on the way and a try costs what the command costs.
"""

import json
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Ended", "Place", "answer_of", "run_command"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Audit event → places of its paths and of their folders' descriptors among its arguments.
_EVENTS: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.remove": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.utime": ((0, 3),),
}
_MOST_S = 300.0


@dataclass(frozen=True)
class Place:
    """Where a try happens: `work` is its working folder, `temporary` the one for temporary files."""

    root: Path

    @property
    def work(self) -> Path:
        """Working folder of the command."""
        return self.root / "work"

    @property
    def temporary(self) -> Path:
        """Where its temporary files go."""
        return self.root / "tmp"


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (None: it was killed), seconds, what it said, its file operations."""

    code: int | None
    seconds: float
    said: str
    operations: list[str] = field(default_factory=list)


def answer_of(job: Callable[[], Any]) -> Any:
    """What a function gives (as JSON) in a process of its own, so that this one stays as it is."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                json.dump(job(), out)
            code = 0
        except BaseException:  # noqa: BLE001 - the other process says what it was
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("a check itself failed; see above")
    return json.loads(text)


def run_command(
    arguments: list[str], place: Place, *, before: int | None = None, after_s: float | None = None
) -> Ended:
    """Run `medseg` with arguments; `before` kills it before that file operation (from 0), `after_s` after seconds."""
    log, operations = place.root / "said.txt", place.root / "operations.json"
    operations.unlink(missing_ok=True)
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_command(arguments, place, before)
    watch = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([watch], [], [], _MOST_S if after_s is None else after_s)
    finally:
        os.close(watch)
    if not ready:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    seconds = time.monotonic() - start
    code = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    done = json.loads(operations.read_text()) if code == 0 and operations.exists() else []
    return Ended(code, seconds, log.read_text(errors="replace"), done)


def _be_the_command(arguments: list[str], place: Place, before: int | None) -> None:
    code = 1
    try:
        log = os.open(place.root / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(place.work)
        os.environ["TMPDIR"] = str(place.temporary)
        tempfile.tempdir = None
        sys.argv = ["medseg", *arguments]
        from medseg import cli

        seen = _Operations(place, before)
        sys.addaudithook(seen)
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        seen.quiet = True
        (place.root / "operations.json").write_text(json.dumps(seen.names))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


class _Operations:
    """An audit hook that counts operations that change something below a place, and kills before the n-th."""

    def __init__(self, place: Place, before: int | None) -> None:
        self.work, self.temporary, self.before = f"{place.work}/", f"{place.temporary}/", before
        self.names: list[str] = []
        self.quiet = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.quiet or (event != "open" and event not in _EVENTS):
            return
        paths = self._paths(event, arguments)
        if not any(path.startswith((self.work, self.temporary)) for path in paths):
            return
        if len(self.names) == self.before:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(f"{event} {' → '.join(path.removeprefix(self.work) for path in paths)}")

    @staticmethod
    def _paths(event: str, arguments: tuple[Any, ...]) -> list[str]:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITES
            return [str(Path(os.fsdecode(path)).absolute())] if writes and not isinstance(path, int) else []
        found = []
        for at, folder_at in _EVENTS[event]:
            path, folder = arguments[at], -1 if folder_at is None else arguments[folder_at]
            if isinstance(path, int):
                continue
            named = Path(os.fsdecode(path))
            if isinstance(folder, int) and folder >= 0:
                named = Path(f"/proc/self/fd/{folder}").readlink() / named
            found.append(str(named.absolute()))
        return found
