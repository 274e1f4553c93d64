"""The card's steps before and after the network, as functions of arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.domain.card import Clip, Instances, KeepLargest, PostStep, PreStep, Scale, ZScore
from medseg.masks.components import label_parts

__all__ = ["postprocess", "preprocess"]

#: Below this standard deviation an image is constant, and only its mean is taken off.
CONSTANT = 1e-8


def preprocess(
    values: NDArray[np.float32], inside: NDArray[np.bool_], channel: str, steps: Sequence[PreStep]
) -> NDArray[np.float32]:
    """(I, J, K) values after the steps meant for `channel`, in order; `inside` marks voxels that were measured."""
    for step in steps:
        if step.channel == channel:
            values = _apply(step, values, inside)
    return values


def postprocess(labels: NDArray[Any], grid: Grid, steps: Sequence[PostStep]) -> NDArray[Any]:
    """(I, J, K) labels after the steps, in order; the input is left as it is. Objects are numbered after all others."""
    for step in steps:
        if isinstance(step, Instances):
            continue
        among = np.isin(labels, step.labels)
        keep = _largest(among) if isinstance(step, KeepLargest) else _not_small(among, grid, step.minimum_mm3)
        labels = np.where(among & ~keep, 0, labels).astype(labels.dtype)
    return labels


def _apply(step: PreStep, values: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    if isinstance(step, Clip):
        return np.clip(values, step.low, step.high)
    if isinstance(step, Scale):
        return ((values - step.offset) / step.divisor).astype(np.float32)
    return _zscore(step, values, inside)


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


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    components, count = label_parts(np.asarray(mask))
    return components, np.bincount(components.ravel(order="K"), minlength=count + 1)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    components, sizes = _components(mask)
    if sizes.size < 2:
        return mask
    return np.asarray(components == 1 + int(np.argmax(sizes[1:])))


def _not_small(mask: NDArray[np.bool_], grid: Grid, minimum_mm3: float) -> NDArray[np.bool_]:
    components, sizes = _components(mask)
    large = sizes * grid.voxel_volume >= minimum_mm3
    large[0] = False
    return np.asarray(large[components])
