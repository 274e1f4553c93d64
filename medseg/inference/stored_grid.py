"""From stored voxels to a network's grid and back, as nnU-Net v2 does it: crop, resize by shape, pad.

Arrays here are (C, *extents) in the order of the network's axes. Definitions: Isensee et al. 2021 (nnU-Net, Nat Methods
18:203) and the behaviour of nnunetv2 2.8 with scikit-image 0.26; tests hold each function to the original's numbers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.recipe import Resize
from medseg.inference.reducers import AxisWeights

__all__ = [
    "crop_box",
    "linear_line",
    "nearest_line",
    "nonzero_inside",
    "resize_labels",
    "resize_values",
    "resized_shape",
    "thick_axis",
]

Box = tuple[slice, ...]


def nonzero_inside(channels: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Voxels that are not 0 in some channel, and the holes among them: (*extents) of C arrays (*extents).

    What is no number counts as 0. Memory: a few times one byte a voxel.
    """
    from scipy.ndimage import binary_fill_holes

    found = np.zeros(channels[0].shape, np.bool_)
    for channel in channels:
        for number, plane in enumerate(channel):
            values = plane.astype(np.float32)
            found[number] |= (values != 0) & np.isfinite(values)
    inside: NDArray[np.bool_] = binary_fill_holes(found)
    return inside


def crop_box(inside: NDArray[np.bool_]) -> Box:
    """Smallest box around `inside`; everything where there is none.

    >>> crop_box(np.array([[False, True], [False, True]]))
    (slice(0, 2, None), slice(1, 2, None))
    """
    if not inside.any():
        return tuple(slice(0, size) for size in inside.shape)
    box = []
    for axis in range(inside.ndim):
        others = tuple(other for other in range(inside.ndim) if other != axis)
        found = np.flatnonzero(inside.any(axis=others))
        box.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(box)


def resized_shape(shape: Sequence[int], spacing: Sequence[float], wanted: Sequence[float]) -> tuple[int, ...]:
    """Voxels at another spacing, halves to the even number.

    >>> resized_shape((51, 10), (1.0, 1.0), (2.0, 0.8))
    (26, 12)
    """
    return tuple(round(old / new * size) for size, old, new in zip(shape, spacing, wanted, strict=True))


def thick_axis(spacing: Sequence[float], wanted: Sequence[float], rule: Resize) -> int | None:
    """Axis whose slices are interpolated one by one; None where all axes are interpolated together.

    The spacing at hand decides where it is anisotropic, else the one wanted; where two axes share the largest spacing,
    there is none.

    >>> thick_axis((5.0, 1.0, 1.0), (1.0, 1.0, 1.0), Resize())
    0
    """
    if rule.one_by_one is False:
        return None
    deciding = next(
        (steps for steps in (spacing, wanted) if max(steps) / min(steps) > rule.thick_ratio),
        spacing if rule.one_by_one else None,
    )
    if deciding is None:
        return None
    largest = [axis for axis, step in enumerate(deciding) if step == max(deciding)]
    return largest[0] if len(largest) == 1 else None


def resize_values(
    channels: NDArray[Any],
    shape: Sequence[int],
    spacing: Sequence[float],
    wanted: Sequence[float],
    rule: Resize,
) -> NDArray[Any]:
    """(C, *shape) of (C, *extents), each channel by itself; the same array where nothing changes.

    A spline gives the type of its input, `linear` float32. Memory: one channel in float64, and the result.
    """
    if rule.how == "none" or channels.shape[1:] == tuple(shape):
        return channels
    axis = thick_axis(spacing, wanted, rule)
    if rule.how == "linear":
        return np.stack([_linear(one, shape, axis) for one in channels])
    resized = np.empty((len(channels), *shape), channels.dtype)
    for number, one in enumerate(channels):
        resized[number] = _spline(one.astype(np.float64), shape, axis, rule)
    return resized


def linear_line(size: int, wanted: int) -> AxisWeights:
    """Linear interpolation along an axis, edges on edges; beyond the outer centres values stay as they are there.

    >>> linear_line(2, 4).weight.tolist()
    [0.0, 0.25, 0.75, 0.0]
    """
    places = np.clip(size / wanted * (np.arange(wanted) + 0.5) - 0.5, 0, size - 1)
    lower = np.floor(places).astype(np.intp)
    return AxisWeights(lower, np.minimum(lower + 1, size - 1), places - lower, np.ones(wanted, np.bool_))


def nearest_line(size: int, wanted: int) -> AxisWeights:
    """The nearest voxel along an axis, of two equally near ones the upper."""
    index = _nearest(size, wanted)
    return AxisWeights(index, index, np.zeros(wanted), np.ones(wanted, np.bool_))


