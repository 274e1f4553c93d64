"""k-means: the class with the nearest mean, the same every time."""

import numpy as np
import pytest

from medseg.domain import Grid, Image
from medseg.errors import InputError
from medseg.methods.k_means import _GROUPS, K_MEANS, grouped, k_means_centres
from medseg.workflows.segment import segment


def image_of(values: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Image:
    return Image(values, Grid(values.shape, np.diag([*spacing, 1.0])))


def steps(values: tuple[float, ...]) -> np.ndarray:
    """Slabs of one value each."""
    return np.repeat(np.array(values, np.float32), 4)[:, None, None] * np.ones((1, 5, 6), np.float32)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_as_many_values_as_classes_are_the_classes(classes: int) -> None:
    image = image_of(steps((50.0, 0.0, 20.0, 90.0)[:classes]))
    labels = segment(K_MEANS, image, params={"classes": classes}).labels
    rank = np.argsort(np.argsort((50.0, 0.0, 20.0, 90.0)[:classes])) + 1
    np.testing.assert_array_equal(labels[:, 0, 0], np.repeat(rank, 4))


def test_the_darkest_class_is_one_and_the_means_are_told() -> None:
    answer = segment(K_MEANS, image_of(steps((9.0, 1.0))), params={"classes": 2})
    assert dict(answer.made_by.parameters)["means"] == "1, 9"
    assert [label.name for label in answer.table.labels] == ["class 1 of 2", "class 2 of 2"]


@pytest.mark.parametrize(
    ("values", "weights", "classes", "centres"),
    [
        ((0, 1, 9), (1, 1, 1), 2, (0.5, 9)),
        ((0, 4, 10), (99, 1, 100), 2, (0.04, 10)),
        ((0, 1, 100, 101, 200), (1, 1, 1, 1, 2), 3, (0.5, 100.5, 200)),
    ],
)
def test_centres_are_the_best_split(values, weights, classes, centres) -> None:  # type: ignore[no-untyped-def]
    found = k_means_centres(np.array(values, float), np.array(weights, float), classes)
    np.testing.assert_allclose(found, centres, atol=1e-9)


def test_grouping_keeps_few_values_apart_and_all_mass() -> None:
    means, sizes = grouped(np.array([3, 1, 1, 2, 3, 3], np.int16))
    np.testing.assert_array_equal(means, [1, 2, 3])
    np.testing.assert_array_equal(sizes, [2, 1, 3])
    many = np.random.default_rng(0).normal(size=50_000)
    means, sizes = grouped(many)
    assert means.size <= _GROUPS
    assert sizes.sum() == many.size
    assert (means * sizes).sum() == pytest.approx(many.sum(), abs=1e-2)


def test_a_long_tail_does_not_hide_the_rest() -> None:
    values = steps((0.0, 1.0))
    values[0, 0, 0] = 1e6
    labels = segment(K_MEANS, image_of(values), params={"classes": 3}).labels
    assert labels[0, 0, 0] == 3
    assert labels[1, 0, 0] == 1
    assert labels[-1, 0, 0] == 2


def test_outside_within_is_background_and_not_counted() -> None:
    values = steps((0.0, 10.0, 500.0))
    within = values < 100
    labels = segment(K_MEANS, image_of(values), params={"classes": 2}, within=within).labels
    np.testing.assert_array_equal(labels[:, 0, 0], np.repeat([1, 2, 0], 4))


def test_a_constant_image_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="at least 3 different values"):
        segment(K_MEANS, image_of(np.ones((4, 4, 4), np.float32)))


def test_a_picture_in_pixels_works() -> None:
    grid = Grid((12, 5, 1), np.eye(4), unit="px")
    answer = segment(K_MEANS, Image(steps((0.0, 5.0, 9.0))[:, :, :1].copy(), grid))
    assert answer.present == (1, 2, 3)
