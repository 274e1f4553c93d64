"""Diameters in a plane: shapes with known answers on every kind of grid."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry import AxisOrder
from medseg.masks.chords import edge_points, edge_segments, inside, runs_inside
from medseg.masks.diameters import count_slices, plane_diameters, slice_diameters

FLAT = Grid((24, 24, 1), np.eye(4))
TURNS = {"straight": (0.0, 0.0), "oblique": (0.4, 0.25)}
SPACINGS = [
    (1.0, 1.0, 1.0),
    (0.7, 0.7, 1.25),
    (0.5, 0.9, 2.0),
    (0.98, 0.98, 3.27),
    (1.5, 1.0, 1.0),
    (0.4, 0.4, 0.4),
    (2.0, 1.2, 0.8),
    (0.9, 0.9, 5.0),
]


def flat(*pixels: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(FLAT.shape, dtype=np.bool_)
    for i, j in pixels:
        mask[i, j, 0] = True
    return mask


def rotation(first: float, second: float) -> NDArray[np.float64]:
    a, b = math.cos(first), math.sin(first)
    c, d = math.cos(second), math.sin(second)
    return np.array([[a, -b, 0], [b, a, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -d], [0, d, c]])


def grid_around(spacing: tuple[float, float, float], half_mm: float, turn: tuple[float, float]) -> Grid:
    """A grid whose middle lies off a voxel centre at the origin, its axes turned."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(*turn) * spacing
    shape = tuple(2 * math.ceil(half_mm / step) + 3 for step in spacing)
    affine[:3, 3] = affine[:3, :3] @ (-(np.array(shape) - 1) / 2 + (0.13, -0.31, 0.22))
    return Grid(shape, affine)  # type: ignore[arg-type]


def positions(grid: Grid) -> NDArray[np.float64]:
    return grid.to_position(np.stack(np.indices(grid.shape), axis=-1))


def in_plane_diagonal(grid: Grid, axis: int) -> float:
    return math.hypot(*(step for other, step in enumerate(grid.spacing) if other != axis))


PIXELS = {
    "one pixel": ([(5, 5)], 1.0, 1.0),
    "a line": ([(i, 5) for i in range(3, 13)], 10.0, 1.0),
    "a line across": ([(5, j) for j in range(3, 13)], 10.0, 1.0),
    "two by two": ([(5, 5), (5, 6), (6, 5), (6, 6)], math.hypot(1, 2), math.hypot(1, 2)),
    "of two components the longer": ([(1, 1), (1, 2), (9, 9), (9, 10), (9, 11)], 3.0, 1.0),
    "a stair of corners is one component": ([(3, 3), (4, 4), (5, 5)], math.hypot(2, 3), None),
}


@pytest.mark.parametrize("name", PIXELS)
def test_a_few_pixels_by_hand(name: str) -> None:
    pixels, long, short = PIXELS[name]
    found = plane_diameters(flat(*pixels), FLAT, 2)
    assert found is not None
    assert found.long == pytest.approx(long)
    if short is not None:
        assert found.short == pytest.approx(short)


def test_nothing_has_no_diameter() -> None:
    assert plane_diameters(flat(), FLAT, 2) is None
    assert slice_diameters(np.zeros((4, 4), np.bool_), FLAT, 2, 0) is None
    assert count_slices(flat(), FLAT, 2, long=0, short=0) == 0


def test_end_points_lie_midway_between_inside_and_outside() -> None:
    mask = np.random.default_rng(1).random((15, 15, 3)) < 0.5
    grid = Grid(mask.shape, np.eye(4))
    found = plane_diameters(mask, grid, 2)
    assert found is not None
    for point in grid.to_index(found.long_points):
        halves = [axis for axis in (0, 1) if abs(point[axis] % 1 - 0.5) < 1e-9]
        assert len(halves) == 1
        sides = np.array([point, point])
        sides[:, halves[0]] += (-0.5, 0.5)
        values = [
            bool(mask[tuple(index)]) if (index >= 0).all() and (index < mask.shape).all() else False
            for index in sides.round().astype(int)
        ]
        assert sorted(values) == [False, True]


