"""Chords at right angles to a long one: the longest free one, and the longest that never leaves the mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.masks.chords import edge_segments, inside
from medseg.masks.sections import SAME_LENGTH, Chord, CutPlane, Points

__all__ = ["Across"]

#: Crossings of boundary and chords that are looked at; a lesion has thousands.
MOST_CROSSINGS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Across:
    """Chords at right angles to a long one, at each boundary vertex's offset along it.

    The width of a polygon is linear between the offsets of its vertices, so its maximum lies at one; so does
    that of a stretch inside. `spans` (N, 2) are the free chords' ends, `inner` (N, 2) those of the longest
    stretch that never leaves the component.
    """

    to_pixels: Points
    origin: Points
    offsets: NDArray[np.float64]
    spans: Points
    inner: Points

    @classmethod
    def of(cls, chord: Chord, plane: CutPlane, *, look_inside: bool = True) -> "Across":
        """Of a long chord; without a look inside, `inner` is the free chords."""
        ends = chord.ends @ plane.basis
        along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        turn = np.stack([along, [-along[1], along[0]]], axis=1)
        turned = (edge_segments(chord.part.pixels) @ plane.basis - ends[0]) @ turn
        near = chord.length * SAME_LENGTH
        offsets, place, height = _crossings(turned[..., 0], turned[..., 1], near)
        to_pixels = turn.T @ np.linalg.inv(plane.basis)
        first = np.searchsorted(place, np.arange(len(offsets)))
        last = np.append(first[1:], len(place)) - 1
        spans = inner = np.stack([height[first], height[last]], axis=1)
        if look_inside:
            middle = np.stack([offsets[place[:-1]], (height[:-1] + height[1:]) / 2], axis=1)
            # Crossings of one place are neighbours; a gap of no width is a touch of the boundary from inside.
            within = (place[:-1] == place[1:]) & (
                (np.diff(height) <= near) | inside(chord.part.pixels, middle @ to_pixels + chord.ends[0])
            )
            inner = _longest_runs(place, height, within)
        return cls(to_pixels, chord.ends[0], offsets, spans, inner)

    @property
    def short(self) -> float:
        """Length of the longest free chord."""
        return float((self.spans[:, 1] - self.spans[:, 0]).max())

    def chord(self, ends: Points) -> tuple[float, Points]:
        """Of all these chords (N, 2) the longest, and nearest the middle of equals; with its ends in pixels."""
        lengths = ends[:, 1] - ends[:, 0]
        # Of equally long ones prefer those that stay inside, then the one nearest the middle.
        longest = np.flatnonzero(lengths >= lengths.max() * (1 - SAME_LENGTH))
        stay = self.inner[longest, 1] - self.inner[longest, 0] >= lengths.max() * (1 - 2 * SAME_LENGTH)
        longest = longest[stay] if stay.any() else longest
        middle = (self.offsets[0] + self.offsets[-1]) / 2
        chosen = longest[int(np.abs(self.offsets[longest] - middle).argmin())]
        turned = np.stack([np.full(2, self.offsets[chosen]), ends[chosen]], axis=1)
        return float(lengths[chosen]), turned @ self.to_pixels + self.origin


def _crossings(
    along: NDArray[np.float64], across: NDArray[np.float64], near: float
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Vertices' offsets, and where the boundary crosses each: place among the offsets and height, sorted.

    Segments are (M, 2) by offset and height.
    """
    offsets, vertex = np.unique(along.ravel(), return_inverse=True)
    vertex, kept = vertex.ravel(), np.ones(along.size, np.bool_)
    first, count = _reached(offsets, along, near)
    if (thin := -(-int(count.sum()) // MOST_CROSSINGS)) > 1:
        # Noise: its boundary crosses itself at every offset, and an even share of them says as much.
        kept, vertex, offsets = vertex % thin == 0, vertex // thin, offsets[::thin]
        first, count = _reached(offsets, along, near)
    which = np.repeat(np.arange(len(along)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    rise = along[which, 1] - along[which, 0]
    safe = np.where(np.abs(rise) > near, rise, 1.0)
    share = np.clip((offsets[place] - along[which, 0]) / safe, 0.0, 1.0)
    height = across[which, 0] + share * (across[which, 1] - across[which, 0])
    place = np.concatenate([vertex[kept], place])
    height = np.concatenate([across.ravel()[kept], height])
    order = np.lexsort((height, place))
    return offsets, place[order], height[order]


def _reached(
    offsets: NDArray[np.float64], along: NDArray[np.float64], near: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First offset that each segment (M, 2) reaches, and how many."""
    first = np.searchsorted(offsets, along.min(axis=1) - near)
    return first, np.searchsorted(offsets, along.max(axis=1) + near, side="right") - first


def _longest_runs(place: NDArray[np.intp], height: NDArray[np.float64], within: NDArray[np.bool_]) -> Points:
    """(N, 2) per place the ends of the longest run of gaps that lie inside."""
    change = np.diff(np.concatenate([[False], within, [False]]).astype(np.int8))
    low, high = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    order = np.argsort(height[high] - height[low], kind="stable")
    runs = np.zeros((int(place[-1]) + 1, 2))
    # Written by growing length, so that the longest run of a place stays.
    runs[place[low[order]]] = np.stack([height[low[order]], height[high[order]]], axis=1)
    return runs
