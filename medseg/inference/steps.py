"""The card's steps before and after the network, as functions of arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.domain.card import (
    Clip,
    FillHoles,
    Instances,
    KeepLargest,
    PostStep,
    PreStep,
    RemoveSmall,
    RequireRange,
    Scale,
    ToUnit,
    ZScore,
    ZScoreInside,
)
from medseg.domain.own_range import Normalise, PercentileRange, Rescale
from medseg.errors import InputError
from medseg.masks.components import label_parts
from medseg.masks.fill import fill_holes
from medseg.masks.sizes import SAME_VOLUME

__all__ = ["AFTER", "BEFORE", "postprocess", "preprocess"]

#: Below this standard deviation an image is constant, and only its mean is taken off.
CONSTANT = 1e-8


def preprocess(
    values: NDArray[np.float32], inside: NDArray[np.bool_], channel: str, steps: Sequence[PreStep]
) -> NDArray[np.float32]:
    """(I, J, K) values after the steps meant for `channel`, in order; `inside` marks voxels that were measured."""
    for step in steps:
        if step.channel == channel:
            values = BEFORE[type(step)](step, values, inside)
    return values


def postprocess(labels: NDArray[Any], grid: Grid, steps: Sequence[PostStep]) -> NDArray[Any]:
    """(I, J, K) labels after the steps, in order; the input is left as it is. Objects are numbered after all others."""
    for step in steps:
        labels = AFTER[type(step)](step, labels, grid)
    return labels


def _clip(step: Clip, values: NDArray[np.float32], _: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.clip(values, step.low, step.high)


def _scale(step: Scale, values: NDArray[np.float32], _: NDArray[np.bool_]) -> NDArray[np.float32]:
    return ((values - step.offset) / step.divisor).astype(np.float32)


def _zscore(step: ZScore, values: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    considered = inside & (values != 0) if step.over == "nonzero" else inside
    sample = values[considered].astype(np.float64)
    if sample.size == 0:
        return np.zeros_like(values)
    if step.clip_percentiles is not None:
        low, high = np.percentile(sample, step.clip_percentiles)
        sample, values = np.clip(sample, low, high), np.clip(values, low, high).astype(np.float32)
    mean, deviation = float(sample.mean()), float(sample.std())
    divisor = deviation if deviation > CONSTANT * max(1.0, abs(mean)) else 1.0
    return ((values - mean) / divisor).astype(np.float32)


def _zscore_inside(
    step: ZScoreInside, values: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.float32]:
    sample = values[inside] if step.only_inside else values
    if sample.size == 0:
        return values
    scaled = (values - sample.mean()) / max(sample.std(), np.float32(CONSTANT))
    found: NDArray[np.float32] = np.where(inside, scaled, values) if step.only_inside else scaled
    return found


def _to_unit(_: ToUnit, values: NDArray[np.float32], _inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    values = values - values.min()
    found: NDArray[np.float32] = values / max(values.max(), np.float32(CONSTANT))
    return found


def _normalise(step: Normalise, values: NDArray[np.float32], _: NDArray[np.bool_]) -> NDArray[np.float32]:
    where = values != 0
    sample = values[where] if step.only_nonzero else values
    if sample.size == 0:
        return values
    deviation = np.float32(sample.std(dtype=np.float64))
    divisor = deviation if deviation > 0 else np.float32(1)
    scaled = (values - np.float32(sample.mean(dtype=np.float64))) / divisor
    found: NDArray[np.float32] = np.where(where, scaled, values) if step.only_nonzero else scaled
    return found


def _rescale(step: Rescale, values: NDArray[np.float32], _: NDArray[np.bool_]) -> NDArray[np.float32]:
    low, high = values.min(), values.max()
    if low == high:
        return (values * np.float32(step.low)).astype(np.float32)
    found: NDArray[np.float32] = (values - low) / (high - low)
    return found * np.float32(step.high - step.low) + np.float32(step.low)


def _percentile_range(
    step: PercentileRange, values: NDArray[np.float32], _: NDArray[np.bool_]
) -> NDArray[np.float32]:
    start, stop = np.percentile(values, (step.lower, step.upper)).astype(np.float32)
    # As MONAI: where both percentiles are one value, it is only taken off.
    span = stop - start if stop > start else np.float32((step.high - step.low) or 1)
    scaled = (values - start) / span * np.float32(step.high - step.low) + np.float32(step.low)
    found: NDArray[np.float32] = np.clip(scaled, step.low, step.high) if step.clip else scaled
    return found.astype(np.float32)


def _require_range(
    step: RequireRange, values: NDArray[np.float32], _: NDArray[np.bool_]
) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    if low < step.low or high > step.high:
        raise InputError(
            f"channel {step.channel!r} has values from {low:g} to {high:g}, and this model takes {step.low:g} to "
            f"{step.high:g}; give the kind of image that it was trained on"
        )
    return values


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    components, count = label_parts(np.asarray(mask))
    return components, np.bincount(components.ravel(order="K"), minlength=count + 1)


def _keep_largest(step: KeepLargest, labels: NDArray[Any], _: Grid) -> NDArray[Any]:
    among = np.isin(labels, step.labels)
    components, sizes = _components(among)
    if sizes.size < 2:
        return labels
    return _without(labels, among & (components != 1 + int(np.argmax(sizes[1:]))))


def _remove_small(step: RemoveSmall, labels: NDArray[Any], grid: Grid) -> NDArray[Any]:
    components, sizes = _components(np.isin(labels, step.labels))
    small = sizes * grid.voxel_volume < step.minimum_mm3 * (1 - SAME_VOLUME)
    small[0] = False
    return _without(labels, small[components])


def _fill(step: FillHoles, labels: NDArray[Any], grid: Grid) -> NDArray[Any]:
    filled = fill_holes(labels == step.label, grid)
    return np.where(filled & (labels == 0), step.label, labels).astype(labels.dtype)


def _without(labels: NDArray[Any], what: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(what, 0, labels).astype(labels.dtype)


#: Step of a card → what does it; a test holds the keys to the steps that a card can name.
BEFORE: dict[type, Callable[[Any, NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]] = {
    Clip: _clip,
    Scale: _scale,
    ZScore: _zscore,
    ZScoreInside: _zscore_inside,
    ToUnit: _to_unit,
    RequireRange: _require_range,
    Normalise: _normalise,
    Rescale: _rescale,
    PercentileRange: _percentile_range,
}
AFTER: dict[type, Callable[[Any, NDArray[Any], Grid], NDArray[Any]]] = {
    KeepLargest: _keep_largest,
    RemoveSmall: _remove_small,
    FillHoles: _fill,
    Instances: lambda _step, labels, _grid: labels,  # numbered after all others, by `inference.instances`
}
