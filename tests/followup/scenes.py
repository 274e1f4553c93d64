"""Scenes of lesions whose events are known by construction, scanned twice on unlike grids."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Label, LabelTable, Measurement, Segmentation
from medseg.domain.followup import Alignment, TimePoint
from medseg.domain.plan import LesionPlan
from medseg.followup import LesionPlaces
from medseg.measuring import find_lesions, measure_lesions

TABLE = LabelTable((Label(1, "lesion"),))
Ball = tuple[tuple[float, float, float], float]


def grid(
    shape=(60, 60, 40), spacing=(1.0, 1.0, 1.0), *, degrees=0.0, origin=(0.0, 0.0, 0.0), frame=None
) -> Grid:
    """A grid turned about z by some degrees."""
    t = np.radians(degrees)
    affine = np.eye(4)
    turn = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = origin
    return Grid(shape, affine, frame_of_reference=frame)


def motion(degrees: float, shift: tuple[float, float, float]) -> NDArray[np.float64]:
    """Turn about an oblique axis, then shift: position at baseline → position in the later scan."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    t = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) + np.sin(t) * k + (1 - np.cos(t)) * k @ k
    matrix[:3, 3] = shift
    return matrix


def scan(
    balls: Sequence[Ball],
    on: Grid,
    moved: NDArray[np.float64] | None = None,
    noise: np.random.Generator | None = None,
    ripple: float = 0.06,
) -> Segmentation:
    """Balls given in the baseline's space, as a scan sees them: moved, on its grid, with rough outlines."""
    there = np.eye(4) if moved is None else moved
    mask = np.zeros(on.shape, bool)
    for centre, radius in balls:
        middle = there[:3, :3] @ np.array(centre) + there[:3, 3]
        reach = np.ceil(2 + 1.3 * radius / np.array(on.spacing)).astype(int)
        index = np.rint(on.to_index(middle)).astype(int)
        low, high = np.clip(index - reach, 0, on.shape), np.clip(index + reach + 1, 0, on.shape)
        box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        shape = tuple(high - low)
        positions = on.to_position(np.moveaxis(np.indices(shape), 0, -1) + low)
        away = np.linalg.norm(positions - middle, axis=-1)
        mask[box] |= away <= radius * (1 + _rough(shape, noise, ripple))
    return Segmentation(mask.astype(np.uint8), on, TABLE)


def _rough(shape: tuple[int, ...], noise: np.random.Generator | None, ripple: float) -> NDArray[np.float64]:
    """A smooth random field of some SD: how far an outline strays."""
    from scipy.ndimage import gaussian_filter

    if noise is None or 0 in shape:
        return np.zeros(shape)
    field = gaussian_filter(noise.normal(size=shape), 2.0)
    return field * ripple / field.std()


def places(found: Segmentation, matrix: NDArray[np.float64] | None = None) -> LesionPlaces:
    """Its lesions in the baseline's space; `matrix` is this scan's position → the baseline's."""
    lesions = find_lesions(found, LesionPlan(minimum_mm3=8.0))
    own = np.eye(4) if matrix is None else matrix
    return LesionPlaces(lesions.ids, lesions.targets, lesions.boxes, found.grid, own)


def rows(found: Segmentation) -> tuple[Measurement, ...]:
    """What a Record holds of its lesions."""
    return measure_lesions(found, None, LesionPlan(minimum_mm3=8.0))


def point(found: Segmentation, days: int | None = None, faults: tuple[str, ...] = (), **more) -> TimePoint:
    """A time point that says no more than is needed."""
    alignment = Alignment("stated", np.eye(4), "stated")
    return TimePoint(
        "r.json", "d" * 64, "s", "m" * 64, found.grid, "toy", alignment, days, faults=faults, **more
    )


@dataclass
class Scene:
    """What was there, and what became of it: centre of the site → event."""

    before: list[Ball] = field(default_factory=list)
    after: list[Ball] = field(default_factory=list)
    truth: dict[tuple[float, float, float], str] = field(default_factory=dict)


def make_scene(rng: np.random.Generator, events: Sequence[str]) -> Scene:
    """One event per site of a lattice of 26 mm, so that no two sites touch."""
    scene = Scene()
    sites = [(x, y, z) for x in (20.0, 46.0, 72.0) for y in (20.0, 46.0, 72.0) for z in (20.0, 46.0)]
    for site, event in zip(rng.permutation(sites), events, strict=True):
        at = np.array(site) + rng.uniform(-1.5, 1.5, 3)
        radius = rng.uniform(4.0, 6.0)
        scene.truth[tuple(at.tolist())] = event
        _plant(scene, at, radius, event)
    return scene


def _plant(scene: Scene, at: NDArray[np.float64], radius: float, event: str) -> None:
    here = tuple(at.tolist())
    apart = np.array([radius * 0.75, 0.0, 0.0])
    halves = [(tuple((at + side * apart).tolist()), radius * 0.5) for side in (-1.0, 1.0)]
    # A bridge joins the halves where they are one.
    whole = [*halves, (here, radius * 0.5)]
    before, after = {
        "within error": ([(here, radius)], [(here, radius)]),
        "grown": ([(here, radius)], [(here, radius * 1.3)]),
        "shrunk": ([(here, radius)], [(here, radius * 0.75)]),
        "candidate new": ([], [(here, radius)]),
        "gone": ([(here, radius)], []),
        "split": (whole, halves),
        "merged": (halves, whole),
    }[event]
    scene.before += before
    scene.after += after
