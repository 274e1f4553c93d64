"""Probabilities kept small: compressed, on the grid of the network; one class at a time on the native grid."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.geometry.orientation import AxisOrder, order_to
from medseg.geometry.resample import resample

__all__ = ["LARGEST_RELATIVE_ERROR", "KeptShares", "ShareKeeper", "reordered_shares"]

#: Of a share, by rounding it to float16; below 6e-5 the error is 3e-8 at most.
LARGEST_RELATIVE_ERROR = 2.0**-11
#: zlib's quickest: shares of most classes are 0 nearly everywhere, and more effort gains little.
_EFFORT = 1


@dataclass(frozen=True, slots=True, eq=False)
class KeptShares:
    """Shares of all classes, compressed in float16 on the network's grid; float32 on `grid` where they are asked for.

    It is read as an array (C, I, J, K) is: `shares[number]` is one class on the native grid, of which nothing else is
    held. `numpy.asarray` gives all at once: classes × native voxels × 4 bytes.

    Parameters
    ----------
    source
        Grid of the network.
    grid
        Native grid; beyond `source` there is background for certain.
    axis
        Of `source`, along which pieces follow one another.
    pieces
        Of each class, compressed planes from the first to the last.
    rounded_by
        Of each class: what rounding added to the sum of its shares on `source`.
    """

    source: Grid
    grid: Grid
    axis: int
    pieces: tuple[tuple[bytes, ...], ...] = field(repr=False)
    rounded_by: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, I, J, K) on the native grid."""
        return (len(self.pieces), *self.grid.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that are held."""
        return sum(len(piece) for pieces in self.pieces for piece in pieces)

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """(I, J, K) float32: one class on the native grid, interpolated linearly. Memory: two arrays of each grid."""
        order = order_to(self.source, self.grid.orientation)
        values = order.apply(self.kept(number).astype(np.float32))
        found = resample(values, order.grid(self.source), self.grid, fill=float(number % len(self) == 0))
        return np.asarray(found, np.float32)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[number] for number in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - NumPy's signature
        return np.stack(list(self)).astype(dtype or np.float32, copy=False)

    def kept(self, number: int) -> NDArray[np.float16]:
        """One class on the grid of the network, as it is kept."""
        across = [size for axis, size in enumerate(self.source.shape) if axis != self.axis]
        planes = [_unpacked(piece).reshape(-1, *across) for piece in self.pieces[number]]
        return np.moveaxis(np.concatenate(planes), 0, self.axis)

    def on(self, grid: Grid) -> "KeptShares":
        """The same on another grid of the same world."""
        return replace(self, grid=grid)

    def rounded_by_ml(self, number: int) -> float:
        """What rounding added to the volume of a class."""
        return self.rounded_by[number] * self.source.voxel_volume / 1000


class ShareKeeper:
    """Makes `KeptShares` of planes that come one after another.

    Parameters
    ----------
    source, grid, axis
        As of `KeptShares`.
    classes
        How many.
    """

    def __init__(self, source: Grid, grid: Grid, axis: int, classes: int) -> None:
        self._place = (source, grid, axis)
        self._pieces: list[list[bytes]] = [[] for _ in range(classes)]
        self._rounded_by = np.zeros(classes)

    def add(self, number: int, planes: NDArray[Any]) -> None:
        """The next planes of one class: `axis` first, then the other axes in their order."""
        kept = planes.astype(np.float16)
        exact = planes.sum(dtype=np.float64)
        self._rounded_by[number] += kept.sum(dtype=np.float64) - exact
        self._pieces[number].append(_packed(kept))

    def done(self) -> KeptShares:
        """All that came."""
        pieces = tuple(tuple(one) for one in self._pieces)
        return KeptShares(*self._place, pieces, tuple(float(value) for value in self._rounded_by))


def reordered_shares(shares: Any, order: AxisOrder, grid: Grid) -> Any:
    """Shares in another order of axes, which are those of `grid`: an array as a view, kept ones by their place."""
    if shares is None:
        return None
    return shares.on(grid) if isinstance(shares, KeptShares) else order.apply(shares)


def _packed(values: NDArray[np.float16]) -> bytes:
    """High bytes first, then low ones: what is alike stands together."""
    halves = values.astype("<f2").reshape(-1).view(np.uint8).reshape(-1, 2)
    return zlib.compress(np.ascontiguousarray(halves.T).tobytes(), _EFFORT)


def _unpacked(piece: bytes) -> NDArray[np.float16]:
    halves = np.frombuffer(zlib.decompress(piece), np.uint8).reshape(2, -1)
    return np.ascontiguousarray(halves.T).view("<f2").reshape(-1).astype(np.float16, copy=False)
