"""The robot user clicks where the rule says."""

import numpy as np
import pytest

from benchmarks.robot import anchors, next_seed
from medseg.domain import Grid, Prompts
from medseg.domain.prompts import Point

GRID = Grid((20, 20, 20), np.diag([1.0, 1.0, 2.0, 1.0]))


def box(*ends: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(GRID.shape, np.bool_)
    mask[tuple(slice(*end) for end in ends)] = True
    return mask


LARGE, SMALL = box((2, 9), (2, 9), (2, 9)), box((12, 15), (12, 15), (12, 15))
NOTHING = np.zeros(GRID.shape, np.bool_)
FIRST = Point((5.0, 5.0, 6.0))


@pytest.mark.parametrize(
    ("answer", "before", "expected"),
    [
        (NOTHING, (), FIRST),
        (LARGE, (FIRST,), Point((13.0, 13.0, 24.0))),
        (LARGE | SMALL, (FIRST,), None),
        (LARGE | SMALL | box((12, 17), (2, 7), (2, 7)), (FIRST,), Point((14.0, 4.0, 6.0), positive=False)),
        (box((12, 19), (2, 9), (2, 9)), (), FIRST),  # the first one looks only at what is missed
        (NOTHING, (FIRST,), Point((13.0, 13.0, 24.0))),  # the largest has a seed in its centre already
    ],
)
def test_the_next_seed(answer: np.ndarray, before: tuple[Point, ...], expected: Point | None) -> None:
    assert next_seed(answer, LARGE | SMALL, GRID, Prompts(points=before)) == expected


def test_the_centre_is_deepest_in_mm() -> None:
    part = box((0, 6), (0, 20), (0, 3))
    assert next_seed(NOTHING, part, GRID, Prompts()) == Point((2.0, 2.0, 2.0))


def test_a_slice_has_no_depth() -> None:
    grid = Grid((9, 9, 1), np.eye(4), unit="px")
    part = np.zeros(grid.shape, np.bool_)
    part[2:7, 1:6] = True
    assert next_seed(np.zeros_like(part), part, grid, Prompts()) == Point((4.0, 3.0, 0.0))


def test_anchors_lie_evenly_around_the_object() -> None:
    grid = Grid((9, 9, 1), np.eye(4), unit="px")
    part = np.zeros(grid.shape, np.bool_)
    part[2:6, 3:7] = True
    found = {point.position for point in anchors(part, grid, 4).points}
    corners = {(1.5, 2.5), (5.5, 2.5), (5.5, 6.5), (1.5, 6.5)}
    assert found == {(*corner, 0.0) for corner in corners}
