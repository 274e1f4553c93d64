"""Arrays lent to another process: written once to a file that it maps, so that a scan is not sent for each task."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from medseg.domain.segmentation import count_labels, remember_counts
from medseg.io.leftovers import new_scratch_folder

__all__ = ["Lent", "Shelf", "Thin"]

#: Arrays below this size are sent with the task; a file would take longer.
_SMALL_BYTES = 1 << 20
#: Voxels of a piece of a thin array.
_PIECE = 1 << 16
#: Arrays that this process has mapped, by file: the same file is the same array, with the digest found for it.
_MAPPED: dict[str, NDArray[Any]] = {}


@dataclass(frozen=True, slots=True)
class Lent:
    """Where an array lies, and how; small enough to be sent."""

    path: str
    dtype: str
    shape: tuple[int, ...]

    def open(self) -> NDArray[Any]:
        """The array, mapped and read-only; the one that is mapped already where there is one."""
        found = _MAPPED.get(self.path)
        if found is None:
            found = np.memmap(self.path, self.dtype, "r", shape=self.shape, order="F")
            _MAPPED[self.path] = found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Thin:
    """An array without its empty pieces: what most of a large mask is.

    Parameters
    ----------
    shape, dtype
        Of the whole.
    starts, pieces
        Where in Fortran's order pieces that hold something begin, and their values one after another.
    """

    shape: tuple[int, ...]
    dtype: str
    starts: tuple[int, ...]
    pieces: NDArray[Any]

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Thin":
        """The same in less room, if much of it is zero."""
        flat = array.reshape(-1, order="F")
        starts = tuple(at for at in range(0, flat.size, _PIECE) if flat[at : at + _PIECE].max())
        pieces = [flat[at : at + _PIECE] for at in starts]
        return cls(array.shape, array.dtype.str, starts, np.concatenate([flat[:0], *pieces]))

    def whole(self) -> NDArray[Any]:
        """The array, read-only, in Fortran's order; its labels are counted by its pieces."""
        flat = np.zeros(int(np.prod(self.shape)), self.dtype)
        done = 0
        for at in self.starts:
            part = flat[at : at + _PIECE]
            part[:] = self.pieces[done : done + part.size]
            done += part.size
        flat.setflags(write=False)
        array = flat.reshape(self.shape, order="F")
        array.setflags(write=False)
        if array.dtype.kind == "u":
            counts = np.array(count_labels(self.pieces))
            counts[0] += array.size - self.pieces.size
            counts.setflags(write=False)
            remember_counts(array, counts)
        return array


class Shelf:
    """Arrays that other processes may map; the files go when it is closed, or with the next run after a kill."""

    def __init__(self) -> None:
        self._lent: dict[int, tuple[NDArray[Any], Lent]] = {}
        self._folder: Path | None = None
        self._lock = Lock()
        self._finalizer: Any = None

    def lend(self, array: NDArray[Any]) -> Lent | NDArray[Any]:
        """What to send in place of a read-only array: where it lies; itself if it is small or the disk is full."""
        if array.nbytes < _SMALL_BYTES or array.flags.writeable:
            return array
        with self._lock:
            known = self._lent.get(id(array))
            if known is None:
                try:
                    known = array, self._written(array)
                except OSError:
                    return array
                self._lent[id(array)] = known
            return known[1]

    def keep_only(self, arrays: tuple[NDArray[Any], ...]) -> None:
        """Take back all but these: what was lent takes as much room as what it is a copy of."""
        kept = {id(array) for array in arrays}
        with self._lock:
            for key in [key for key in self._lent if key not in kept]:
                Path(self._lent.pop(key)[1].path).unlink(missing_ok=True)

    def close(self) -> None:
        """Take everything back."""
        with self._lock:
            self._lent.clear()
            if self._finalizer is not None:
                self._finalizer()
            self._folder = None

    def _written(self, array: NDArray[Any]) -> Lent:
        if self._folder is None:
            self._folder = new_scratch_folder()
            self._finalizer = finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / secrets.token_hex(8)  # never used again: who has mapped it goes by its name
        try:
            with path.open("wb") as file:
                # Written, not mapped: a full disk is an error then, and no signal that ends the process.
                for part in np.array_split(np.moveaxis(array, -1, 0), max(1, array.shape[-1] // 16)):
                    file.write(np.moveaxis(part, 0, -1).tobytes(order="F"))
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return Lent(str(path), array.dtype.str, array.shape)


def forget_all_but(paths: set[str]) -> None:
    """Let go of arrays that are mapped and not lent any more; of the process that maps them."""
    for path in [path for path in _MAPPED if path not in paths]:
        del _MAPPED[path]
