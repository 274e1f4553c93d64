"""Canny's edges: where they lie in mm, and what they enclose."""

import itertools
from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Run
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods import child
from medseg.methods.canny import CANNY
from medseg.methods.edges import gradient, magnitude_of, peaks_of, smoothed_image
from medseg.workflows import segment
from tests.methods.balls import ball, dice, dumbbell


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("noise", [0, 5, 12])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, noise: float) -> None:
    scan = ball(thickness, noise)
    found = segment(CANNY, scan.image).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_a_dark_object_is_one_too() -> None:
    scan = ball()
    dark = Image(120 - scan.image.array, scan.image.grid)
    assert scan.dice(segment(CANNY, dark).labels > 0) > 0.98


def test_the_gradient_is_per_mm_and_true_in_direction() -> None:
    # A plane wave front along (1, 1, 1) mm, on voxels of 1 × 2 × 4 mm.
    spacing = (1.0, 2.0, 4.0)
    at = np.stack(np.indices((24, 12, 6)), axis=-1) * spacing
    values = (3 * at.sum(axis=-1)).astype(np.float32)
    slopes = gradient(values, spacing)
    np.testing.assert_allclose(magnitude_of(slopes), 3 * np.sqrt(3), rtol=1e-5)
    np.testing.assert_allclose(slopes, 3, rtol=1e-5)


def test_a_peak_is_found_between_voxels() -> None:
    # A step at 10.3 under a Gaussian of 2 mm: the gradient peaks there, 0.3 beyond voxel 10.
    from scipy.special import erf

    x = np.arange(21.0)
    values = np.broadcast_to(erf((x - 10.3) / 2 / np.sqrt(2))[:, None], (21, 5)).astype(np.float32)
    slopes = gradient(values, (1.0, 1.0))
    peaks = peaks_of(magnitude_of(slopes), slopes, np.ones(values.shape, np.bool_), (1.0, 1.0))
    assert set(peaks.places[:, 0]) == {10}
    np.testing.assert_allclose(peaks.offset, 0.3, atol=0.03)


def test_smoothing_leaves_out_what_may_not_be_used() -> None:
    values = np.full((20, 20, 1), 7, np.float32)
    values[:8] = 1e6
    usable = np.ones(values.shape, np.bool_)
    usable[:8] = False
    np.testing.assert_allclose(smoothed_image(values, usable, (1, 1, 1), 2.0)[usable], 7, rtol=1e-5)


def test_gaps_are_closed_up_to_the_radius() -> None:
    # A box whose wall fades out on a strip 6 mm wide: edges are missing there.
    array = np.zeros((40, 40, 1), np.float32)
    array[8:32, 8:32] = 100
    array[8:32, 32:] = np.linspace(100, 0, 8)[:, None]
    array[:, 36:] = 0
    array[:18, 32:] = array[22:, 32:] = 0
    image = Image(array, Grid(array.shape, np.eye(4)))
    sizes = [
        int((segment(CANNY, image, params={"closing_mm": r, "sigma_mm": 1}).labels > 0).sum()) for r in (0, 4)
    ]
    assert sizes[1] >= 24 * 23
    assert sizes[0] <= sizes[1]


def test_slices_or_the_volume_are_filled() -> None:
    # A tube that is open at both ends encloses nothing but on each slice.
    at = np.stack(np.indices((40, 40, 12)), axis=-1)
    tube = np.hypot(at[..., 0] - 20, at[..., 1] - 20) <= 12
    image = Image(np.where(tube, 100, 0).astype(np.int16), Grid(tube.shape, np.eye(4)))
    volume, slices = (
        segment(CANNY, image, params={"fill": fill}).labels > 0 for fill in ("volume", "slices")
    )
    assert not volume.any()
    assert (slices == tube).mean() > 0.98


def test_the_largest_part_may_be_kept() -> None:
    array = np.zeros((60, 30, 30), np.float32)
    array[5:25, 5:25, 5:25] = array[40:52, 8:20, 8:20] = 100
    image = Image(array, Grid(array.shape, np.eye(4)))
    kept = [segment(CANNY, image, params={"keep": keep}).labels[45, 14, 14] for keep in ("all", "largest")]
    assert kept == [1, 0]


def test_every_axis_order_gives_the_same() -> None:
    scan = dumbbell()
    found = segment(CANNY, scan).labels
    for order in itertools.permutations(range(3)):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, order]
        turned = np.ascontiguousarray(scan.array.transpose(order))
        again = segment(CANNY, Image(turned, Grid(turned.shape, affine))).labels
        np.testing.assert_array_equal(again, found.transpose(order))


def test_nothing_lies_outside_within_and_pixels_will_do() -> None:
    scan = ball(unit="px")
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[5:, :, :] = True
    found = segment(CANNY, scan.image, within=within).labels > 0
    assert scan.dice(found) > 0.98
    assert not found[:5].any()


@pytest.mark.parametrize("gap", [slice(0, 4), slice(18, 20), slice(30, 31)], ids=["rim", "side", "middle"])
def test_a_slab_without_measurements_hides_nothing_else(gap: slice) -> None:
    scan = ball()
    array = scan.image.array.copy()
    array[gap] = np.nan
    found = segment(CANNY, Image(array, scan.image.grid)).labels > 0
    left = np.isfinite(array)
    assert dice(found & left, scan.truth & left) > 0.95
    assert not found[gap].any()


def test_a_body_in_a_round_field_of_view_is_not_the_whole_field() -> None:
    # Corners of a reconstruction hold no number; the rim of what was measured leads out, as that of the array does.
    scan = ball()
    array = scan.image.array.copy()
    across = np.indices(array.shape[:2]) - 29.5
    array[np.hypot(*across) > 29] = np.nan
    assert scan.dice(segment(CANNY, Image(array, scan.image.grid)).labels > 0) > 0.97


def test_another_process_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    here = segment(CANNY, dumbbell()).labels
    monkeypatch.setattr(child, "_QUICK", 0)
    np.testing.assert_array_equal(segment(CANNY, dumbbell()).labels, here)
    with pytest.raises(Cancelled):
        segment(CANNY, dumbbell(), run=Run(cancel=lambda: True))


SHEARED = np.array([[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(
    ("array", "affine", "params", "error", "words"),
    [
        (np.ones((9, 9, 9), np.float32), np.eye(4), {}, InputError, "constant"),
        (np.eye(9, dtype=np.float32)[..., None], SHEARED, {}, InputError, "right angles"),
        (np.eye(9, dtype=np.float32)[..., None], np.eye(4), {"sigma_mm": -1}, ConfigError, "sigma_mm"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    array: np.ndarray, affine: np.ndarray, params: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        segment(CANNY, Image(array, Grid(array.shape, affine)), params=params)
