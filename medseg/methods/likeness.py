"""Which side a voxel is like: by the way from its seeds, and by what its values are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.geometry.resample import resample
from medseg.masks.seeds import BACKGROUND, Field
from medseg.methods.edges import smoothed_image
from medseg.methods.links import links, typical_difference
from medseg.methods.paths import Edges, neighbours

__all__ = ["NODES", "Likeness", "likeness_of", "nearness", "ways"]

#: Ways and walks through a box are sought on at most so many voxels, and refined from there.
NODES = 40**3
_BINS = 64
#: Share of every histogram that is spread over all values, so that none is impossible.
_SPREAD = 0.01
#: Where all values are equal, a way of so many mm (pixels on `px`) is as long as a step of √2 σ.
_FLAT = 100.0
#: Gaussian that smooths before ways are sought, mm (pixels on `px`).
_SMOOTH = 0.5
#: A way is never shorter, so that a seed's own voxel has a finite share.
_SHORTEST = 1e-4
#: Nearness is counted in parts of one, so that sums are exact and the order of the axes does not matter.
_PARTS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How places and values speak for each side; background first, then the objects in order.

    Parameters
    ----------
    near
        (L, I, J, K) float32 shares of 1: how near each side's seeds are, of all sides'.
    shares
        (L, 64) histogram of each side's values; a row sums to 1.
    low, high
        Values that the histograms end at.
    separation
        0…1: part of the background's values that the objects' are not like; how far values can be trusted.
    """

    near: NDArray[np.float32]
    shares: NDArray[np.float64]
    low: float
    high: float
    separation: float

    def unlikely(self, side: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """−log of each value's share on a side."""
        costs: NDArray[np.float32] = -np.log(self.shares[side]).astype(np.float32)
        return costs.take(_bins(values, self.low, self.high))

    def chance(self, side: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """0…1: a side's part in each value, were all sides equally frequent."""
        part: NDArray[np.float32] = (self.shares[side] / self.shares.sum(axis=0)).astype(np.float32)
        return part.take(_bins(values, self.low, self.high))


def likeness_of(
    fields: tuple[Field, Field], markers: NDArray[np.int32], labels: tuple[int, ...], sigma: float, run: Run
) -> Likeness:
    """Nearness of each side's seeds, and histograms of values in which a voxel counts as far as it is near.

    Parameters
    ----------
    fields
        The box around the seeds, and a coarser one that ways are sought on, since they need no detail.
    markers
        Of the coarse box with the background filled in.
    labels
        Objects.
    sigma
        Difference of neighbours in the box that still counts as noise; histograms are smoothed by it.
    run
        Polled between sides.

    Notes
    -----
    After Price, Morse, Cohen 2010, Geodesic graph cut for interactive image segmentation, CVPR: a term of
    relative geodesic distance, and one of values that counts less where they do not tell the sides apart. Own:
    histograms are of all voxels by nearness, not of those around seeds. So a seed beside a border brings
    its own side's values, and one more seed moves the histograms little. Memory: 8 bytes a voxel and side.
    """
    fine, coarse = fields
    near = nearness(coarse, markers, labels, run)
    if coarse.step != fine.step:
        near = np.stack([resample(part, coarse.grid, fine.grid).astype(np.float32) for part in near])
    inside = fine.values[fine.usable]
    low, high = (float(end) for end in np.percentile(inside, (0.5, 99.5)))
    if high <= low:
        low, high = float(inside.min()), float(inside.max())
    width = max(sigma * _BINS / (high - low), 1.0)
    bins = _bins(inside, low, high)
    shares = np.stack([_shares(bins, part[fine.usable], width) for part in near])
    separation = 1 - float(np.minimum(shares[0], shares[1:].mean(axis=0)).sum())
    return Likeness(near, shares, low, high, separation)


def nearness(
    field: Field, markers: NDArray[np.int32], labels: tuple[int, ...], run: Run
) -> NDArray[np.float32]:
    """(L, I, J, K) inverse lengths of the ways from background and objects, as shares of 1.

    A step is −log of its link: its difference over σ, squared and halved, and its length over 100 mm. Steps
    between different values are long, so what is near has a way to a seed on which values hardly change.
    """
    values = smoothed_image(field.values, field.usable, field.grid.spacing, _SMOOTH)
    sigma = typical_difference(values, field.usable) or 1.0
    edges = links(values, field.usable, sigma)
    inverse = []
    for label in (BACKGROUND, *labels):
        own = (markers == label) & field.usable
        run.check()
        inverse.append(1 / np.maximum(ways(own, edges, field.grid.spacing), _SHORTEST))
    total = np.maximum(sum(inverse), 1e-9)
    return np.stack([part / total for part in inverse]).astype(np.float32)


def ways(seeds: NDArray[np.bool_], edges: Edges, spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """(I, J, K) length of the shortest way over links from any of the seeds (Dijkstra); infinite without one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    if not seeds.any():
        return np.full(seeds.shape, np.inf)
    place = np.arange(seeds.size, dtype=np.int32).reshape(seeds.shape)
    steps, ends = [], []
    for axis, link in enumerate(edges):
        here, there = neighbours(axis)
        opened = link > 0
        steps.append(np.float32(spacing[axis] / _FLAT) - np.log(link[opened]))
        ends.append(np.stack([place[here][opened], place[there][opened]]))
    graph = coo_array((np.concatenate(steps), np.concatenate(ends, axis=1)), (seeds.size, seeds.size))
    found = dijkstra(graph.tocsr(), directed=False, indices=place[seeds], min_only=True)
    return np.asarray(found.reshape(seeds.shape))


def _bins(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.intp]:
    scaled = (values - np.float32(low)) * np.float32(_BINS / (high - low))
    bins: NDArray[np.intp] = np.clip(scaled, 0, _BINS - 1).astype(np.intp)
    return bins


def _shares(bins: NDArray[np.intp], weights: NDArray[np.float32], width: float) -> NDArray[np.float64]:
    """Histogram under a Gaussian of `width` bins, as shares that sum to 1."""
    from scipy.ndimage import gaussian_filter1d

    counts = np.bincount(bins, np.rint(weights * _PARTS), minlength=_BINS)
    smooth = gaussian_filter1d(counts, min(width, _BINS / 4), mode="nearest")
    shares: NDArray[np.float64] = (1 - _SPREAD) * smooth / max(float(smooth.sum()), 1e-12) + _SPREAD / _BINS
    return shares
