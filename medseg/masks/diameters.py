"""Longest and perpendicular diameter of a mask within one slice."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.masks.components import components

__all__ = ["PlaneDiameters", "plane_diameters"]


@dataclass(frozen=True, slots=True, eq=False)
class PlaneDiameters:
    """The slice and component with the longest diameter.

    Parameters
    ----------
    axis, index
        Slicing axis and slice.
    long, short
        Lengths in the grid's unit. The long one is the largest distance between two boundary points; the
        short one the component's width at right angles to it, in the same slice.
    long_points, short_points
        (2, 3) world positions of their end points. The short axis is drawn between the two boundary points
        that are extreme at right angles to the long axis, projected onto one line.
    """

    axis: int
    index: int
    long: float
    short: float
    long_points: NDArray[np.float64]
    short_points: NDArray[np.float64]


def plane_diameters(mask: NDArray[np.bool_], grid: Grid, axis: int) -> PlaneDiameters | None:
    """Diameters in the slices along `axis`; None for an empty mask.

    One chord lies within one 8-connected component. Its ends are corners of voxels, that is, on the mask's
    boundary and not on voxel centres: a single pixel has the length of its diagonal.
    """
    best: PlaneDiameters | None = None
    used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    for index in used:
        plane = np.take(mask, [int(index)], axis=axis)
        found = np.squeeze(components(plane, 26), axis=axis)
        for number in range(1, int(found.max()) + 1):
            hull = _hull(found == number, int(index), grid, axis)
            long, ends = _longest(hull)
            if best is None or long > best.long:
                short, short_ends = _width(hull, ends, grid, axis)
                best = PlaneDiameters(axis, int(index), long, short, ends, short_ends)
    return best


def _hull(component: NDArray[np.bool_], index: int, grid: Grid, axis: int) -> NDArray[np.float64]:
    """World positions of the convex hull of a slice's pixels, by their corners."""
    from scipy.spatial import ConvexHull

    rows = np.flatnonzero(component.any(axis=1))
    first = component[rows].argmax(axis=1) - 0.5
    last = component.shape[1] - component[rows, ::-1].argmax(axis=1) - 0.5
    corners = np.concatenate(
        [np.stack([rows + side, ends], axis=1) for side in (-0.5, 0.5) for ends in (first, last)]
    )
    hull = corners[ConvexHull(corners).vertices]
    points = np.empty((len(hull), 3))
    points[:, axis] = index
    points[:, [other for other in range(3) if other != axis]] = hull
    return grid.to_position(points)


def _longest(points: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    from scipy.spatial.distance import pdist, squareform

    distances = squareform(pdist(points))
    first, second = np.unravel_index(int(distances.argmax()), distances.shape)
    return float(distances[first, second]), points[[first, second]]


def _width(
    points: NDArray[np.float64], ends: NDArray[np.float64], grid: Grid, axis: int
) -> tuple[float, NDArray[np.float64]]:
    along = ends[1] - ends[0]
    along /= np.linalg.norm(along)
    others = [other for other in range(3) if other != axis]
    normal: NDArray[Any] = np.cross(grid.direction[:, others[0]], grid.direction[:, others[1]])
    across = np.cross(normal, along)
    across /= np.linalg.norm(across)
    reach = (points - ends[0]) @ across
    low, high = float(reach.min()), float(reach.max())
    widest = points[int(np.abs(reach).argmax())]
    foot = ends[0] + along * float((widest - ends[0]) @ along)
    return high - low, np.stack([foot + across * low, foot + across * high])
