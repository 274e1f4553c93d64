"""Mean field: what a voxel hears from its 26 neighbours, each by one over its distance in mm."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["heard", "neighbour_weights", "shares"]

_Field = NDArray[np.float32]


def neighbour_weights(spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> _Field:
    """(3, 3, 3) float32 weights of a voxel's neighbours, 1 in sum: each by one over its distance in mm.

    An axis of a single slice has no neighbours. With 1 × 1 × 5 mm the next slice counts a fifth of the
    neighbour beside it.

    Examples
    --------
    >>> weights = neighbour_weights((1.0, 1.0, 5.0), (9, 9, 9))
    >>> round(float(weights[0, 1, 1] / weights[1, 1, 0]), 6)
    5.0
    """
    weights = np.zeros((3, 3, 3), np.float32)
    for place in product((-1, 0, 1), repeat=3):
        beyond = any(step and extent == 1 for step, extent in zip(place, shape, strict=True))
        if any(place) and not beyond:
            weights[place[0] + 1, place[1] + 1, place[2] + 1] = 1 / np.linalg.norm(
                np.multiply(place, spacing)
            )
    return weights / max(float(weights.sum()), 1e-30)


def heard(posterior: _Field, rows: slice, weights: _Field) -> _Field:
    """Weighted probabilities of the neighbours of some rows; outside nobody is heard."""
    first, last = max(rows.start - 1, 0), min(rows.stop + 1, posterior.shape[1])
    kept = slice(rows.start - first, rows.stop - first)
    return np.stack([_around(one[first:last], weights)[kept] for one in posterior])


def _around(values: _Field, weights: _Field) -> _Field:
    """Correlation with weights that are the same on both sides of each axis; both sides are added up first."""
    lines = (values, _sides(values, 2))
    planes = [part for line in lines for part in (line, _sides(line, 1))]
    places = ((1, 1), (0, 1), (1, 0), (0, 0))
    here, beside = (
        sum(
            plane * weights[step, second, third]
            for plane, (second, third) in zip(planes, places, strict=True)
        )
        for step in (1, 0)
    )
    return np.asarray(here + _sides(np.asarray(beside), 0), np.float32)


def _sides(values: _Field, axis: int) -> _Field:
    """Sum of the two neighbours along an axis; beyond the border is nothing."""
    total = np.zeros_like(values)
    into, out = np.moveaxis(total, axis, 0), np.moveaxis(values, axis, 0)
    into[1:] += out[:-1]
    into[:-1] += out[1:]
    return total


def shares(logs: NDArray[np.floating], inside: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Softmax over the classes; nothing outside, so that it is not heard."""
    logs -= logs.max(axis=0)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=0)
    logs *= inside
    return logs
