"""Watershed: basins of seeds, and of the gradient's own minima."""

from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point
from medseg.errors import Cancelled, ConfigError, InputError
from medseg.methods import child
from medseg.methods.watershed import WATERSHED, WatershedParams, basins_of_seeds
from medseg.workflows import segment
from tests.methods.balls import MIDDLE, ball, dice, dumbbell, points


@pytest.mark.parametrize("thickness", [1, 5])
@pytest.mark.parametrize("prompts", [MIDDLE, None], ids=["seed", "minima"])
def test_a_ball_is_found_on_even_and_on_thick_slices(thickness: int, prompts: Prompts | None) -> None:
    scan = ball(thickness)
    found = segment(WATERSHED, scan.image, prompts=prompts).labels > 0
    assert scan.dice(found) >= min(0.95, scan.ceiling - 0.02)


def test_minima_give_an_id_to_each_object() -> None:
    array = np.full((60, 30, 30), 10, np.float32)
    array[5:25, 5:25, 5:25] = 100
    array[35:50, 8:23, 8:23] = 80
    answer = segment(WATERSHED, Image(array, Grid(array.shape, np.eye(4))))
    assert answer.instances is not None
    assert [int(answer.instances[place]) for place in ((15, 15, 15), (42, 15, 15), (30, 2, 2))] == [1, 2, 0]
    assert answer.present == (1,)


def test_dark_objects_are_the_basins_below() -> None:
    scan = ball()
    dark = Image(120 - scan.image.array, scan.image.grid)
    assert scan.dice(segment(WATERSHED, dark, params={"side": "below"}).labels > 0) > 0.98


def test_seeds_of_two_objects_meet_on_the_ridge() -> None:
    array = np.zeros((40, 20, 20), np.float32)
    array[5:18, 4:16, 4:16], array[18:35, 4:16, 4:16] = 60, 100
    prompts = Prompts(points=(Point((11.0, 10.0, 10.0), label=1), Point((26.0, 10.0, 10.0), label=2)))
    answer = segment(WATERSHED, Image(array, Grid(array.shape, np.eye(4))), prompts=prompts)
    middle = answer.labels[:, 10, 10]
    assert np.flatnonzero(middle == 1)[-1] == pytest.approx(17, abs=1)
    assert np.flatnonzero(middle == 2)[0] == pytest.approx(18, abs=1)


def test_compact_basins_are_compact_in_mm() -> None:
    # On a ramp without edges two compact basins meet midway in mm along each axis, whatever the spacing.
    spacing = np.diag([1.0, 1.0, 4.0, 1.0])
    array = np.add.outer(np.arange(41.0) * 4, np.zeros((3, 11))) + np.arange(11) * 16.0
    image = Image(array.astype(np.float32), Grid(array.shape, spacing))
    params = {"seed_pull": 10, "box_is_background": False, "sigma_mm": 0, "margin_mm": 100}
    for low, high, axis in (((4, 1, 5), (36, 1, 5), 0), ((20, 1, 1), (20, 1, 9), 2)):
        places = [image.grid.to_position(np.array(place)) for place in (low, high)]
        first, second = ((float(p[0]), float(p[1]), float(p[2])) for p in places)
        found = segment(WATERSHED, image, params=params, prompts=points(first, outside=(second,))).labels
        line = found[:, 1, 5] if axis == 0 else found[20, 1, :]
        assert line.sum() == pytest.approx(len(line) / 2, abs=1)


def test_seed_pull_keeps_a_basin_from_leaking() -> None:
    # Without edges the plain watershed gives all to whoever comes first; a compact basin ends midway.
    rng = np.random.default_rng(1)
    image = Image(rng.normal(0, 1, (50, 50, 1)).astype(np.float32), Grid((50, 50, 1), np.eye(4)))
    plain, compact = (
        segment(WATERSHED, image, prompts=points((25.0, 25.0, 0.0)), params={"seed_pull": c}).labels > 0
        for c in (0, 0.1)
    )
    away = np.hypot(*(np.indices((50, 50)) - 25))[..., None]
    assert compact[away < 9].mean() > 0.9
    assert plain[away < 9].mean() < 0.9


