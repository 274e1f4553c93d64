"""Names of what is not complete yet, and the removal of what killed runs left under such names."""

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil

from medseg.settings import temporary_folder

__all__ = [
    "NOTE",
    "aside_name",
    "is_left",
    "new_scratch_folder",
    "remove",
    "scratch_folder",
    "staged_name",
    "sweep",
]

#: Suffix of notes on what a run has put where (see `unfinished`): who reads them removes them.
NOTE = ".note"

#: `.medseg-<machine>-<process>-<random>`, then a suffix, or `.was.` and the name of what was moved aside.
_NAME = re.compile(r"\.medseg-(?:([0-9a-f]{6})-(\d+)-)?[0-9a-f]{8}(?:\.was\.(.+)|\..*)?", re.DOTALL)
#: What another machine, or nobody known, left is swept after an hour; of a process that runs here after a day.
_FOREIGN_S, _RUNNING_S = 3600.0, 86400.0
_SWEPT: set[Path] = set()


def staged_name(path: Path, suffix: str = "") -> Path:
    """A free name beside `path`; it tells which process of which machine writes there."""
    return path.with_name(f".medseg-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{suffix}")


def aside_name(path: Path) -> Path:
    """A free name beside `path` for what stands there, while something else takes its place."""
    return staged_name(path, f".was.{path.name}")


def sweep(folder: Path, *, again: bool = False) -> None:
    """Remove what killed runs left in a folder; what they had moved aside gets its name back if that is free.

    Once for each folder and process, unless it is asked for `again` because a run there was killed just now. What a
    running process of this machine writes is left alone for a day.
    """
    folder = folder.absolute()
    if folder in _SWEPT and not again:
        return
    _SWEPT.add(folder)
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - many entries, few of them ours
            found = _NAME.fullmatch(name) if name.startswith(".medseg-") else None
            if found is not None:
                with suppress(OSError):
                    _settle(folder / name, found)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder among the temporary ones, removed at the end; one that a killed run left goes with the next."""
    folder = new_scratch_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_scratch_folder() -> Path:
    """The same for who removes it; what killed runs left beside it is removed."""
    home = temporary_folder()
    sweep(home)
    folder = staged_name(home / "scratch")
    folder.mkdir(mode=0o700)
    return folder


def is_left(path: Path) -> bool:
    """Whether something bears a name of ours and the process that gave it is gone."""
    found = _NAME.fullmatch(path.name)
    try:
        return found is not None and _is_left(path, found)
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def _settle(path: Path, name: re.Match[str]) -> None:
    if path.suffix == NOTE or not _is_left(path, name):
        return
    was = name.group(3)
    if was and not os.path.lexists(path.with_name(was)):
        path.rename(path.with_name(was))
    else:
        remove(path)


def _is_left(path: Path, name: re.Match[str]) -> bool:
    machine, process, _ = name.groups()
    age = time.time() - path.lstat().st_mtime
    if machine != _machine():
        return age >= _FOREIGN_S
    return int(process) != os.getpid() and (not _runs(int(process)) or age >= _RUNNING_S)


def _runs(process: int) -> bool:
    return bool(psutil.pid_exists(process))


@cache
def _machine() -> str:
    """Six hex digits of the machine, and of the container: processes are numbered anew in each."""
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:6]
