"""Distances between pairs of solids whose distances are known.

HD within half the voxel diagonal where one place decides it, and exact where a mask is moved by whole voxels;
within a whole diagonal where the worst of many places decides: each of the two masks is off by up to half a
diagonal there, and no definition can know. HD95 and ASSD within half the longest voxel edge; surface Dice
within 0.02 where the tolerance lies a voxel diagonal from the true distance.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Quantity, Segmentation
from medseg.metrics import evaluate
from medseg.testing import (
    Box,
    Ellipsoid,
    Solid,
    Torus,
    ball,
    grid_around,
    phantom,
    random_turn,
    rasterise_solid,
    slab,
)
from medseg.testing.grids import SPACINGS
from tests.phantoms.conftest import EVERY_SPACING, Numbers, checked, diagonal_mm, grid_of, numbers

TURN = random_turn(np.random.default_rng(11))


@dataclass(frozen=True)
class Pair:
    """Two solids; what is known of the distances of their surfaces, None where it is not."""

    prediction: Solid
    reference: Solid
    hd: float
    hd95: float | None
    assd: float | None


def concentric(inner: float, outer: float) -> Pair:
    gap = outer - inner
    return Pair(ball(inner), ball(outer), gap, gap, gap)


def shifted_balls(radius: float, shift: float) -> Pair:
    """A point at angle θ from the shift is | |r u − s e| − r | away; cos θ is uniform over a sphere."""
    cosine = np.linspace(-1, 1, 200001)
    away = np.abs(np.sqrt(radius**2 + shift**2 - 2 * radius * shift * cosine) - radius)
    direction = np.array([2.0, -1.0, 2.0]) / 3
    centre = tuple(float(x) for x in shift * direction)
    return Pair(
        ball(radius),
        ball(radius, centre),  # type: ignore[arg-type]
        shift,
        float(np.quantile(away, 0.95)),
        float(away.mean()),
    )


def parallel_slabs(thickness: float, width: float, shift: float, turn: np.ndarray) -> Pair:
    """Shifted along the normal by more than the thickness: one face of each is `shift` from the other plate,
    the other `shift − thickness`, and the rim lies between, so the mean is `shift − thickness / 2`."""
    centre = tuple(float(x) for x in shift * turn[:, 2])
    mean = shift - thickness / 2
    one, two = slab(thickness, width, turn=turn), slab(thickness, width, turn=turn, centre=centre)  # type: ignore[arg-type]
    return Pair(one, two, shift, shift, mean)


def grown_box(sizes: tuple[float, float, float], by: float, turn: np.ndarray) -> Pair:
    """Faces are `by` apart, corners √3 times that."""
    large = tuple(size + by for size in sizes)
    return Pair(Box(sizes, turn), Box(large, turn), by * np.sqrt(3), None, None)  # type: ignore[arg-type]


#: Balls reach three of the thickest slices: less, and their poles are steps of 5 mm whatever is measured.
PAIRS = {
    "shifted balls": shifted_balls(16.0, 7.0),
    "tilted parallel slabs": parallel_slabs(8.0, 36.0, 12.0, TURN),
    "concentric balls": concentric(16.0, 20.0),
    "concentric balls, far": concentric(16.0, 26.0),
    "grown box": grown_box((12.0, 10.0, 11.0), 5.0, np.eye(3)),
    "grown tilted box": grown_box((12.0, 10.0, 11.0), 5.0, TURN),
}
#: Pairs whose largest distance lies at one place; in the others it is met in many directions, so that the
#: worst of many roundings of both masks counts.
ONE_PLACE = ("shifted balls", "tilted parallel slabs")

#: Elements lie on corners of voxels, up to half a diagonal off the surface, and the nearest of them is taken:
#: mean distances come out low. Where all edges are equal that exceeds half of one.
LOW_BIAS = 0.65


def grid_of_both(
    pair: Pair, kind: str, spacing: tuple[float, float, float], rng: np.random.Generator
) -> Grid:
    both = np.stack([pair.prediction.bounds_mm, pair.reference.bounds_mm])
    return grid_around(
        np.stack([both[:, 0].min(axis=0), both[:, 1].max(axis=0)]),
        spacing,
        turn=random_turn(rng) if kind == "oblique" else None,
        phase=tuple(rng.uniform(-0.5, 0.5, 3)),  # type: ignore[arg-type]
    )


def compared(pair: Pair, grid: Grid, tolerance_mm: float = 1.0) -> Numbers:
    return numbers(
        evaluate(
            prediction=phantom(pair.prediction, grid),
            reference=phantom(pair.reference, grid),
            tolerance_mm=tolerance_mm,
        )
    )


@pytest.mark.parametrize("kind", ["straight", "oblique"])
@pytest.mark.parametrize("spacing", EVERY_SPACING)
@pytest.mark.parametrize("name", PAIRS)
def test_distances(
    name: str, spacing: tuple[float, float, float], kind: str, rng: np.random.Generator
) -> None:
    pair = PAIRS[name]
    grid = grid_of_both(pair, kind, spacing, rng)
    found = compared(pair, grid)
    rounding = 0.5 if name in ONE_PLACE else 1.0
    assert found[Quantity.HD] == pytest.approx(pair.hd, abs=rounding * diagonal_mm(grid))
    low = LOW_BIAS if min(spacing) == max(spacing) else 0.5
    for quantity, exact in ((Quantity.HD95, pair.hd95), (Quantity.ASSD, pair.assd)):
        if exact is not None:
            error = (checked(found[quantity]) - exact) / max(spacing)
            assert -low <= error <= 0.5, (quantity, error)


@pytest.mark.parametrize("kind", ["straight", "oblique"])
@pytest.mark.parametrize("spacing", EVERY_SPACING)
@pytest.mark.parametrize("gap", [4.0, 7.0])
def test_surface_dice_jumps_at_the_true_distance(
    gap: float, spacing: tuple[float, float, float], kind: str, rng: np.random.Generator
) -> None:
    pair = concentric(16.0, 16.0 + gap)
    grid = grid_of_both(pair, kind, spacing, rng)
    diagonal = diagonal_mm(grid)
    assert compared(pair, grid, gap + diagonal)[Quantity.SURFACE_DICE] == pytest.approx(1, abs=0.02)
    if diagonal < gap:
        assert compared(pair, grid, gap - diagonal)[Quantity.SURFACE_DICE] == pytest.approx(0, abs=0.02)


MOVED: dict[str, Solid] = {
    "ball": ball(12.0),
    "ellipsoid": Ellipsoid((14.0, 9.0, 11.0), TURN),
    "torus": Torus(11.0, 5.0, TURN),
    "box": Box((8.0, 12.0, 10.0)),
    "tilted slab": slab(8.0, 30.0, turn=TURN),
}


@pytest.mark.parametrize("kind", ["straight", "oblique"])
@pytest.mark.parametrize("name", MOVED)
def test_hd_of_a_mask_moved_by_whole_voxels_is_the_way_it_went(
    name: str, kind: str, rng: np.random.Generator
) -> None:
    """Of any two translates: the extreme point against the way is that far from the other, no point farther."""
    table = LabelTable((Label(1, "phantom"),))
    for spacing, steps in product(SPACINGS[::2], [(0, 0, 2), (3, 0, 0), (2, -1, 1)]):
        grid = grid_of(kind, MOVED[name], spacing, rng, margin=5)
        labels = rasterise_solid(MOVED[name], grid).astype(np.uint8)
        moved = np.roll(labels, steps, axis=(0, 1, 2))
        found = numbers(
            evaluate(prediction=Segmentation(moved, grid, table), reference=Segmentation(labels, grid, table))
        )
        way = float(np.linalg.norm(grid.affine[:3, :3] @ steps))
        assert found[Quantity.HD] == pytest.approx(way, rel=1e-9)
        assert found[Quantity.VOLUME_ERROR] == 0


@pytest.mark.parametrize("spacing", EVERY_SPACING)
def test_surface_dice_of_slabs(spacing: tuple[float, float, float], rng: np.random.Generator) -> None:
    """Nothing is nearer than the gap of 4 mm, all is within the shift of 12 mm."""
    pair = PAIRS["tilted parallel slabs"]
    grid = grid_of_both(pair, "straight", spacing, rng)
    diagonal = diagonal_mm(grid)
    if diagonal < 4:
        assert compared(pair, grid, 4 - diagonal)[Quantity.SURFACE_DICE] == pytest.approx(0, abs=0.02)
    assert compared(pair, grid, 12 + diagonal)[Quantity.SURFACE_DICE] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("spacing", EVERY_SPACING)
def test_volume_error_is_the_difference_of_volumes(
    spacing: tuple[float, float, float], rng: np.random.Generator
) -> None:
    pair = PAIRS["concentric balls"]
    grid = grid_of_both(pair, "straight", spacing, rng)
    found = compared(pair, grid)
    exact = (pair.prediction.volume_mm3 - pair.reference.volume_mm3) / 1000
    bound = (pair.prediction.area_mm2 + pair.reference.area_mm2) * diagonal_mm(grid) / 2 / 1000
    assert found[Quantity.VOLUME_ERROR] == pytest.approx(exact, abs=bound / 4)
    assert found[Quantity.DICE] == pytest.approx(
        2 * 16**3 / (16**3 + 20**3), abs=0.02 if max(spacing) < 4 else 0.08
    )
