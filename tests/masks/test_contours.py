"""Outlines: which planes there are, and polygons between voxels where probabilities are kept."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry import affine_orientation
from medseg.masks.contours import margin_of, outlines, plane_axes, subvoxel_outlines


def area(polygon: NDArray[np.float64], axis: int) -> float:
    a, b = np.delete(polygon, axis, axis=1).T
    return float((a * np.roll(b, -1) - b * np.roll(a, -1)).sum() / 2)


def soft_disc(radius: float) -> NDArray[np.float64]:
    """(2, 41, 41, 1): the probability of a disc around (20.3, 19.6) falls linearly over two voxels."""
    i, j, _ = np.indices((41, 41, 1))
    inside = np.clip(0.5 + (radius - np.hypot(i - 20.3, j - 19.6)) / 2, 0, 1)
    return np.stack([1 - inside, inside])


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        ("RAS", {"axial": 2, "coronal": 1, "sagittal": 0}),
        ("LPI", {"axial": 2, "coronal": 1, "sagittal": 0}),
        ("PSR", {"axial": 1, "coronal": 0, "sagittal": 2}),
    ],
)
def test_planes_are_named_for_the_patient(orientation: str, expected: dict[str, int]) -> None:
    assert plane_axes(Grid((9, 9, 9), affine_orientation((1, 1, 1), orientation))) == expected


def test_a_single_slice_has_one_plane() -> None:
    assert plane_axes(Grid((9, 1, 9), np.eye(4))) == {"coronal": 1}


@pytest.mark.parametrize("radius", [4.0, 8.3, 15.0])
def test_between_voxels_a_disc_has_its_true_area(radius: float) -> None:
    probabilities = soft_disc(radius)
    mask = probabilities[1] > 0.5
    (found,) = subvoxel_outlines(mask, probabilities, 1, 2)
    exact = math.pi * radius**2
    assert area(found.points, 2) == pytest.approx(exact, rel=0.015)
    distances = np.hypot(found.points[:, 0] - 20.3, found.points[:, 1] - 19.6)
    assert np.abs(distances - radius).max() < 0.1
    edges = np.concatenate([item.points for item in outlines(mask, 2)])
    assert np.abs(np.hypot(edges[:, 0] - 20.3, edges[:, 1] - 19.6) - radius).max() > 0.3


def test_a_hole_runs_the_other_way_round() -> None:
    outer, inner = soft_disc(15)[1], soft_disc(6)[1]
    ring = np.minimum(outer, 1 - inner)
    probabilities = np.stack([1 - ring, ring])
    found = sorted(subvoxel_outlines(ring > 0.5, probabilities, 1, 2), key=lambda item: item.is_hole)
    assert [item.is_hole for item in found] == [False, True]
    assert sum(area(item.points, 2) for item in found) == pytest.approx(math.pi * (15**2 - 6**2), rel=0.01)


def test_among_several_labels_the_boundary_is_where_one_wins() -> None:
    along = np.linspace(0, 1, 11)[:, None, None] * np.ones((1, 5, 1))
    # Neither label ever reaches 0.5; they are equal halfway.
    probabilities = np.stack([np.full_like(along, 0.2), 0.48 - 0.16 * along, 0.32 + 0.16 * along])
    mask = probabilities.argmax(axis=0) == 2
    (found,) = subvoxel_outlines(mask, probabilities, 2, 2)
    assert found.points[:, 0].min() == pytest.approx(5.0, abs=0.51)


def test_the_mask_is_believed_where_it_was_edited() -> None:
    probabilities = soft_disc(8)
    mask = probabilities[1] > 0.5
    mask[2, 2, 0] = True
    mask[20, 20, 0] = False
    margin = margin_of(probabilities, 1, mask)
    assert (margin[2, 2, 0], margin[20, 20, 0]) == (1, -1)
    assert ((margin > 0) == mask).all()
    found = list(subvoxel_outlines(mask, probabilities, 1, 2))
    assert sorted(item.is_hole for item in found) == [False, False, True]


def test_at_the_border_polygons_stay_within_the_outer_edge() -> None:
    probabilities = np.stack([np.zeros((4, 4, 1)), np.ones((4, 4, 1))])
    (found,) = subvoxel_outlines(np.ones((4, 4, 1), np.bool_), probabilities, 1, 2)
    assert found.points[:, :2].min() == -0.5
    assert found.points[:, :2].max() == 3.5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_centres_inside_are_those_of_the_mask(axis: int) -> None:
    from skimage.measure import points_in_poly

    rng = np.random.default_rng(axis)
    inside = rng.random((8, 7, 6))
    probabilities = np.stack([1 - inside, inside])
    mask = inside > 0.5
    winding = np.zeros(mask.shape, int)
    others = [other for other in range(3) if other != axis]
    plane = np.stack(np.indices([mask.shape[other] for other in others]), axis=-1)
    for item in subvoxel_outlines(mask, probabilities, 1, axis):
        within = points_in_poly(plane.reshape(-1, 2), item.points[:, others]).reshape(plane.shape[:2])
        view = np.moveaxis(winding, axis, 0)
        view[item.index] += np.where(within, -1 if item.is_hole else 1, 0)
    assert np.array_equal(winding == 1, mask)
