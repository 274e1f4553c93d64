"""Objects that grow from seeds: their table, the background around them, and the cut between them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Run
from medseg.errors import InputError
from medseg.masks.components import Connectivity, label_parts
from medseg.masks.distances import depth_of
from medseg.masks.seeds import BACKGROUND, Field
from medseg.methods.base import box_of
from medseg.methods.paths import CLOSED, cheapest_seed, neighbours

__all__ = [
    "background_markers",
    "cut_by_box",
    "ended_by_box",
    "halfway",
    "parts_of_seeds",
]

#: Said where the box ends an object.
_CUT = Finding(
    "method.cut_by_box",
    "warning",
    "An object reaches the faces of the box around its seeds, which count as background, and may be cut there; "
    "raise margin_mm, or mark the background and set box_is_background to false.",
)

#: Said where the box ends an object, and its faces are no background.
_ENDED = Finding(
    "method.cut_by_box",
    "warning",
    "An object reaches the faces of the box around its seeds and is cut there; raise margin_mm, or mark "
    "the background between the object and what it leaked into.",
)


def background_markers(field: Field, method: str, *, box_is_background: bool) -> NDArray[np.int32]:
    """Markers of a box; of its faces as background too where that is wished.

    An axis of fewer than three voxels has no faces: on a slice the rim of the slice is meant.

    Raises
    ------
    InputError
        If nothing marks the background.
    """
    markers = field.markers.copy()
    if box_is_background:
        shell = np.zeros(markers.shape, np.bool_)
        for axis, extent in enumerate(markers.shape):
            if extent >= 3:
                np.moveaxis(shell, axis, 0)[[0, -1]] = True
        markers[shell & (markers == 0)] = BACKGROUND
    if not (markers == BACKGROUND).any():
        raise InputError(
            f"{method}: without a seed in the background everything is object; mark some background"
        )
    return markers


def cut_by_box(labels: NDArray[Any]) -> tuple[Finding, ...]:
    """Finding that an object reaches as far as the box around the seeds lets it."""
    for axis, extent in enumerate(labels.shape):
        inner = np.moveaxis(labels, axis, 0)[[1, -2]] if extent >= 3 else np.zeros(0)
        if (inner > 0).any():
            return (_CUT,)
    return ()


def ended_by_box(labels: NDArray[Any], field: Field) -> tuple[Finding, ...]:
    """Finding that an object reaches a face of the box that is not the image's own."""
    for axis, (part, extent) in enumerate(zip(field.box, field.shape, strict=True)):
        faces = np.moveaxis(labels, axis, 0)
        if (part.start > 0 and (faces[0] > 0).any()) or (part.stop < extent and (faces[-1] > 0).any()):
            return (_ENDED,)
    return ()


def halfway(field: Field, at: NDArray[np.bool_]) -> tuple[float, float]:
    """Lowest and highest value on the seeds' side of half the way from the box to the seeds.

    Parameters
    ----------
    field
        The box; the median of its usable values stands for the background.
    at
        (I, J, K) bool: usable voxels at the seeds, at least one; their mean stands for the object.

    Returns
    -------
    Where an edge blurred on its way into the image lies: at half its height, as of contrast-oriented thresholds
    in PET (Schaefer et al. 2008, Eur J Nucl Med Mol Imaging 35). One end is infinite; both are where the two
    differ by no more than two standard deviations around each seed: halfway would be amid the object's own values.
    """
    values = field.values[at]
    mean, middle = float(values.mean(dtype=np.float64)), float(np.median(field.values[field.usable]))
    bound = (mean + middle) / 2
    if abs(mean - middle) <= 2 * _noise(values, label_parts(at, 26)[0][at]):
        return -np.inf, np.inf
    return (bound, np.inf) if mean > middle else (-np.inf, bound)


def _noise(values: NDArray[np.float32], parts: NDArray[Any]) -> float:
    """Standard deviation of values from the mean of their own part."""
    sizes = np.maximum(np.bincount(parts), 1)
    apart = values - (np.bincount(parts, weights=values) / sizes)[parts]
    return float(np.sqrt(np.mean(apart**2)))


def parts_of_seeds(
    mask: NDArray[np.bool_], markers: NDArray[np.int32], grid: Grid, connectivity: Connectivity, run: Run
) -> NDArray[np.int32]:
    """Connected parts of a mask by the seeds that lie in them.

    Parameters
    ----------
    mask, markers
        (I, J, K), on `grid`; markers as of `Seeds`.
    grid
        Its spacing is what distances are measured in.
    connectivity
        Neighbours that join a part.
    run
        Polled between steps.

    Returns
    -------
    (I, J, K) int32 labels. A part with seeds of one object is that object; a part without seeds, or with
    background only, is none. Where seeds differ, each voxel goes to the seed that it is reached from on the
    cheapest path over faces within the part, a millimetre costing the more the thinner the part is there: so
    the cut falls on a neck if there is one, and midway if there is none (own).
    """
    parts, count = label_parts(mask, connectivity)
    run.check()
    seeded = (markers != 0) & mask
    pairs = np.unique(np.stack([parts[seeded], markers[seeded]]).astype(np.int64), axis=1)
    owners = np.bincount(pairs[0], minlength=count + 1)
    single = pairs[:, owners[pairs[0]] == 1]
    kind = np.zeros(count + 1, np.int32)
    kind[single[0]] = np.maximum(single[1], 0)
    labels: NDArray[np.int32] = kind[parts]
    if (owners > 1).any():
        contested = (owners > 1)[parts]
        box = box_of(contested, pad=1)  # distances see the background
        cut = _cut(contested[box], markers[box], grid.spacing, run)
        labels[box] = np.where(contested[box], np.maximum(cut, 0), labels[box])
    return labels


def _cut(
    mask: NDArray[np.bool_], markers: NDArray[np.int32], spacing: tuple[float, float, float], run: Run
) -> NDArray[np.int32]:
    thickness = depth_of(mask, spacing)
    run.check()
    # A mask without any background has no thickness; then a path's length alone counts.
    thickness = np.where(np.isfinite(thickness), thickness, np.float32(1))
    edges = tuple(_thin(thickness, mask, axis, spacing[axis]) for axis in range(3))
    return cheapest_seed(np.where(mask, markers, 0), (edges[0], edges[1], edges[2]), run)


def _thin(
    thickness: NDArray[np.float32], mask: NDArray[np.bool_], axis: int, length: float
) -> NDArray[np.float32]:
    """Length of each step over the thickness where it leads through."""
    here, there = neighbours(axis)
    narrow = np.minimum(thickness[here], thickness[there])
    inside = mask[here] & mask[there]
    return np.where(inside, np.float32(length) / np.where(inside, narrow, np.float32(1)), CLOSED)
