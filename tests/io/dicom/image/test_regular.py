"""Irregular stacks on even steps: what is measured keeps its value and place, what is not is marked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Grid, ReadOptions
from medseg.errors import InputError
from medseg.geometry.slices import StackVerdict, judge_slices
from medseg.io import inspect, read
from medseg.io.dicom.image.regular import Stack, even_steps, upright, upright_grid

Make = Callable[..., Path]
FLAT = [1, 0, 0, 0, 1, 0]


def stack_at(*places: tuple[float, float, float]) -> tuple[Stack, StackVerdict]:
    """A stack whose slice n holds 10·n, and its verdict."""
    positions = np.array(places, dtype=float)
    found = judge_slices(positions, np.tile(FLAT, (len(places), 1)), [(3, 4)] * len(places))
    affine = np.eye(4)
    affine[:3, 2] = found.step
    values = np.broadcast_to(10 * np.arange(len(places)), (4, 3, len(places)))
    return Stack(values, Grid((4, 3, len(places)), affine), None), found


def test_a_gap_is_filled_between_its_neighbours_and_marked() -> None:
    stack, found = stack_at((0, 0, 0), (0, 0, 2), (0, 0, 8), (0, 0, 10))
    even = even_steps(stack, found)
    assert even.array[0, 0].tolist() == pytest.approx([0, 10, 10 + 10 / 3, 10 + 20 / 3, 20, 30])
    assert even.outside is not None
    assert even.outside[0, 0].tolist() == [False, False, True, True, False, False]
    assert even.grid.spacing[2] == pytest.approx(2)


def test_no_place_of_a_variable_stack_near_a_slice_is_marked() -> None:
    stack, found = stack_at((0, 0, 0), (0, 0, 2), (0, 0, 5), (0, 0, 7))
    even = even_steps(stack, found)
    # Steps of 2 do not divide 7 mm: those of 1.75 end on the last slice.
    assert even.array[0, 0].tolist() == pytest.approx([0, 8.75, 15, 21.25, 30])
    assert even.outside is not None
    assert not even.outside.any()


def test_padding_spreads_to_what_is_interpolated_from_it() -> None:
    stack, found = stack_at((0, 0, 0), (0, 0, 2), (0, 0, 5), (0, 0, 7))
    padded = np.zeros(stack.array.shape, dtype=bool)
    padded[1, 1, 1] = True
    even = even_steps(Stack(stack.array, stack.grid, padded), found)
    assert even.outside is not None
    assert np.argwhere(even.outside).tolist() == [[1, 1, 1], [1, 1, 2]]


def test_a_tilted_gap_comes_back_upright_with_its_values_in_place() -> None:
    # The picture is a ramp along y in the world, so wherever it is measured, its value is its y.
    tilt = 1.0
    places = [(0.0, tilt * z, 4.0 * z) for z in (0, 1, 3, 4)]
    found = judge_slices(np.array(places), np.tile(FLAT, (4, 1)), [(20, 4)] * 4)
    assert (found.verdict.value, found.missing) == ("gap", 1)
    affine = np.eye(4)
    affine[:3, 2] = found.step
    y = np.arange(20)[:, None] + np.array([place[1] for place in places])
    stack = Stack(np.broadcast_to(y, (4, 20, 4)), Grid((4, 20, 4), affine), None)
    even = even_steps(stack, found)
    assert not even.grid.is_sheared
    assert even.grid.spacing == pytest.approx((1, 1, 4))
    assert even.outside is not None
    index = np.argwhere(~even.outside)
    truth = even.grid.to_position(index)[:, 1]
    assert even.array[~even.outside] == pytest.approx(truth, abs=1e-4)
    assert set(index[:, 2]) == {0, 1, 3, 4}


def test_the_upright_grid_holds_every_corner() -> None:
    affine = np.eye(4)
    affine[:3, 2] = (0, 1.3, 4)
    grid = Grid((4, 20, 5), affine)
    target = upright_grid(grid)
    index = target.to_index(grid.corners)
    assert (index >= -1e-5).all()
    assert (index <= np.array(target.shape) - 1 + 1e-5).all()
    assert upright(Stack(np.ones(grid.shape), grid, None)).grid.shape == target.shape


def test_a_tilted_gap_is_read_when_asked(series: Make) -> None:
    folder = series([(0, 0, 0), (0, 1, 4), (0, 3, 12)])
    (source,) = inspect(folder)
    assert source.verdict.value == "gap"
    assert source.findings[0].detail("step_mm") == pytest.approx(4)
    assert source.findings[0].detail("tilt_degrees") == pytest.approx(np.degrees(np.arctan(1 / 4)))
    image = read(folder, options=ReadOptions(resample=True))
    assert not image.grid.is_sheared
    assert image.grid.spacing[2] == pytest.approx(4)
    assert {"dicom.gap", "dicom.resampled"} <= {item.code for item in image.findings}


@pytest.mark.parametrize("resample", [False, True])
def test_slices_off_the_line_are_refused_whatever_is_asked(resample: bool, series: Make) -> None:
    folder = series([(0, 0, 0), (0, 4, 5), (0, 0, 10)])
    (finding,) = inspect(folder)[0].findings
    assert (finding.code, finding.severity) == ("dicom.sideways", "error")
    assert finding.detail("sideways_mm") == pytest.approx(4)
    with pytest.raises(InputError, match=r"4 mm beside the straight line") as caught:
        read(folder, options=ReadOptions(resample=resample))
    assert "--resample" not in str(caught.value)
