"""Files of text for people and programs, read whole: regular ones of a bounded size, faults in one line."""

import stat
from pathlib import Path

from medseg.errors import InputError
from medseg.io.unfinished import complete_beside

__all__ = ["read_plain", "require_regular"]

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
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {_reason(error)}") from error
    if len(data) > most:
        raise InputError(f"{path} can't be read: it is larger than {most >> 20} MiB")
    return data


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
