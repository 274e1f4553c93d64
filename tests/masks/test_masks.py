"""Border, components, outlines and diameters: cases that can be checked by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry import affine_orientation
from medseg.masks import (
    border_mask,
    components,
    keep_largest,
    outlines,
    plane_diameters,
    remove_small,
    slice_axis,
)

FLAT = Grid((20, 20, 1), np.eye(4))


def flat(*pixels: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((20, 20, 1), dtype=np.bool_)
    for i, j in pixels:
        mask[i, j, 0] = True
    return mask


def test_an_axis_of_one_slice_is_never_a_border() -> None:
    border = border_mask((5, 5, 1))
    assert border[0].all()
    assert not border[1:4, 1:4].any()


def test_voxels_beside_padding_are_border() -> None:
    outside = np.zeros((7, 7, 7), dtype=np.bool_)
    outside[3, 3, 3] = True
    border = border_mask((7, 7, 7), outside)
    assert border[3, 3, 3]
    assert border[2, 3, 3]
    assert border[3, 4, 3]
    assert not border[2, 2, 3]


def test_components_are_numbered_by_size() -> None:
    mask = flat((1, 1), (5, 5), (5, 6), (5, 7))
    found = components(mask)
    assert found[5, 6, 0] == 1
    assert found[1, 1, 0] == 2
    assert keep_largest(mask).sum() == 3
    assert remove_small(mask, 2).sum() == 3
    assert not components(np.zeros((3, 3, 3), dtype=np.bool_)).any()


@pytest.mark.parametrize(("connectivity", "count"), [(6, 2), (18, 1), (26, 1)])
def test_connectivity(connectivity: int, count: int) -> None:
    assert components(flat((1, 1), (2, 2)), connectivity).max() == count  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 1, 1), (1, 5, 1), (3, 3, 1), (1, 5, 5), (5, 5, 5)])
def test_single_voxels_in_every_second_place_are_parts_of_their_own_without_a_word(
    shape: tuple[int, int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    lattice = np.zeros(shape, dtype=np.bool_)
    lattice[::2, ::2, ::2] = True
    assert components(lattice).max() == lattice.sum()
    assert capfd.readouterr() == ("", "")


def test_a_part_of_an_array_has_the_components_of_its_copy() -> None:
    column = np.array([[True, False], [False, False], [True, False]])[:, :1, None]
    assert components(column).ravel().tolist() == [1, 0, 2]


def shoelace(points: NDArray[np.float64]) -> float:
    a, b = points[:, 0], points[:, 1]
    return float((a * np.roll(b, -1) - b * np.roll(a, -1)).sum() / 2)


def test_one_pixel_is_a_square_on_its_edges() -> None:
    (outline,) = outlines(flat((3, 4)), axis=2)
    assert sorted(map(tuple, outline.points[:, :2].tolist())) == [
        (2.5, 3.5),
        (2.5, 4.5),
        (3.5, 3.5),
        (3.5, 4.5),
    ]
    assert not outline.is_hole


def test_a_ring_has_a_hole() -> None:
    ring = [(i, j) for i in range(3, 6) for j in range(3, 6) if (i, j) != (4, 4)]
    found = list(outlines(flat(*ring), axis=2))
    assert sorted(item.is_hole for item in found) == [False, True]
    assert sum(shoelace(item.points) for item in found) == pytest.approx(8)


def test_diagonal_neighbours_are_two_polygons() -> None:
    assert len(list(outlines(flat((3, 3), (4, 4)), axis=2))) == 2


def test_outlines_have_the_area_of_the_mask() -> None:
    mask = np.random.default_rng(0).random((30, 30, 3)) < 0.5
    for index in range(3):
        area = sum(shoelace(item.points) for item in outlines(mask, axis=2) if item.index == index)
        assert area == pytest.approx(mask[..., index].sum())


@pytest.mark.parametrize(
    ("spacing", "orientation", "axis"),
    [
        ((1, 1, 1), "RAS", 2),
        ((1, 1, 1), "PSR", 1),
        ((1, 3, 1), "RAS", 1),
        ((1, 1.1, 1), "RAS", 2),
        ((4, 1, 1), "SRA", 0),
    ],
)
def test_slices_lie_across_the_coarsest_axis(
    spacing: tuple[float, float, float], orientation: str, axis: int
) -> None:
    assert slice_axis(Grid((9, 9, 9), affine_orientation(spacing, orientation))) == axis


def test_a_bar_is_as_long_as_its_pixels() -> None:
    found = plane_diameters(flat(*[(i, 5) for i in range(2, 12)]), FLAT, 2)
    assert found is not None
    assert found.long == pytest.approx(10)
    assert found.short == pytest.approx(1)
    assert np.linalg.norm(np.diff(found.long_points, axis=0)) == pytest.approx(found.long)
    assert np.linalg.norm(np.diff(found.short_points, axis=0)) == pytest.approx(found.short)


def test_a_diameter_stays_within_one_component_and_counts_in_mm() -> None:
    mask = flat((1, 1), (18, 18), (5, 5), (6, 5))
    grid = Grid((20, 20, 1), np.diag([3.0, 1.0, 1.0, 1.0]))
    found = plane_diameters(mask, grid, 2)
    assert found is not None
    assert found.long == pytest.approx(6)
    assert plane_diameters(np.zeros((20, 20, 1), dtype=np.bool_), grid, 2) is None


def test_the_diameter_of_a_disc() -> None:
    i, j, _ = np.indices((101, 101, 1))
    disc = (i - 50) ** 2 + (j - 50) ** 2 <= 40**2
    found = plane_diameters(disc, Grid((101, 101, 1), np.eye(4)), 2)
    assert found is not None
    assert found.long == pytest.approx(80, abs=np.sqrt(2))
    assert found.short == pytest.approx(80, abs=np.sqrt(2))
