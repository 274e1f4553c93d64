"""From images as a file stores them to a network's array, and from its outputs to labels: see `StoredGrid`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, ModelCard
from medseg.domain.recipe import Decision, StoredGrid
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry import AxisOrder, same_grid
from medseg.geometry.resample import crop_grid
from medseg.inference.reducers import AxisWeights, regions_written
from medseg.inference.steps import preprocess
from medseg.inference.stored_grid import (
    crop_box,
    linear_line,
    nearest_line,
    nonzero_inside,
    resize_labels,
    resize_values,
    resized_shape,
    thick_axis,
)

__all__ = [
    "StoredArray",
    "channel_values",
    "channels_grid",
    "decided",
    "grid_of_network",
    "lines_to_crop",
    "network_grid",
    "outputs_to_native",
    "prepare_stored",
    "with_labels_before",
]

#: Between the slices of a picture there is no distance; nnU-Net takes this many times its pixels.
NO_DISTANCE = 999.0
#: Label of an earlier stage in the border of zeros, while it is interpolated.
BORDER = -1


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """What a network sees, and the way back.

    Parameters
    ----------
    array
        (C, *extents) float32 in the order of the network's axes.
    rule, spacing, wanted
        Of the grid; spacing of the native voxels and of the network's, along its axes.
    extents, box, inside
        Native extents along the network's axes, the crop within them, and what is no border of zeros in the crop.
    findings
        What was done to the values.
    """

    array: NDArray[np.float32]
    rule: StoredGrid
    spacing: tuple[float, ...]
    wanted: tuple[float, ...]
    extents: tuple[int, ...]
    box: tuple[slice, ...]
    inside: NDArray[np.bool_]
    findings: tuple[Finding, ...] = ()

    @property
    def cropped(self) -> tuple[int, ...]:
        """Extents of the crop, in native voxels."""
        return tuple(side.stop - side.start for side in self.box)

    def to_network(self, array: NDArray[Any]) -> NDArray[Any]:
        """(I, J, K) in the order of the network's axes, cropped: a view."""
        return array.transpose(self.rule.axes)[self.box]

    def to_native(self, array: NDArray[Any], outside: float = 0) -> NDArray[Any]:
        """(I, J, K) of a crop in the order of the network's axes; `outside` around it."""
        whole = np.full(self.extents, outside, array.dtype)
        whole[self.box] = array
        return whole.transpose(np.argsort(self.rule.axes))


def prepare_stored(images: Mapping[str, Image], card: ModelCard) -> StoredArray:
    """Crop, scale, then resize all channels; they lie on one grid.

    Voxels without a number become 0, with a Finding. Memory: the crop of all channels in float32, one of them in
    float64 while it is resized, and the result.

    Raises
    ------
    InputError
        If channels lie on different grids, or values are none that the model takes.
    """
    rule = card.grid
    assert isinstance(rule, StoredGrid)  # noqa: S101 - for the type checker: only cards with such a grid come here
    reference = images[card.reference]
    channels_grid(images, card)
    spacing = tuple(_spacing(reference)[axis] for axis in rule.axes)
    wanted = (*spacing[: 3 - len(rule.spacing)], *rule.spacing)
    arrays = [images[channel.name].array.transpose(rule.axes) for channel in card.channels]
    inside = nonzero_inside(arrays) if rule.crop else np.ones(arrays[0].shape, np.bool_)
    box = crop_box(inside)
    inside = inside[box].copy()
    cropped, findings = np.empty((len(arrays), *inside.shape), np.float32), []
    for number, (channel, array) in enumerate(zip(card.channels, arrays, strict=True)):
        findings += _numbers(array, box, channel.name, cropped[number])
        cropped[number] = preprocess(cropped[number], inside, channel.name, card.preprocessing)
    shape = resized_shape(cropped.shape[1:], spacing, wanted)
    if min(shape) < 1:
        raise InputError(f"{card.name}: an image of {cropped.shape[1:]} voxels vanishes at its {wanted} mm")
    array = resize_values(cropped, shape, spacing, wanted, rule.image).astype(np.float32, copy=False)
    return StoredArray(array, rule, spacing, wanted, arrays[0].shape, box, inside, tuple(findings))


def with_labels_before(
    stored: StoredArray, labels: NDArray[Any], values: tuple[int, ...]
) -> NDArray[np.float32]:
    """(C + labels, *extents): channels, then a channel of ones for each label of an earlier stage, given natively."""
    given = stored.to_network(labels).astype(np.int32)
    given[(given == 0) & ~stored.inside] = BORDER
    shape = stored.array.shape[1:]
    resized = resize_labels(given, shape, stored.spacing, stored.wanted, stored.rule.labels)
    ones = [(resized == value).astype(np.float32) for value in values]
    return np.concatenate([stored.array, np.stack(ones)])


def outputs_to_native(outputs: NDArray[np.floating[Any]], stored: StoredArray) -> NDArray[np.floating[Any]]:
    """(L, *crop) outputs on the native voxels of the crop. Memory: all outputs there at once."""
    return resize_values(outputs, stored.cropped, stored.wanted, stored.spacing, stored.rule.outputs)


