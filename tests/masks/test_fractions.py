"""Share of each voxel of another grid that lies in a mask: exact on parallel grids, close on oblique ones."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from medseg.domain import Grid
from medseg.errors import GridMismatchError
from medseg.masks.fractions import crop, fractions, share_covered


def grid(shape: tuple[int, int, int], affine: np.ndarray) -> Grid:
    return Grid(shape, affine)


def affine(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = origin
    return matrix


def ball(on: Grid, radius: float) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, on.shape), indexing="ij"), axis=-1)
    return np.linalg.norm(on.to_position(index), axis=-1) <= radius


FINE = grid((24, 24, 24), affine((1, 1, 1), (-11.5, -11.5, -11.5)))


def test_on_the_same_grid_they_are_the_mask() -> None:
    mask = ball(FINE, 7)
    found, box = fractions(mask, FINE, FINE)
    assert found.dtype == np.float32
    assert np.array_equal(found == 1, mask[box])
    assert found.sum() == mask.sum()


def test_by_hand() -> None:
    # Four fine voxels of 1 mm along i; coarse ones of 2 mm whose faces lie half a fine voxel off.
    source = grid((4, 1, 1), affine((1, 1, 1), (0, 0, 0)))
    target = grid((4, 1, 1), affine((2, 1, 1), (-0.5, 0, 0)))
    mask = np.ones((4, 1, 1), bool)
    found, box = fractions(mask, source, target)
    # Target faces at -1.5, 0.5, 2.5, 4.5; the mask reaches from -0.5 to 3.5.
    assert found[:, 0, 0].tolist() == pytest.approx([0.5, 1, 0.5])
    assert box[0] == slice(0, 3)


FLIPS = [
    ("coarser", affine((4, 4, 4), (-14, -14, -14)), (8, 8, 8)),
    ("finer", affine((0.7, 0.7, 0.7), (-14, -14, -14)), (41, 41, 41)),
    ("mirrored", affine((-3, 2.5, -5), (13, -15, 15)), (10, 13, 7)),
    (
        "permuted",
        np.array([[0, 3, 0, -13.2], [0, 0, -4, 14.1], [2.2, 0, 0, -14], [0, 0, 0, 1.0]]),
        (14, 10, 8),
    ),
    ("one slice thick", affine((3, 3, 40), (-13.2, -13.2, 1)), (10, 10, 1)),
]


@pytest.mark.parametrize(("name", "matrix", "shape"), FLIPS, ids=[row[0] for row in FLIPS])
def test_parallel_grids_keep_the_volume(name: str, matrix: np.ndarray, shape: tuple[int, int, int]) -> None:
    mask = ball(FINE, 8)
    target = grid(shape, matrix)
    found, _ = fractions(mask, FINE, target)
    assert found.max() <= 1
    assert found.sum() * target.voxel_volume == pytest.approx(mask.sum() * FINE.voxel_volume, rel=1e-5)


def test_the_centre_of_mass_stays_within_a_tenth_of_a_millimetre() -> None:
    mask = ball(FINE, 8) & (np.indices(FINE.shape)[0] > 9)
    target = grid((10, 13, 7), affine((-3, 2.5, -5), (13, -15, 15)))
    found, box = fractions(mask, FINE, target)
    index = np.argwhere(found > 0)
    weights = found[tuple(index.T)]
    place = target.to_position(index + [part.start for part in box])
    expected = FINE.to_position(np.argwhere(mask)).mean(axis=0)
    assert (place * weights[:, None]).sum(axis=0) / weights.sum() == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spacing", [(4.0, 4.0, 3.27), (1.5, 2.0, 5.0)])
def test_oblique_grids_keep_the_volume_to_two_percent(seed: int, spacing: tuple[float, float, float]) -> None:
    turn = Rotation.random(random_state=seed).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turn * spacing
    shape = tuple(int(np.ceil(44 / step)) for step in spacing)
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
    target = grid(shape, matrix)  # type: ignore[arg-type]
    mask = ball(FINE, 8)
    found, _ = fractions(mask, FINE, target)
    assert found.max() <= 1
    assert found.sum() * target.voxel_volume == pytest.approx(mask.sum(), rel=0.02)


def test_a_sheared_target_keeps_the_volume() -> None:
    matrix = affine((3, 3, 3), (-18, -18, -18))
    matrix[1, 2] = 0.8
    target = grid((13, 13, 13), matrix)
    mask = ball(FINE, 6)
    found, _ = fractions(mask, FINE, target)
    assert found.sum() * target.voxel_volume == pytest.approx(mask.sum(), rel=0.02)


def test_inside_is_one_and_outside_nothing() -> None:
    turn = Rotation.from_euler("xyz", [20, 30, 10], degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turn * 2
    matrix[:3, 3] = -turn @ np.full(3, 20.0)
    target = grid((21, 21, 21), matrix)
    mask = ball(FINE, 9)
    found, box = fractions(mask, FINE, target)
    index = np.stack(np.meshgrid(*(np.arange(p.start, p.stop) for p in box), indexing="ij"), axis=-1)
    distance = np.linalg.norm(target.to_position(index), axis=-1)
    assert (found[distance < 6] == 1).all()
    assert (found[distance > 12] == 0).all()


def test_nothing_to_see() -> None:
    empty, box = fractions(np.zeros(FINE.shape, bool), FINE, FINE)
    assert empty.shape == (0, 0, 0)
    assert box == (slice(0, 0),) * 3
    beside = grid((5, 5, 5), affine((1, 1, 1), (100, 0, 0)))
    assert fractions(np.ones(FINE.shape, bool), FINE, beside)[0].size == 0


def test_what_leaves_the_target_is_told() -> None:
    mask = np.ones(FINE.shape, bool)
    half = grid((12, 24, 24), affine((1, 1, 1), (-11.5, -11.5, -11.5)))
    assert share_covered(mask, FINE, half) == 0.5
    assert share_covered(mask, FINE, FINE) == 1
    assert share_covered(~mask, FINE, half) == 1


def test_cropping_keeps_positions() -> None:
    part, place = crop(np.arange(24**3).reshape(FINE.shape), FINE, (slice(2, 5), slice(3, 9), slice(4, 6)))
    assert part.shape == place.shape == (3, 6, 2)
    assert place.to_position(np.zeros(3)) == pytest.approx(FINE.to_position(np.array([2, 3, 4])))


def test_pixels_have_no_share_of_millimetres() -> None:
    px = Grid((24, 24, 24), np.eye(4), unit="px")
    with pytest.raises(GridMismatchError, match="px"):
        fractions(np.ones(FINE.shape, bool), px, FINE)
