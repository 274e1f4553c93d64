"""What has a path and is no file: standard output, which is written to, and devices, which are left alone."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medseg.io.leftovers import scratch_folder

__all__ = ["descriptor_of", "is_device", "poured"]

_NAMED = {"/dev/stdout": 1, "/dev/stderr": 2}
_FOLDERS = ("/dev/fd", "/proc/self/fd")


def descriptor_of(path: Path) -> int | None:
    """Number of the open stream that a path such as `/dev/stdout` or `/dev/fd/3` stands for; else None."""
    text = str(path)
    if text in _NAMED:
        return _NAMED[text]
    return int(path.name) if str(path.parent) in _FOLDERS and path.name.isdecimal() else None


def is_device(path: Path) -> bool:
    """Whether there is something that is neither file nor folder: a device, a pipe, a socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def poured(descriptor: int, suffix: str) -> Iterator[Path]:
    """A file in a folder of its own; what was written there goes to an open stream when the block succeeds."""
    with scratch_folder() as folder:
        staged = folder / f"out{suffix}"
        yield staged
        with suppress(AttributeError, ValueError):
            sys.stdout.flush()
        with staged.open("rb") as file, os.fdopen(os.dup(descriptor), "wb") as stream:
            while block := file.read(1 << 20):
                stream.write(block)
