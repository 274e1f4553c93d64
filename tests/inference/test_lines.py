"""Interpolation along axes: where it changes nothing it is left out, and flips are flips."""

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.errors import ModelError
from medseg.inference.reducers import labels_on_native, lines_between

SHAPE = (5, 4, 3)
GRID = Grid(SHAPE, np.eye(4))


def moved(axis: int, by: float, step: float = 1.0) -> Grid:
    affine = np.eye(4)
    affine[axis, axis], affine[axis, 3] = step, by
    return Grid(SHAPE, affine)


def test_between_equal_grids_nothing_is_interpolated() -> None:
    assert [line.is_identity(size) for line, size in zip(lines_between(GRID, GRID), SHAPE, strict=True)] == [
        True,
        True,
        True,
    ]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("by", "step"), [(1.0, 1.0), (-1.0, 1.0), (0.5, 1.0), (0.0, 0.5), (2.0, -1.0)])
def test_a_grid_that_lies_elsewhere_is_no_equal_one(axis: int, by: float, step: float) -> None:
    lines = lines_between(GRID, moved(axis, by, step))
    assert [line.is_identity(size) for line, size in zip(lines, SHAPE, strict=True)] == [
        other != axis for other in range(3)
    ]


def test_a_shorter_or_a_longer_grid_is_no_equal_one() -> None:
    for extent in (4, 6):
        line = lines_between(GRID, Grid((extent, 4, 3), np.eye(4)))[0]
        assert not line.is_identity(5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_values_along_a_line_are_those_of_numpy(axis: int) -> None:
    values = np.random.default_rng(axis).normal(size=SHAPE).astype(np.float32)
    native = moved(axis, -0.8, 0.7)
    line = lines_between(GRID, native)[axis]
    places = -0.8 + 0.7 * np.arange(SHAPE[axis])
    expected = np.apply_along_axis(lambda row: np.interp(places, np.arange(SHAPE[axis]), row), axis, values)
    assert np.allclose(line.apply(values, axis), expected, atol=1e-6)
    assert line.inside.tolist() == [-0.5 <= place <= SHAPE[axis] - 0.5 for place in places]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_on_a_flipped_grid_labels_are_flipped(axis: int) -> None:
    shares = np.random.default_rng(7).random((3, *SHAPE)).astype(np.float32)
    flipped = moved(axis, SHAPE[axis] - 1, -1.0)
    straight = labels_on_native(shares, GRID, GRID, (4, 9))
    assert np.array_equal(straight, np.array([0, 4, 9])[shares.argmax(axis=0)])
    assert np.array_equal(labels_on_native(shares, GRID, flipped, (4, 9)), np.flip(straight, axis))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_between_voxels_and_beyond_the_image_a_flip_is_a_flip_too(axis: int) -> None:
    shares = np.random.default_rng(8).random((3, *SHAPE)).astype(np.float32)
    last = -0.8 + 0.7 * (SHAPE[axis] - 1)  # the first centre lies beyond the outer face
    straight = labels_on_native(shares, GRID, moved(axis, -0.8, 0.7), (4, 9))
    flipped = labels_on_native(shares, GRID, moved(axis, last, -0.7), (4, 9))
    assert not straight.take(0, axis).any()
    assert np.array_equal(flipped, np.flip(straight, axis))


def test_a_grid_that_leans_is_refused() -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.2
    with pytest.raises(ModelError, match="must be parallel"):
        lines_between(GRID, Grid(SHAPE, affine))
