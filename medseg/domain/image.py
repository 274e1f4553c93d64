"""The image: one channel of values on a grid."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.source import Source
from medseg.domain.values import owned
from medseg.domain.views import shown_in_notebook
from medseg.errors import InputError

__all__ = ["Image", "digest_of"]

_DIGEST_BLOCK = 1 << 24
#: Digests of arrays that are alive, by their identity.
_DIGESTS: dict[int, str] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One channel of physical values on a grid; compare with `geometry.same_grid` and `digest`.

    Parameters
    ----------
    array
        (I, J, K), integer or float, read-only; stored slope and intercept are applied already.
    grid
        Where the voxels lie.
    modality
        DICOM's word (`CT`, `MR`, `PT`, …), or None when unknown.
    value_unit
        UCUM: `[hnsf'U]` only where values are trustworthy HU, `g/ml{SUVbw}`, else `[arb'U]`.
    channel
        Name of the channel, such as `mr`.
    findings
        What a report on this image must say.
    source
        The file or series it came from.
    outside
        (I, J, K) bool: voxels that hold no measurement (padding, the circle around a CT reconstruction,
        areas that resampling filled). Statistics leave them out and they count as border.
    """

    array: NDArray[Any]
    grid: Grid
    modality: str | None = None
    value_unit: str = "[arb'U]"
    channel: str = "image"
    findings: tuple[Finding, ...] = ()
    source: Source | None = None
    outside: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise InputError(f"array of shape {self.array.shape} on a grid of shape {self.grid.shape}")
        if self.array.dtype.kind not in "iuf":
            raise InputError(f"an image holds integers or floats, not {self.array.dtype}")
        object.__setattr__(self, "array", owned(self.array))
        if self.outside is not None:
            if self.outside.shape != self.grid.shape or self.outside.dtype != np.bool_:
                raise InputError(f"`outside` must be bool of shape {self.grid.shape}")
            object.__setattr__(self, "outside", owned(self.outside))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Image, **{name: getattr(self, name) for name in self.__slots__}), ()

    def _repr_html_(self) -> str:
        return shown_in_notebook(self)

    @property
    def is_pet(self) -> bool:
        """Whether it shows uptake: by its modality, else by its unit."""
        return self.modality == "PT" if self.modality else self.value_unit.startswith("g/ml{SUV")

    @property
    def digest(self) -> str:
        """SHA-256 of the values as held; see `digest_of`. Worked out once for the same read-only values."""
        return _digest_once(self.array)


def digest_of(array: NDArray[Any]) -> str:
    """SHA-256 (hex) of voxel values: little-endian, i fastest, labels in the smallest unsigned type.

    The shape and dtype are not hashed: the grid is stored beside a digest and compared by itself.

    >>> digest_of(np.zeros((2, 2, 2), np.uint8)) == digest_of(np.zeros((2, 4, 1), np.uint8))
    True
    """
    hasher = hashlib.sha256()
    for block in _fortran_blocks(array):
        hasher.update(block)
    return hasher.hexdigest()


def _digest_once(array: NDArray[Any]) -> str:
    """Digest of an array that nobody can write to, as `owned` holds it; forgotten with the array."""
    key = id(array)
    if key not in _DIGESTS:
        _DIGESTS[key] = digest_of(array)
        finalize(array, _DIGESTS.pop, key, None)
    return _DIGESTS[key]


def _fortran_blocks(array: NDArray[Any]) -> Iterator[memoryview]:
    little = array.dtype.newbyteorder("<")
    if array.flags.f_contiguous and array.dtype == little:
        yield array.reshape(-1, order="F").view(np.uint8).data
        return
    step = max(1, _DIGEST_BLOCK // max(1, array[..., :1].nbytes))
    for start in range(0, array.shape[-1], step):
        part = np.asfortranarray(array[..., start : start + step], dtype=little)
        yield part.reshape(-1, order="F").view(np.uint8).data