def test_the_chord_of_a_banana_leaves_it_and_both_chords_are_kept() -> None:
    i, j = np.indices((60, 60))
    radius = np.hypot(i - 30, j - 20)
    banana = ((radius < 20) & (radius > 14) & (j > 20))[..., None]
    found = plane_diameters(banana, Grid(banana.shape, np.eye(4)), 2)
    assert found is not None
    assert found.long == pytest.approx(40, abs=math.sqrt(2))
    # The longest chord inside a half ring touches the inner circle: 2 √(R² − r²).
    assert found.long_inside == pytest.approx(2 * math.sqrt(20**2 - 14**2), abs=math.sqrt(2))
    # At right angles to it, beside the inner circle: √(R² − r²).
    assert found.short == pytest.approx(math.sqrt(20**2 - 14**2), abs=math.sqrt(2))
    assert found.long_inside_points is not None
    stays = runs_inside(banana[..., 0], found.long_inside_points[:, :2])
    assert np.ptp(stays) == pytest.approx(1)


def test_a_chord_through_a_hole_leaves_the_mask() -> None:
    i, j = np.indices((41, 41))
    radius = np.hypot(i - 20, j - 20)
    found = plane_diameters(((radius < 15) & (radius > 6))[..., None], Grid((41, 41, 1), np.eye(4)), 2)
    assert found is not None
    assert found.long == pytest.approx(30, abs=math.sqrt(2))
    assert found.long_inside == pytest.approx(2 * math.sqrt(15**2 - 6**2), abs=math.sqrt(2))
    assert found.short_inside is not None
    assert found.short_inside < found.short


def test_a_convex_shape_keeps_its_free_chords() -> None:
    i, j = np.indices((41, 41))
    found = plane_diameters(
        (np.hypot(i - 20, (j - 20) * 1.5) < 15)[..., None], Grid((41, 41, 1), np.eye(4)), 2
    )
    assert found is not None
    assert found.long_inside is None
    assert found.short_inside is None


def test_axes_are_at_right_angles_in_the_world_on_an_oblique_anisotropic_plane() -> None:
    grid = grid_around((0.5, 0.9, 2.0), 20, TURNS["oblique"])
    mask = ((positions(grid) @ rotation(0.7, 0.2) / (18, 9, 12)) ** 2).sum(axis=-1) <= 1
    found = plane_diameters(mask, grid, 2)
    assert found is not None
    along, across = np.diff(found.long_points, axis=0)[0], np.diff(found.short_points, axis=0)[0]
    assert along @ across == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(along) == pytest.approx(found.long)
    assert np.linalg.norm(across) == pytest.approx(found.short)
    assert along @ grid.direction[:, 2] == pytest.approx(0, abs=1e-9)


def ellipse_of_section(shape: NDArray[np.float64], grid: Grid, axis: int) -> tuple[float, float]:
    """Diameters of the central section of {x: xᵀ shape x ≤ 1} by the grid's plane."""
    plane = np.linalg.qr(np.stack([grid.affine[:3, o] for o in range(3) if o != axis], axis=1))[0]
    small, large = np.linalg.eigvalsh(plane.T @ shape @ plane)
    return 2 / math.sqrt(small), 2 / math.sqrt(large)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_ellipsoids_are_exact_within_a_pixel_diagonal(
    spacing: tuple[float, float, float], turn: str, axis: int
) -> None:
    grid = grid_around(spacing, 22, TURNS[turn])
    points, diagonal = positions(grid), in_plane_diagonal(grid, axis)
    for semi, tilt in (((20, 12, 16), (0.0, 0.0)), ((18, 9, 13), (0.6, 0.3)), ((15, 15, 15), (0.0, 0.0))):
        turned = rotation(*tilt)
        shape = turned @ np.diag(1 / np.array(semi, dtype=float) ** 2) @ turned.T
        found = plane_diameters(np.einsum("...a,ab,...b", points, shape, points) <= 1, grid, axis)
        assert found is not None
        long, short = ellipse_of_section(shape, grid, axis)
        assert found.long == pytest.approx(long, abs=diagonal)
        assert found.short == pytest.approx(short, abs=diagonal)


