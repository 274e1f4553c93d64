"""A least size is the same everywhere: what is smaller goes, what has exactly that size stays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg import LesionPlan
from medseg.domain import Grid, Label, LabelTable, Quantity, Segmentation
from medseg.domain.card import Instances, RemoveSmall
from medseg.inference.instances import number_objects
from medseg.inference.steps import postprocess
from medseg.masks import components, remove_small
from medseg.masks.sizes import keep_by_size
from medseg.measuring import find_lesions
from medseg.metrics import LesionRule, evaluate_lesions
from medseg.workflows.edit import edit

TABLE = LabelTable((Label(1, "lesion"),))
Door = Callable[[Segmentation, float], int]


def lesions(given: Segmentation, minimum: float) -> int:
    return len(find_lesions(given, LesionPlan(minimum_mm3=minimum)))


def split_lesions(given: Segmentation, minimum: float) -> int:
    return len(find_lesions(given, LesionPlan(minimum_mm3=minimum, split_mm=1.0)))


def compared(given: Segmentation, other: Segmentation, minimum: float, quantity: Quantity) -> int:
    rows = evaluate_lesions(prediction=given, reference=other, rule=LesionRule(minimum_mm3=minimum))
    (count,) = [item.value for item in rows if item.quantity is quantity and item.target.detail is None]
    return int(count or 0)


def nothing(given: Segmentation) -> Segmentation:
    return Segmentation(np.zeros_like(given.labels), given.grid, given.table)


def lesions_of_a_reference(given: Segmentation, minimum: float) -> int:
    return compared(nothing(given), given, minimum, Quantity.LESIONS_IN_REFERENCE)


def lesions_of_a_prediction(given: Segmentation, minimum: float) -> int:
    return compared(given, nothing(given), minimum, Quantity.LESION_FALSE_POSITIVES)


def lesions_found(given: Segmentation, minimum: float) -> int:
    return compared(given, given, minimum, Quantity.LESIONS_FOUND)


def parts(mask: NDArray[Any]) -> int:
    return int(components(mask > 0).max())


def edited(given: Segmentation, minimum: float) -> int:
    return parts(edit(given, [f"keep-size={minimum!r}"]).labels)


def kept_by_size(given: Segmentation, minimum: float) -> int:
    return parts(keep_by_size(given.labels > 0, given.grid, minimum_mm3=minimum))


def small_removed(given: Segmentation, minimum: float) -> int:
    return parts(remove_small(given.labels > 0, minimum / given.grid.voxel_volume))


def step_of_a_card(given: Segmentation, minimum: float) -> int:
    return parts(postprocess(given.labels, given.grid, (RemoveSmall((1,), minimum),)))


def objects_of_a_card(given: Segmentation, minimum: float) -> int:
    step = Instances(label=1, channel=2, scale_mm=8.0, depth_mm=1.0, minimum_mm3=minimum)
    outputs = {2: np.zeros(given.grid.shape, np.float32)}
    labels, ids = number_objects(given.labels, outputs, given.grid, given.grid, (step,))
    assert ids is not None
    assert np.array_equal(labels > 0, ids > 0)
    return int(ids.max())


DOORS: list[Door] = [
    lesions,
    split_lesions,
    lesions_of_a_reference,
    lesions_of_a_prediction,
    lesions_found,
    edited,
    kept_by_size,
    small_removed,
    step_of_a_card,
    objects_of_a_card,
]
door = pytest.mark.parametrize("door", DOORS, ids=lambda one: one.__name__)


def rods(grid: Grid, *lengths: int) -> Segmentation:
    """Parts of so many voxels, one beside the other."""
    labels = np.zeros(grid.shape, np.uint8)
    for number, length in enumerate(lengths):
        labels[1 : 1 + length, 1 + 3 * number, 1] = 1
    return Segmentation(labels, grid, TABLE)


#: Parts of 3, 5 and 8 voxels of 0.5 mm³ are 1.5, 2.5 and 4 mm³: minimum → how many stay.
SIZES = [
    (0.0, 3),
    (1.499, 3),
    (1.5, 3),
    (1.501, 2),
    (2.499, 2),
    (2.5, 2),
    (2.501, 1),
    (4.0, 1),
    (4.001, 0),
]
HALF = Grid((12, 12, 4), np.diag([1.0, 1.0, 0.5, 1.0]))
TURNED = Grid((12, 12, 4), np.array([[0, 0, -0.5, 9], [1.0, 0, 0, 0], [0, -1.0, 0, 4], [0, 0, 0, 1]]))


@door
@pytest.mark.parametrize("grid", [HALF, TURNED], ids=["straight", "turned"])
@pytest.mark.parametrize(("minimum", "stay"), SIZES)
def test_exactly_the_least_size_stays(door: Door, grid: Grid, minimum: float, stay: int) -> None:
    assert door(rods(grid, 3, 5, 8), minimum) == stay


@door
@pytest.mark.parametrize(("minimum", "stay"), [(4.0, 2), (5.0, 2), (6.0, 1), (8.0, 1), (9.0, 0)])
def test_on_px_it_counts_voxels(door: Door, minimum: float, stay: int) -> None:
    assert door(rods(Grid((12, 12, 4), np.eye(4), unit="px"), 3, 5, 8), minimum) == stay


@door
@pytest.mark.parametrize("minimum", [0.0, 1.0])
def test_of_nothing_nothing_stays(door: Door, minimum: float) -> None:
    assert door(rods(HALF), minimum) == 0


#: Spacing, voxels of a part and its size in mm³ as a reader works it out: the product of floats lies beside it.
ROUNDED = [
    ((0.7, 0.7, 1.0), 10, 4.9),
    ((0.3, 0.3, 0.3), 10, 0.27),
    ((0.6, 0.6, 1.2), 10, 4.32),
    # As a float32 header holds 0.7.
    ((0.699999988079071, 0.699999988079071, 1.0), 10, 4.9),
]


@pytest.mark.parametrize(
    "door",
    [
        lesions,
        split_lesions,
        lesions_of_a_reference,
        lesions_of_a_prediction,
        edited,
        kept_by_size,
        step_of_a_card,
        objects_of_a_card,
    ],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize(("spacing", "voxels", "size"), ROUNDED)
def test_rounding_does_not_drop_what_has_that_size(
    door: Door, spacing: tuple[float, float, float], voxels: int, size: float
) -> None:
    grid = Grid((12, 12, 4), np.diag([*spacing, 1.0]))
    assert voxels * grid.voxel_volume != size
    assert door(rods(grid, voxels), size) == 1
    assert door(rods(grid, voxels), size * 1.001) == 0
