"""First-order statistics of an image inside a structure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Quantity
from medseg.geometry import same_grid
from medseg.geometry.resample import resample
from medseg.measuring.firstorder import FIRST_ORDER, Answer, bin_width_of, first_order, variance_of
from medseg.measuring.rows import Rows, not_found
from medseg.measuring.sample import Sample, sample_of
from medseg.measuring.structure import mask_in_box
from medseg.measuring.tally import Tally, tally
from medseg.measuring.units import squared

__all__ = ["Sampled", "add_intensities", "refuse_intensities", "sample"]

_OTHER_GRID = "; on the channel's own voxels, labels taken at their centres"
_BASIC = frozenset({Quantity.MEAN, Quantity.SD, Quantity.VARIANCE})


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """An image with the labels on its own grid.

    Parameters
    ----------
    image
        As read.
    labels
        (I, J, K) on the image's grid.
    counts
        Sums over the labels on this grid.
    own_grid
        Whether the image has a grid of its own, whose border is not the mask's.
    """

    image: Image
    labels: NDArray[Any]
    counts: Tally
    own_grid: bool


def sample(labels: NDArray[Any], grid: Grid, counts: Tally, image: Image) -> Sampled:
    """Bring the labels to the image's grid; nothing is resampled when the grids are one."""
    if same_grid(grid, image.grid):
        return Sampled(image, labels, counts, own_grid=False)

    there = resample(labels, grid, image.grid, interpolation="nearest")
    return Sampled(image, there, tally(there, image.outside), own_grid=True)


def add_intensities(rows: Rows, name: str, sampled: Sampled, values: tuple[int, ...], *, here: bool) -> None:
    """Every first-order statistic of a union of values in one channel.

    Voxels without a measurement (`outside`) and values that are not finite stay out. All are refused when
    none is left. `here` says whether the structure occurs on the mask's own grid.
    """
    if not rows.wants(FIRST_ORDER):
        return
    part = sampled.counts.part(values)
    inside = Sample(np.empty(0)) if part.box is None else _values(sampled, values, part.box, part.count)
    if inside.size == 0:
        reason = (
            f"no voxel of channel {name!r} lies in {rows.target.name}" if here else not_found(rows.target)
        )
        refuse_intensities(rows, name, sampled, reason)
        return
    was_cut, was_reason = rows.cut, rows.cut_reason
    rows.cut = was_cut or (sampled.own_grid and part.on_border > 0)
    if inside.size < part.count and not rows.cut:
        voxels = f"{part.count - inside.size} of {part.count} voxels"
        rows.cut, rows.cut_reason = True, f"{voxels} of the structure hold no value in channel {name!r}"
    width = bin_width_of(sampled.image.value_unit)
    for quantity, answer in _answers(inside, rows, width).items():
        unit = _unit(quantity, sampled.image)
        if isinstance(answer, str):
            rows.refuse(quantity, answer, channel=name, unit=unit)
        else:
            method = quantity.info.method.format(width=width) + (_OTHER_GRID if sampled.own_grid else "")
            rows.add(quantity, answer, method=method, channel=name, unit=unit)
    rows.cut, rows.cut_reason = was_cut, was_reason


def refuse_intensities(rows: Rows, name: str, sampled: Sampled, reason: str) -> None:
    """Every statistic of a channel as null, with one reason."""
    for quantity in FIRST_ORDER:
        rows.refuse(quantity, reason, channel=name, unit=_unit(quantity, sampled.image))


def _answers(inside: Sample, rows: Rows, width: float) -> dict[Quantity, Answer]:
    """All statistics; mean and spread alone without sorting, where nothing else is wanted."""
    if rows.wants(set(FIRST_ORDER) - _BASIC):
        return first_order(inside, bin_width=width)
    variance = variance_of(inside)
    return {Quantity.MEAN: inside.mean, Quantity.SD: variance**0.5, Quantity.VARIANCE: variance}


def _unit(quantity: Quantity, image: Image) -> str:
    unit = quantity.info.unit
    return {"image": image.value_unit, "image2": squared(image.value_unit)}.get(unit, unit)


def _values(sampled: Sampled, values: tuple[int, ...], box: tuple[slice, slice, slice], count: int) -> Sample:
    """Measured, finite values of the structure, which has `count` voxels."""
    return sample_of(_planes(sampled, values, box), sampled.image.array.dtype, count)


def _planes(
    sampled: Sampled, values: tuple[int, ...], box: tuple[slice, slice, slice]
) -> Iterator[NDArray[Any]]:
    """Measured values plane by plane along memory: a mask of the whole box would be half as large as the image."""
    array, labels, outside = sampled.image.array[box], sampled.labels[box], sampled.image.outside
    outside = None if outside is None else outside[box]
    if labels.strides[0] < labels.strides[2]:  # picking follows the last axis
        array, labels = array.T, labels.T
        outside = None if outside is None else outside.T
    for plane in range(len(labels)):
        mask = mask_in_box(labels, (plane,), values)
        if outside is not None:
            mask &= ~outside[plane]
        yield array[plane][mask]
