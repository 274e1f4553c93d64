"""From images to a network's array on a grid that begins at the first voxel, and labels back: see `AnchoredGrid`.

Definitions are those of MONAI's Orientationd, Spacingd, CropForegroundd and their inverses; tests hold each function to
the original's numbers.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, ModelCard
from medseg.domain.recipe import AnchoredGrid, Decision
from medseg.geometry.resample import crop_grid
from medseg.inference.prepare import Prepared
from medseg.inference.reducers import AxisWeights, lines_between
from medseg.inference.steps import preprocess
from medseg.inference.stored_prepare import channel_values, channels_grid

__all__ = ["anchored_grid", "labels_to_native", "prepare_anchored", "reach_around"]

#: Voxels around a part of a grid: almost one.
AROUND_CROP = 1 - 1e-6
#: mm: spacings this close are one, and the image's own is kept.
SAME_MM = 1e-3
#: Voxels: a corner this little above another one is as low.
LOWEST = 1e-8
Box = tuple[slice, slice, slice]


def anchored_grid(native: Grid, rule: AnchoredGrid) -> Grid:
    """Grid of the network over an image that is turned already; the same where no spacing changes.

    The first voxels of both have one centre. Where the axes of the image are not at right angles to 1e-8 voxels, as the
    rounding of a file's header makes those of leaning images, the middles lie together instead, as MONAI has it: there
    the last voxel's outer face stands for the middle of the last one.

    >>> rule = AnchoredGrid(spacing=(2.0, 0.0, 2.0))
    >>> anchored_grid(Grid((5, 4, 4), np.eye(4)), rule).shape
    (3, 4, 2)
    """
    if rule.spacing is None or native.unit == "px":
        return native
    own = np.array(native.spacing)
    wanted = np.where(np.array(rule.spacing) == 0, own, rule.spacing)
    wanted = np.where(np.abs(wanted - own) <= SAME_MM, own, wanted)
    if (wanted == own).all():
        return native
    affine = np.eye(4)
    affine[:3, :3] = _axes(native) * wanted
    ends = np.array(list(product(*((0.0, size - 1.0) for size in native.shape)))).T
    corners = np.vstack([ends, np.ones(8)])
    places = (np.linalg.solve(affine, native.affine) @ corners)[:3]
    # Halves go to the even number, as MONAI's rounding has it.
    shape = np.round(np.ptp(places, axis=1) + 1.0).astype(int)
    first = next((place for place in range(8) if _is_lowest(places, place)), None)
    if first is None:
        half = np.array(native.shape) / 2
        affine[:3, 3] = native.affine[:3, :3] @ half + native.affine[:3, 3] - affine[:3, :3] @ (shape / 2)
    else:
        affine[:3, 3] = (native.affine @ corners)[:3, first]
    return replace(native, shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine=affine)


def _is_lowest(places: NDArray[np.float64], which: int) -> bool:
    """Whether no corner lies below this one along any axis."""
    return bool(np.allclose((places - places[:, which : which + 1]).min(axis=1), 0.0, atol=LOWEST))


def _axes(native: Grid) -> NDArray[np.float64]:
    """Unit columns; where axes are at right angles they are made so exactly, as MONAI does."""
    if native.is_sheared:
        return native.direction
    steps = np.array(native.affine[:3, :3])
    upper = np.linalg.cholesky(steps.T @ steps).T
    return steps @ np.linalg.inv(upper)


def prepare_anchored(images: Mapping[str, Image], card: ModelCard) -> Prepared:
    """Interpolate, scale and crop all channels; they lie on one grid.

    Voxels without a number become 0, with a Finding. Memory: the channels twice, in float32.

    Raises
    ------
    InputError
        If channels lie on different grids, or values are none that the model takes.
    """
    rule = card.grid
    assert isinstance(rule, AnchoredGrid)  # noqa: S101 - for the type checker: only cards with such a grid come here
    native = channels_grid(images, card)
    arrays, findings = channel_values(images, card)
    arrays = [_stepped(array, card, number, 0, rule.scaled_before) for number, array in enumerate(arrays)]
    grid = anchored_grid(native, rule)
    if grid is not native:
        lines = lines_between(native, grid)
        arrays = [_interpolated(array, lines) for array in arrays]
    crop = len(card.preprocessing) if rule.cropped_after is None else rule.cropped_after
    arrays = [_stepped(array, card, number, rule.scaled_before, crop) for number, array in enumerate(arrays)]
    if rule.cropped_after is not None:
        box = _box_above_zero(arrays, rule.margin)
        arrays, grid = [array[box] for array in arrays], crop_grid(grid, box)
        arrays = [_stepped(array, card, number, crop, None) for number, array in enumerate(arrays)]
    return Prepared(np.stack(arrays), grid, findings)


def _stepped(
    array: NDArray[np.float32], card: ModelCard, number: int, start: int, stop: int | None
) -> NDArray[np.float32]:
    """Some of the card's steps; each channel counts its own."""
    name = card.channels[number].name
    own = [step for step in card.preprocessing if step.channel == name][start:stop]
    return preprocess(array, np.ones(array.shape, np.bool_), name, own)


