"""A noisy ball on even and on thick slices, and seeds in and around it; what the seeded methods are tried on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Point

#: The field is a cube of this many mm; the ball is 34 mm wide, off the centre of every slice.
SIDE = 60
CENTRE = np.array([31.3, 28.6, 30.2])
RADIUS = 17.0
INSIDE, OUTSIDE = 100.0, 20.0


@dataclass(frozen=True, eq=False)
class Ball:
    """An image, and the truth on the grid of 1 mm."""

    image: Image
    truth: NDArray[np.bool_]

    def dice(self, mask: NDArray[np.bool_]) -> float:
        """Of a mask on the image's grid, compared on the grid of 1 mm."""
        return dice(self._fine(mask), self.truth)

    @property
    def ceiling(self) -> float:
        """Dice of the best mask that the image's grid can hold."""
        return self.dice(self._mean(self.truth.astype(float)) >= 0.5)

    def _mean(self, fine: NDArray[np.float64]) -> NDArray[np.float64]:
        thickness = SIDE // self.image.grid.shape[2]
        return fine.reshape(SIDE, SIDE, -1, thickness).mean(axis=3)

    def _fine(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.repeat(mask, SIDE // self.image.grid.shape[2], axis=2)


def ball(thickness: int = 1, noise: float = 5.0, unit: str = "mm") -> Ball:
    """A ball of 100 in 20, averaged over slices of `thickness` mm, with noise."""
    fine = np.stack(np.indices((SIDE, SIDE, SIDE)), axis=-1).astype(float)
    truth = np.linalg.norm(fine - CENTRE, axis=-1) <= RADIUS
    values = np.where(truth, INSIDE, OUTSIDE).reshape(SIDE, SIDE, -1, thickness).mean(axis=3)
    values += np.random.default_rng(11).normal(0, noise, values.shape)
    affine = np.diag([1.0, 1.0, thickness, 1.0])
    affine[2, 3] = (thickness - 1) / 2
    grid = Grid(values.shape, affine, unit=unit)  # type: ignore[arg-type]
    return Ball(Image(values.astype(np.float32), grid), truth)


def dice(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Twice the overlap over the sum."""
    return 2 * int((mask & truth).sum()) / int(mask.sum() + truth.sum())


def points(*positions: tuple[float, ...], outside: tuple[tuple[float, ...], ...] = ()) -> Prompts:
    """Prompts of points in the object, and outside it."""
    inner = tuple(Point((p[0], p[1], p[2])) for p in positions)
    outer = tuple(Point((p[0], p[1], p[2]), positive=False) for p in outside)
    return Prompts(points=inner + outer)


#: One seed in the middle of the ball.
MIDDLE = points((31.0, 29.0, 30.0))


def dumbbell() -> Image:
    """Two balls of 12 mm radius, 30 mm apart, joined by a bar of 3 mm radius: 100 in 0."""
    grid = Grid((72, 40, 40), np.eye(4))
    at = np.stack(np.indices(grid.shape), axis=-1).astype(float)
    left, right = (np.linalg.norm(at - (x, 20, 20), axis=-1) <= 12 for x in (18, 52))
    bar = (np.hypot(at[..., 1] - 20, at[..., 2] - 20) <= 3) & (at[..., 0] > 18) & (at[..., 0] < 52)
    return Image(np.where(left | right | bar, 100, 0).astype(np.int16), grid)