def decided(
    outputs: NDArray[np.floating[Any]], decision: Decision, values: tuple[int, ...]
) -> NDArray[np.uint16]:
    """Labels of (L, …) outputs: the largest wins, the first of equals; or each above one half, later ones on top.

    >>> decided(np.array([[0.2], [0.2]]), Decision(), (7,)).tolist()
    [0]
    >>> decided(np.array([[3.0], [1.0]]), Decision("sigmoid", "logits", (1, 2)), (1, 2)).tolist()
    [2]
    """
    if decision.activation == "softmax":
        winner = np.zeros(outputs.shape[1:], np.uint16)
        best = outputs[0].copy()
        for number, value in enumerate(values, start=1):
            better = outputs[number] > best
            winner[better] = value
            np.copyto(best, outputs[number], where=better)
        return winner
    sequence = decision.sequence or range(len(decision.order))
    return regions_written((outputs[number] for number in sequence), decision, np.uint16)


def channels_grid(images: Mapping[str, Image], card: ModelCard) -> Grid:
    """The grid of the reference channel, if it is that of all.

    Raises
    ------
    InputError
        Naming the first channel on another one.
    """
    grid = images[card.reference].grid
    for channel in card.channels:
        if not same_grid(images[channel.name].grid, grid):
            raise InputError(
                f"{card.name} takes channels of one grid, and {channel.name!r} has another one than "
                f"{card.reference!r}; bring it there with 'medseg convert --like'"
            )
    return grid


def channel_values(
    images: Mapping[str, Image], card: ModelCard
) -> tuple[list[NDArray[np.float32]], tuple[Finding, ...]]:
    """Voxels of each channel in float32; those without a number become 0, with a Finding."""
    arrays, findings = [], []
    for channel in card.channels:
        array = images[channel.name].array.astype(np.float32)
        missing = ~np.isfinite(array)
        array[missing] = 0
        findings += _not_numbers(channel.name, float(missing.mean()))
        arrays.append(array)
    return arrays, tuple(findings)


def _numbers(
    array: NDArray[Any], box: tuple[slice, ...], name: str, into: NDArray[np.float32]
) -> list[Finding]:
    """Fill `into` with the values in a box of a channel, and 0 for those without a number, which are said of all."""
    into[...] = array[box]
    into[~np.isfinite(into)] = 0
    missing = sum(int((~np.isfinite(plane.astype(np.float32))).sum()) for plane in array)
    return _not_numbers(name, missing / array.size)


def _not_numbers(name: str, share: float) -> list[Finding]:
    if not share:
        return []
    text = f"Channel {name} has no numbers in {share:.1%} of its voxels; there the model saw 0."
    return [Finding("channel.not_numbers", "warning", text, as_details(channel=name, share=share))]


def network_grid(native: Grid, stored: StoredArray) -> Grid:
    """The network's grid in the world: `native` (turned), its axes permuted, cropped, edges kept on edges."""
    first, second, third = stored.box
    return _resized(crop_grid(_permuted(native, stored.rule), (first, second, third)), stored.array.shape[1:])


def grid_of_network(native: Grid, rule: StoredGrid) -> Grid:
    """That of an image of which nothing is cropped, as its size is known before it is looked at."""
    along = _permuted(native, rule)
    if native.unit != "mm":
        return along
    wanted = (*along.spacing[: 3 - len(rule.spacing)], *rule.spacing)
    shape = resized_shape(along.shape, along.spacing, wanted)
    return along if shape == along.shape else _resized(along, tuple(max(1, size) for size in shape))


def _permuted(native: Grid, rule: StoredGrid) -> Grid:
    return AxisOrder(rule.axes, (False, False, False)).grid(native)


def _resized(along: Grid, shape: tuple[int, ...]) -> Grid:
    """A grid of another shape over the same extent."""
    factors = np.array(along.shape) / shape
    affine = np.array(along.affine)
    affine[:3, 3] = along.to_position(factors / 2 - 0.5)
    affine[:3, :3] *= factors
    return replace(along, shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine=affine)


def lines_to_crop(stored: StoredArray) -> tuple[AxisWeights, ...] | None:
    """How outputs come to the native voxels of the crop, if it is linear or nearest along each axis; None else.

    The same arithmetic as `resize_values` in double precision, axis after axis instead of all at once.
    """
    rule, source = stored.rule.outputs, stored.array.shape[1:]
    if source == stored.cropped:
        return tuple(linear_line(size, size) for size in source)
    if rule.how == "none" or (rule.how == "spline" and (rule.order != 1 or rule.order_across > 1)):
        return None
    thick = thick_axis(stored.wanted, stored.spacing, rule)
    stepped = rule.how == "linear" or rule.order_across == 0
    return tuple(
        nearest_line(size, wanted) if axis == thick and stepped else linear_line(size, wanted)
        for axis, (size, wanted) in enumerate(zip(source, stored.cropped, strict=True))
    )


def _spacing(image: Image) -> tuple[float, float, float]:
    """Steps along array axes (mm), as the program that trained the model reads it from a file."""
    grid: Grid = image.grid
    steps = grid.spacing
    if grid.unit == "px":
        return (steps[0], steps[1], NO_DISTANCE * max(steps[:2]))
    if image.source is not None and image.source.format == "nifti":
        # NIfTI holds spacings in float32; from the columns of an oblique affine they come back with rounding.
        first, second, third = (float(np.float32(step)) for step in steps)
        return (first, second, third)
    return steps
