"""What the text header of an NRRD or MetaImage file says, in one form for both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.domain.values import Details
from medseg.errors import InputError
from medseg.io.stream import LEFT_OVER, Packing, ends_after, fill, require_plausible, shaped, unpacked

__all__ = ["ORIENTATION_UNKNOWN", "Stored", "data_file", "put_once", "read_stored", "split_extents"]


ORIENTATION_UNKNOWN = Finding(
    "orientation.unknown",
    "warning",
    "The file does not say how its axes lie in the patient: left and right, front and "
    "back, and positions in the world are unknown; --orientation states them.",
)


#: Characters of a voxel as text, blanks included: what is behind so many for each is not read.
_LONGEST_WORD = 64


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Placement, and where the voxels are.

    Parameters
    ----------
    grid, volumes
        One grid for each of so many volumes, stored one after the other.
    dtype
        With byte order.
    file, start, packing
        Where voxels begin; `text` instead when they are written as decimal numbers.
    findings, details
        What is known; details hold the names of labels where the file has them.
    """

    grid: Grid
    volumes: int
    dtype: np.dtype[Any]
    file: Path
    start: int
    packing: Packing = "raw"
    text: bool = False
    findings: tuple[Finding, ...] = ()
    details: Details = ()

    @property
    def volume_bytes(self) -> int:
        """Bytes of one volume."""
        i, j, k = self.grid.shape
        return i * j * k * self.dtype.itemsize

    def require_plausible(self) -> None:
        """Refuse a header that promises more than the file holds."""
        if not self.text:
            require_plausible(self.file, self.volume_bytes * self.volumes, self.start, self.packing)


def put_once(path: Path, fields: dict[str, str], name: str, value: str) -> None:
    """Note what a header says of a name; said twice it has to be the same, since readers differ in which they take.

    Raises
    ------
    InputError
        If it is not.
    """
    if fields.setdefault(name, value) != value:
        raise InputError(f"{path}: the header is damaged ({name!r} stands twice, with two values)")


def read_stored(stored: Stored, volume: int) -> tuple[NDArray[Any], tuple[Finding, ...]]:
    """(I, J, K) values of one volume, and a Finding where bytes are left over behind the last one.

    Raises
    ------
    InputError
        If the file is cut short or damaged.
    """
    with unpacked(stored.file, stored.packing, stored.start) as file:
        if stored.text:
            most = stored.volumes * stored.volume_bytes // stored.dtype.itemsize * _LONGEST_WORD
            return _read_text(stored, file.read(most), volume)
        _skip(file, volume * stored.volume_bytes)
        values = fill(stored.file, file, stored.volume_bytes)
        whole = ends_after(file, (stored.volumes - 1 - volume) * stored.volume_bytes)
        return shaped(values, stored.dtype, stored.grid.shape), () if whole else (LEFT_OVER,)


def split_extents(path: Path, extents: list[int]) -> tuple[tuple[int, int, int], int]:
    """Three extents, a missing one being 1, and the number of volumes.

    Raises
    ------
    InputError
        If an extent is not positive, or there are none or more than four.
    """
    if not 1 <= len(extents) <= 4 or min(extents) < 1:
        raise InputError(f"{path}: the header is damaged or not of an image (sizes {extents})")
    i, j, k, volumes = (*extents, 1, 1, 1)[:4]
    return (i, j, k), volumes


def data_file(path: Path, name: str) -> Path:
    """The file with the voxels that a header names; it stays in the header's folder.

    Raises
    ------
    InputError
        If it is a list or pattern, lies elsewhere, or does not exist.
    """
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(f"{path} spreads its voxels over several files; convert it to a single file")
    target = path.parent / name
    if not target.resolve().is_relative_to(path.parent.resolve()):
        raise InputError(f"{path} names voxels outside its folder ({name}); put both files into one folder")
    if not target.is_file():
        raise InputError(f"{path} needs the file {name} beside it, which is not there")
    if target.samefile(path):
        raise InputError(f"{path} names itself as the file of its voxels, and holds a header of text")
    return target


def _skip(file: Any, count: int) -> None:
    while count:
        got = len(file.read(min(count, 1 << 24)))
        if not got:
            return
        count -= got


def _read_text(stored: Stored, data: bytes, volume: int) -> tuple[NDArray[Any], tuple[Finding, ...]]:
    count = stored.volume_bytes // stored.dtype.itemsize
    try:
        values = np.array(data.split(), dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{stored.file} is damaged: its voxels are no numbers") from error
    if values.size < count * stored.volumes:
        raise InputError(
            f"{stored.file} is cut short: {values.size} of {count * stored.volumes} voxels are there"
        )
    chosen = values[volume * count : (volume + 1) * count].astype(stored.dtype.newbyteorder("="))
    more = values.size > count * stored.volumes
    return chosen.reshape(stored.grid.shape, order="F"), (LEFT_OVER,) if more else ()
