"""What the seeded methods are tried on: a noisy ball on even and on thick slices, and scenes with seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Point, Stroke

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


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, seeds in its object, and the truth on its grid."""

    image: Image
    prompts: Prompts
    truth: NDArray[np.bool_]


def disc() -> Scene:
    """A noisy disc of 18 px on a single slice, and a seed in its middle."""
    at = np.stack(np.indices((80, 90, 1)), axis=-1)
    truth = np.hypot(at[..., 0] - 40, at[..., 1] - 45) <= 18
    values = np.where(truth, 90.0, 30.0) + np.random.default_rng(3).normal(0, 5, truth.shape)
    image = Image(values.astype(np.float32), Grid(truth.shape, np.eye(4), unit="px"))
    return Scene(image, points((40.0, 45.0, 0.0)), truth)


def turned() -> Scene:
    """The ball of 1 mm slices on a grid turned by 37° in plane, and a seed in its middle."""
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    scan = ball()
    x, y, z = (float(number) for number in turn[:3, :3] @ (31.0, 29.0, 30.0))
    return Scene(Image(scan.image.array, Grid((SIDE,) * 3, turn)), points((x, y, z)), scan.truth)


def sheared() -> Image:
    """The ball on a grid whose axes are not at right angles."""
    affine = np.eye(4)
    affine[1, 2] = 0.25
    return Image(ball().image.array, Grid((SIDE,) * 3, affine))


def flat() -> Image:
    """A cube of one value."""
    return Image(np.ones((SIDE,) * 3, np.float32), Grid((SIDE,) * 3, np.eye(4)))


def tumour(data: Callable[[str], Path]) -> Scene:
    """A sarcoma on PET, and a stroke through its middle as a user might draw it."""
    from medseg.workflows.files import read, read_segmentation

    image = read(data("sarcoma/STS_012/PET_image.nii.gz"))
    truth = read_segmentation(data("sarcoma/STS_012/PET_mask.nii.gz")).labels > 0
    middle = np.argwhere(truth).mean(axis=0)
    line = [image.grid.to_position(middle + np.array([0, 0, step])) for step in (-6, 0, 6)]
    stroke = Stroke(tuple((float(p[0]), float(p[1]), float(p[2])) for p in line), 5.0)
    return Scene(image, Prompts(strokes=(stroke,)), truth)


#: One seed in each ball of the dumbbell, of objects 2 and 5.
BOTH_BALLS = Prompts(points=(Point((18.0, 20.0, 20.0), label=2), Point((52.0, 20.0, 20.0), label=5)))
