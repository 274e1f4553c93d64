"""First-order statistics of an image inside a mask."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Image, Quantity, Segmentation
from medseg.geometry import same_grid
from medseg.masks import border_mask
from medseg.measuring.rows import Rows, not_found

__all__ = ["Sampled", "add_intensities", "sample"]

_PERCENTILES = {
    Quantity.P10: 10,
    Quantity.P25: 25,
    Quantity.MEDIAN: 50,
    Quantity.P75: 75,
    Quantity.P90: 90,
}
_METHODS = {
    Quantity.MEAN: "arithmetic mean, IBSI Q4LE",
    Quantity.SD: "standard deviation, ddof 0: square root of IBSI ECT3",
    Quantity.MINIMUM: "smallest value, IBSI 1GSF",
    Quantity.MAXIMUM: "largest value, IBSI 84IY",
}
_PERCENTILE = "linear interpolation between order statistics"
_OTHER_GRID = "; on the channel's own voxels, labels taken at their centres"


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """An image with the labels on its own grid.

    Parameters
    ----------
    image
        As read.
    labels
        (I, J, K) on the image's grid.
    boxes
        Per label value from 1 the slices that bound it on this grid, or None.
    border
        (I, J, K) bool where the image's field of view ends, or None on the mask's own grid, whose border
        is known already.
    """

    image: Image
    labels: NDArray[Any]
    boxes: tuple[tuple[slice, slice, slice] | None, ...]
    border: NDArray[np.bool_] | None = None


def sample(segmentation: Segmentation, image: Image) -> Sampled:
    """Bring the labels to the image's grid; nothing is resampled when the grids are one."""
    from scipy.ndimage import find_objects

    labels, border = segmentation.labels, None
    if not same_grid(segmentation.grid, image.grid):
        from medseg.geometry.resample import resample

        labels = resample(labels, segmentation.grid, image.grid, interpolation="nearest")
        border = border_mask(image.grid.shape, image.outside)
    # find_objects wants signed integers.
    boxes = find_objects(labels.astype(np.int32, copy=False))
    return Sampled(image, labels, tuple(boxes), border)


def add_intensities(rows: Rows, name: str, sampled: Sampled) -> None:
    """Mean, SD, extremes and percentiles of one target in one channel.

    Voxels without a measurement (`outside`) and values that are not finite stay out. All are refused when
    none is left. SD of one voxel is 0.
    """
    values, cut = _values(sampled, rows.target.labels)
    unit = sampled.image.value_unit
    quantities = (Quantity.MEAN, Quantity.SD, Quantity.MINIMUM, *_PERCENTILES, Quantity.MAXIMUM)
    if values.size == 0:
        here = any(item.quantity is Quantity.VOXEL_COUNT and item.value for item in rows.items)
        reason = (
            f"no voxel of channel {name!r} lies in {rows.target.name}" if here else not_found(rows.target)
        )
        for quantity in quantities:
            rows.refuse(quantity, reason, channel=name, unit=unit)
        return
    numbers = {
        Quantity.MEAN: float(values.mean(dtype=np.float64)),
        Quantity.SD: float(values.std(dtype=np.float64)),
        Quantity.MINIMUM: float(values.min()),
        Quantity.MAXIMUM: float(values.max()),
    }
    numbers |= dict(
        zip(_PERCENTILES, map(float, np.percentile(values, list(_PERCENTILES.values()))), strict=True)
    )
    where = _OTHER_GRID if sampled.border is not None else ""
    was_cut, rows.cut = rows.cut, rows.cut or cut
    for quantity in quantities:
        method = _METHODS.get(quantity, _PERCENTILE) + where
        rows.add(quantity, numbers[quantity], method=method, channel=name, unit=unit)
    rows.cut = was_cut


def _values(sampled: Sampled, wanted: tuple[int, ...]) -> tuple[NDArray[Any], bool]:
    """Values of a union of labels, and whether it touches the image's own border."""
    parts, cut = [], False
    for value in wanted:
        box = sampled.boxes[value - 1] if value <= len(sampled.boxes) else None
        if box is None:
            continue
        inside = sampled.labels[box] == value
        if sampled.border is not None:
            cut = cut or bool((sampled.border[box] & inside).any())
        if sampled.image.outside is not None:
            inside &= ~sampled.image.outside[box]
        values = sampled.image.array[box][inside]
        parts.append(values[np.isfinite(values)] if values.dtype.kind == "f" else values)
    return (np.concatenate(parts) if parts else np.empty(0)), cut
