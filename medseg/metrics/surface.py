"""Distances between the surfaces of two masks, each element weighted by its area, in true mm.

Definitions follow Nikolov et al. 2018 (arXiv 1809.04430), and the figures equal those of the package published
with it (surface-distance): a surface element sits on the corner where eight voxels meet (four pixels in 2D), its
area is that of the marching-cubes triangles there, and its distance is that to the nearest element of the
other surface. MONAI's surface Dice with `use_subvoxels` is the same; its Hausdorff distances run between the
centres of the voxels along the inner edge, so they agree on boxes and within a voxel's diagonal elsewhere.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.metrics.elements import contour_lengths, surface_areas, surface_elements

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

__all__ = ["SurfaceDistances", "surface_distances"]

#: A distance this share above the tolerance is still within: spacings of float32 headers are no finer.
ROUNDING = 1e-6
#: Points asked before choosing how to search, and where a distance map over the box becomes the faster way.
SAMPLE, RIVALS_PER_VOXEL = 30, 1.0
#: Lines asked before searching; they reach nine voxels.
LINES = 256
#: Lines before which the elements that are done are left out.
_SIFT = frozenset({1, 3, 5, 9, 15, 25, 35, 50, 75, 105, 155, 205})


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDistances:
    """Distances from each surface to the other, with the areas of the elements they belong to.

    Both pairs are one-dimensional; distances in mm (pixels on `px`), areas in mm² (lengths in mm in 2D).
    """

    to_reference: NDArray[np.float64]
    prediction_area: NDArray[np.float64]
    to_prediction: NDArray[np.float64]
    reference_area: NDArray[np.float64]

    @property
    def hausdorff(self) -> float:
        """Largest distance, both ways."""
        return float(max(self.to_reference.max(), self.to_prediction.max()))

    @property
    def average(self) -> float:
        """Mean over both surfaces together, weighted by area (ASSD)."""
        total = self.prediction_area.sum() + self.reference_area.sum()
        there = (self.to_reference * self.prediction_area).sum()
        back = (self.to_prediction * self.reference_area).sum()
        return float((there + back) / total)

    @property
    def directed_averages(self) -> tuple[float, float]:
        """Mean from the reference to the prediction, and back; each weighted by area."""
        return (
            float(np.average(self.to_prediction, weights=self.reference_area)),
            float(np.average(self.to_reference, weights=self.prediction_area)),
        )

    def percentile(self, share: float) -> float:
        """The larger of the two directed percentiles, weighted by area; 95 gives HD95."""
        return max(
            _weighted_percentile(self.to_reference, self.prediction_area, share),
            _weighted_percentile(self.to_prediction, self.reference_area, share),
        )

    def surface_dice(self, tolerance: float) -> float:
        """Share of both surfaces within `tolerance` of each other."""
        limit = tolerance * (1 + ROUNDING)
        near = self.prediction_area[self.to_reference <= limit].sum()
        near += self.reference_area[self.to_prediction <= limit].sum()
        return float(near / (self.prediction_area.sum() + self.reference_area.sum()))


def surface_distances(
    prediction: NDArray[np.bool_], reference: NDArray[np.bool_], grid: Grid
) -> SurfaceDistances:
    """Distances between two non-empty masks on one grid.

    A grid of a single slice has contours in that slice. An oblique grid is the same as its spacing.

    Parameters
    ----------
    prediction, reference
        (I, J, K) bool of one shape: the whole grid, or one box of it that holds both masks. Outside the
        array nothing is inside.
    grid
        Gives the spacing, and whether there is one slice.

    Raises
    ------
    InputError
        If a mask is empty, or the grid is sheared: its spacing does not tell distances.

    Notes
    -----
    Memory: four bytes per voxel of the box, and the positions of all elements.
    """
    if grid.is_sheared:
        raise InputError("surface distances need axes at right angles; this grid is sheared: resample it")
    if not (prediction.any() and reference.any()):
        raise InputError("surface distances need two masks that are not empty")
    spacing = grid.spacing
    if 1 in grid.shape:
        thin = max(axis for axis, extent in enumerate(grid.shape) if extent == 1)
        flat: list[NDArray[np.bool_]] = [
            np.asarray(mask.take(0, axis=thin)) for mask in (prediction, reference)
        ]
        first, second = (step for axis, step in enumerate(spacing) if axis != thin)
        return _distances(flat[0], flat[1], (first, second), contour_lengths((first, second)))
    return _distances(prediction, reference, spacing, surface_areas(spacing))


def _distances(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, ...],
    measures: NDArray[np.float64],
) -> SurfaceDistances:
    ours, theirs = surface_elements(prediction), surface_elements(reference)
    our_surface, their_surface = (_on_surface(codes, measures.size) for codes in (ours, theirs))
    step = np.array(spacing)
    return SurfaceDistances(
        _nearest(our_surface, their_surface, step),
        measures[ours[our_surface]],
        _nearest(their_surface, our_surface, step),
        measures[theirs[their_surface]],
    )


def _on_surface(codes: NDArray[np.uint8], kinds: int) -> NDArray[np.bool_]:
    surface: NDArray[np.bool_] = (codes != 0) & (codes != kinds - 1)
    return surface


def _nearest(
    surface: NDArray[np.bool_], other: NDArray[np.bool_], step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of each element of one surface, in array order, to the nearest of the other.

    Along the first axis the steps to the nearest element are counted once for the box. Then the lines around
    each element are asked, the nearest line first, until no line that is left can hold anything nearer. What
    would need many lines lies far away and is searched for. Both ways are exact.
    """
    offsets, lengths = _offsets(tuple(step[1:]))
    reach = int(lengths[-1] / step[0]) + 2
    steps, margin = _steps_along_lines(other, np.abs(offsets).max(axis=0), reach)
    points = np.argwhere(surface)
    strides = np.array(steps.strides) // steps.itemsize
    places, flat = (points + margin) @ strides, steps.ravel()
    squares, left = np.full(len(points), np.inf), np.arange(len(points))
    best = squares
    for number, (jump, length) in enumerate(
        zip((offsets @ strides[1:]).tolist(), lengths.tolist(), strict=True)
    ):
        if number in _SIFT:
            squares[left] = best
            keep = best > length * length
            left, places, best = left[keep], places[keep], best[keep]
            if not left.size:
                break
        near = flat.take(places + jump) * step[0]
        near *= near
        near += length * length
        np.minimum(best, near, out=best)
    squares[left] = best
    distances: NDArray[np.float64] = np.sqrt(squares)
    far = np.flatnonzero(distances > lengths[-1])
    if far.size:
        distances[far] = _far(points[far], other, step)
    return distances


