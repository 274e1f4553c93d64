"""Noise near a structure: known on made noise, blind to edges, slopes and what was not measured."""

import numpy as np
import pytest

from medseg.domain import Grid, Image
from medseg.measuring import noise_near

GRID = Grid((60, 50, 12), np.diag([-1.0, -1.0, 3.0, 1.0]))
MASK = np.zeros(GRID.shape, bool)
MASK[15:45, 12:38, 3:9] = True


def made(sd: float, *, steps: float = 0.0, slope: float = 0.0) -> np.ndarray:
    values = np.random.default_rng(3).normal(0, sd, GRID.shape) if sd else np.zeros(GRID.shape)
    values += slope * np.arange(GRID.shape[0])[:, None, None]
    values[MASK] += steps
    return values


@pytest.mark.parametrize(
    ("sd", "steps", "slope"), [(1.0, 0, 0), (12.5, 0, 0), (12.5, 400, 0), (12.5, 0, 25), (12.5, -800, 9)]
)
def test_it_finds_the_noise_that_was_put_in(sd: float, steps: float, slope: float) -> None:
    found = noise_near(MASK, Image(made(sd, steps=steps, slope=slope), GRID))
    assert found == pytest.approx(sd, rel=0.06)


def test_an_image_without_noise_has_none() -> None:
    assert noise_near(MASK, Image(made(0.0, steps=100, slope=2), GRID)) == pytest.approx(0.0, abs=1e-9)


def test_without_a_structure_or_measured_voxels_nothing_is_said() -> None:
    image = Image(made(5.0), GRID)
    assert noise_near(np.zeros(GRID.shape, bool), image) is None
    assert noise_near(MASK, Image(image.array, GRID, outside=np.ones(GRID.shape, bool))) is None


def test_padding_and_nan_are_left_out() -> None:
    values, outside = made(5.0), np.zeros(GRID.shape, bool)
    values[:30], outside[:30] = -2000, True
    values[40, 20, 5] = np.nan
    assert noise_near(MASK, Image(values, GRID, outside=outside)) == pytest.approx(5.0, rel=0.1)


def test_slices_are_those_of_acquisition() -> None:
    """Between slices values may jump; noise is that within a slice."""
    values = made(4.0) + 500 * (np.arange(GRID.shape[2]) % 2)
    assert noise_near(MASK, Image(values, GRID)) == pytest.approx(4.0, rel=0.06)
