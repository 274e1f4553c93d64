"""Arrays in temporary files that are gone with the process, whatever ends it."""

import mmap
import os
import tempfile
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import ResourceError

__all__ = ["forget_pages", "zeros_on_disk"]


def zeros_on_disk(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """Zeros in a file without a name.

    Raises
    ------
    ResourceError
        If the disk has no room for it; all of it is taken at once, since a full disk met later would end the process.
    """
    size = prod(shape) * kind.itemsize
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            raise ResourceError(
                f"neither memory nor {tempfile.gettempdir()} has {size / 2**30:.1f} GiB for the sums of windows "
                f"({error.strerror or error}); give more --memory, or another folder with TMPDIR"
            ) from error
        return np.memmap(file, kind, "r+", shape=shape)


def forget_pages(array: NDArray[Any]) -> None:
    """Let the system write an array's pages to its file and take their memory, where it is in a file."""
    pages = getattr(array, "_mmap", None)
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)