def _steps_along_lines(
    other: NDArray[np.bool_], width: NDArray[np.int64], reach: int
) -> tuple[NDArray[np.signedinteger], NDArray[np.int64]]:
    """Steps along axis 0 to the nearest True, more than `reach` where a line has none; and the margin added."""
    extent = other.shape[0]
    largest = max(2 * extent, reach)
    kind = next(kind for kind in (np.int8, np.int16, np.int32) if largest < np.iinfo(kind).max)
    none = np.iinfo(kind).max
    margin = np.array([0, *width])
    steps = np.full(np.array(other.shape) + 2 * margin, none, dtype=kind)
    inner = steps[tuple(slice(size, size + n) for size, n in zip(margin, other.shape, strict=True))]
    index = np.arange(extent, dtype=kind).reshape(-1, *(1,) * (other.ndim - 1))
    before = np.maximum.accumulate(np.where(other, index, kind(-extent)), axis=0)
    after = np.minimum.accumulate(np.where(other, index, kind(2 * extent - 1))[::-1], axis=0)[::-1]
    np.minimum(index - before, after - index, out=inner)
    inner[inner >= extent] = none
    return steps, margin


@cache
def _offsets(step: tuple[float, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The shortest offsets (N, D) from a line to others and their lengths in mm, shortest first."""
    axes = len(step)
    radius = float(LINES * np.prod(step) / (np.pi if axes == 2 else 2)) ** (1 / axes)
    ranges = [np.arange(-int(radius / size), int(radius / size) + 1) for size in step]
    offsets = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, axes)
    lengths = np.sqrt(((offsets * np.array(step)) ** 2).sum(axis=1))
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= radius]
    return offsets[order], lengths[order]


def _far(
    points: NDArray[np.intp], other: NDArray[np.bool_], step: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.ndimage import distance_transform_edt
    from scipy.spatial import cKDTree

    others = np.argwhere(other)
    tree = cKDTree(others * step)
    if _has_many_rivals(tree, points * step, step, other.size):
        index = distance_transform_edt(~other, sampling=step, return_distances=False, return_indices=True)
        nearest = index[(slice(None), *points.T)].T
    else:
        nearest = others[tree.query(points * step, workers=1)[1]]
    steps = (points - nearest) * step
    distances: NDArray[np.float64] = np.sqrt((steps * steps).sum(axis=1))
    return distances


def _has_many_rivals(
    tree: "cKDTree", points: NDArray[np.float64], step: NDArray[np.float64], voxels: int
) -> bool:
    """Whether a tree would be slower than a distance map: where many elements are almost equally near.

    A tree looks at every element that may be the nearest (a ball inside a ball: half of the outer one); a
    map looks at every voxel of the box once. Both are exact. The factor is measured.
    """
    sample = points[:: max(1, len(points) // SAMPLE)]
    reach = tree.query(sample, workers=1)[0] + float(step.max())
    rivals = tree.query_ball_point(sample, reach, return_length=True, workers=1)
    return float(np.mean(rivals)) * len(points) > RIVALS_PER_VOXEL * voxels


def _weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.lexsort((weights, values))
    reached = np.cumsum(weights[order]) / weights.sum()
    place = min(int(np.searchsorted(reached, share / 100)), len(values) - 1)
    return float(values[order][place])
