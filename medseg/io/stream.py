"""Bytes of voxels from a file, unpacked and complete, or one line that says how the file is damaged."""

import bz2
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding
from medseg.errors import InputError, ResourceError
from medseg.io.plain import unchanged

__all__ = [
    "LEFT_OVER",
    "Packing",
    "ends_after",
    "fill",
    "packing_of",
    "require_plausible",
    "shaped",
    "unpacked",
]

Packing: TypeAlias = Literal["raw", "gzip", "bzip2", "zlib"]

#: The best that each packing can do; a header that promises more than this times the file is a lie.
_BEST_RATIO: dict[Packing, int] = {"raw": 1, "gzip": 1040, "zlib": 1040, "bzip2": 500_000}
_BLOCK_BYTES, _BEHIND_BYTES = 1 << 25, 1 << 20
_AGAIN = "copy or export it again"
LEFT_OVER = Finding(
    "voxels.left_over",
    "warning",
    "The file holds more bytes than the voxels that its header describes: its size may be stated wrongly, and then "
    "every voxel lies elsewhere.",
)


def packing_of(path: Path) -> Packing:
    """`gzip` if the file begins as one, else `raw`."""
    with _damage(path), path.open("rb") as file:
        return "gzip" if file.read(2) == b"\x1f\x8b" else "raw"


@contextmanager
def unpacked(path: Path, packing: Packing, start: int = 0) -> Iterator[IO[bytes]]:
    """The bytes from `start` on, unpacked; what is damaged or changes raises InputError, also while reading."""
    with unchanged(path), _damage(path), path.open("rb") as raw:
        raw.seek(start)
        if packing == "raw":
            yield raw
        elif packing == "gzip":
            with gzip.GzipFile(fileobj=raw) as file:
                yield cast("IO[bytes]", file)
        elif packing == "bzip2":
            with bz2.BZ2File(raw) as file:
                yield file
        else:
            with io.BufferedReader(_Inflate(raw)) as file:
                yield cast("IO[bytes]", file)


def fill(path: Path, file: IO[bytes], count: int) -> NDArray[np.uint8]:
    """Exactly `count` bytes; `ends_after` reads what follows them.

    Raises
    ------
    InputError
        If the file is shorter.
    ResourceError
        If they do not fit into memory.
    """
    try:
        buffer = np.empty(count, np.uint8)
    except MemoryError as error:
        raise ResourceError(
            f"{path} needs {count / 2**30:.1f} GiB, which are not free; crop or resample it"
        ) from error
    view, filled = memoryview(buffer.data), 0
    while filled < count:
        got = cast("io.BufferedReader", file).readinto(view[filled : filled + _BLOCK_BYTES])
        if not got:
            raise InputError(f"{path} is cut short: {filled} of {count} bytes of voxels are there; {_AGAIN}")
        filled += got
    return buffer


def ends_after(file: IO[bytes], count: int) -> bool:
    """Whether a file ends within `count` bytes from here; no more are unpacked, and its checksum is checked."""
    while count:
        got = len(file.read(min(count, _BLOCK_BYTES)))
        if not got:
            return True
        count -= got
    return not file.read(1)


def shaped(buffer: NDArray[np.uint8], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The bytes as an array, first axis fastest, in the machine's byte order; a copy only if swapped."""
    values = buffer.view(dtype)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return values.reshape(shape, order="F")


def require_plausible(path: Path, needed: int, start: int, packing: Packing) -> None:
    """Refuse a header that promises more bytes than the file can hold, before memory is asked for."""
    available = max(0, path.stat().st_size - start)
    if needed > available * _BEST_RATIO[packing]:
        raise InputError(
            f"{path} is cut short or its header is damaged: it promises {needed} bytes of voxels and has "
            f"{available}; {_AGAIN}"
        )


class _Inflate(io.RawIOBase):
    """A zlib stream as a file."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._raw.read(1 << 16)
            if not packed:
                raise EOFError("zlib")
            data = self._inflate.decompress(packed, len(target))
            if data:
                target[: len(data)] = data
                return len(data)
        return 0


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise InputError(f"{path} is cut short (its packed data have no end); {_AGAIN}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged (packed data: {error}); {_AGAIN}") from error
    except (InputError, ResourceError):
        raise
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
