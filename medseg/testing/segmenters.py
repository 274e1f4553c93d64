"""What segmenters are tried on: a bright ball with noise in a darker body, on even and on thick slices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Prompts, Segmentation, SegmenterSpec
from medseg.domain.prompts import Point, Stroke

__all__ = ["BallImage", "Trial", "ball_image", "dice", "points", "traced"]

#: World position of the middle of the first voxel; odd numbers, so that rounding shows.
_ORIGIN = np.array([-31.7, 12.3, 401.9])
#: The ball's centre from there, in shares of the field; off the centre of every voxel.
_CENTRE = np.array([0.523, 0.478, 0.497])
#: How far out background seeds lie, from the ball's surface (0) to the edge of the field (1).
_TOWARDS_EDGE = 0.7


@dataclass(frozen=True, eq=False)
class BallImage:
    """The images a segmenter asks for, the voxels of the ball, and its centre and radius in mm."""

    images: Mapping[str, Image]
    truth: NDArray[np.bool_]
    centre: NDArray[np.float64]
    radius: float

    @property
    def grid(self) -> Grid:
        """Of all channels."""
        return next(iter(self.images.values())).grid

    def found(self, answer: Segmentation) -> NDArray[np.bool_]:
        """The object of an answer that holds the ball's centre: its instance, else its label."""
        objects = answer.labels if answer.instances is None else answer.instances
        middle = tuple(np.rint(self.grid.to_index(self.centre)).astype(int))
        value = objects[middle]
        return np.asarray((objects == value) & (objects > 0))


@dataclass(frozen=True)
class Trial:
    """What an author says about the trials of a segmenter.

    Parameters
    ----------
    params
        Parameters with which it finds a bright ball of `inside` in a body of `outside`.
    prompts
        Seeds for a ball; by default one point inside and six outside where the segmenter needs any.
    inside, outside, noise
        Values of ball and body, and the standard deviation of normal noise.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    prompts: Callable[[BallImage], Prompts] | None = None
    inside: float = 100.0
    outside: float = 20.0
    noise: float = 5.0

    def seeds(self, spec: SegmenterSpec, ball: BallImage) -> Prompts | None:
        """Prompts for a ball; None for a segmenter that asks for none."""
        if self.prompts is not None:
            return self.prompts(ball)
        return points(ball) if spec.needs_prompts else None


def ball_image(
    spec: SegmenterSpec,
    trial: Trial,
    *,
    shape: tuple[int, int, int] = (60, 60, 60),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    radius: float = 17.0,
    unit: Literal["mm", "px"] = "mm",
) -> BallImage:
    """A ball on a grid in RAS order, with the modality and unit of each channel that a segmenter asks for.

    A voxel holds the mean over its part of the ball, to a tenth of its height: five points along each axis.
    """
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = _ORIGIN + (np.array(spacing) - 1) / 2
    grid = Grid(shape, affine, unit=unit)
    field_mm = np.array(shape) * spacing
    centre = _ORIGIN - 0.5 + _CENTRE * field_mm
    share = _share(grid, centre, radius)
    values = trial.outside + (trial.inside - trial.outside) * share
    values += np.random.default_rng(7).normal(0, trial.noise, shape)
    images = {
        need.name: Image(
            values.astype(np.float32),
            grid,
            need.modality,
            need.value_unit or _usual(need.modality),
            need.name,
        )
        for need in spec.channels
    }
    return BallImage(images, share >= 0.5, centre, radius)


def _usual(modality: str | None) -> str:
    return {"CT": "[hnsf'U]", "PT": "g/ml{SUVbw}"}.get(modality or "", "[arb'U]")


def _share(grid: Grid, centre: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Share of each voxel inside the ball, by points 1 mm apart or closer along each axis, one at least."""
    steps = [max(1, round(step)) for step in grid.spacing]
    square: Any = 0.0
    for axis, (n, step) in enumerate(zip(grid.shape, steps, strict=True)):
        at = (np.arange(n * step) - (step - 1) / 2) / step
        away = grid.affine[axis, 3] + at * grid.affine[axis, axis] - centre[axis]
        form = [1, 1, 1]
        form[axis] = n * step
        square = square + (away**2).reshape(form)
    inside = square <= radius**2
    cells = [part for n, step in zip(grid.shape, steps, strict=True) for part in (n, step)]
    mean: NDArray[np.float64] = inside.reshape(cells).mean(axis=(1, 3, 5))
    return mean


def points(ball: BallImage) -> Prompts:
    """One point in the middle of the ball and two beyond it along each axis, towards the edge of the field."""
    half = np.array(ball.grid.shape) * ball.grid.spacing / 2
    reach = ball.radius + (half - ball.radius) * _TOWARDS_EDGE
    chosen = [Point(_triple(ball.centre))]
    for axis in (axis for axis, extent in enumerate(ball.grid.shape) if extent > 1):
        for way in (-1, 1):
            place = ball.centre.copy()
            place[axis] += way * reach[axis]
            chosen.append(Point(_triple(place), positive=False))
    return Prompts(points=tuple(chosen))


def traced(ball: BallImage) -> Prompts:
    """A closed line of twelve anchors along the ball's edge in each slice along the last axis."""
    strokes = []
    for index in range(ball.grid.shape[2]):
        height = float(ball.grid.to_position(np.array([0, 0, index]))[2])
        within = ball.radius**2 - (height - ball.centre[2]) ** 2
        if within < 4:
            continue
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ring = np.sqrt(within) * np.stack([np.cos(angles), np.sin(angles)], axis=1) + ball.centre[:2]
        line = tuple((float(x), float(y), height) for x, y in ring)
        strokes.append(Stroke(line, radius_mm=0.5, closed=True))
    return Prompts(strokes=tuple(strokes))


def _triple(position: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(position[0]), float(position[1]), float(position[2])


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Twice the overlap over the sum of two masks; 0 where both are empty, since nothing was found.

    >>> dice(np.array([True, True]), np.array([True, False]))
    0.6666666666666666
    """
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 0.0


def declared(ball: BallImage, **changes: Any) -> BallImage:
    """The same ball, with other attributes of its images (modality, unit)."""
    return replace(ball, images={name: replace(image, **changes) for name, image in ball.images.items()})
