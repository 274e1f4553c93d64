"""The box around seeds, and the way back to the whole image."""

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts
from medseg.domain.prompts import Point
from medseg.masks.seeds import field_of, place_seeds

GRID = Grid((21, 17, 11), np.diag([1.0, 1.0, 2.5, 1.0]))
IMAGE = Image(np.zeros(GRID.shape, np.float32), GRID)
SEEDS = place_seeds(Prompts(points=(Point((10.0, 8.0, 10.0)),)), GRID, "this method")


@pytest.mark.parametrize("most", [10**6, 500, 60])
def test_answers_of_a_coarsened_box_stay_on_usable_voxels(most: int) -> None:
    usable = np.random.default_rng(0).random(GRID.shape) < 0.4
    field = field_of(IMAGE, SEEDS, usable, 100.0, most)
    assert field.values.size <= most
    assert (field.step == (1, 1, 1)) == (most == 10**6)
    everything = field.restored(np.ones(field.values.shape, np.uint16))
    np.testing.assert_array_equal(everything > 0, usable)