def _interpolated(array: NDArray[np.float32], lines: tuple[AxisWeights, ...]) -> NDArray[np.float32]:
    """Beyond the centres of the outer voxels values stay as they are there."""
    order = sorted(range(3), key=lambda axis: len(lines[axis].lower) / array.shape[axis])
    for axis in order:
        if not lines[axis].is_identity(array.shape[axis]):
            array = lines[axis].apply(array, axis)
    return array


def _box_above_zero(arrays: list[NDArray[np.float32]], margin: int) -> Box:
    """Smallest box around the values above 0, wider by a margin; everything where there are none."""
    above = np.zeros(arrays[0].shape, np.bool_)
    for array in arrays:
        above |= array > 0
    sides = []
    for axis in range(3):
        found = np.flatnonzero(above.any(axis=tuple(other for other in range(3) if other != axis)))
        ends = (int(found[0]), int(found[-1]) + 1) if found.size else (0, above.shape[axis])
        sides.append(slice(max(0, ends[0] - margin), min(above.shape[axis], ends[1] + margin)))
    return (sides[0], sides[1], sides[2])


def reach_around(cropped: Grid, whole: Grid) -> tuple[tuple[float, float], ...]:
    """How far answers on a part of a grid hold beyond its outer voxels, before and after, along each axis.

    Endlessly at the border of the whole; within it MONAI's inverse surrounds the part with nothing, and interpolates.
    """
    start = np.rint(np.linalg.solve(whole.affine, cropped.affine)[:3, 3]).astype(int)
    return tuple(
        (inf if first == 0 else AROUND_CROP, inf if first + size == extent else AROUND_CROP)
        for first, size, extent in zip(start, cropped.shape, whole.shape, strict=True)
    )


def labels_to_native(labels: NDArray[Any], source: Grid, native: Grid, decision: Decision) -> NDArray[Any]:
    """Labels that were decided on `source`: the nearest, or their numbers interpolated linearly and rounded.

    The second is what MONAI's inverse makes of labels unless it is told otherwise; between two labels whose numbers
    are not neighbours there then lie others.
    """
    if source is native:
        return labels
    if decision.interpolated == "nearest_label":
        return _nearest(labels, source, native)
    between = np.linalg.solve(source.affine, native.affine)
    places = [
        np.clip(between[axis, axis] * np.arange(size) + between[axis, 3], 0, source.shape[axis] - 1)
        for axis, size in enumerate(native.shape)
    ]
    found = np.empty(native.shape, labels.dtype)
    for plane, place in enumerate(places[0]):
        first = int(place)
        values = _between(labels[first : first + 2].astype(np.float64), np.array([place - first]), 0)
        values = _between(_between(values, places[1], 1), places[2], 2)
        # Halves are ties of numbers in float32, as MONAI gives them; they go to the even number.
        found[plane] = np.rint(values[0].astype(np.float32))
    return found


def _between(values: NDArray[np.float64], places: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Linear interpolation along an axis, in double precision: sums of halves stay halves."""
    lower = np.minimum(places.astype(np.intp), values.shape[axis] - 1)
    upper = np.minimum(lower + 1, values.shape[axis] - 1)
    shape = [1] * values.ndim
    shape[axis] = -1
    weight = (places - lower).reshape(shape)
    found: NDArray[np.float64] = values.take(lower, axis) * (1 - weight) + values.take(upper, axis) * weight
    return found


def _nearest(labels: NDArray[Any], source: Grid, native: Grid) -> NDArray[Any]:
    """The nearest label, plane by plane, by the arithmetic of MONAI and torch: it decides where two are as near."""
    import torch

    between = np.linalg.solve(source.affine, native.affine)
    theta = _to_unit(source.shape) @ between @ np.linalg.inv(_to_unit(native.shape))
    to_places = torch.from_numpy(np.ascontiguousarray(theta[[2, 1, 0]][:, [2, 1, 0, 3]].T))[None]
    first, second, third = (
        torch.linspace(-1, 1, size, dtype=torch.float64) * (size - 1) / size for size in native.shape
    )
    extents = torch.tensor(source.shape[::-1], dtype=torch.float64)
    across = torch.cartesian_prod(second, third)
    rows = torch.stack([across[:, 1], across[:, 0], torch.ones(len(across)), torch.ones(len(across))], dim=1)
    found = np.empty(native.shape, labels.dtype)
    for plane, place in enumerate(first):
        rows[:, 2] = place
        unit = torch.bmm(rows[None], to_places)[0]
        index = torch.minimum(torch.round(((unit + 1) * extents - 1).div(2).clamp(min=0)), extents - 1)
        k, j, i = index.to(torch.int64).T.numpy()
        found[plane] = labels[i, j, k].reshape(native.shape[1:])
    return found


def _to_unit(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """From indices to −1 at the first voxel's outer face and 1 at the last one's."""
    matrix = np.diag([*(2.0 / np.array(shape)), 1.0])
    matrix[:3, 3] = 1.0 / np.array(shape) - 1.0
    return matrix