def test_nothing_lies_outside_within() -> None:
    scan = ball()
    within = np.zeros(scan.image.grid.shape, np.bool_)
    within[:32] = True
    for prompts in (MIDDLE, None):
        found = segment(WATERSHED, scan.image, prompts=prompts, within=within).labels
        assert found[:32].any()
        assert not found[32:].any()


def test_a_slice_in_pixels_will_do() -> None:
    array = np.zeros((40, 40, 1), np.uint8)
    array[10:30, 10:30] = 200
    image = Image(array, Grid(array.shape, np.eye(4), unit="px"))
    for prompts in (points((20.0, 20.0, 0.0)), None):
        found = segment(WATERSHED, image, prompts=prompts).labels > 0
        assert (found == (array > 0)).mean() > 0.95


def test_sharp_lettering_does_not_hide_soft_edges() -> None:
    # As on a radiograph: the letter's edges are twenty times as steep as those of the disc.
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:120, :120]
    disc = np.hypot(y - 60, x - 60) < 35
    array = gaussian_filter(60.0 * disc, 6) + gaussian_filter(
        np.random.default_rng(1).normal(0, 4, disc.shape), 1
    )
    array[5:15, 5:8] = array[5:8, 5:15] = 255
    image = Image(array.astype(np.float32)[:, :, None], Grid((120, 120, 1), np.eye(4), unit="px"))
    found = segment(WATERSHED, image).labels[:, :, 0] > 0
    assert dice(found, disc | (array == 255)) > 0.95


def test_what_is_not_usable_hands_no_flood_on() -> None:
    values = np.random.default_rng(2).normal(size=(12, 6, 6)).astype(np.float32)
    usable, markers = np.ones(values.shape, np.bool_), np.zeros(values.shape, np.int32)
    usable[7], markers[2, 3, 3] = False, 4
    flooded = basins_of_seeds(values, usable, (1, 1, 1), markers, WatershedParams(), progress=Run().progress)
    assert (flooded[:7] == 4).all()
    assert not flooded[7:].any()


def test_another_process_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = ball().image
    here = [segment(WATERSHED, scan, prompts=prompts).labels for prompts in (MIDDLE, None)]
    monkeypatch.setattr(child, "_QUICK", 0)
    for prompts, expected in zip((MIDDLE, None), here, strict=True):
        np.testing.assert_array_equal(segment(WATERSHED, scan, prompts=prompts).labels, expected)
    with pytest.raises(Cancelled):
        segment(WATERSHED, scan, run=Run(cancel=lambda: True))


@pytest.mark.parametrize(
    ("prompts", "params", "error", "words"),
    [
        (None, {}, InputError, "watershed needs different values"),
        (points((4.0, 4.0, 4.0)), {}, InputError, "constant"),
        (points(outside=((4.0, 4.0, 4.0),)), {}, InputError, "inside the object"),
        (None, {"depth": 2}, ConfigError, "depth"),
    ],
)
def test_what_does_not_fit_gets_one_line(
    prompts: Prompts | None, params: dict[str, Any], error: type[Exception], words: str
) -> None:
    image = Image(np.ones((9, 9, 9), np.float32), Grid((9, 9, 9), np.eye(4)))
    with pytest.raises(error, match=words):
        segment(WATERSHED, image, prompts=prompts, params=params)


def test_a_sheared_grid_is_refused() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    image = Image(np.indices((9, 9, 9))[0], Grid((9, 9, 9), sheared))
    with pytest.raises(InputError, match="right angles"):
        segment(WATERSHED, image)


def test_dumbbell_halves_are_one_basin() -> None:
    assert (
        segment(WATERSHED, dumbbell(), prompts=points((18.0, 20.0, 20.0)), params={"margin_mm": 60}).labels[
            52, 20, 20
        ]
        == 1
    )
