"""Files of text for people and programs, read whole: regular ones of a bounded size, faults in one line."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medseg.errors import InputError
from medseg.io.unfinished import complete_beside

__all__ = ["read_plain", "require_regular", "unchanged"]

#: More than any table, record or list has.
MOST_BYTES = 1 << 28


def require_regular(path: Path) -> None:
    """Refuse devices and pipes, from which no end may come; what does not exist, and folders, pass.

    A killed run that stopped between the names of its outputs, this file among them, is completed first.

    Raises
    ------
    InputError
        In one line; also if a folder on the way may not be searched, or the path can be none.
    """
    _complete(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {_reason(error)}") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is a device or a pipe; give a file")


def read_plain(path: str | Path, *, most: int = MOST_BYTES) -> bytes:
    """All bytes of a file of text.

    Raises
    ------
    InputError
        If it is no file, can't be read, or holds more than `most` bytes.
    """
    path = Path(path)
    require_regular(path)
    try:
        with unchanged(path), path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {_reason(error)}") from error
    if len(data) > most:
        raise InputError(f"{path} can't be read: it is larger than {most >> 20} MiB")
    return data


@contextmanager
def unchanged(*files: Path) -> Iterator[None]:
    """Refuse what was read inside the block if one of the files became another one meanwhile.

    A scanner, a copy or another program that still writes would give half of the old bytes and half of the new.

    Raises
    ------
    InputError
        Also in place of the one that reading half of a file led to.
    """
    before = [_state_of(file) for file in files]
    try:
        yield
    except InputError as error:
        _require_same(files, before, error)
        raise
    _require_same(files, before)


def _require_same(
    files: tuple[Path, ...], before: list[tuple[int, ...] | None], error: InputError | None = None
) -> None:
    for file, state in zip(files, before, strict=True):
        if _state_of(file) != state:
            raise InputError(
                f"{file} changed while it was read; try again when nothing writes to it any more"
            ) from error


def _state_of(file: Path) -> tuple[int, ...] | None:
    """None for a folder, whose files are looked at one by one, and for what is not there."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return None if stat.S_ISDIR(found.st_mode) else (found.st_ino, found.st_size, found.st_mtime_ns)


def _complete(path: Path) -> None:
    try:
        complete_beside(path)
    except ValueError:
        return  # the path can be none, which is said where it is opened
    except OSError as error:
        raise InputError(
            f"{path} is one of several outputs of a run that was killed, and the others can't get their names "
            f"({_reason(error)}); run it again where it may write"
        ) from error


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
