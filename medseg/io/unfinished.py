"""Outputs of one run: what a killed run has put there is known as its own, so that the next run may replace it.

Before an output gets its name, a line in a note beside it says what it is; the note goes when all outputs of the run
stand. A note whose process is gone is that of a killed run, and a file that is still as the note says is its work:
one that somebody changed or put there since is not.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from medseg.io.leftovers import NOTE, is_left, remove, staged_name, sweep
from medseg.io.outlets import descriptor_of

__all__ = ["announce", "may_replace", "together"]


@dataclass(slots=True)
class _Run:
    """Outputs asked for, what killed runs of them left (by path), their notes, and what this one has put there."""

    outputs: frozenset[Path]
    left: dict[Path, str] = field(default_factory=dict)
    old: list[Path] = field(default_factory=list)
    new: dict[Path, str] = field(default_factory=dict)
    note: Path | None = None

    def learn(self, folder: Path) -> None:
        """Read what killed runs noted in a folder; a note that nothing is left of goes."""
        for note in _notes_in(folder):
            outputs, put = _read(note)
            standing = {path: state for path, state in put.items() if state == _state_of(path)}
            self.left |= standing
            if outputs <= self.outputs:
                self.old.append(note)
            elif not standing:
                note.unlink(missing_ok=True)

    def add(self, path: Path, state: str) -> None:
        """Write down what is about to get a name."""
        lines: list[object] = [[str(path), state]]
        if self.note is None:
            self.note = staged_name(path, NOTE)
            lines.insert(0, sorted(map(str, self.outputs)))
        with self.note.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(line)}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def take_back(self) -> None:
        """A run that fails leaves nothing of its answer under a name that was free."""
        for path, state in self.new.items():
            if _state_of(path) == state:
                with suppress(OSError):
                    remove(path)


_RUN: ContextVar[_Run | None] = ContextVar("medseg_outputs_of_a_run", default=None)


@contextmanager
def together(*outputs: Path | None) -> Iterator[None]:
    """Outputs that are one answer: if the run is killed before all of them stand, the next one may replace them.

    If the block fails, files that it put under free names are taken away again. A block inside another one is a part
    of it.
    """
    paths = frozenset(
        Path(path).absolute() for path in outputs if path is not None and descriptor_of(path) is None
    )
    if _RUN.get() is not None or not paths:
        yield
        return
    run = _Run(paths)
    for folder in {*(path.parent for path in paths), *(path for path in paths if path.is_dir())}:
        sweep(folder)
        run.learn(folder)
    token = _RUN.set(run)
    try:
        yield
        for note in run.old:
            note.unlink(missing_ok=True)
    except BaseException:
        run.take_back()
        raise
    finally:
        _RUN.reset(token)
        if run.note is not None:
            run.note.unlink(missing_ok=True)


def may_replace(path: Path) -> bool:
    """Whether a killed run of these outputs has put there what stands at a path, and nobody changed it since."""
    run = _RUN.get()
    state = None if run is None else run.left.get(path.absolute())
    return state is not None and state == _state_of(path)


def announce(path: Path, staged: Path) -> None:
    """Note that what is complete at `staged` gets the name `path` now."""
    run = _RUN.get()
    if run is None:
        return
    path = path.absolute()
    state = _state_of(staged)
    run.add(path, state)
    if not os.path.lexists(path) or may_replace(path):
        run.new[path] = state


def _state_of(path: Path) -> str:
    """What a rename keeps and a change does not: size and time of change, of a folder those of all in it."""
    try:
        found = path.lstat()
        if not path.is_dir() or path.is_symlink():
            return f"{found.st_size} {found.st_mtime_ns}"
        inside = sorted(path.rglob("*"))
        lines = [f"{item.relative_to(path).as_posix()} {_own_state(item)}" for item in inside]
    except OSError:
        return ""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _own_state(item: Path) -> str:
    found = item.lstat()
    return "" if item.is_dir() else f"{found.st_size} {found.st_mtime_ns}"


def _notes_in(folder: Path) -> list[Path]:
    try:
        return [note for note in folder.glob(f".medseg-*{NOTE}") if is_left(note)]
    except OSError:
        return []


def _read(note: Path) -> tuple[frozenset[Path], dict[Path, str]]:
    """Outputs of a run, and states of what it put there; a line that was cut is none."""
    outputs: frozenset[Path] = frozenset()
    put: dict[Path, str] = {}
    with suppress(OSError, ValueError):
        for number, line in enumerate(note.read_text("utf-8").splitlines()):
            found = json.loads(line)
            if number == 0:
                outputs = frozenset(map(Path, found))
            else:
                put[Path(found[0])] = found[1]
    return outputs, put
