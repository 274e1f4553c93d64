"""Voxels that one change gave other values, packed: enough to make it again, and to take it back."""

import zlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Patch", "box_of", "patch_between"]

Box: TypeAlias = tuple[slice, slice, slice]

#: Fast, and small enough: what is packed is mostly the same.
_LEVEL = 1
#: Labels are 65535 at most; see `domain.Label`.
_VALUES = np.dtype("<u2")


@dataclass(frozen=True, slots=True)
class Patch:
    """Changed voxels in a box.

    Parameters
    ----------
    corner, shape
        Where the box begins, and how large it is.
    changed
        One bit per voxel of the box (last axis fastest), packed.
    old, new
        Values of the changed voxels in that order, packed.
    """

    corner: tuple[int, int, int]
    shape: tuple[int, int, int]
    changed: bytes
    old: bytes
    new: bytes

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return len(self.changed) + len(self.old) + len(self.new)

    @property
    def box(self) -> Box:
        """Its box."""
        i, j, k = (slice(a, a + n) for a, n in zip(self.corner, self.shape, strict=True))
        return i, j, k

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(shape) bool: which voxels changed."""
        bits = np.frombuffer(zlib.decompress(self.changed), np.uint8)
        count = int(np.prod(self.shape))
        return np.unpackbits(bits, count=count).astype(np.bool_).reshape(self.shape)

    @property
    def before(self) -> NDArray[np.uint16]:
        """Values that the changed voxels had."""
        return _values(self.old)

    @property
    def after(self) -> NDArray[np.uint16]:
        """Values that they got."""
        return _values(self.new)

    def put(self, labels: NDArray[Any], *, back: bool = False) -> None:
        """Make the change in (I, J, K) labels, or take it back; in place."""
        labels[self.box][self.mask] = (self.before if back else self.after).astype(labels.dtype)


def patch_between(before: NDArray[Any], after: NDArray[Any], corner: tuple[int, int, int]) -> Patch | None:
    """The change from one box of values to another, in the smallest box; None where nothing differs.

    Parameters
    ----------
    before, after
        Values from 0 to 65535.
    corner
        Place of the box in the whole array.
    """
    first, last = _labelled(before, after)
    before, after = before[..., first:last], after[..., first:last]
    corner = (corner[0], corner[1], corner[2] + first)
    differs = before != after
    box = box_of(differs)
    if box is None:
        return None
    inner = differs[box]
    i, j, k = (a + side.start for a, side in zip(corner, box, strict=True))
    bits = np.packbits(inner.reshape(-1))
    return Patch(
        (i, j, k),
        (inner.shape[0], inner.shape[1], inner.shape[2]),
        zlib.compress(bits.tobytes(), _LEVEL),
        _packed(before[box][inner]),
        _packed(after[box][inner]),
    )


def _labelled(before: NDArray[Any], after: NDArray[Any]) -> tuple[int, int]:
    """Slices along the last axis outside which both are empty: to see that is ten times faster than to compare."""
    used = [
        k for k in range(before.shape[-1]) if before[..., k].max(initial=0) or after[..., k].max(initial=0)
    ]
    return (used[0], used[-1] + 1) if used else (0, 0)


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box around what is true; None where nothing is."""
    sides: list[slice] = []
    rest = mask
    for axis in range(3):
        used = np.flatnonzero(rest.any(axis=tuple(other for other in range(3) if other != axis)))
        if not used.size:
            return None
        sides.append(slice(int(used[0]), int(used[-1]) + 1))
        rest = rest[(slice(None),) * axis + (sides[-1],)]  # the next axes need not look further
    return sides[0], sides[1], sides[2]


def _packed(values: NDArray[Any]) -> bytes:
    return zlib.compress(values.astype(_VALUES).tobytes(), _LEVEL)


def _values(packed: bytes) -> NDArray[np.uint16]:
    return np.frombuffer(zlib.decompress(packed), _VALUES)
