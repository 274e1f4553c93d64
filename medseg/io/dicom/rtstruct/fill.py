"""The contours of one structure on one slice as pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.masks.rasterise import rasterise

__all__ = ["fill_slice"]


def fill_slice(
    polygons: list[NDArray[np.float64]], shape: tuple[int, int], *, xor: bool
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """(mask, what had to be decided) of polygons in fractional pixel indices (N, 2).

    With `xor` they are combined by exclusive or, as their type says. Else, largest first: one that lies wholly
    within what is filled is a hole ("nested"), one that overlaps in part is added ("overlap"), and one that
    fills the same pixels as another again changes nothing.
    """
    pieces = [_piece(polygon, shape) for polygon in polygons]
    total = np.zeros(shape, dtype=np.bool_)
    if xor:
        for piece in pieces:
            total[piece.box] ^= piece.mask
        return total, ()
    decided: dict[str, None] = {}
    seen: set[tuple[object, ...]] = set()
    for piece in sorted(pieces, key=lambda item: -item.size):
        if piece.key in seen:
            continue
        seen.add(piece.key)
        part = total[piece.box]
        inside = int((part & piece.mask).sum())
        if inside and inside == piece.size:
            part &= ~piece.mask
            decided["nested"] = None
        else:
            part |= piece.mask
            if inside:
                decided["overlap"] = None
    return total, tuple(decided)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One polygon's pixels within the box that holds them: islands are many and small."""

    box: tuple[slice, slice]
    mask: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return int(self.mask.sum())

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for polygons that fill the same pixels."""
        rows, columns = np.nonzero(self.mask)
        return (rows + self.box[0].start).tobytes(), (columns + self.box[1].start).tobytes()


def _piece(polygon: NDArray[np.float64], shape: tuple[int, int]) -> _Piece:
    low = np.clip(np.floor(polygon.min(axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(polygon.max(axis=0)) + 1, low, shape).astype(int)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    box = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
    return _Piece(box, rasterise(polygon - low, size))
