"""The contours of one structure on one slice as pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.masks.rasterise import rasterise

__all__ = ["fill_slice"]

#: Outlines of which more than half runs this near (pixels) to another's nearly coincide with it, …
_TOUCHING = 0.45
#: … and so do those that leave it nowhere by more than this: a wall thinner than a pixel holds no pixel.
_WALL = 0.9
#: An outline is looked at in so many places; more tell nothing new.
_PLACES = 128


def fill_slice(
    polygons: list[NDArray[np.float64]], shape: tuple[int, int], *, xor: bool
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """(mask, what had to be decided) of polygons in fractional pixel indices (N, 2).

    With `xor` they are combined by exclusive or, as their type says. Else, largest first: one that lies wholly
    within what is filled is a hole ("nested"), one that overlaps in part is added ("overlap"), and one that
    fills the same pixels as another again changes nothing. A hole lies inside and does not nearly coincide: an
    outline that nearly follows another's does again what that one did ("twice").
    """
    pieces = [_piece(polygon, shape) for polygon in polygons]
    total = np.zeros(shape, dtype=np.bool_)
    if xor:
        for piece in pieces:
            total[piece.box] ^= piece.mask
        return total, ()
    decided: dict[str, None] = {}
    seen: dict[tuple[object, ...], tuple[_Piece, bool]] = {}
    for piece in sorted(pieces, key=lambda item: -item.size):
        if piece.key in seen:
            continue
        part = total[piece.box]
        inside = int((part & piece.mask).sum())
        twin = next((fills for other, fills in seen.values() if piece.follows(other, hole=not fills)), None)
        fills = twin if twin is not None else not (inside and inside == piece.size)
        how = "twice" if twin is not None else "nested" if not fills else "overlap" if inside else ""
        if fills:
            part |= piece.mask
        else:
            part &= ~piece.mask
        seen[piece.key] = piece, fills
        decided[how] = None
    return total, tuple(how for how in decided if how)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One polygon's pixels within the box that holds them: islands are many and small."""

    polygon: NDArray[np.float64]
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

    def follows(self, other: "_Piece", *, hole: bool) -> bool:
        """Whether its outline nearly coincides with another's; one much smaller than a hole is an island in it."""
        if hole and 2 * self.size < other.size:
            return False
        low, high = other.polygon.min(axis=0) - _WALL, other.polygon.max(axis=0) + _WALL
        if (self.polygon.max(axis=0) < low).any() or (self.polygon.min(axis=0) > high).any():
            return False
        away = _distances(_along(self.polygon), other.polygon)
        return bool(away.max() < _WALL or np.mean(away < _TOUCHING) > 0.5)


def _along(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places on an outline, evenly by its length."""
    ends = np.vstack([polygon, polygon[:1]])
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ends, axis=0), axis=1))])
    at = np.linspace(0.0, lengths[-1], _PLACES, endpoint=False)
    return np.column_stack([np.interp(at, lengths, ends[:, axis]) for axis in (0, 1)])


def _distances(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) distance of each point from the nearest edge of a closed polygon."""
    start = polygon
    edge = np.roll(polygon, -1, axis=0) - start
    length = np.maximum((edge**2).sum(axis=1), 1e-12)
    best = np.full(len(points), np.inf)
    for first in range(0, len(start), 1024):
        part = slice(first, first + 1024)
        offset = points[:, None] - start[part]
        share = np.clip((offset * edge[part]).sum(axis=2) / length[part], 0, 1)
        away = np.linalg.norm(offset - share[..., None] * edge[part], axis=2)
        best = np.minimum(best, away.min(axis=1))
    return best


def _piece(polygon: NDArray[np.float64], shape: tuple[int, int]) -> _Piece:
    low = np.clip(np.floor(polygon.min(axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(polygon.max(axis=0)) + 1, low, shape).astype(int)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    box = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
    return _Piece(polygon, box, rasterise(polygon - low, size))
