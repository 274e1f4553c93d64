"""Known changes of space: a shift, and a swelling whose change of volume is known exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.errors import InputError

__all__ = ["Swelling", "warp"]

Box: TypeAlias = tuple[slice, slice, slice]
#: Positions after a change (…, 3) → positions before it.
Source: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]

#: Voxels around a box that a cubic spline's values inside it depend on, to seven digits.
_REACH = 12
_PROFILE = 4096


@dataclass(frozen=True, slots=True)
class Swelling:
    """A ball of tissue that grows or shrinks about its centre, and tissue around it that makes room.

    The position y after the change comes from x = c + (y − c)·f(|y − c|): f is constant within the ball and goes to 1
    by a quintic at `outer`, beyond which nothing moves. So the Jacobian is known in closed form everywhere, and
    within the ball it is `factor`. Own construction.

    Parameters
    ----------
    centre
        World position in mm.
    radius
        Of the ball before the change, mm.
    factor
        Of its volume: 1.25 makes it larger by a quarter.
    outer
        Where tissue stays in place, mm.

    Raises
    ------
    InputError
        If tissue would fold: `outer` is too near for this factor.
    """

    centre: tuple[float, float, float]
    radius: float
    factor: float
    outer: float

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.factor > 0 and self.outer > self._inner):
            raise InputError(f"a swelling needs a radius and a factor above 0 and room around them: {self}")
        r = np.linspace(0, self.outer, _PROFILE)
        if self._slope(r).min() <= 0:
            raise InputError(
                f"tissue would fold around a change by {self.factor:g}; give more room than {self.outer:g} mm"
            )

    def source(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, 3) positions after the change → where that tissue was before."""
        away = positions - np.array(self.centre)
        r = np.linalg.norm(away, axis=-1, keepdims=True)
        found: NDArray[np.float64] = np.array(self.centre) + away * self._share(r)
        return found

    def jacobian(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…) factor by which a small volume of tissue at (…, 3), before the change, grows.

        >>> ball = Swelling((0.0, 0.0, 0.0), 5.0, 1.25, 12.0)
        >>> [round(float(value), 6) for value in ball.jacobian(np.array([[0.0, 0, 3], [0, 0, 20]]))]
        [1.25, 1.0]
        """
        before = np.linalg.norm(positions - np.array(self.centre), axis=-1)
        after = np.linspace(0, self.outer, _PROFILE)
        r = np.interp(before, after * self._share(after), after)
        inside: NDArray[np.float64] = 1 / (self._slope(r) * self._share(r) ** 2)
        return np.where(before < self.outer, inside, 1.0)

    @property
    def _inner(self) -> float:
        """Radius, after the change, within which f is constant."""
        return self.radius * max(1.0, float(self.factor ** (1 / 3)))

    def _share(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """F(r): what a distance after the change is multiplied by."""
        t = np.clip((r - self._inner) / (self.outer - self._inner), 0, 1)
        weight = 1 - t**3 * (10 - 15 * t + 6 * t**2)
        found: NDArray[np.float64] = 1 + (self.factor ** (-1 / 3) - 1) * weight
        return found

    def _slope(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivative of r·f(r)."""
        width = self.outer - self._inner
        t = np.clip((r - self._inner) / width, 0, 1)
        falling = -30 * t**2 * (1 - t) ** 2 / width
        found: NDArray[np.float64] = self._share(r) + r * (self.factor ** (-1 / 3) - 1) * falling
        return found


def warp(array: NDArray[Any], grid: Grid, source: Source, *, box: Box | None = None) -> NDArray[np.float32]:
    """Values (I, J, K) after a change of space, on the same grid; by cubic splines, the border's values beyond it.

    Parameters
    ----------
    source
        Positions after the change → before it, in the grid's unit.
    box
        Where anything moves; outside it the array stays as it is.

    Notes
    -----
    Memory: one copy as float32, one of the box, and coordinates of a slice at a time.
    """
    from scipy.ndimage import map_coordinates, spline_filter

    box = box or (slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    around = tuple(
        slice(max(0, part.start - _REACH), min(size, part.stop + _REACH))
        for part, size in zip(box, grid.shape, strict=True)
    )
    start = np.array([part.start for part in around], np.float64)
    filtered = spline_filter(array[around].astype(np.float32), order=3, output=np.float32, mode="nearest")
    result: NDArray[np.float32] = array.astype(np.float32)
    i, j = np.meshgrid(
        np.arange(box[0].start, box[0].stop), np.arange(box[1].start, box[1].stop), indexing="ij"
    )
    for k in range(box[2].start, box[2].stop):
        index = np.stack([i, j, np.full_like(i, k)], axis=-1)
        before = grid.to_index(source(grid.to_position(index))) - start
        result[box[0], box[1], k] = map_coordinates(
            filtered, np.moveaxis(before, -1, 0), order=3, mode="nearest", prefilter=False
        )
    return result
