"""Surface distances: closed forms, every neighbour code, and equality with surface-distance and MONAI.

`python tests/metrics/test_surface.py` (with `pip install surface-distance==0.1`) writes surface_distance_values.json
anew: what DeepMind's package says of the same masks, so that equality is tested where it is not installed.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.metrics import SurfaceDistances, surface_distances
from medseg.metrics.elements import contour_lengths, surface_areas, surface_elements

VALUES = Path(__file__).with_name("surface_distance_values.json")
SPACINGS = ((1.0, 1.0, 1.0), (0.7, 0.7, 3.0), (5.0, 0.31, 0.42), (0.9, 1.3, 2.1), (0.05, 4.0, 5.0))
TOLERANCES = (0.5, 1.25, 3.1)
Mask = NDArray[np.bool_]


def random_pairs() -> Iterator[tuple[str, Mask, Mask, tuple[float, ...]]]:
    """Noise, unions of boxes, specks far apart, and the same in 2D."""
    for number, spacing in enumerate(SPACINGS):
        rng = np.random.default_rng(number)
        for axes in (3, 2):
            shape = tuple(int(extent) for extent in rng.integers(8, 18, axes))
            noise = rng.random(shape) > 0.6, rng.random(shape) > 0.9
            boxes = _boxes(rng, shape), _boxes(rng, shape)
            far = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
            far[0][(0,) * axes] = True
            far[1][(-1,) * axes] = True
            for name, (one, two) in {"noise": noise, "boxes": boxes, "far": far}.items():
                yield f"{name}-{axes}d-{number}", one, two, spacing[:axes]


def _boxes(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    for _ in range(3):
        low = [int(rng.integers(0, extent - 3)) for extent in shape]
        mask[tuple(slice(start, start + int(rng.integers(2, 7))) for start in low)] = True
    return mask


def grid_of(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Grid:
    return Grid((*shape, 1)[:3], np.diag([*(*spacing, 1.0)[:3], 1.0]))  # type: ignore[arg-type]


def ours(one: Mask, two: Mask, spacing: tuple[float, ...]) -> list[float]:
    """Figures in the order of `theirs`; a 2D mask is one slice."""
    grid = grid_of(one.shape, spacing)
    return figures(surface_distances(two.reshape(grid.shape), one.reshape(grid.shape), grid))


def figures(found: SurfaceDistances) -> list[float]:
    return [
        found.hausdorff,
        found.percentile(95),
        found.percentile(50),
        *found.directed_averages,
        *(found.surface_dice(tolerance) for tolerance in TOLERANCES),
    ]


def theirs(one: Mask, two: Mask, spacing: tuple[float, ...]) -> list[float]:
    """HD, HD95, HD50, both directed averages and surface Dice by the package; `one` is the reference."""
    package = pytest.importorskip("surface_distance.metrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls names that SciPy has moved
        found = package.compute_surface_distances(one, two, spacing)
    return [
        *(float(package.compute_robust_hausdorff(found, share)) for share in (100, 95, 50)),
        *(float(value) for value in package.compute_average_surface_distance(found)),
        *(float(package.compute_surface_dice_at_tolerance(found, tolerance)) for tolerance in TOLERANCES),
    ]


def test_equal_to_what_surface_distance_says_of_random_masks() -> None:
    expected = json.loads(VALUES.read_text("utf-8"))
    pairs = list(random_pairs())
    assert set(expected) == {name for name, *_ in pairs}
    for name, one, two, spacing in pairs:
        assert ours(one, two, spacing) == pytest.approx(expected[name], abs=1e-6), name


def test_equal_to_surface_distance_where_it_is_installed() -> None:
    for name, one, two, spacing in random_pairs():
        assert ours(one, two, spacing) == pytest.approx(theirs(one, two, spacing), abs=1e-9), name


REAL = [
    ("hippocampus/labelsTr/hippocampus_003.nii.gz", 1),
    ("sarcoma/STS_004/MR_T1_mask.nii.gz", 1),
    ("sarcoma/STS_005/PET_mask.nii.gz", 1),
    ("misc/ct_small/example_seg.nii.gz", 5),
]


@pytest.mark.parametrize(("name", "value"), REAL)
def test_equal_to_surface_distance_on_real_masks(data: Callable[[str], Path], name: str, value: int) -> None:
    from scipy.ndimage import binary_erosion

    import medseg

    pytest.importorskip("surface_distance.metrics")
    found = medseg.read_segmentation(data(name))
    one = found.mask(value)
    two = np.roll(binary_erosion(one), (2, -1, 1), axis=(0, 1, 2))
    mine = figures(surface_distances(two, one, found.grid))
    assert mine == pytest.approx(theirs(one, two, found.grid.spacing), abs=1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_neighbour_code_has_the_published_area(spacing: tuple[float, float, float]) -> None:
    tables = pytest.importorskip("surface_distance.lookup_tables")
    areas = tables.create_table_neighbour_code_to_surface_area(spacing)
    assert surface_areas(spacing) == pytest.approx(areas, rel=1e-12)
    lengths = tables.create_table_neighbour_code_to_contour_length(spacing[:2])
    assert contour_lengths(spacing[:2]) == pytest.approx(lengths, rel=1e-12)


def test_areas_turn_with_the_voxels_and_do_not_tell_inside_from_outside() -> None:
    areas = surface_areas((1.0, 1.0, 1.0))
    assert areas == pytest.approx(areas[::-1])
    assert areas[1 << np.arange(8)] == pytest.approx(np.sqrt(3) / 8)


def test_the_elements_of_a_box_carry_its_surface() -> None:
    """Faces 8×9, 8×10 and 9×10 voxels; along edges and corners the surface is cut off."""
    codes = surface_elements(np.ones((8, 9, 10), np.bool_))
    assert codes.shape == (9, 10, 11)
    area = surface_areas((1.0, 1.0, 1.0))[codes].sum()
    flat = 2 * (7 * 8 + 7 * 9 + 8 * 9)
    edges = 4 * (7 + 8 + 9) * np.sqrt(0.5)
    assert area == pytest.approx(flat + edges + 8 * np.sqrt(3) / 8)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # its own deprecations
def test_monai_agrees_on_surface_dice_and_on_boxes() -> None:
    torch = pytest.importorskip("torch")
    monai = pytest.importorskip("monai.metrics")
    spacing = (0.7, 0.9, 2.0)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        one, two = (np.pad(_boxes(rng, (14, 13, 12)), 2) for _ in range(2))
        found = surface_distances(two, one, grid_of(one.shape, spacing))
        batch = [torch.as_tensor(mask[None, None]) for mask in (two, one)]
        dice = monai.compute_surface_dice(
            *batch, [1.25], include_background=True, spacing=spacing, use_subvoxels=True
        )
        assert found.surface_dice(1.25) == pytest.approx(float(dice), abs=1e-6)
    one, two = np.zeros((2, 20, 20, 20), np.bool_)
    one[4:10, 4:10, 4:10] = True
    two[5:14, 3:10, 4:12] = True
    batch = [torch.as_tensor(mask[None, None]) for mask in (two, one)]
    hausdorff = monai.compute_hausdorff_distance(*batch, include_background=True, spacing=spacing)
    found = surface_distances(two, one, grid_of(one.shape, spacing))
    assert found.hausdorff == pytest.approx(float(hausdorff), abs=1e-6)


def test_an_oblique_grid_is_the_same_as_its_spacing() -> None:
    rng = np.random.default_rng(3)
    one, two = _boxes(rng, (12, 13, 14)), _boxes(rng, (12, 13, 14))
    straight = grid_of(one.shape, (1.0, 1.0, 1.0))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn.astype(np.float32)
    expected, found = (surface_distances(two, one, grid) for grid in (straight, Grid(straight.shape, affine)))
    assert found.hausdorff == pytest.approx(expected.hausdorff, rel=1e-6)
    # Whole distances lie on the tolerance: rounding of the header decides nothing.
    assert found.surface_dice(2.0) == pytest.approx(expected.surface_dice(2.0), rel=1e-6)


def test_far_surfaces_are_searched_and_exact() -> None:
    """A ball in a ball: many elements almost equally near, further than any line asked."""
    axes = np.ogrid[-30:31, -30:31, -30:31]
    squares = sum(axis**2 for axis in axes)
    found = surface_distances(squares < 4, squares < 29**2, grid_of((61, 61, 61), (1.0, 1.0, 1.0)))
    assert found.hausdorff == pytest.approx(27, abs=np.sqrt(3) / 2)
    apart = np.zeros((400, 3, 3), np.bool_)
    other = apart.copy()
    apart[0, 1, 1], other[-1, 1, 1] = True, True
    distances = surface_distances(apart, other, grid_of(apart.shape, (0.5, 1.0, 1.0)))
    assert distances.hausdorff == pytest.approx(399 * 0.5)


def test_a_line_without_an_element_is_no_distance() -> None:
    """Lines reach nine voxels, here 128 steps of the first axis: one more than a byte counts."""
    apart, other = np.zeros((2, 3, 25, 3), np.bool_)
    apart[1, 1, 1], other[1, -2, 1] = True, True
    found = surface_distances(apart, other, grid_of(apart.shape, (9 / 128, 1.0, 1.0)))
    assert found.hausdorff == pytest.approx(22)
    assert found.percentile(1) == pytest.approx(21)


def test_the_last_percentile_is_the_largest_distance() -> None:
    rng = np.random.default_rng(0)
    for count in range(1, 200):
        distances, areas = rng.random(count), rng.random(count)
        found = SurfaceDistances(distances, areas, distances, areas)
        assert found.percentile(100) == found.hausdorff
        assert found.percentile(0) == distances.min()


def test_directed_averages_are_weighted_by_their_own_surface() -> None:
    found = SurfaceDistances(
        to_reference=np.array([1.0, 3.0]),
        prediction_area=np.array([3.0, 1.0]),
        to_prediction=np.array([2.0, 6.0]),
        reference_area=np.array([1.0, 1.0]),
    )
    assert found.directed_averages == (4.0, 1.5)
    assert found.average == pytest.approx((3 + 3 + 2 + 6) / 6)
    assert found.hausdorff == 6
    assert found.percentile(50) == 2  # the larger of 2 and 1
    assert found.surface_dice(2.0) == pytest.approx((3 + 1) / 6)
    assert found.surface_dice(2.0 * (1 - 1e-7)) == pytest.approx((3 + 1) / 6)
    assert found.surface_dice(2.0 * (1 - 2e-6)) == pytest.approx(3 / 6)


@pytest.mark.parametrize("spacing", SPACINGS[:2] + SPACINGS[3:4])
def test_balls_in_balls(spacing: tuple[float, float, float]) -> None:
    """Radii 20 and 24 mm about a centre between voxels: bounds of rasterisation."""
    shape = tuple(int(56 / step) + 3 for step in spacing)
    axes = np.ogrid[tuple(slice(0, extent) for extent in shape)]
    middle = (np.array(shape) - 1) / 2 + (0.2, -0.3, 0.4)
    squares = sum(((axis - c) * step) ** 2 for axis, c, step in zip(axes, middle, spacing, strict=True))
    found = surface_distances(squares < 24**2, squares < 20**2, grid_of(shape, spacing))
    diagonal, longest = float(np.linalg.norm(spacing)), max(spacing)
    # Either ball may be off by half of that.
    assert found.hausdorff == pytest.approx(4, abs=diagonal)
    assert found.percentile(95) == pytest.approx(4, abs=longest)
    assert found.average == pytest.approx(4, abs=longest)
    assert found.surface_dice(4 + diagonal) == pytest.approx(1, abs=0.02)
    assert found.surface_dice(max(4 - diagonal, 0)) == pytest.approx(0, abs=0.02)


def test_sheared_grids_and_empty_masks_are_refused() -> None:
    affine = np.eye(4)
    affine[0, 2] = 0.3
    full = np.ones((3, 3, 3), np.bool_)
    with pytest.raises(InputError, match="sheared"):
        surface_distances(full, full, Grid((3, 3, 3), affine))
    with pytest.raises(InputError, match="empty"):
        surface_distances(full, ~full, Grid((3, 3, 3), np.eye(4)))


if __name__ == "__main__":
    table = {name: theirs(one, two, spacing) for name, one, two, spacing in random_pairs()}
    lines = ",\n".join(f'"{name}": {json.dumps(row)}' for name, row in table.items())
    VALUES.write_text(f"{{\n{lines}\n}}\n", "utf-8")
