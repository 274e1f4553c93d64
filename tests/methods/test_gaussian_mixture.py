"""Gaussian mixture with a Markov random field: classes found in noise, with neighbours heard by their distance."""

import numpy as np
import pytest

from medseg.domain import Grid, Image, Run
from medseg.errors import Cancelled, InputError
from medseg.methods.gaussian_mixture import GAUSSIAN_MIXTURE
from medseg.methods.mean_field import neighbour_weights
from medseg.workflows.segment import segment


def brain(
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), noise: float = 15.0
) -> tuple[Image, np.ndarray]:
    """A head of three tissues, one around the other: fluid 40, grey 80, white 120; and the tissues."""
    shape = tuple(int(64 / step) for step in spacing)
    place = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True)]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*place, indexing="ij")))
    truth = (radius < 28).astype(int) + (radius < 22) + (radius < 14)
    values = truth * 40 + np.random.default_rng(0).normal(0, noise, shape)
    return Image(values.astype(np.float32), Grid(shape, np.diag([*spacing, 1.0]))), truth


def share_right(image: Image, truth: np.ndarray, **params: float) -> float:
    labels = segment(GAUSSIAN_MIXTURE, image, params=params, within=truth > 0).labels
    return float((labels == truth)[truth > 0].mean())


def test_three_tissues_are_found_by_value_alone_as_well_as_noise_allows() -> None:
    image, truth = brain()
    assert share_right(image, truth, smoothness=0) > 0.87, "noise of 15 leaves a tenth on the wrong side"


def test_neighbours_settle_what_noise_left_open() -> None:
    image, truth = brain()
    assert share_right(image, truth) > 0.97


def test_thick_slices_too() -> None:
    image, truth = brain((1.0, 1.0, 5.0))
    assert share_right(image, truth) > 0.95


def test_means_and_deviations_are_told() -> None:
    image, truth = brain()
    answer = segment(GAUSSIAN_MIXTURE, image, within=truth > 0)
    told = dict(answer.made_by.parameters)
    np.testing.assert_allclose(numbers(told["means"]), [40, 80, 120], atol=2.5)
    np.testing.assert_allclose(numbers(told["standard_deviations"]), [15, 15, 15], atol=2.5)


def numbers(told: object) -> list[float]:
    return [float(part) for part in str(told).split(", ")]


def test_without_noise_the_classes_are_exact() -> None:
    image, truth = brain(noise=0.0)
    labels = segment(GAUSSIAN_MIXTURE, image, params={"smoothness": 0}, within=truth > 0).labels
    np.testing.assert_array_equal(labels, truth)


@pytest.mark.parametrize(
    ("spacing", "shape", "place", "share"),
    [
        ((1, 1, 1), (9, 9, 9), (1, 1, 0), 1.0),
        ((1, 1, 5), (9, 9, 9), (1, 1, 0), 0.2),
        ((2, 2, 2), (9, 9, 9), (1, 1, 0), 1.0),
        ((1, 1, 1), (9, 9, 1), (1, 1, 0), 0.0),
    ],
)
def test_a_neighbour_counts_by_one_over_its_distance(spacing, shape, place, share) -> None:  # type: ignore[no-untyped-def]
    weights = neighbour_weights(spacing, shape)
    assert weights.sum() == pytest.approx(1)
    assert weights[1, 1, 1] == 0
    assert weights[place] / weights[0, 1, 1] == pytest.approx(share)


def test_cancel_and_constant_images() -> None:
    image, _ = brain()
    with pytest.raises(Cancelled):
        segment(GAUSSIAN_MIXTURE, image, run=Run(cancel=lambda: True))
    flat = Image(np.ones((4, 4, 4), np.float32), Grid((4, 4, 4), np.eye(4)))
    with pytest.raises(InputError, match="different values"):
        segment(GAUSSIAN_MIXTURE, flat)


def test_a_picture_in_pixels_works() -> None:
    image, truth = brain()
    flat = Image(image.array[..., 32:33].copy(), Grid((64, 64, 1), np.eye(4), unit="px"))
    labels = segment(GAUSSIAN_MIXTURE, flat, within=truth[..., 32:33] > 0).labels
    assert (labels == truth[..., 32:33])[truth[..., 32:33] > 0].mean() > 0.95


def test_a_voxel_without_a_number_is_not_heard_by_its_neighbours() -> None:
    image, truth = brain()
    array = image.array.copy()
    array[20:24, 30, 30] = np.nan
    holed = Image(array, image.grid)
    labels = segment(GAUSSIAN_MIXTURE, holed, within=truth > 0).labels
    assert not labels[20:24, 30, 30].any()
    assert (labels == truth)[truth > 0].mean() > 0.97


def test_a_few_far_values_get_no_class_of_their_own() -> None:
    image, truth = brain()
    array = image.array.copy()
    array[30:33, 30:33, 30:33] = 3000
    vessel = Image(array, image.grid)
    labels = segment(GAUSSIAN_MIXTURE, vessel, within=truth > 0).labels
    assert (labels == truth)[truth > 0].mean() > 0.97


def test_deviations_may_differ_where_the_classes_do() -> None:
    image, truth = brain(noise=0.0)
    noise = np.random.default_rng(1).normal(0, 1, truth.shape) * np.array([0, 3, 6, 20])[truth]
    uneven = Image((image.array + noise).astype(np.float32), image.grid)
    told = dict(
        segment(GAUSSIAN_MIXTURE, uneven, params={"deviations": "own"}, within=truth > 0).made_by.parameters
    )
    np.testing.assert_allclose(numbers(told["standard_deviations"]), [3, 6, 20], rtol=0.15)
    told = dict(segment(GAUSSIAN_MIXTURE, uneven, within=truth > 0).made_by.parameters)
    assert len(set(numbers(told["standard_deviations"]))) == 1
