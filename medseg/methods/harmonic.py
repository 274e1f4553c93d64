"""Values between fixed ones that are the weighted mean of their neighbours': the chances of a random walk."""

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Run
from medseg.methods.paths import Edges, neighbours

__all__ = ["harmonic"]

#: The residual that is left, as a share of the first.
_ENOUGH = 1e-4


def harmonic(
    weights: Edges,
    fixed: NDArray[np.bool_],
    start: NDArray[np.float32],
    *,
    rounds: int,
    run: Run,
    pull: tuple[NDArray[np.float32], float] | None = None,
) -> NDArray[np.float32]:
    """Values that are the weighted mean of their neighbours' wherever they are not fixed.

    Parameters
    ----------
    weights
        Of the links along each axis, at least 0; a voxel without links keeps its start.
    fixed
        (I, J, K) bool: where `start` holds.
    start
        (I, J, K) float32: values where fixed, a guess elsewhere.
    rounds
        At most; it ends before when the residual is 1e-4 of the first.
    run
        Polled each round.
    pull
        (I, J, K) values that each voxel is linked to besides, and the weight of that link.

    Returns
    -------
    (I, J, K) float32. Memory: seven arrays of that kind.

    Notes
    -----
    Conjugate gradients with the diagonal as preconditioner (Hestenes, Stiefel 1952), without a matrix.

    Examples
    --------
    >>> line = np.array([0, 0, 0, 0, 8], np.float32)[:, None, None]
    >>> ends = np.array([1, 0, 0, 0, 1], np.bool_)[:, None, None]
    >>> links = np.ones((4, 1, 1), np.float32), np.ones((5, 0, 1), np.float32), np.ones((5, 1, 0), np.float32)
    >>> harmonic(links, ends, line, rounds=9, run=Run()).ravel().round(3).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    free = ~fixed
    total = np.zeros_like(start)
    for axis, weight in enumerate(weights):
        here, there = neighbours(axis)
        total[here] += weight
        total[there] += weight
    free &= total > 0
    towards, strength = pull or (start, 0.0)
    total += np.float32(strength)
    scale = np.where(free, 1 / np.where(free, total, np.float32(1)), np.float32(0))
    values = start.copy()
    residual = np.float32(strength) * (towards - values)
    residual -= _flow(weights, values)
    residual *= free
    step = scale * residual
    energy = first = float(np.vdot(residual, step))
    for _ in range(rounds):
        if energy <= _ENOUGH**2 * first or energy == 0:
            break
        run.check()
        flow = _flow(weights, step)
        flow += np.float32(strength) * step
        flow *= free
        length = energy / max(float(np.vdot(step, flow)), 1e-30)
        values += np.float32(length) * step
        residual -= np.float32(length) * flow
        preferred = scale * residual
        before, energy = energy, float(np.vdot(residual, preferred))
        step *= np.float32(energy / before)
        step += preferred
    return values


def _flow(weights: Edges, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What flows out of each voxel: the graph's Laplacian times the values."""
    out = np.zeros_like(values)
    for axis, weight in enumerate(weights):
        here, there = neighbours(axis)
        part = (values[here] - values[there]) * weight
        out[here] += part
        out[there] -= part
    return out
