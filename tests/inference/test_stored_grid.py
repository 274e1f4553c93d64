"""Crop, resize and windows as nnU-Net has them: tables, properties, and the public functions that it calls itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medseg.domain.card import RequireRange, ToUnit, ZScoreInside
from medseg.domain.recipe import Decision, Resize, StoredGrid
from medseg.errors import ConfigError, InputError
from medseg.inference.steps import preprocess
from medseg.inference.stored_grid import (
    crop_box,
    nonzero_inside,
    resize_labels,
    resize_values,
    resized_shape,
    thick_axis,
)
from medseg.inference.stored_prepare import decided
from medseg.inference.windows import Tiling

SPLINE = Resize("spline", 3, 0)
LINEAR = Resize("linear", 1, 0)
ONES = (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("spacing", "wanted", "axis"),
    [
        ((1, 1, 1), (1, 1, 1), None),
        ((5, 1, 1), (1, 1, 1), 0),  # the spacing at hand decides
        ((1, 1, 1), (1, 1, 4), 2),  # else the one wanted
        ((1, 4, 1), (1, 1, 4), 1),
        ((3, 1, 1), (1, 1, 1), None),  # more than three times, not three times
        ((5, 5, 1), (1, 1, 1), None),  # two of one size: none is across
        ((999, 1, 1), (999, 0.5, 0.5), 0),
    ],
)
def test_which_slices_are_thick(spacing: tuple, wanted: tuple, axis: int | None) -> None:
    assert thick_axis(spacing, wanted, SPLINE) == axis
    assert thick_axis(spacing, wanted, Resize(one_by_one=False)) is None


def test_thick_slices_may_be_asked_for() -> None:
    assert thick_axis((2, 1, 1), ONES, Resize(one_by_one=True)) == 0


@pytest.mark.parametrize(
    ("shape", "spacing", "wanted", "expected"),
    [((5,), (1.0,), (2.0,), (2,)), ((7,), (1.0,), (2.0,), (4,)), ((100,), (0.7,), (1.5,), (47,))],
)
def test_halves_go_to_the_even_number(shape: tuple, spacing: tuple, wanted: tuple, expected: tuple) -> None:
    assert resized_shape(shape, spacing, wanted) == expected


def test_the_border_is_what_is_zero_in_all_channels_and_open_to_the_outside() -> None:
    channels = np.zeros((2, 7, 7, 7))
    channels[0, 1:4, 1:6, 1:6] = 5
    channels[1, 4:6, 1:6, 1:6] = -1
    channels[:, 3, 3, 3] = 0  # a hole
    inside = nonzero_inside(channels)
    assert inside.sum() == 5 * 5 * 5
    assert crop_box(inside) == (slice(1, 6), slice(1, 6), slice(1, 6))
    assert crop_box(np.zeros((2, 3), bool)) == (slice(0, 2), slice(0, 3))


def test_a_spline_is_scikit_images_resize() -> None:
    from skimage.transform import resize

    values = np.random.default_rng(0).normal(size=(2, 6, 9, 8)).astype(np.float32)
    done = resize_values(values, (8, 7, 11), ONES, ONES, SPLINE)
    for one, expected in zip(done, values, strict=True):
        original = resize(expected.astype(float), (8, 7, 11), 3, mode="edge", anti_aliasing=False)
        np.testing.assert_array_equal(one, original.astype(np.float32))
    # Values stay within the range of the input, though a cubic spline overshoots.
    assert values.min() <= done.min()
    assert done.max() <= values.max()


def test_between_thick_slices_the_nearest_is_taken_and_within_them_the_spline() -> None:
    from skimage.transform import resize

    values = np.random.default_rng(1).normal(size=(1, 3, 6, 6)).astype(np.float32)
    done = resize_values(values, (6, 8, 8), (5.0, 1.0, 1.0), (2.5, 0.75, 0.75), SPLINE)
    for number, plane in enumerate(done[0]):
        original = resize(values[0, number // 2].astype(float), (8, 8), 3, mode="edge", anti_aliasing=False)
        np.testing.assert_array_equal(plane, original.astype(np.float32))


def test_linear_is_torchs_interpolate() -> None:
    import torch

    values = np.random.default_rng(2).normal(size=(1, 4, 6, 5)).astype(np.float32)
    done = resize_values(values, (6, 6, 9), ONES, ONES, LINEAR)
    original = torch.nn.functional.interpolate(torch.from_numpy(values)[None], (6, 6, 9), mode="trilinear")[0]
    np.testing.assert_array_equal(done, original.numpy())
    across = resize_values(values, (8, 12, 5), (9.0, 1.0, 1.0), (4.5, 0.5, 1.0), LINEAR)
    flat = torch.nn.functional.interpolate(torch.from_numpy(values)[0][:, None], (12, 5), mode="bilinear")[
        :, 0
    ]
    np.testing.assert_array_equal(across[0], flat.numpy()[np.arange(8) // 2])


@pytest.mark.parametrize("rule", [SPLINE, LINEAR, Resize("none")], ids=["spline", "linear", "none"])
def test_nothing_is_interpolated_where_the_shape_stays(rule: Resize) -> None:
    values = np.random.default_rng(3).normal(size=(1, 4, 5, 6)).astype(np.float16)
    assert resize_values(values, (4, 5, 6), ONES, ONES, rule) is values


@pytest.mark.parametrize("rule", [Resize("spline", 1), LINEAR, Resize("spline", 0)], ids=["1", "linear", "0"])
@settings(deadline=None)
@given(factor=st.integers(2, 3), seed=st.integers(0, 99))
def test_labels_stay_labels_and_blocks_stay_blocks(rule: Resize, factor: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(-1, 3, (3, 4, 2))
    shape = tuple(factor * size for size in labels.shape)
    done = resize_labels(labels, shape, ONES, ONES, rule)
    assert set(np.unique(done)) <= set(np.unique(labels))
    # Back at the middle of each old voxel the label is its own where all around agree.
    same = resize_labels(np.full_like(labels, 2), shape, ONES, ONES, rule)
    assert (same == 2).all()


def test_of_equal_shares_the_nearest_voxels_label_is_taken() -> None:
    labels = np.array([[[0, 1]]])
    assert resize_labels(labels, (1, 1, 4), ONES, ONES, Resize("spline", 1)).tolist() == [[[0, 0, 1, 1]]]


def test_labels_across_thick_slices_are_the_nearest_slices() -> None:
    labels = np.array([0, 1, 2]).repeat(16).reshape(3, 4, 4)
    done = resize_labels(labels, (6, 4, 4), (9.0, 1.0, 1.0), (4.5, 1.0, 1.0), Resize("spline", 1))
    assert done[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("order", "values", "labels"),
    [
        (0, [0, 0, 8, 8], [0, 0, 2, 2]),
        (1, [0, 2, 6, 8], [0, 0, 2, 2]),
        (3, [-0.6875, 2.0, 6.0, 8.6875], None),
    ],
)
def test_across_thick_slices_a_spline_of_its_own_order_runs(
    order: int, values: list[float], labels: list[int] | None
) -> None:
    """Two slices become four: their middles lie a quarter before, a quarter and three quarters between, and behind."""
    rule, thick, thin = Resize("spline", 1, order), (9.0, 1.0, 1.0), (4.5, 1.0, 1.0)
    slices = np.array([0.0, 8.0]).repeat(9).reshape(1, 2, 3, 3)
    done = resize_values(slices, (4, 3, 3), thick, thin, rule)
    if order < 3:
        assert done[0, :, 1, 1].tolist() == values
    else:
        assert np.allclose(done[0, :, 1, 1], done[0, :, 0, 0])
        assert done[0, 1, 1, 1] + done[0, 2, 1, 1] == pytest.approx(8)
    given = np.array([0, 2]).repeat(9).reshape(2, 3, 3)
    found = resize_labels(given, (4, 3, 3), thick, thin, rule)
    assert found[:, 1, 1].tolist() == (labels or [0, 0, 2, 2])
    # Slices that stay where they are are only interpolated within.
    same = resize_values(slices, (2, 6, 6), thick, (9.0, 0.5, 0.5), rule)
    assert same[0, :, 3, 3].tolist() == [0, 8]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_which_axis_is_the_thick_one_makes_no_other_difference(axis: int) -> None:
    rule = Resize("spline", 1, 1)
    values = np.random.default_rng(3).normal(size=(1, 3, 4, 5))
    first = resize_values(values, (5, 6, 7), (9.0, 1.0, 1.0), ONES, rule)
    steps = np.roll((9.0, 1.0, 1.0), axis)
    order = np.roll([1, 2, 3], axis)
    turned = resize_values(
        values.transpose(0, *order), np.array((5, 6, 7))[order - 1], steps, ONES, rule
    ).transpose(0, *(np.argsort(order) + 1))
    np.testing.assert_allclose(turned, first)


def test_labels_that_are_not_to_be_resized_stay_the_same_array() -> None:
    labels = np.array([[[0, 1]]])
    assert resize_labels(labels, (1, 1, 4), ONES, ONES, Resize("none")) is labels
    assert resize_labels(labels, (1, 1, 2), ONES, ONES, SPLINE) is labels


def test_windows_lie_evenly_and_weigh_as_a_smoothed_voxel_in_float16() -> None:
    tiling = Tiling((64,), 0.5, "even", "gaussian_float16")
    assert tiling.starts((110,)) == ((0, 23, 46),)
    weights = tiling.weights()
    assert weights.argmax() == 32
    assert weights.max() == 10
    assert weights.min() > 0
    np.testing.assert_array_equal(weights, weights.astype(np.float16).astype(np.float32))


def test_in_a_corner_where_float16_ends_a_voxel_still_counts() -> None:
    weights = Tiling((32, 32, 32), 0.5, "even", "gaussian_float16").weights()
    assert weights.min() == weights[0, 0, 0] > 0
    assert np.count_nonzero(weights == weights.min()) > 8
    assert weights[16, 16, 16] == 10


def test_z_scores_within_the_border_leave_it_as_it_is() -> None:
    values = np.array([0, 0, 1, 3], np.float32)
    inside = np.array([False, False, True, True])
    assert preprocess(values, inside, "a", [ZScoreInside("a", only_inside=True)]).tolist() == [0, 0, -1, 1]
    whole = preprocess(values, inside, "a", [ZScoreInside("a")])
    np.testing.assert_allclose(whole, (values - 1) / np.std(values), rtol=1e-6)
    assert (
        preprocess(np.full(3, 7, np.float32), np.ones(3, bool), "a", [ZScoreInside("a")]).tolist() == [0] * 3
    )


def test_other_scalings_of_nnunet() -> None:
    values = np.array([-2, 0, 2], np.float32)
    assert preprocess(values, np.ones(3, bool), "a", [ToUnit("a")]).tolist() == [0, 0.5, 1]
    with pytest.raises(InputError, match="values from -2 to 2, and this model takes 0 to 255"):
        preprocess(values, np.ones(3, bool), "a", [RequireRange("a", 0, 255)])


def test_regions_are_written_in_their_order() -> None:
    logits = np.array([[5.0, 5.0, -5.0, -5.0], [5.0, -5.0, 5.0, -5.0]])
    assert decided(logits, Decision("sigmoid", "logits", (1, 2)), (1, 2)).tolist() == [2, 1, 2, 0]
    assert decided(logits, Decision("sigmoid", "logits", (2, 1)), (1, 2)).tolist() == [1, 2, 1, 0]


def test_the_first_of_equal_outputs_wins() -> None:
    outputs = np.zeros((3, 2), np.float32)
    outputs[2, 1] = outputs[1, 1] = 1
    assert decided(outputs, Decision(), (4, 9)).tolist() == [0, 4]


@pytest.mark.parametrize(
    "make",
    [
        lambda: StoredGrid((0, 1, 1), ONES),
        lambda: StoredGrid((2, 1, 0), (1.0,)),
        lambda: Resize(order=9),
        lambda: Decision("sigmoid"),
        lambda: Decision("softmax", "logits", (1,)),
        lambda: Resize(thick_ratio=0.5),
    ],
)
def test_values_that_make_no_sense_are_refused(make: object) -> None:
    with pytest.raises(ConfigError):
        make()
