"""Channels on their own grids, brought to the model grid; the card's steps; slices."""

from dataclasses import replace

import numpy as np
import pytest

from medseg.domain import ChannelSpec, Grid, Image, Source
from medseg.domain.card import Clip, KeepLargest, RemoveSmall, Scale, ZScore
from medseg.errors import InputError
from medseg.geometry import affine_orientation
from medseg.geometry.resample import covered_by
from medseg.inference import canonical, labels_on_grid, model_grid, network_slice_axis, prepare
from medseg.inference.steps import postprocess, preprocess
from tests.inference.conftest import make_card, make_image

TWO = (ChannelSpec("mr"), ChannelSpec("pet", fill=-3.0))


def shifted(shape: tuple[int, int, int], first: float, step: float = 1.0) -> np.ndarray:
    affine = np.diag([step, 1.0, 1.0, 1.0])
    affine[0, 3] = first
    return affine


def test_a_channel_on_another_grid_comes_straight_and_misses_what_it_does_not_cover() -> None:
    mr = make_image(np.ones((10, 4, 4)))
    ramp = np.broadcast_to(np.arange(4.0)[:, None, None], (4, 4, 4))
    pet = make_image(ramp, shifted((4, 4, 4), 0.5, step=2.0), channel="pet")  # covers x from -0.5 to 7.5
    prepared = prepare({"mr": mr, "pet": pet}, make_card(channels=TWO))
    row = prepared.array[1, :, 0, 0]
    # Between centres linear, the outer half voxel constant, nothing beyond the field of view.
    assert np.allclose(row[:8], [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert (row[8:] == -3).all()
    (finding,) = prepared.findings
    assert (finding.code, finding.severity, finding.detail("share")) == (
        "channel.outside",
        "warning",
        pytest.approx(0.2),
    )


def test_a_channel_that_covers_less_than_half_is_refused() -> None:
    mr = make_image(np.ones((10, 4, 4)))
    pet = make_image(np.ones((4, 4, 4)), shifted((4, 4, 4), 0))
    with pytest.raises(InputError, match="covers 40% of channel 'mr'"):
        prepare({"mr": mr, "pet": pet}, make_card(channels=TWO))


def test_half_is_enough() -> None:
    mr = make_image(np.ones((10, 4, 4)))
    (finding,) = prepare(
        {"mr": mr, "pet": make_image(np.ones((5, 4, 4)), shifted((5, 4, 4), 0))}, make_card(channels=TWO)
    ).findings
    assert finding.detail("share") == pytest.approx(0.5)


#: Of 100 slices so many are seen → how it is said.
SEEN = [(94, "warning"), (96, "info"), (100, None)]


@pytest.mark.parametrize(("slices", "severity"), SEEN)
def test_a_small_part_that_is_not_seen_is_said_and_a_large_one_warned_of(
    slices: int, severity: str | None
) -> None:
    images = {"mr": make_image(np.ones((100, 2, 2))), "pet": make_image(np.ones((slices, 2, 2)))}
    findings = prepare(images, make_card(channels=TWO)).findings
    assert [item.severity for item in findings] == ([severity] if severity else [])


def test_voxels_without_a_measurement_take_the_fill_and_stay_out_of_the_statistics() -> None:
    values = np.full((4, 4, 4), 10.0)
    values[0] = 14.0
    values[1, 0, 0], values[1, 1, 1] = np.nan, 9999.0
    outside = np.zeros((4, 4, 4), bool)
    outside[1, 1, 1] = True
    card = make_card(preprocessing=(ZScore("image"),))
    array = prepare({"image": make_image(values, outside=outside)}, card).array[0]
    measured = np.where(np.isnan(values) | outside, np.nan, values)
    expected = (values - np.nanmean(measured)) / np.nanstd(measured)
    kept = ~np.isnan(measured)
    assert np.allclose(array[kept], expected[kept], atol=1e-5)
    assert array[1, 0, 0] == array[1, 1, 1] == pytest.approx(-np.nanmean(measured) / np.nanstd(measured))


def ramp(shape: tuple[int, int, int]) -> np.ndarray:
    """Values from 0 to 300, one of them 0, that differ along every axis."""
    return np.random.default_rng(0).permutation(np.linspace(0, 300, int(np.prod(shape)))).reshape(shape)


def beside_the_reference() -> dict[str, Image]:
    pet = make_image(ramp((8, 4, 4)), channel="pet")
    return {"mr": make_image(np.ones((10, 4, 4)), channel="mr"), "pet": pet}


def without_a_measurement(missing: float) -> dict[str, Image]:
    values, outside = ramp((10, 4, 4)), np.zeros((10, 4, 4), bool)
    outside[8:] = True
    values[8:] = missing
    # What is no number needs no mask to be left out.
    masks = {"outside": outside} if np.isfinite(missing) else {}
    return {
        "mr": make_image(np.ones((10, 4, 4)), channel="mr"),
        "pet": make_image(values, channel="pet", **masks),
    }


UNSEEN = {
    "beyond the field of view": beside_the_reference(),
    "masked as outside": without_a_measurement(9999.0),
    "NaN": without_a_measurement(np.nan),
    "infinite": without_a_measurement(np.inf),
}


@pytest.mark.parametrize("images", UNSEEN.values(), ids=UNSEEN)
@pytest.mark.parametrize("fill", [-1000.0, 0.0, 40.0])
@pytest.mark.parametrize("over", ["all", "nonzero"])
@pytest.mark.parametrize("clip", [None, (0.0, 100.0), (10.0, 90.0)])
def test_statistics_are_of_measured_voxels_alone(
    images: dict[str, Image], fill: float, over: str, clip: tuple[float, float] | None
) -> None:
    step = ZScore("pet", over=over, clip_percentiles=clip)  # type: ignore[arg-type]
    card = make_card(channels=(ChannelSpec("mr"), ChannelSpec("pet", fill=fill)), preprocessing=(step,))
    array = prepare(images, card).array[1]
    measured = images["pet"].array[:8]
    counted = measured != 0 if over == "nonzero" else np.ones(measured.shape, bool)
    low, high = np.percentile(measured[counted], clip or (0, 100))
    limits = (-np.inf, np.inf) if clip is None else (low, high)
    sample = np.clip(measured[counted], *limits)
    expected = (np.clip(fill, *limits) - sample.mean()) / sample.std()
    assert array[:8][counted].mean() == pytest.approx(0, abs=1e-5)
    assert array[:8][counted].std() == pytest.approx(1, abs=1e-5)
    assert np.allclose(array[8:], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        (None, (10, 8, 5)),
        ((1.0, 1.0, 2.0), (10, 8, 5)),
        ((2.0, 2.0, 2.0), (5, 4, 5)),
        ((3.0, 3.0, 3.0), (4, 3, 4)),
    ],
)
def test_the_model_grid_covers_the_same_field_of_view(
    spacing: tuple[float, float, float] | None, shape: tuple[int, int, int]
) -> None:
    native = Grid((10, 8, 5), np.diag([1.0, 1.0, 2.0, 1.0]))
    grid = model_grid(native, spacing)
    assert grid.shape == shape
    # Every native centre lies inside, so that a structure at the border stays there.
    assert covered_by(grid, native).all()
    middle = [(np.array(one.shape) - 1) / 2 for one in (native, grid)]
    assert np.allclose(native.to_position(middle[0]), grid.to_position(middle[1]))
    assert (grid is native) == (spacing in (None, (1.0, 1.0, 2.0)))


def test_spacing_runs_along_canonical_axes() -> None:
    native = Grid((10, 10, 10), affine_orientation((1.0, 1.0, 1.0), "SLA"))
    assert model_grid(native, (1.0, 2.0, 5.0)).spacing == (5.0, 1.0, 2.0)


def test_canonical_order_moves_voxels_and_not_positions() -> None:
    image = make_image(np.arange(24.0).reshape(2, 3, 4), affine_orientation((1, 2, 3), "PIR"))
    turned = canonical(image)
    assert turned.grid.orientation == "RAS"
    index = np.array([1, 2, 3])
    back = np.rint(turned.grid.to_index(image.grid.to_position(index))).astype(int)
    assert turned.array[tuple(back)] == image.array[tuple(index)]


def test_what_was_not_measured_turns_with_its_voxels() -> None:
    outside = np.zeros((2, 3, 4), bool)
    outside[0, 1, 3] = True
    values = np.where(outside, 7.0, 1.0)
    turned = canonical(make_image(values, affine_orientation((1, 2, 3), "PIR"), outside=outside))
    assert turned.outside is not None
    assert turned.outside.shape == turned.array.shape == (4, 2, 3)
    assert np.array_equal(turned.outside, turned.array == 7)


#: Half the range of an image around 0 → whether it counts as constant.
SPREADS = [(0.9e-8, True), (1.1e-8, False)]


@pytest.mark.parametrize(("spread", "is_constant"), SPREADS)
def test_a_spread_of_rounding_is_not_blown_up(spread: float, is_constant: bool) -> None:
    values = np.array([-spread, spread], np.float32).reshape(2, 1, 1)
    result = preprocess(values, np.ones(values.shape, bool), "image", (ZScore("image"),))
    assert result.ravel() == pytest.approx([-spread, spread] if is_constant else [-1, 1], rel=1e-5)


def test_reference_labels_on_their_own_grid_stay_and_elsewhere_the_largest_share_wins() -> None:
    labels = np.zeros((8, 8, 8), np.uint16)
    labels[:4], labels[4:6] = 7, 9
    own = Grid((8, 8, 8), np.eye(4))
    same = labels_on_grid(labels, own, own, (7, 9))
    assert np.array_equal(same, np.select([labels == 7, labels == 9], [1, 2]))
    coarse = labels_on_grid(labels, own, model_grid(own, (2.0, 2.0, 2.0)), (7, 9))
    assert coarse[:, 0, 0].tolist() == [1, 1, 2, 0]


STEPS = [
    ((Clip("image", 0.0, 2.0),), [-1, 1, 5], [0, 1, 2]),
    ((Scale("image", 1.0, 2.0),), [1, 3, 5], [0, 1, 2]),
    ((ZScore("image"),), [1, 3, 5], [-1.224745, 0, 1.224745]),
    ((ZScore("image", over="nonzero"),), [0, 1, 3], [-2, -1, 1]),
    ((ZScore("image"),), [4, 4, 4], [0, 0, 0]),  # constant: no division by zero
    ((Scale("other", 9.0, 9.0),), [1, 2, 3], [1, 2, 3]),  # meant for another channel
]


@pytest.mark.parametrize(("steps", "values", "expected"), STEPS)
def test_preprocessing(steps: tuple, values: list[float], expected: list[float]) -> None:
    array = np.array(values, np.float32).reshape(3, 1, 1)
    result = preprocess(array, np.ones((3, 1, 1), bool), "image", steps)
    assert np.allclose(result.ravel(), expected, atol=1e-5)
    assert result.dtype == np.float32


#: Only the first three were measured.
MEASURED = [
    (ZScore("image"), [1, 3, 5, 100], [-1.224745, 0, 1.224745, 59.400126]),
    (ZScore("image", over="nonzero"), [0, 1, 3, 100], [-2, -1, 1, 98]),
    (ZScore("image", over="nonzero"), [0, 1, 3, -1000], [-2, -1, 1, -1002]),
    (ZScore("image", clip_percentiles=(0, 100)), [1, 3, 5, 100], [-1.224745, 0, 1.224745, 1.224745]),
    (ZScore("image", "nonzero", (0, 100)), [0, 1, 3, 100], [-1, -1, 1, 1]),
    (ZScore("image"), [4, 4, 4, 9], [0, 0, 0, 5]),  # constant where it was measured
    (ZScore("image", over="nonzero"), [0, 0, 0, 9], [0, 0, 0, 0]),  # nothing to take a mean of
]


@pytest.mark.parametrize(("step", "values", "expected"), MEASURED)
def test_what_was_not_measured_is_scaled_and_not_counted(
    step: ZScore, values: list[float], expected: list[float]
) -> None:
    inside = np.array([True, True, True, False]).reshape(4, 1, 1)
    result = preprocess(np.array(values, np.float32).reshape(4, 1, 1), inside, "image", (step,))
    assert np.allclose(result.ravel(), expected, atol=1e-4)


def test_postprocessing_keeps_the_largest_component_and_drops_small_ones() -> None:
    labels = np.zeros((10, 5, 5), np.uint16)
    labels[0:3, 0:3, 0:3], labels[5:7, 0:2, 0:2], labels[9, 4, 4], labels[9, 0, 0] = 1, 1, 1, 2
    grid = Grid(labels.shape, np.diag([1.0, 1.0, 0.5, 1.0]))
    largest = postprocess(labels, grid, (KeepLargest((1,)),))
    assert (largest == 1).sum() == 27
    assert (largest == 2).sum() == 1
    larger = postprocess(labels, grid, (RemoveSmall((1,), 4.0),))  # 27, 8 and 1 voxels of 0.5 mm³
    assert (larger == 1).sum() == 35
    empty = np.zeros((3, 3, 3), np.uint16)
    assert not postprocess(
        empty, Grid((3, 3, 3), np.eye(4)), (KeepLargest((1,)), RemoveSmall((1,), 1.0))
    ).any()


def as_dicom(image: Image) -> Image:
    return replace(image, source=Source("somewhere", "dicom", grid=image.grid))


@pytest.mark.parametrize(
    ("shape", "spacing", "orientation", "dicom", "axis"),
    [
        ((8, 8, 4), (1.0, 1.0, 3.0), "RAS", False, 2),
        ((4, 8, 8), (3.0, 1.0, 1.0), "RAS", False, 0),  # the coarsest
        ((8, 8, 8), (1.0, 1.0, 1.0), "RAS", False, 2),  # equal: the last
        ((8, 8, 8), (1.0009, 1.0, 1.0), "RAS", False, 2),  # equal but for rounding
        ((8, 8, 8), (1.5, 1.0, 1.0), "RAS", False, 0),
        ((8, 8, 1), (1.0, 1.0, 0.2), "RAS", False, 2),  # a single slice, however thin
        (
            (8, 8, 8),
            (1.0, 1.0, 0.5),
            "PIR",
            True,
            0,
        ),  # DICOM: sagittal slices, although they are the finest axis
        ((8, 8, 8), (1.0, 1.0, 0.5), "LPS", True, 2),
        ((8, 8, 8), (1.0, 1.0, 0.5), "LIP", True, 1),
    ],
)
def test_slices_of_a_2d_network(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], orientation: str, dicom: bool, axis: int
) -> None:
    image = make_image(np.zeros(shape), affine_orientation(spacing, orientation))
    # As segmenters see it: brought to canonical order, the source as it was read.
    seen = canonical(as_dicom(image) if dicom else image)
    assert network_slice_axis(seen) == axis