def resize_labels(
    labels: NDArray[Any],
    shape: Sequence[int],
    spacing: Sequence[float],
    wanted: Sequence[float],
    rule: Resize,
) -> NDArray[Any]:
    """(*shape) label values of (*extents): each label is interpolated as 0 and 1, and the largest share wins.

    Of equal shares, a spline takes the nearest voxel's label, `linear` (shares in float16) the lower one.
    """
    if rule.how == "none" or labels.shape == tuple(shape):
        return labels
    axis = thick_axis(spacing, wanted, rule)
    if rule.how == "linear":
        return _linear_labels(labels, shape, axis)
    if axis is None:
        return _spline_labels(labels, shape, rule.order)
    flat = [size for other, size in enumerate(shape) if other != axis]
    slices = np.moveaxis(labels, axis, 0)
    done = np.moveaxis(np.stack([_spline_labels(one, flat, rule.order) for one in slices]), 0, axis)
    if rule.order_across == 0:
        return done.take(_nearest(done.shape[axis], shape[axis]), axis=axis)
    result = np.zeros(shape, labels.dtype)
    for value in np.unique(done):
        share = _across((done == value).astype(np.float64), shape[axis], axis, rule.order_across)
        result[np.round(share) > 0.5] = value
    return result


def _spline(
    values: NDArray[np.float64], shape: Sequence[int], axis: int | None, rule: Resize
) -> NDArray[Any]:
    if axis is None:
        return _resize(values, shape, rule.order)
    flat = [size for other, size in enumerate(shape) if other != axis]
    slices = np.moveaxis(values, axis, 0)
    done = np.moveaxis(np.stack([_resize(one, flat, rule.order) for one in slices]), 0, axis)
    return _across(done, shape[axis], axis, rule.order_across)


def _resize(values: NDArray[np.float64], shape: Sequence[int], order: int) -> NDArray[np.float64]:
    from skimage.transform import resize

    done: NDArray[np.float64] = resize(values, tuple(shape), order, mode="edge", anti_aliasing=False)
    return done


def _across(values: NDArray[np.float64], size: int, axis: int, order: int) -> NDArray[np.float64]:
    """Between slices, along `axis`."""
    if values.shape[axis] == size:
        return values
    if order == 0:
        return values.take(_nearest(values.shape[axis], size), axis=axis)
    from scipy.ndimage import map_coordinates

    shape = list(values.shape)
    shape[axis] = size
    places: list[Any] = list(np.ogrid[tuple(slice(0, one) for one in shape)])
    places[axis] = values.shape[axis] / size * (places[axis] + 0.5) - 0.5
    done: NDArray[np.float64] = map_coordinates(
        values, np.array(np.broadcast_arrays(*places)), order=order, mode="nearest"
    )
    return done


def _nearest(size: int, wanted: int) -> NDArray[np.intp]:
    """Index of the nearest voxel, of two equally near ones the upper."""
    places = size / wanted * (np.arange(wanted) + 0.5) - 0.5
    found: NDArray[np.intp] = np.clip(np.floor(places + 0.5), 0, size - 1).astype(np.intp)
    return found


def _spline_labels(labels: NDArray[Any], shape: Sequence[int], order: int) -> NDArray[Any]:
    if order == 0:
        return _resize(labels.astype(np.float64), shape, 0).astype(labels.dtype)
    values = np.unique(labels)
    best = np.full(tuple(shape), -np.inf)
    result = np.zeros(tuple(shape), labels.dtype)
    nearest = _resize(labels.astype(np.float64), shape, 0).astype(labels.dtype)
    for value in values:
        share = _resize((labels == value).astype(np.float64), shape, order)
        wins = (share > best) | ((share == best) & (nearest == value))
        result[wins] = value
        np.maximum(best, share, out=best)
    return result


def _linear(values: NDArray[Any], shape: Sequence[int], axis: int | None) -> NDArray[np.float32]:
    """As torch's `interpolate`; between thick slices the nearest."""
    import torch
    from torch.nn.functional import interpolate

    array = torch.from_numpy(np.array(values, np.float32))
    if axis is None:
        modes = {2: "bilinear", 3: "trilinear"}
        done = interpolate(array[None, None], tuple(shape), mode=modes[values.ndim])[0, 0]
    else:
        flat = tuple(size for other, size in enumerate(shape) if other != axis)
        slices = torch.movedim(array, axis, 0)[:, None]
        if tuple(slices.shape[2:]) != flat:
            slices = interpolate(slices, flat, mode="bilinear")
        done = torch.movedim(slices[:, 0], 0, axis)
        if done.shape[axis] != shape[axis]:
            done = interpolate(done[None, None], tuple(shape), mode="nearest-exact")[0, 0]
    resized: NDArray[np.float32] = done.numpy()
    return resized


def _linear_labels(labels: NDArray[Any], shape: Sequence[int], axis: int | None) -> NDArray[Any]:
    values = np.unique(labels)
    best = np.full(tuple(shape), -np.inf, np.float16)
    result = np.zeros(tuple(shape), labels.dtype)
    for value in values:
        share = _linear((labels == value) * np.float32(1000), shape, axis).astype(np.float16)
        result[share > best] = value
        np.maximum(best, share, out=best)
    return result
