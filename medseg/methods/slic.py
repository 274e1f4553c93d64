"""SLIC: an image cut into small pieces of even values and about one size in mm; numerics by SimpleITK.

ITK's grid of starting points has a step per axis, so that it can be even in mm. scikit-image's is even in voxels
whatever spacing it is told, which on thick slices gives pieces several times longer across them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.methods.child import here_or_in_child

__all__ = ["PER", "Pieces", "cut_into_pieces", "pieces_of", "spread_of"]

#: Rounds in which pieces move to where their voxels are; more change few voxels.
_ROUNDS = 8
#: Length in mm (pixels on `px`) that compactness is given for.
PER = 10.0
#: Values that their spread is taken from; of more an even sample.
_MOST_SAMPLED = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Supervoxels, and the graph of which touch which.

    Parameters
    ----------
    ids
        (I, J, K) int32, 0 where nothing is considered, else 1 to N.
    means, sizes
        (N + 1,) mean value and voxels of each; entry 0 is empty.
    edges
        (E, 2) pairs of pieces that share a face of a voxel, lower id first, in rising order.
    lengths
        (E,) distance between the pair's middles, mm (pixels on `px`).
    """

    ids: NDArray[np.int32]
    means: NDArray[np.float64]
    sizes: NDArray[np.int64]
    edges: NDArray[np.int64]
    lengths: NDArray[np.float64]


def spread_of(values: NDArray[np.floating]) -> float:
    """Standard deviation of values cut at their 1st and 99th percentile; 1 for a constant image.

    It is the unit of differences here: a few very bright voxels must not make all others alike.
    """
    sample = values.ravel()[:: max(1, -(-values.size // _MOST_SAMPLED))]
    low, high = np.percentile(sample, (1, 99))
    return float(np.clip(sample, low, high).std(dtype=np.float64)) or 1.0


def cut_into_pieces(
    values: NDArray[np.float32],
    considered: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    *,
    size: float,
    compactness: float,
    run: Run,
) -> Pieces:
    """Supervoxels of an image, and their graph.

    A voxel goes to the piece with the smallest (Δvalue / spread)² + (compactness × distance / 10 mm)²
    (Achanta 2012, with distances in true mm).

    Parameters
    ----------
    values, considered
        (I, J, K) values, and which of them count; the others belong to no piece.
    spacing
        mm per step.
    size
        Distance of the pieces' starting points, mm; at least one voxel, and rounded to whole voxels.
    compactness
        Spreads of value (see `spread_of`) that weigh as much as 10 mm.

    Notes
    -----
    Memory: about 30 bytes per voxel, in another process for large images.
    """
    spread = spread_of(values[considered])
    middle = float(np.median(values[considered]))
    scaled = np.where(considered, (values - np.float32(middle)) / np.float32(spread), np.float32(0))
    np.clip(scaled, -100, 100, out=scaled)
    step = [
        max(1, min(extent, round(size / part))) for extent, part in zip(values.shape, spacing, strict=True)
    ]
    weight = compactness * size / PER
    ids = here_or_in_child(run, values.size, _slic, scaled, step, weight)
    run.check()
    return pieces_of(np.where(considered, ids + 1, 0), values, spacing)


def _slic(scaled: NDArray[np.float32], step: list[int], weight: float) -> NDArray[np.int32]:
    """(I, J, K) ids from 0; an axis of one slice is left out, since ITK's SLIC needs steps along each."""
    import SimpleITK as sitk

    kept = [axis for axis, extent in enumerate(scaled.shape) if extent > 1]
    if not kept:
        return np.zeros(scaled.shape, np.int32)
    flat = scaled.squeeze()
    if flat.ndim == 1:
        flat, kept = flat[:, None].repeat(2, axis=1), [*kept, kept[0]]
    image = sitk.GetImageFromArray(np.ascontiguousarray(flat.T))
    cutter = sitk.SLICImageFilter()
    cutter.SetSuperGridSize([step[axis] for axis in kept])
    cutter.SetSpatialProximityWeight(weight)
    cutter.SetMaximumNumberOfIterations(_ROUNDS)
    cutter.EnforceConnectivityOn()
    cutter.InitializationPerturbationOff()
    cutter.SetNumberOfThreads(1)
    ids = sitk.GetArrayFromImage(cutter.Execute(image)).T.astype(np.int32)
    if scaled.squeeze().ndim == 1:
        ids = ids[:, 0]
    return np.ascontiguousarray(ids.reshape(scaled.shape))


def pieces_of(
    ids: NDArray[np.integer], values: NDArray[np.floating], spacing: tuple[float, float, float] = (1, 1, 1)
) -> Pieces:
    """Pieces by their ids (0 is none), numbered anew without gaps in order of id, and their graph."""
    used = np.unique(ids)
    used = used[used > 0]
    table = np.zeros(int(ids.max(initial=0)) + 1, np.int32)
    table[used] = np.arange(1, used.size + 1)
    dense = table[ids]
    count = used.size + 1
    sizes = np.bincount(dense.ravel(), minlength=count)
    sums = np.bincount(dense.ravel(), np.nan_to_num(values).ravel(), minlength=count)
    sizes[0] = sums[0] = 0
    edges = _edges(dense, count)
    middles = _middles(dense, sizes) * np.array(spacing)
    lengths = np.linalg.norm(middles[edges[:, 0]] - middles[edges[:, 1]], axis=1)
    return Pieces(dense, sums / np.maximum(sizes, 1), sizes, edges, lengths)


def _middles(ids: NDArray[np.int32], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N + 1, 3) mean index of each piece."""
    found = []
    for axis in range(3):
        total = np.zeros(sizes.size)
        for place, part in enumerate(np.moveaxis(ids, axis, 0)):
            total += place * np.bincount(part.ravel(), minlength=sizes.size)
        found.append(total / np.maximum(sizes, 1))
    return np.stack(found, axis=1)


def _edges(ids: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    found = []
    for axis in range(3):
        before = ids[tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))]
        after = ids[tuple(slice(1, None) if a == axis else slice(None) for a in range(3))]
        differ = (before != after) & (before > 0) & (after > 0)
        one, other = before[differ].astype(np.int64), after[differ].astype(np.int64)
        found.append(np.unique(np.minimum(one, other) * count + np.maximum(one, other)))
    codes = np.unique(np.concatenate(found))
    return np.stack([codes // count, codes % count], axis=1)
