"""The segmentation: labels on a grid, what they mean, and how they were made."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.image import digest_of
from medseg.domain.labels import LabelTable
from medseg.domain.provenance import Provenance
from medseg.domain.values import is_frozen, owned
from medseg.domain.views import shown_in_notebook
from medseg.errors import LabelError

__all__ = [
    "NOT_READ",
    "Probabilities",
    "Segmentation",
    "SharesByClass",
    "count_labels",
    "remember_counts",
    "smallest_unsigned",
    "voxels_with",
]

#: Labels counted at a time.
_BLOCK = 1 << 18
#: Counts of arrays that are alive, by their identity.
_COUNTS: dict[int, NDArray[np.intp]] = {}
#: Code of the Finding on a label whose voxels could not be read; its details are `label` and `reason`.
NOT_READ = "mask.not_read"


class SharesByClass(Protocol):
    """Probabilities of which one class at a time is on the native grid; `numpy.asarray` has them all there."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, I, J, K)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> NDArray[np.float32]: ...

    def __iter__(self) -> Iterator[NDArray[np.float32]]: ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]: ...  # noqa: FBT001 - NumPy's

    def rounded_by_ml(self, number: int) -> float:
        """What keeping them small added to the volume of a class."""
        ...


#: An array (C, I, J, K), or what gives one class of it at a time.
Probabilities: TypeAlias = NDArray[np.floating[Any]] | SharesByClass


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Labels on a grid.

    Parameters
    ----------
    labels
        (I, J, K) unsigned integers, stored in the smallest type that holds them; 0 is background.
    grid
        The native grid of the image that was segmented.
    table
        Names and regions; every value in `labels` has an entry.
    made_by, findings
        History, and what a reader must know.
    instances
        (I, J, K) unsigned ids of objects (lesions), or None.
    probabilities
        (C, I, J, K) float, background first, or None; as an array, or one class at a time.
    """

    labels: NDArray[Any]
    grid: Grid
    table: LabelTable
    made_by: Provenance = Provenance()
    findings: tuple[Finding, ...] = ()
    instances: NDArray[Any] | None = None
    probabilities: Probabilities | None = None

    def __post_init__(self) -> None:
        if self.labels.shape != self.grid.shape:
            raise LabelError(f"labels of shape {self.labels.shape} on a grid of shape {self.grid.shape}")
        if self.labels.dtype.kind not in "ub":
            raise LabelError(f"labels are unsigned integers, not {self.labels.dtype}")
        labels = smallest_unsigned(self.labels)
        object.__setattr__(self, "labels", owned(labels))
        unknown = set(self.present) - set(self.table.values)
        if unknown:
            raise LabelError(
                f"labels {sorted(unknown)} occur in the mask and not in its table {self.table.values}"
            )
        for name in ("instances", "probabilities"):
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape[-3:] != self.grid.shape:
                raise LabelError(f"{name} of shape {array.shape} on a grid of shape {self.grid.shape}")
            if isinstance(array, np.ndarray):
                object.__setattr__(self, name, owned(array))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Segmentation, **{name: getattr(self, name) for name in self.__slots__}), ()

    def _repr_html_(self) -> str:
        return shown_in_notebook(self)

    @property
    def present(self) -> tuple[int, ...]:
        """Label values that occur, without background. Cost: one pass over the labels."""
        return tuple(int(value) for value in np.flatnonzero(count_labels(self.labels)) if value)

    @property
    def digest(self) -> str:
        """SHA-256 of the labels as held; see `digest_of`."""
        return digest_of(self.labels)

    @property
    def not_read(self) -> dict[str, str]:
        """Name → reason of the labels and regions whose voxels could not be read, so that 0 voxels say nothing."""
        found = [item for item in self.findings if item.code == NOT_READ]
        return {str(item.detail("label")): str(item.detail("reason")) for item in found}

    def mask(self, *values: int) -> NDArray[np.bool_]:
        """(I, J, K) bool: voxels with any of these labels."""
        return voxels_with(self.labels, values)


def count_labels(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Voxels of each value from 0 to the largest that occurs; read-only.

    Cost: one pass, and no copy of an array in one piece; nothing the second time for an array that nobody can write to.

    >>> count_labels(np.array([[[0, 2, 2]]], np.uint8)).tolist()
    [1, 0, 2]
    """
    known = _COUNTS.get(id(labels))
    if known is None:
        known = _counted(labels)
        if is_frozen(labels):
            remember_counts(labels, known)
    return known


def remember_counts(labels: NDArray[Any], counts: NDArray[np.intp]) -> None:
    """Note what `count_labels` will find in an array that nobody can write to; forgotten with the array."""
    if id(labels) not in _COUNTS:
        _COUNTS[id(labels)] = counts
        finalize(labels, _COUNTS.pop, id(labels), None)


def _counted(labels: NDArray[Any]) -> NDArray[np.intp]:
    flat = labels.ravel(order="K")
    top = np.iinfo(np.uint8).max if flat.dtype == np.uint8 else int(flat.max(initial=0))
    counts = np.zeros(top + 1, np.intp)
    # In blocks, as counting turns labels into eight bytes each.
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        if block.max():  # most of a large mask is background, which is faster seen than counted
            counts += np.bincount(block, minlength=counts.size)
        else:
            counts[0] += block.size
    last = int(np.flatnonzero(counts)[-1]) if flat.size else 0
    counts.setflags(write=False)
    return counts[: last + 1]


def voxels_with(labels: NDArray[Any], values: Collection[int]) -> NDArray[np.bool_]:
    """Bool of the shape and memory order of `labels` (unsigned): where one of these values stands.

    The same as `np.isin`, which turns an array of Fortran's order, as NIfTI's and DICOM's are here, into one of C's.

    >>> voxels_with(np.array([0, 1, 2, 3], np.uint8), (1, 3)).tolist()
    [False, True, False, True]
    """
    if len(values) == 1:
        return np.asarray(labels == next(iter(values)))
    table = np.zeros(max(int(labels.max(initial=0)), *values, 0) + 1, dtype=np.bool_)
    table[list(values)] = True
    return np.asarray(table[labels])


def smallest_unsigned(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels in uint8, uint16 or uint32: the smallest that holds the largest value."""
    if labels.dtype == np.uint8:
        return labels
    top = int(labels.max()) if labels.size else 0
    dtype = np.dtype(np.uint8 if top < 2**8 else np.uint16 if top < 2**16 else np.uint32)
    return labels if labels.dtype == dtype else labels.astype(dtype, order="K")
