"""Many cases in three stages that overlap: while one is worked on, the next one is read and the last one is written.

At most one case is read ahead, and only where there is room for it; at most one waits to be written. An error of any
stage is that of its case. What is read ahead shares the memory of the run: the case at hand gets what is left.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, Generic, TypeVar

import numpy as np
import psutil

from medseg.domain import Case, Run
from medseg.errors import MedsegError
from medseg.inference.memory import available_bytes
from medseg.io import inspect
from medseg.workflows.batch import CaseResult, failed

__all__ = ["Stages", "bytes_when_read", "each_in_stages", "room_beside"]

ReadT = TypeVar("ReadT")
DoneT = TypeVar("DoneT")
AnyT = TypeVar("AnyT")
#: Bytes a voxel takes while a file is read: as it is stored, and as it is held.
_VOXEL_BYTES = 8
#: What a folder's files unpack to, in multiples of their size.
_UNPACKED = 4
#: Seconds between two looks at whether the user has asked to stop.
_LOOK_S = 0.05


@dataclass(frozen=True)
class Stages(Generic[ReadT, DoneT]):
    """What is done with a case.

    Parameters
    ----------
    read
        By its name, beside the work on another case.
    work
        With what was read; nothing else is worked on meanwhile.
    write
        Name and what came of the work, which holds none of what was read; beside the work on another case. Gives the
        line of the table.
    beside
        How to work on a case while the named one is read; None where there is no room for both.
    """

    read: Callable[[str], ReadT]
    work: Callable[[ReadT, Run], DoneT]
    write: Callable[[str, DoneT], CaseResult]
    beside: Callable[[ReadT, str], Run | None]


def each_in_stages(
    names: Iterable[str], stages: Stages[ReadT, DoneT], run: Run, what: str
) -> tuple[CaseResult, ...]:
    """Do every case, in order; a failure is a line of its own, only a stop by the user ends it all.

    A stop waits for the case that is being written, so that it is whole.
    """
    line = _Line(tuple(names), stages, run)
    try:
        for number, name in enumerate(line.names):
            run.check()
            run.progress(number, len(line.names), f"{what}: {name}")
            line.do(number)
    finally:
        line.settle()
    run.progress(len(line.names), len(line.names), what)
    return tuple(line.results)


class _Line(Generic[ReadT, DoneT]):
    """The cases of a run on their way through the stages."""

    def __init__(self, names: tuple[str, ...], stages: Stages[ReadT, DoneT], run: Run) -> None:
        self.names, self._stages, self._run = names, stages, run
        self.results: list[CaseResult] = []
        self._reading: _Aside[ReadT] | None = None
        self._writing: tuple[str, float, _Aside[CaseResult]] | None = None

    def do(self, number: int) -> None:
        """Read, unless it was read ahead; work; leave it to be written."""
        name, reading = self.names[number], self._reading
        self._reading = None
        try:
            reading = reading or self._read(name)
            held = reading.result(self._run)
            seconds = reading.seconds
            start = time.monotonic()
            done = self._stages.work(held, self._ahead(held, number) or self._run)
            seconds += time.monotonic() - start
        except Exception as error:  # noqa: BLE001 - the edge of a batch: one case must not stop the others
            self.settle()
            self.results.append(failed(name, error))
            return
        self.settle()
        self._writing = name, seconds, _Aside(lambda: self._stages.write(name, done))

    def settle(self) -> None:
        """Wait for the case that is being written, and put down what became of it."""
        if self._writing is None:
            return
        name, seconds, writing = self._writing
        self._writing = None
        try:
            result = writing.result()
            self.results.append(replace(result, seconds=round(seconds + writing.seconds, 2)))
        except Exception as error:  # noqa: BLE001 - the edge of a batch: one case must not stop the others
            self.results.append(failed(name, error))

    def _ahead(self, held: ReadT, number: int) -> Run | None:
        """Begin to read the next case, where there is room; how the one at hand runs meanwhile."""
        if number + 1 == len(self.names):
            return None
        run = self._stages.beside(held, self.names[number + 1])
        if run is not None:
            self._reading = self._read(self.names[number + 1])
        return run

    def _read(self, name: str) -> "_Aside[ReadT]":
        return _Aside(lambda: self._stages.read(name))


class _Aside(Generic[AnyT]):
    """A call in a thread of its own; a process that ends does not wait for it."""

    def __init__(self, call: Callable[[], AnyT]) -> None:
        self._call = call
        self._found: list[AnyT] = []
        self._error: BaseException | None = None
        self.seconds = 0.0
        self._thread = Thread(target=self._do, daemon=True)
        self._thread.start()

    def _do(self) -> None:
        start = time.monotonic()
        try:
            self._found.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error
        self.seconds = time.monotonic() - start

    def result(self, run: Run | None = None) -> AnyT:
        """What came of it, once; raises what it raised. With a run, a stop by the user is heard meanwhile."""
        while self._thread.is_alive():
            self._thread.join(_LOOK_S)
            if run is not None:
                run.check()
        if self._error is not None:
            raise self._error
        return self._found.pop()


def room_beside(needed: int, ahead: int | None, run: Run) -> Run | None:
    """How a case that needs so many bytes runs while one of `ahead` bytes is read; None where both do not fit.

    The case at hand gets what is left of the run's memory; labels are the same at any.
    """
    held = int(psutil.Process().memory_info().rss)
    room = run.memory_bytes if run.memory_bytes is not None else held + available_bytes()
    if ahead is None or room - held - ahead < needed:
        return None
    return replace(run, memory_bytes=room - ahead)


def bytes_when_read(case: Case) -> int | None:
    """What a case takes while it is read, by headers of its files and sizes of its folders; None where none says."""
    total = 0
    for file in case.images:
        found = _bytes_of(Path(file.path))
        if found is None:
            return None
        total += found
    return total


def _bytes_of(path: Path) -> int | None:
    if path.is_dir():
        return _UNPACKED * sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    grids: list[Any] = []
    with suppress(MedsegError, OSError):
        grids = [source.grid for source in inspect(path) if source.grid is not None]
    return max((_VOXEL_BYTES * int(np.prod(grid.shape)) for grid in grids), default=None)
