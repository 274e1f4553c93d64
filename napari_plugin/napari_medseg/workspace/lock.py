"""A file's lock: held as long as its owner lives, whatever ends it."""

import sys
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["is_locked", "lock"]


def lock(file: IO[Any]) -> bool:
    """Take the lock of an open file; False if another one holds it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody works on a file."""
    try:
        with path.open("r+b") as file:
            return not lock(file)
    except OSError:
        return True
