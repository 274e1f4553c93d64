"""Phantoms with closed-form answers, on straight, oblique and sheared grids."""

import math

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Quantity, Segmentation
from medseg.measuring import measure

SPACINGS = [(1.0, 1.0, 1.0), (0.7, 0.7, 1.2), (0.5, 0.9, 2.0)]


def grid_for(spacing: tuple[float, float, float], kind: str) -> Grid:
    affine = np.diag([*spacing, 1.0])
    if kind == "oblique":
        angle = 0.5
        turn = np.array(
            [[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]]
        )
        affine[:3, :3] = turn @ affine[:3, :3]
    if kind == "sheared":
        affine[1, 2] = 0.25 * spacing[2]
    shape = tuple(math.ceil(60 / step) for step in spacing)
    grid = Grid(shape, affine)  # type: ignore[arg-type]
    affine[:3, 3] = -grid.to_position((np.array(shape) - 1) / 2)
    return Grid(shape, affine)  # type: ignore[arg-type]


def phantom(grid: Grid, semi_axes: tuple[float, float, float]) -> Segmentation:
    index = np.stack(np.indices(grid.shape), axis=-1).reshape(-1, 3)
    inside = ((grid.to_position(index) / semi_axes) ** 2).sum(axis=1) <= 1
    return Segmentation(inside.reshape(grid.shape).astype(np.uint8), grid, LabelTable((Label(1, "ball"),)))


@pytest.mark.parametrize("kind", ["straight", "oblique", "sheared"])
@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("semi_axes", [(15.0, 15.0, 15.0), (20.0, 12.0, 16.0)], ids=["ball", "ellipsoid"])
def test_volume_is_count_times_determinant_and_near_the_truth(
    kind: str, spacing: tuple[float, float, float], semi_axes: tuple[float, float, float]
) -> None:
    segmentation = phantom(grid_for(spacing, kind), semi_axes)
    found = {item.quantity: item for item in measure(segmentation)}
    count = int(segmentation.labels.sum())
    exact = count * abs(np.linalg.det(segmentation.grid.affine[:3, :3])) / 1000
    volume = float(found[Quantity.VOLUME].value or 0)
    assert volume == pytest.approx(exact, rel=1e-9)
    assert volume == pytest.approx(4 / 3 * math.pi * math.prod(semi_axes) / 1000, rel=0.02)
    for name in (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z):
        assert float(found[name].value or 0) == pytest.approx(0, abs=0.1)
    if kind == "straight":
        diagonal = float(np.linalg.norm(spacing))
        assert found[Quantity.LONGEST_DIAMETER].value == pytest.approx(2 * max(semi_axes[:2]), abs=diagonal)
