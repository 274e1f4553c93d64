"""The marching-cubes surface: against PyRadiomics, scikit-image, and answers in closed form."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from medseg.masks.mesh import _PUBLISHED_WITHOUT, MeshNumbers, _code_of, mesh_of, mesh_patterns
from medseg.masks.spans import across, longest

#: What PyRadiomics gives (of brain1 the published mesh values, else its 3.0.1's compiled function): volume, area, and
#: the diameters across k, j, i and in space.
PYRADIOMICS = {
    ("brain1_label", 1): (
        16149.4954427,
        6433.7343171,
        53.59397776919529,
        49.490854979101925,
        65.88905951721043,
        69.60099030590368,
    ),
    ("breast1_label", 1): (
        124.09130483210153,
        172.88707947619218,
        8.399793710266938,
        7.1214084629446734,
        8.24091097816352,
        9.081018608331778,
    ),
}

#: The pattern whose last triangle the published numbers do not have, and its opposite (decision 0006).
PUBLISHED_WITHOUT = [_code_of(_PUBLISHED_WITHOUT), _code_of(_PUBLISHED_WITHOUT ^ 255)]


def numbers(mask: NDArray[np.bool_], affine: NDArray[np.float64] | None = None) -> MeshNumbers:
    return mesh_patterns(mask).numbers(np.eye(4) if affine is None else affine)


def ball(radius: float, size: int) -> NDArray[np.bool_]:
    index = np.indices((size,) * 3) - (size - 1) / 2
    inside: NDArray[np.bool_] = (index**2).sum(axis=0) <= radius**2
    return inside


@pytest.mark.parametrize(("name", "label"), PYRADIOMICS, ids=str)
def test_numbers_are_those_of_pyradiomics(data: Callable[[str], Path], name: str, label: int) -> None:
    from medseg.io import read_segmentation

    found = read_segmentation(data(f"pyradiomics/{name}.nrrd"))
    patterns, affine = mesh_patterns(found.labels == label), found.grid.affine
    mesh, vertices = patterns.numbers(affine), patterns.doubled_vertices()
    spans = [across(vertices, affine, axis) for axis in (2, 1, 0)] + [longest(vertices, affine)]
    ours = [mesh.volume, mesh.area, *(span.length for span in spans if span is not None)]
    assert ours == pytest.approx(PYRADIOMICS[name, label], rel=1e-10 if name != "brain1_label" else 1e-9)


def test_one_voxel_is_an_octahedron() -> None:
    """Its corners lie half a voxel away: volume 1/6, area √3, and one object."""
    found = numbers(np.ones((1, 1, 1), np.bool_))
    assert found == MeshNumbers(pytest.approx(1 / 6), pytest.approx(math.sqrt(3)), 1)


def test_an_empty_mask_has_nothing() -> None:
    empty = np.zeros((3, 4, 5), np.bool_)
    assert numbers(empty) == MeshNumbers(0, 0, 0)
    assert longest(mesh_patterns(empty).doubled_vertices(), np.eye(4)) is None
    vertices, triangles = mesh_of(empty)
    assert vertices.shape == (0, 3)
    assert triangles.shape == (0, 3)


@pytest.mark.parametrize("order", ["C", "F"])
@given(mask=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)))
@settings(max_examples=60, deadline=None)
def test_numbers_are_those_of_the_triangles(order: str, mask: NDArray[np.bool_]) -> None:
    """In any memory order, on any affine; triangles face outwards. Of one pattern numbers leave a triangle out."""
    assume(not np.isin(mesh_patterns(mask).codes, PUBLISHED_WITHOUT).any())
    mask = np.asarray(mask, order=order)  # type: ignore[call-overload]
    affine = np.array([[0.7, 0.1, 0, 5], [-0.1, 0.9, 0.2, 3], [0, -0.3, 2.5, -9], [0, 0, 0, 1]])
    vertices, triangles = mesh_of(mask)
    found = numbers(mask, affine)
    corners = (vertices @ affine[:3, :3].T)[triangles]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert found.area == pytest.approx(np.linalg.norm(sides, axis=1).sum() / 2)
    if mask.any():
        start = np.argwhere(mask).min(axis=0) - 1
        about = ((vertices - start) @ affine[:3, :3].T)[triangles]
        assert found.volume == pytest.approx(np.linalg.det(about).sum() / 6, abs=1e-9)


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6)))
@settings(max_examples=40, deadline=None)
def test_euler_number_is_that_of_scikit_image(mask: NDArray[np.bool_]) -> None:
    from skimage.measure import euler_number

    assert numbers(mask).euler == euler_number(mask, connectivity=3)


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_diameters_are_those_of_all_pairs(mask: NDArray[np.bool_], axis: int) -> None:
    affine = np.diag([0.8, 1.1, 2.3, 1.0])
    vertices, _ = mesh_of(mask)
    if not len(vertices):
        return
    doubled = mesh_patterns(mask).doubled_vertices()
    positions = vertices @ affine[:3, :3]
    distance = np.linalg.norm(positions[:, None] - positions, axis=2)
    span, plane = longest(doubled, affine), across(doubled, affine, axis)
    assert span is not None
    assert plane is not None
    assert span.length == pytest.approx(distance.max())
    same = vertices[:, None, axis] == vertices[:, axis]
    assert plane.length == pytest.approx(distance[same].max())
    for found in (span, plane):
        assert np.linalg.norm(np.diff(found.points, axis=0)) == pytest.approx(found.length)


def test_without_ambiguous_cubes_it_is_any_marching_cubes() -> None:
    from skimage.measure import marching_cubes, mesh_surface_area

    mask = ball(12.3, 29)
    vertices, triangles, _, _ = marching_cubes(np.pad(mask, 1).astype(float), 0.5, method="lorensen")
    assert numbers(mask).area == pytest.approx(mesh_surface_area(vertices, triangles), rel=1e-6)


def test_a_ball_and_a_ring() -> None:
    found = numbers(ball(20, 45))
    assert found.volume == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.01)
    assert found.euler == 1
    ring = np.ones((7, 7, 3), np.bool_)
    ring[2:5, 2:5] = False
    assert numbers(ring).euler == 0
    shell = np.ones((5, 5, 5), np.bool_)
    shell[2, 2, 2] = False
    assert numbers(shell).euler == 2


def test_slabs_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(0).random((17, 9, 11)) < 0.4
    whole = numbers(mask)
    monkeypatch.setattr("medseg.masks.mesh._SLAB", 300)
    assert numbers(mask) == whole
    assert numbers(np.asfortranarray(mask)) == whole


def test_numbers_leave_out_the_triangle_that_published_ones_lack() -> None:
    mask = np.zeros((3, 3, 5), np.bool_)
    mask[1, 1, 1] = mask[1, 2, 2] = mask[2, 2, 2] = True
    assert np.isin(mesh_patterns(mask).codes, PUBLISHED_WITHOUT).any()
    vertices, triangles = mesh_of(mask)
    sides = np.cross(*(vertices[triangles[:, n]] - vertices[triangles[:, 0]] for n in (1, 2)))
    assert numbers(mask).area < np.linalg.norm(sides, axis=1).sum() / 2 - 0.1
