"""Names of what is not complete yet, and the removal of what killed runs left under such names."""

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

__all__ = ["aside_name", "staged_name", "sweep"]

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


def sweep(folder: Path) -> None:
    """Remove what killed runs left in a folder; what they had moved aside gets its name back if that is free.

    Once for each folder and process. What a running process of this machine writes is left alone for a day.
    """
    folder = folder.absolute()
    if folder in _SWEPT:
        return
    _SWEPT.add(folder)
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - many entries, few of them ours
            found = _NAME.fullmatch(name) if name.startswith(".medseg-") else None
            if found is not None:
                with suppress(OSError):
                    _settle(folder / name, found)


def _settle(path: Path, name: re.Match[str]) -> None:
    machine, process, was = name.groups()
    age = time.time() - path.lstat().st_mtime
    if machine == _machine():
        if int(process) == os.getpid() or (_runs(int(process)) and age < _RUNNING_S):
            return
    elif age < _FOREIGN_S:
        return
    if was and not os.path.lexists(path.with_name(was)):
        path.rename(path.with_name(was))
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


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