@pytest.mark.parametrize("angle", [0.0, 0.2, 0.5, math.pi / 4, 1.1])
@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_tilted_boxes_are_exact_within_a_pixel_diagonal(
    spacing: tuple[float, float, float], angle: float
) -> None:
    grid = grid_around(spacing, 26, TURNS["oblique"])
    own = positions(grid) @ np.linalg.inv(rotation(*TURNS["oblique"])).T @ rotation(angle, 0)
    found = plane_diameters((np.abs(own) <= (20, 8, 12)).all(axis=-1), grid, 2)
    assert found is not None
    assert found.long == pytest.approx(math.hypot(40, 16), abs=in_plane_diagonal(grid, 2))
    # At right angles to a rectangle's diagonal, the longest chord starts in a corner and ends on a long side.
    assert found.short == pytest.approx(16 * math.hypot(40, 16) / 40, abs=1.5 * in_plane_diagonal(grid, 2))


def test_all_48_orders_of_axes_give_the_same_lengths() -> None:
    random = np.random.default_rng(3)
    blob = random.random((11, 9, 5)) < 0.6
    i, j, k = np.indices((11, 9, 5))
    ball = (i - 5) ** 2 + (j - 4) ** 2 + (k - 2) ** 2 <= 16
    ring = ball & (np.hypot(i - 5, j - 4) > 2)
    grid = Grid(blob.shape, np.diag([0.8, 0.8, 2.0, 1.0]))
    for mask in (blob, ball, ring):
        seen = []
        for order in itertools.permutations(range(3)):
            for flips in itertools.product((False, True), repeat=3):
                axes = AxisOrder(order, flips)
                turned = np.ascontiguousarray(axes.apply(mask))
                found = plane_diameters(turned, axes.grid(grid), order.index(2))
                assert found is not None
                seen.append((found.long, found.short, found.long_inside or 0, found.short_inside or 0))
        assert np.allclose(seen, seen[0], atol=1e-9)


def test_slices_that_reach_both_lengths_are_counted() -> None:
    grid = Grid((30, 30, 7), np.diag([1.0, 1.0, 2.0, 1.0]))
    mask = np.zeros(grid.shape, np.bool_)
    for k, width in enumerate((0, 4, 8, 12, 12, 6, 0)):
        mask[3 : 3 + 15 * (width > 0), 3 : 3 + width, k] = True
    assert count_slices(mask, grid, 2, long=10, short=10) == 2
    assert count_slices(mask, grid, 2, long=10, short=5) == 4
    assert count_slices(mask, grid, 2, long=10, short=5, enough=2) == 2
    assert count_slices(mask, grid, 2, long=40, short=5) == 0


def test_one_slice_gives_what_the_volume_gives() -> None:
    mask = np.zeros((20, 20, 5), np.bool_)
    mask[4:15, 6:9, 2] = True
    grid = Grid(mask.shape, np.diag([1.0, 2.0, 3.0, 1.0]))
    whole, one = plane_diameters(mask, grid, 2), slice_diameters(mask[..., 2], grid, 2, 2)
    assert whole is not None
    assert one is not None
    assert whole.long == one.long
    assert np.allclose(whole.long_points, one.long_points)


def crossings_are_odd(segments: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    start, end = (segments[None, :, which] - points[:, None] for which in (0, 1))
    spans = (start[..., 1] > 0) != (end[..., 1] > 0)
    rise = np.where(spans, end[..., 1] - start[..., 1], 1.0)
    where = start[..., 0] - start[..., 1] / rise * (end[..., 0] - start[..., 0])
    return np.asarray((spans & (where > 0)).sum(axis=1) % 2 == 1)


def test_inside_agrees_with_the_boundary_by_counting_crossings() -> None:
    random = np.random.default_rng(0)
    mask = random.random((14, 11)) < 0.5
    points = random.uniform(-0.5, (13.5, 10.5), (5000, 2))
    assert (inside(mask, points) == crossings_are_odd(edge_segments(mask), points)).all()
    ends, used = np.unique(edge_segments(mask).reshape(-1, 2), axis=0, return_counts=True)
    assert (used == 2).all()
    assert np.array_equal(ends, np.unique(edge_points(mask), axis=0))


def test_stretches_inside_agree_with_many_samples() -> None:
    random = np.random.default_rng(5)
    mask = random.random((12, 12)) < 0.7
    points = edge_points(mask)
    for _ in range(50):
        ends = points[random.choice(len(points), 2, replace=False)]
        share = (np.arange(4000) + 0.5) / 4000
        sampled = inside(mask, ends[0] + share[:, None] * (ends[1] - ends[0])).mean()
        runs = runs_inside(mask, ends)
        assert (runs[:, 1] - runs[:, 0]).sum() == pytest.approx(sampled, abs=5e-3)
