"""Outputs of one run: they get their names at its end, one right after the other, and a killed run's are known.

Before the first output gets its name, a note beside it says what all of them are; it goes when all of them stand. A
note whose process is gone is that of a killed run, and a file that is still as the note says is its work: one that
somebody changed or put there since is not.

Of several files none gets its name before all are complete and the note says so in one line, what stood under each
name included. Whoever of us looks there after a kill, to read or to write, gives the rest their names first, as a
database replays its journal: so no old one is read beside a new one.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from medseg.errors import OutputError
from medseg.io.leftovers import NOTE, is_left, remove, staged_name, sweep
from medseg.io.outlets import descriptor_of

__all__ = [
    "announce",
    "apart",
    "complete_beside",
    "may_replace",
    "name_in_turn",
    "put_all",
    "settle",
    "together",
]


Namer: TypeAlias = Callable[[Path, Path], None]

#: Suffix of the second name of what is being replaced: what a killed run left under it is removed, not brought back.
_OLD = ".old"
#: Folders without notes, and when they had last changed: not every file that is read asks for a list of its folder.
_WITHOUT_NOTES: dict[Path, int] = {}


@dataclass(slots=True)
class _Run:
    """Outputs asked for, what killed runs of them left (by path), their notes, and what this one has put there.

    `replaced`: by path, the state of what stands there now, and what stood there before, under another name.
    """

    outputs: frozenset[Path]
    left: dict[Path, str] = field(default_factory=dict)
    old: list[Path] = field(default_factory=list)
    new: dict[Path, str] = field(default_factory=dict)
    notes: dict[Path, Path] = field(default_factory=dict)
    waiting: list[tuple[Path, Path, Namer]] = field(default_factory=list)
    replaced: dict[Path, tuple[str, Path | None]] = field(default_factory=dict)

    def learn(self, folder: Path) -> None:
        """Read what killed runs noted in a folder; a note that nothing is left of goes."""
        for note in _notes_in(folder):
            outputs, put, _ = _read(note)
            standing = {path: state for path, state in put.items() if state == _state_of(path)}
            self.left |= standing
            if outputs <= self.outputs:
                self.old.append(note)
            elif not standing:
                note.unlink(missing_ok=True)

    def is_beside(self, path: Path) -> bool:
        """Whether a path is an output, or lies beside one or in one."""
        return path.parent in {item.parent for item in self.outputs} | self.outputs

    def put(self) -> None:
        """Give all that waits its name."""
        waiting, self.waiting = self.waiting, []
        try:
            self.write_down([(staged, path) for staged, path, _ in waiting], as_one=True)
            with _uninterrupted():
                for staged, path, name in waiting:
                    self._keep(staged, path)
                    name(staged, path)
        finally:
            for staged, _, _ in waiting:
                with suppress(OSError):
                    staged.unlink(missing_ok=True)

    def _keep(self, staged: Path, path: Path) -> None:
        """Give what is about to be replaced a second name, until the run has come to its end."""
        if not os.path.lexists(path):
            return
        _, old = self.replaced.get(path, ("", None))
        if old is None:
            old = staged_name(path, _OLD)
            try:
                os.link(path, old, follow_symlinks=False)
            except (OSError, NotImplementedError):  # a file system without links, or a file of somebody else
                old = None
        self.replaced[path] = (_state_of(staged), old)

    def write_down(self, pairs: list[tuple[Path, Path]], *, as_one: bool = False) -> None:
        """Note what is about to get a name: (complete, name); `as_one`: if one gets it, all do, whoever gives it."""
        lines: list[list[str]] = []
        for staged, path in pairs:
            state, before = _state_of(staged), _state_of(path)
            lines.append([str(path), state, str(staged.absolute()), before] if as_one else [str(path), state])
            if not os.path.lexists(path) or self.may_replace(path):
                self.new[path] = state
        for folder in dict.fromkeys(path.parent for _, path in pairs):
            self._append(folder, [lines] if as_one else lines)

    def _append(self, folder: Path, lines: Sequence[object]) -> None:
        begins = folder not in self.notes
        note = self.notes.setdefault(folder, staged_name(folder / "outputs", NOTE))
        head = [sorted(map(str, self.outputs))] if begins else []
        with note.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(line)}\n" for line in (*head, *lines)))
            file.flush()
            os.fsync(file.fileno())

    def may_replace(self, path: Path) -> bool:
        """Whether a killed run of these outputs put there what stands at a path."""
        state = self.left.get(path)
        return state is not None and state == _state_of(path)

    def drop(self) -> None:
        """Remove what waits for a name and will get none."""
        for staged, _, _ in self.waiting:
            with suppress(OSError):
                staged.unlink(missing_ok=True)

    def take_back(self) -> list[Path]:
        """A run that fails leaves nothing of its answer: free names are free again, and what it replaced is back.

        Returns what it could not bring back.
        """
        for path, state in self.new.items():
            if path not in self.replaced and _state_of(path) == state:
                with suppress(OSError):
                    remove(path)
        return [path for path, (state, old) in self.replaced.items() if not _is_back(path, state, old)]

    def forget(self) -> None:
        """What was replaced is no longer needed."""
        for _, old in self.replaced.values():
            if old is not None:
                with suppress(OSError):
                    old.unlink(missing_ok=True)


_RUN: ContextVar[_Run | None] = ContextVar("medseg_outputs_of_a_run", default=None)


@contextmanager
def together(*outputs: Path | None) -> Iterator[None]:
    """Outputs that are one answer: if the run is killed before all of them stand, the next one may replace them.

    Files get their names when the block ends. If it fails, or one of them can't get its name, all is as it was: what
    got a free name is taken away again, and what was replaced is back. A block inside another one is a part of it.

    Raises
    ------
    OutputError
        If it fails and what stood before can't be brought back, as on a file system without links.
    """
    paths = frozenset(
        Path(path).absolute() for path in outputs if path is not None and descriptor_of(path) is None
    )
    if _RUN.get() is not None or not paths:
        yield
        return
    run = _Run(paths)
    for folder in {*(path.parent for path in paths), *(path for path in paths if path.is_dir())}:
        settle(folder)
        run.learn(folder)
    token = _RUN.set(run)
    try:
        yield
        run.put()
        for note in run.old:
            note.unlink(missing_ok=True)
    except BaseException as error:
        run.drop()
        stuck = run.take_back()
        if stuck and isinstance(error, OSError):
            names = ", ".join(map(str, stuck))
            raise OutputError(f"{error}; what stood before at {names} could not be kept") from error
        raise
    finally:
        _RUN.reset(token)
        run.forget()
        for note in run.notes.values():
            note.unlink(missing_ok=True)


@contextmanager
def apart() -> Iterator[None]:
    """Files inside the block are no outputs of the run: they lie in a folder that gets its name later."""
    token = _RUN.set(None)
    try:
        yield
    finally:
        _RUN.reset(token)


def settle(folder: Path, *, again: bool = False) -> None:
    """Bring a folder in order after killed runs: what they had decided is done, what they had begun is removed.

    Notes stay for the next run of the same outputs. `again` looks for what was begun though this process has looked
    there before.
    """
    with suppress(OSError):
        for note in _notes_in(folder.absolute()):
            _complete(note)
    sweep(folder, again=again)


def complete_beside(path: Path) -> None:
    """Before a file is read: where a killed run stopped between the names of its outputs, they get the rest.

    Raises
    ------
    OSError
        If the file is one of them and the others can't get their names.
    """
    path = path.absolute()
    try:
        changed = path.parent.stat().st_mtime_ns
    except OSError:
        return
    if _WITHOUT_NOTES.get(path.parent) == changed:
        return
    notes = [note for note in _noted(path.parent) if is_left(note)]
    for note in notes:
        try:
            _complete(note)
        except OSError:
            if any(str(path) == name for name, *_ in _read(note)[2]):
                raise
    if not _noted(path.parent):
        _WITHOUT_NOTES[path.parent] = changed


def put_all() -> None:
    """Give what this run has written so far its names, for who reads it before the run ends."""
    run = _RUN.get()
    if run is not None:
        run.put()


def may_replace(path: Path) -> bool:
    """Whether a killed run of these outputs has put there what stands at a path, and nobody changed it since."""
    run = _RUN.get()
    return run is not None and run.may_replace(path.absolute())


def name_in_turn(staged: Path, path: Path, name: Namer) -> bool:
    """Let `name` give a complete file its name when all of this run are complete; False, and nothing done, without one.

    Only a file beside an output of the run waits, such as a mask's sidecar; others are of its own business.
    """
    run = _RUN.get()
    path = path.absolute()
    if run is None or not run.is_beside(path):
        return False
    run.waiting.append((staged, path, name))
    return True


def announce(path: Path, staged: Path) -> None:
    """Note that what is complete at `staged` gets the name `path` now."""
    run = _RUN.get()
    path = path.absolute()
    if run is not None and run.is_beside(path):
        run.write_down([(staged, path)])


def _is_back(path: Path, state: str, old: Path | None) -> bool:
    """Whether what stood at a path stands there again; True too if it was never replaced, or by somebody else since."""
    if _state_of(path) != state:
        return True
    if old is None:
        return False
    try:
        old.replace(path)
    except OSError:
        return False
    return True


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


def _complete(note: Path) -> None:
    """Give what a killed run had decided on its names, if all of it is still as it left it: none or all."""
    pending: list[tuple[Path, Path]] = []
    for name, state, complete, before in _read(note)[2]:
        path, staged = Path(name), Path(complete)
        if _state_of(path) == state:
            continue  # it has its name
        if _state_of(path) != before or _state_of(staged) != state:
            return  # a person has put another one there since, or the complete one is gone
        pending.append((staged, path))
    for staged, path in pending:
        with suppress(FileNotFoundError):  # another process does the same
            staged.replace(path)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block is done."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _noted(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - many entries, few of them ours
    except OSError:
        return []
    return [folder / name for name in names if name.startswith(".medseg-") and name.endswith(NOTE)]


def _notes_in(folder: Path) -> list[Path]:
    return [note for note in _noted(folder) if is_left(note)]


def _read(note: Path) -> tuple[frozenset[Path], dict[Path, str], list[list[str]]]:
    """Outputs of a run, states of what it put there, and what it had decided on last; a line that was cut is none."""
    outputs: frozenset[Path] = frozenset()
    put: dict[Path, str] = {}
    decided: list[list[str]] = []
    with suppress(OSError, ValueError):
        for number, line in enumerate(note.read_text("utf-8").splitlines()):
            found = json.loads(line)
            if number == 0:
                outputs = frozenset(map(Path, found))
            elif isinstance(found[0], str):
                put[Path(found[0])] = found[1]
            else:
                decided = found
                put |= {Path(line[0]): line[1] for line in found}
    return outputs, put, decided
