"""From images on their own grids to one array on the model grid: the same for training and inference."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ModelCard
from medseg.domain.card import ChannelSpec
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.geometry.resample import covered_by, crop_grid, grid_with_spacing, resample
from medseg.inference.steps import preprocess

__all__ = ["Prepared", "canonical", "labels_on_grid", "model_grid", "prepare", "values_on_grid"]

#: Spacings this close (relative) are one: the model grid is then the native grid and nothing is interpolated.
SAME_SPACING = 1e-3
#: A channel that misses more of the reference's field of view than this is refused.
MOST_OUTSIDE = 0.5
#: Images of more voxels are brought to the model grid in parts of about `PART` voxels, with `MARGIN` voxels around.
LARGE, PART, MARGIN = 1 << 25, 1 << 23, 2
#: From here on a missing part of a channel is a warning.
WARN_OUTSIDE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a network sees: (C, I, J, K) float32 in the card's channel order, on `grid`."""

    array: NDArray[np.float32]
    grid: Grid
    findings: tuple[Finding, ...] = ()


def canonical(image: Image) -> Image:
    """The image in the nearest RAS order by flips and permutation: views, no resampling."""
    order = order_to(image.grid)
    outside = None if image.outside is None else order.apply(image.outside)
    return replace(image, array=order.apply(image.array), grid=order.grid(image.grid), outside=outside)


def model_grid(reference: Grid, spacing: tuple[float, float, float] | None) -> Grid:
    """Grid on which the network works, over the field of view of `reference`.

    `spacing` runs along the canonical axes (right–left, back–front, foot–head) and is brought to the
    array axes nearest to them. The reference's own grid is kept for None, and where the spacing is its own.
    """
    if spacing is None:
        return reference
    order = order_to(reference)
    first, second, third = (spacing[order.source.index(axis)] for axis in range(3))
    along = (first, second, third)
    if np.allclose(along, reference.spacing, rtol=SAME_SPACING, atol=0):
        return reference
    return grid_with_spacing(reference, along)


def prepare(images: Mapping[str, Image], card: ModelCard) -> Prepared:
    """Bring every channel of `card` straight from its own grid to the model grid, and scale it.

    Voxels outside a channel's field of view, without a measurement, or not finite take the channel's
    fill value before scaling and stay out of the statistics.

    Raises
    ------
    InputError
        If a channel covers less than half of the reference channel's field of view.
    """
    grid = model_grid(images[card.reference].grid, card.spacing)
    array = np.empty((len(card.channels), *grid.shape), dtype=np.float32)
    findings: list[Finding] = []
    for number, channel in enumerate(card.channels):
        values, inside = values_on_grid(images[channel.name], grid, channel)
        if finding := _coverage(channel, card.reference, 1 - float(inside.mean())):
            findings.append(finding)
        array[number] = preprocess(values, inside, channel.name, card.preprocessing)
    return Prepared(array, grid, tuple(findings))


def labels_on_grid(
    labels: NDArray[Any], source: Grid, target: Grid, values: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Class indices (0 background, 1… as in `values`) on `target`: each label linearly, the largest share wins.

    The identity when the grids are one. Memory: three float arrays on `target`.
    """
    best = np.full(target.shape, 0.5, dtype=np.float32)
    result = np.zeros(target.shape, dtype=np.uint8)
    if len(values) > 1:
        best = resample((labels == 0).astype(np.float32), source, target, fill=1.0).copy()
    for index, value in enumerate(values, start=1):
        share = resample((labels == value).astype(np.float32), source, target)
        better = share > best
        result[better] = index
        best[better] = share[better]
    return result


def values_on_grid(
    image: Image, grid: Grid, channel: ChannelSpec
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values on the model grid with the fill where there are none, and where there are some."""
    if image.array.size > LARGE:
        return _in_parts(image, grid, channel)
    return _at_once(image, grid, channel)


def _at_once(image: Image, grid: Grid, channel: ChannelSpec) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    values = image.array.astype(np.float32)
    missing = ~np.isfinite(values)
    if image.outside is not None:
        missing |= image.outside
    values[missing] = channel.fill
    on_grid = np.array(resample(values, image.grid, grid, fill=channel.fill), dtype=np.float32)
    inside = covered_by(image.grid, grid)
    if missing.any():
        inside &= resample(missing.astype(np.uint8), image.grid, grid, interpolation="nearest") == 0
    on_grid[~inside] = channel.fill
    return on_grid, inside


def _in_parts(
    image: Image, grid: Grid, channel: ChannelSpec
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The same, some planes of the grid after others, each from the part of the image around them."""
    on_grid = np.empty(grid.shape, np.float32)
    inside = np.empty(grid.shape, np.bool_)
    step = max(1, math.ceil(grid.shape[2] * PART / image.array.size))
    for start in range(0, grid.shape[2], step):
        planes = (slice(None), slice(None), slice(start, start + step))
        target = crop_grid(grid, planes)
        # The own grid is not interpolated, so nothing around is needed.
        box = planes if _same_voxels(image.grid, grid) else _around(image.grid, target)
        outside = None if image.outside is None else image.outside[box]
        part = replace(image, array=image.array[box], grid=crop_grid(image.grid, box), outside=outside)
        on_grid[planes], inside[planes] = _at_once(part, target, channel)
    return on_grid, inside


def _same_voxels(one: Grid, two: Grid) -> bool:
    """Whether two grids have the same voxels, as `resample` sees it."""
    return one.shape == two.shape and np.allclose(
        np.linalg.inv(one.affine) @ two.affine, np.eye(4), atol=1e-9
    )


def _around(source: Grid, target: Grid) -> tuple[slice, slice, slice]:
    """The part of `source` that values on `target` are interpolated from; at least a voxel."""
    corners = np.array(list(product(*((0, n - 1) for n in target.shape))))
    index = (np.linalg.inv(source.affine) @ target.affine @ np.c_[corners, np.ones(8)].T)[:3].T
    low = np.clip(np.floor(index.min(axis=0)) - MARGIN, 0, np.array(source.shape) - 1).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + MARGIN + 1, low + 1, source.shape).astype(int)
    first, second, third = (slice(int(one), int(two)) for one, two in zip(low, high, strict=True))
    return first, second, third


def _coverage(channel: ChannelSpec, reference: str, share: float) -> Finding | None:
    if share > MOST_OUTSIDE:
        raise InputError(
            f"channel {channel.name!r} covers {1 - share:.0%} of channel {reference!r}; at least half is needed: "
            "check that the images belong together and share one space"
        )
    if share < 0.0005:  # shown as 0.0 %
        return None
    return Finding(
        "channel.outside",
        "warning" if share > WARN_OUTSIDE else "info",
        f"Channel {channel.name} has no values in {share:.1%} of the field of view of channel {reference}; "
        f"there the model saw {channel.fill:g}.",
        as_details(channel=channel.name, share=share),
    )
