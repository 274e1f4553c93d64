"""What a mask's history says of limits and seeds that somebody drew: without them it could not be made again."""

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Point
from medseg.workflows import segment

GRID = Grid((12, 12, 12), np.eye(4))
IMAGE = Image(np.random.default_rng(0).normal(100, 20, GRID.shape).astype(np.float32), GRID)


def box(last: int) -> np.ndarray:
    within = np.zeros(GRID.shape, bool)
    within[2:last, 2:6, 2:6] = True
    return within


def told(**given: object) -> dict[str, object]:
    method = "connected-threshold" if "prompts" in given else "threshold"
    made_by = segment(method, IMAGE, params={"low": 50}, **given).made_by  # type: ignore[arg-type]
    return {name: value for name, value in made_by.parameters if name.startswith(("seeds", "within"))}


def test_nothing_drawn_is_nothing_said() -> None:
    assert told() == {}


def test_limits_are_told_by_size_and_digest() -> None:
    small, large = told(within=box(6)), told(within=box(7))
    assert (small["within_voxels"], large["within_voxels"]) == (64, 80)
    assert small["within_digest"] != large["within_digest"]
    assert told(within=np.asfortranarray(box(6))) == small


@pytest.mark.parametrize("count", [1, 2])
def test_seeds_are_told_by_number_and_digest(count: int) -> None:
    points = tuple(Point((3.0 + number, 4.0, 5.0)) for number in range(count))
    found = told(prompts=Prompts(points=points))
    assert found["seeds"] == count
    assert found["seeds_digest"] != told(prompts=Prompts(points=(Point((9.0, 4.0, 5.0)),)))["seeds_digest"]
