"""Outlines of one slice as polygons without holes: each hole is joined to what surrounds it by a bridge."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.masks import outlines

__all__ = ["polygons_of"]

Points = NDArray[np.float64]
#: Where in its row of pixels a bridge runs: inside the mask, on no pixel's centre and no pixel's edge.
_BRIDGE = -0.25


def polygons_of(mask: NDArray[np.bool_]) -> Iterator[tuple[int, Points]]:
    """(slice k, polygon (N, 2) in fractional indices) of a mask's slices, holes as keyholes.

    A hole is joined over a straight bridge along its row, walked both ways, to the nearest edge on its low side:
    that of its outline or of another hole, which is joined in turn. The area is the mask's, exactly.

    Notes
    -----
    Own. Every bridge ends at a polygon that reaches lower, so the joints form a tree and none is walked twice.
    """
    for k, group in groupby(outlines(mask, 2), key=lambda outline: outline.index):
        rings = [_Ring(item.points[:, :2], item.is_hole) for item in group]
        for polygon in _joined(rings, mask.shape[:2]):
            yield k, polygon


@dataclass(slots=True)
class _Ring:
    """A closed polygon, and the walks that leave it: per edge, (distance from the edge's start, points)."""

    points: Points
    is_hole: bool
    leaves: dict[int, list[tuple[float, Points]]] = field(default_factory=dict)

    def walked(self, start: int = 0) -> Points:
        """Corners from `start` on, all the way round to just before it, with every walk that leaves on the way."""
        if not self.leaves:
            return np.roll(self.points, -start, axis=0)
        parts: list[Points] = []
        count = len(self.points)
        for step in range(count):
            edge = (start + step) % count
            parts.append(self.points[edge][None])
            parts.extend(walk for _, walk in sorted(self.leaves.get(edge, ()), key=lambda item: item[0]))
        return np.concatenate(parts)


def _joined(rings: list[_Ring], shape: tuple[int, ...]) -> list[Points]:
    holes = [ring for ring in rings if ring.is_hole]
    if holes:
        owners, edges = _owners(rings, shape)
        # From the high side on: what is joined to a hole is complete before the hole itself is joined.
        for hole in sorted(holes, key=lambda ring: -float(ring.points[:, 0].min())):
            _join(hole, rings, owners, edges)
    return [ring.walked() for ring in rings if not ring.is_hole]


def _join(hole: _Ring, rings: list[_Ring], owners: NDArray[np.int32], edges: list[tuple[int, int]]) -> None:
    first, second = hole.points, np.roll(hole.points, -1, axis=0)
    flat = np.flatnonzero(first[:, 0] == second[:, 0])
    own = int(flat[first[flat, 0].argmin()])
    low = float(first[own, 0])
    row = round(min(float(first[own, 1]), float(second[own, 1])) + 0.5)
    column = owners[: round(low + 0.5), row]
    ring, edge = edges[int(column[np.flatnonzero(column >= 0)[-1]])]
    parent = rings[ring]
    here = np.array([low, row + _BRIDGE])
    there = np.array([parent.points[edge, 0], row + _BRIDGE])
    walk = np.concatenate([[there, here], hole.walked((own + 1) % len(first)), [here, there]])
    along = abs(float(there[1] - parent.points[edge, 1]))
    parent.leaves.setdefault(edge, []).append((along, walk))


def _owners(rings: list[_Ring], shape: tuple[int, ...]) -> tuple[NDArray[np.int32], list[tuple[int, int]]]:
    """Which edge lies below each pixel along axis 0 (-1: none), and (ring, edge) of each."""
    owners = np.full((shape[0] + 1, shape[1]), -1, dtype=np.int32)
    edges: list[tuple[int, int]] = []
    for number, ring in enumerate(rings):
        first, second = ring.points, np.roll(ring.points, -1, axis=0)
        for edge in np.flatnonzero(first[:, 0] == second[:, 0]).tolist():
            ends: Any = sorted((first[edge, 1], second[edge, 1]))
            owners[round(first[edge, 0] + 0.5), round(ends[0] + 0.5) : round(ends[1] + 0.5)] = len(edges)
            edges.append((number, edge))
    return owners, edges
