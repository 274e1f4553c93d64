"""Grids of every kind around a box of the world: spacings, axis orders, tilts, sheared gantries."""

from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry import affine_orientation

__all__ = ["ORIENTATIONS", "SPACINGS", "grid_around", "random_turn"]

#: Spacings in mm as clinics have them: isotropic, fine, thin and thick slices, all three different.
SPACINGS: tuple[tuple[float, float, float], ...] = (
    (1.0, 1.0, 1.0),
    (0.7, 0.7, 0.7),
    (0.5, 0.5, 5.0),
    (1.0, 1.0, 3.27),
    (4.0, 4.0, 2.0),
    (0.9, 1.3, 2.1),
    (0.78125, 0.78125, 1.5),
    (1.2, 0.4, 0.8),
)

#: The 48 axis orders: six permutations of the axes times eight flips, by the letters they grow towards.
ORIENTATIONS: tuple[str, ...] = tuple(
    sorted(
        "".join(("RL", "AP", "SI")[axis][side] for axis, side in zip(order, sides, strict=True))
        for order in permutations(range(3))
        for sides in product((0, 1), repeat=3)
    )
)


def random_turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation, uniform over all (3×3; the Q of a Gaussian matrix, Stewart 1980)."""
    turn, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    turn = turn * np.sign(np.diag(upper))
    if np.linalg.det(turn) < 0:
        turn[:, 0] *= -1
    return np.asarray(turn, np.float64)


def grid_around(
    bounds_mm: NDArray[np.float64],
    spacing: tuple[float, float, float],
    *,
    orientation: str = "RAS",
    turn: NDArray[np.float64] | None = None,
    tilt_degrees: float = 0.0,
    phase: tuple[float, float, float] = (0.0, 0.0, 0.0),
    margin: int = 2,
) -> Grid:
    """The smallest grid of a kind that holds a box with a margin.

    Parameters
    ----------
    bounds_mm
        (2, 3) lowest and highest position, RAS+ mm.
    spacing
        mm per step along `[i, j, k]`.
    orientation
        Letters that `[i, j, k]` grow towards, before turning.
    turn
        Rotation (3×3) of the whole grid; None leaves it straight.
    tilt_degrees
        Shears the third axis towards the second, as a tilted gantry does; slice distance stays, so its step
        grows by 1/cos.
    phase
        Where the box's middle lies between voxel centres, in voxels; (0, 0, 0) puts a centre there.
    margin
        Voxels beside the box on every side.

    Examples
    --------
    >>> grid_around(np.array([[-3.0, -3, -3], [3, 3, 3]]), (1.0, 1.0, 3.0)).shape
    (11, 11, 7)
    """
    matrix = affine_orientation(spacing, orientation)[:3, :3]
    if turn is not None:
        matrix = turn @ matrix
    if tilt_degrees:
        along = matrix[:, 1] / np.linalg.norm(matrix[:, 1])
        matrix[:, 2] += np.tan(np.deg2rad(tilt_degrees)) * np.linalg.norm(matrix[:, 2]) * along
    middle = np.asarray(bounds_mm, np.float64).mean(axis=0)
    corners = np.array([[bounds_mm[side][axis] for axis, side in enumerate(s)] for s in _SIDES]) - middle
    steps = corners @ np.linalg.inv(matrix).T
    low = np.floor(steps.min(axis=0)).astype(int) - margin
    high = np.ceil(steps.max(axis=0)).astype(int) + margin
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = middle + matrix @ (low + np.asarray(phase, np.float64))
    shape = tuple(int(n) for n in high - low + 1)
    return Grid((shape[0], shape[1], shape[2]), affine)


_SIDES = tuple(product((0, 1), repeat=3))
