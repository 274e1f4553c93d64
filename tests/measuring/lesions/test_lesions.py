"""Lesions: found, numbered, measured, and judged by size, on shapes with known answers and on real masks."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import (
    Grid,
    Image,
    Label,
    LabelTable,
    Measurement,
    Quantity,
    Region,
    Segmentation,
    Status,
)
from medseg.domain.plan import LesionPlan
from medseg.errors import InputError, LabelError
from medseg.geometry import AxisOrder
from medseg.measuring.lesions.measure import find_lesions, measure_lesions

GRID = Grid((40, 36, 20), np.diag([1.0, 1.0, 2.0, 1.0]), slice_thickness=2.0)
TABLE = LabelTable((Label(1, "tumour"), Label(2, "oedema")), (Region("whole", (1, 2)),))
LONG, SHORT, MEETS = Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER, Quantity.MEETS_SIZE_CRITERION


def ball(centre: tuple[float, float, float], radius: float, grid: Grid = GRID) -> NDArray[np.bool_]:
    points = grid.to_position(np.stack(np.indices(grid.shape), axis=-1))
    return np.asarray(np.linalg.norm(points - centre, axis=-1) <= radius)


def segmentation(*masks: NDArray[np.bool_], grid: Grid = GRID, value: int = 1) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    for mask in masks:
        labels[mask] = value
    return Segmentation(labels, grid, TABLE)


def get(
    found: tuple[Measurement, ...], quantity: Quantity, lesion: int | None = 1, name: str = "tumour"
) -> Measurement:
    rows = [
        item
        for item in found
        if item.quantity is quantity and item.target.lesion == lesion and item.target.name == name
    ]
    assert len(rows) == 1
    return rows[0]


def missing(found: tuple[Measurement, ...], quantity: Quantity) -> bool:
    return all(item.quantity is not quantity for item in found)


SMALL, LARGE = ball((30, 28, 12), 4), ball((12, 12, 20), 9)


def test_lesions_are_numbered_by_size() -> None:
    lesions = find_lesions(segmentation(SMALL, LARGE), LesionPlan(names=("tumour",)))
    assert (lesions.ids == 1).sum() == LARGE.sum()
    assert (lesions.ids == 2).sum() == SMALL.sum()
    assert [(target.kind, target.name, target.labels, target.lesion) for target in lesions.targets] == [
        ("lesion", "tumour", (1,), 1),
        ("lesion", "tumour", (1,), 2),
    ]
    assert [int(mask.sum()) for _, mask in lesions] == [LARGE.sum(), SMALL.sum()]


@pytest.mark.parametrize(("count", "dtype"), [(20, np.uint8), (255, np.uint8), (256, np.uint16)])
def test_ids_take_the_smallest_type_that_holds_them(count: int, dtype: type) -> None:
    labels = np.zeros((32, 32, 1), np.uint8)
    places = np.argwhere(np.ones((16, 16), np.bool_))[:count] * 2
    labels[places[:, 0], places[:, 1]] = 1
    grid = Grid(labels.shape, np.eye(4))
    lesions = find_lesions(Segmentation(labels, grid, TABLE), LesionPlan(names=("tumour",)))
    assert (len(lesions), lesions.ids.dtype, int(lesions.ids.max())) == (count, dtype, count)


def test_of_equal_size_the_one_further_left_comes_first_then_back_then_foot() -> None:
    places = [(30, 5, 2), (5, 25, 14), (5, 25, 2), (5, 5, 14)]
    labels = np.zeros(GRID.shape, np.uint8)
    for i, j, k in places:
        labels[i : i + 3, j : j + 3, k : k + 3] = 1
    ids = find_lesions(Segmentation(labels, GRID, TABLE), LesionPlan(names=("tumour",))).ids
    assert [int(ids[place]) for place in places] == [4, 3, 2, 1]


def test_every_label_is_looked_into_when_none_is_named() -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[LARGE], labels[SMALL] = 1, 2
    found = measure_lesions(Segmentation(labels, GRID, TABLE), None, LesionPlan())
    assert get(found, Quantity.LESION_COUNT, None).value == 1
    assert get(found, Quantity.LESION_COUNT, None, "oedema").value == 1
    assert get(found, Quantity.VOXEL_COUNT, 1, "oedema").value == SMALL.sum()


def test_a_region_is_one_structure() -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[LARGE] = 2
    labels[ball((12, 12, 20), 4)] = 1
    found = measure_lesions(Segmentation(labels, GRID, TABLE), None, LesionPlan(names=("whole",)))
    assert get(found, Quantity.LESION_COUNT, None, "whole").value == 1
    assert get(found, Quantity.VOXEL_COUNT, 1, "whole").value == LARGE.sum()
    assert get(found, Quantity.VOXEL_COUNT, 1, "whole").target.labels == (1, 2)


def test_names_that_overlap_or_do_not_exist_are_refused() -> None:
    one = segmentation(LARGE)
    with pytest.raises(LabelError, match="overlaps"):
        find_lesions(one, LesionPlan(names=("tumour", "whole")))
    with pytest.raises(LabelError, match=r"liver.*tumour"):
        find_lesions(one, LesionPlan(names=("liver",)))


def test_none_found_is_a_count_of_zero() -> None:
    found = measure_lesions(segmentation(), None, LesionPlan(names=("tumour",), rule="recist-1.1"))
    assert [(item.quantity, item.value, item.status) for item in found] == [
        (Quantity.LESION_COUNT, 0, Status.OK),
        (Quantity.LESION_VOLUME, 0, Status.OK),
        (Quantity.LESION_DIAMETERS, 0, Status.OK),
    ]


@pytest.mark.parametrize(("connectivity", "count"), [(6, 2), (18, 2), (26, 1)])
def test_connectivity_is_stated_and_counts(connectivity: int, count: int) -> None:
    mask = np.zeros(GRID.shape, np.bool_)
    mask[5:8, 5:8, 5:8] = True
    mask[8:11, 8:11, 8:11] = True
    plan = LesionPlan(names=("tumour",), connectivity=connectivity)  # type: ignore[arg-type]
    item = get(measure_lesions(segmentation(mask), None, plan), Quantity.LESION_COUNT, None)
    assert item.value == count
    assert f"{connectivity}-connected" in item.method


@pytest.mark.parametrize(("least", "count"), [(0.0, 3), (2.0, 3), (2.1, 2), (300.0, 1), (1e6, 0)])
def test_smaller_objects_are_no_lesions(least: float, count: int) -> None:
    speck = np.zeros(GRID.shape, np.bool_)
    speck[36, 4, 4] = True
    found = measure_lesions(
        segmentation(LARGE, SMALL, speck), None, LesionPlan(names=("tumour",), minimum_mm3=least)
    )
    item = get(found, Quantity.LESION_COUNT, None)
    assert item.value == count
    assert ("any size" if least == 0 else "mm³") in item.method


def test_touching_lesions_are_split_when_asked() -> None:
    two = ball((11, 16, 20), 8), ball((24, 16, 20), 8)
    for depth, count in ((None, 1), (1.0, 2), (7.0, 1)):
        plan = LesionPlan(names=("tumour",), split_mm=depth)
        item = get(measure_lesions(segmentation(*two), None, plan), Quantity.LESION_COUNT, None)
        assert item.value == count
        assert ("split" in item.method) == (depth is not None)


def test_a_least_size_needs_a_thickness_on_a_single_slice() -> None:
    flat = Grid((20, 20, 1), np.eye(4))
    labels = np.zeros(flat.shape, np.uint8)
    labels[3:9, 3:9] = 1
    plan = LesionPlan(names=("tumour",), minimum_mm3=40)
    with pytest.raises(InputError, match="--slice-thickness"):
        find_lesions(Segmentation(labels, flat, TABLE), plan)
    assert len(find_lesions(Segmentation(labels, replace(flat, slice_thickness=2.0), TABLE), plan)) == 1
    assert len(find_lesions(Segmentation(labels, replace(flat, slice_thickness=1.0), TABLE), plan)) == 0


def test_each_lesion_has_its_size_place_and_intensities() -> None:
    values = np.where(LARGE, 70, 20).astype(np.int16)
    image = Image(values, GRID, modality="CT", value_unit="[hnsf'U]")
    found = measure_lesions(segmentation(LARGE, SMALL), {"ct": image}, LesionPlan(names=("tumour",)))
    assert get(found, Quantity.VOLUME).value == pytest.approx(LARGE.sum() * 2 / 1000)
    assert get(found, Quantity.CENTROID_X, 2).value == pytest.approx(30, abs=0.05)
    assert get(found, Quantity.MEAN).value == 70
    assert get(found, Quantity.MEAN, 2).value == 20
    assert get(found, Quantity.MEAN, 2).unit == "[hnsf'U]"
    assert get(found, LONG).value == pytest.approx(18, abs=math.sqrt(2))
    assert missing(found, MEETS)


def test_the_axes_lie_on_the_slice_that_is_named() -> None:
    found = measure_lesions(segmentation(LARGE), None, LesionPlan(names=("tumour",), rule="recist-1.1"))
    item = get(found, LONG)
    assert item.plane is not None
    k = int(item.plane.removeprefix("axial k="))
    assert {z for _, _, z in item.points_mm} == {2.0 * k}
    assert math.dist(*item.points_mm) == pytest.approx(item.value)
    assert "boundary" in item.method
    assert "Eisenhauer" in item.method
    product = get(found, Quantity.BIDIMENSIONAL_PRODUCT)
    assert product.unit == "mm2"
    assert product.value == pytest.approx(float(item.value or 0) * float(get(found, SHORT).value or 0))


def test_a_chord_that_leaves_the_mask_is_said_to_and_the_inside_one_stands_beside_it() -> None:
    points = GRID.to_position(np.stack(np.indices(GRID.shape), axis=-1)) - (20, 10, 20)
    radius = np.linalg.norm(points[..., :2], axis=-1)
    banana = (radius < 16) & (radius > 11) & (points[..., 1] > 0) & (np.abs(points[..., 2]) < 4)
    found = measure_lesions(segmentation(banana), None, LesionPlan(names=("tumour",)))
    free, kept = get(found, LONG), get(found, Quantity.LONGEST_INSIDE)
    assert "leaves the mask" in free.method
    assert float(free.value or 0) > float(kept.value or 0)
    assert kept.value == pytest.approx(2 * math.sqrt(16**2 - 11**2), abs=math.sqrt(2))
    whole = measure_lesions(segmentation(LARGE), None, LesionPlan(names=("tumour",)))
    assert missing(whole, Quantity.LONGEST_INSIDE)
    assert missing(whole, Quantity.SHORT_INSIDE)


#: Rule, radius of a ball of 2 mm slices → meets.
RULES = [
    ("recist-1.1", 6.0, 1),
    ("recist-1.1", 4.0, 0),
    ("recist-1.1-node", 9.0, 1),
    ("recist-1.1-node", 6.0, 0),
    ("rano-2010", 7.0, 1),
    ("rano-2010", 4.0, 0),
    ("rano-bm", 6.0, 1),
    ("rano-bm", 4.0, 0),
]


@pytest.mark.parametrize(("rule", "radius", "meets"), RULES)
def test_the_size_criterion_of_each_rule(rule: str, radius: float, meets: int) -> None:
    plan = LesionPlan(names=("tumour",), rule=rule)  # type: ignore[arg-type]
    found = measure_lesions(segmentation(ball((20.2, 17.9, 19.8), radius)), None, plan)
    item = get(found, MEETS)
    assert item.value == meets
    assert item.unit == "1"
    assert item.status is Status.OK
    assert "size alone" in item.method
    assert all("target lesion" not in row.method for row in found)


@pytest.mark.parametrize("source", [(0, 1, 2), (2, 0, 1), (1, 2, 0)], ids=["k", "i", "j"])
@pytest.mark.parametrize("rule", ["rano-2010", "rano-bm"])
def test_rano_asks_for_two_slices(rule: str, source: tuple[int, int, int]) -> None:
    """Whichever axis of the array runs from foot to head."""
    order = AxisOrder(source, (False, False, False))
    plan = LesionPlan(names=("tumour",), rule=rule)  # type: ignore[arg-type]
    disc = np.zeros(GRID.shape, np.bool_)
    for index, meets in ((8, 0), (9, 1)):
        disc[5:20, 5:20, index] = True
        mask = segmentation(order.apply(disc), grid=order.grid(GRID))
        assert get(measure_lesions(mask, None, plan), MEETS).value == meets


def test_without_a_thickness_there_are_axes_and_no_criterion() -> None:
    place = replace(GRID, slice_thickness=None)
    found = measure_lesions(
        segmentation(LARGE, grid=place), None, LesionPlan(names=("tumour",), rule="recist-1.1")
    )
    assert get(found, LONG).status is Status.OK
    assert get(found, MEETS).status is Status.NOT_COMPUTED
    assert "--slice-thickness" in (get(found, MEETS).reason or "")


@pytest.mark.parametrize(("radius", "value"), [(9.0, 1), (4.0, None)])
def test_a_cut_lesion_is_a_lower_bound_and_never_misses_the_criterion(
    radius: float, value: int | None
) -> None:
    plan = LesionPlan(names=("tumour",), rule="recist-1.1")
    found = measure_lesions(segmentation(ball((0, 16, 20), radius)), None, plan)
    for quantity in (LONG, SHORT, Quantity.VOLUME, Quantity.BIDIMENSIONAL_PRODUCT):
        assert get(found, quantity).status is Status.TRUNCATED_LOWER_BOUND
    assert get(found, MEETS).value == value
    assert "cut" in (get(found, MEETS).reason or "")
    assert get(found, Quantity.LESION_COUNT, None).status is Status.TRUNCATED_UNRELIABLE


def test_px_has_lengths_in_pixels_and_no_criterion() -> None:
    place = Grid((40, 40, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    labels = np.zeros(place.shape, np.uint8)
    labels[4:20, 5:12] = 1
    plan = LesionPlan(names=("tumour",), rule="recist-1.1", minimum_mm3=5)
    found = measure_lesions(Segmentation(labels, place, TABLE), None, plan)
    assert get(found, LONG).unit == "{px}"
    assert get(found, LONG).value == pytest.approx(math.hypot(16, 6))
    assert get(found, Quantity.BIDIMENSIONAL_PRODUCT).unit == "{px}2"
    assert get(found, MEETS).value is None
    assert all(item.value is None or "m" not in item.unit for item in found)


def test_a_sheared_grid_has_counts_and_volumes_and_no_axes() -> None:
    affine = np.array(GRID.affine)
    affine[1, 2] = 0.6
    place = replace(GRID, affine=affine)
    plan = LesionPlan(names=("tumour",), rule="recist-1.1")
    found = measure_lesions(segmentation(LARGE, grid=place), None, plan)
    assert get(found, Quantity.VOLUME).status is Status.OK
    for quantity in (LONG, SHORT, Quantity.BIDIMENSIONAL_PRODUCT, MEETS):
        assert "sheared" in (get(found, quantity).reason or "")
    with pytest.raises(InputError, match="sheared"):
        find_lesions(segmentation(LARGE, grid=place), replace(plan, split_mm=1.0))


@pytest.mark.parametrize("rule", ["rano-2010", "rano-bm"])
def test_rano_reslices_a_sagittal_stack(rule: str) -> None:
    place = Grid(
        (40, 40, 14),
        np.array([[0, 0, 3.0, 0], [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]]),
        slice_thickness=3.0,
    )
    points = place.to_position(np.stack(np.indices(place.shape), axis=-1))
    semi = np.array([9.0, 12.0, 15.0])
    mask = (((points - (19.4, 20.1, 19.7)) / semi) ** 2).sum(axis=-1) <= 1
    plan = LesionPlan(names=("tumour",), rule=rule)  # type: ignore[arg-type]
    found = measure_lesions(segmentation(mask, grid=place), None, plan)
    assert get(found, LONG).value == pytest.approx(24, abs=math.sqrt(2))
    assert get(found, SHORT).value == pytest.approx(18, abs=math.hypot(1, 3))
    assert "resliced" in get(found, LONG).method
    assert (get(found, LONG).plane or "").startswith("axial resliced z=")
    assert len({round(z, 6) for _, _, z in get(found, LONG).points_mm}) == 1
    assert get(found, MEETS).value == 1
    acquired = measure_lesions(segmentation(mask, grid=place), None, replace(plan, rule="recist-1.1"))
    assert get(acquired, LONG).value == pytest.approx(30, abs=math.sqrt(2))
    assert (get(acquired, LONG).plane or "").startswith("sagittal k=")


def test_all_48_orders_of_axes_give_the_same_lesions() -> None:
    mask = LARGE | SMALL | ball((30, 8, 30), 4) | ball((30, 14, 30), 4)
    plan = LesionPlan(names=("tumour",), rule="rano-2010", minimum_mm3=5, split_mm=2.0)
    seen = []
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((False, True), repeat=3):
            axes = AxisOrder(order, flips)
            turned = segmentation(np.ascontiguousarray(axes.apply(mask)), grid=axes.grid(GRID))
            rows = measure_lesions(turned, None, plan)
            seen.append({(item.target, item.quantity): item.value for item in rows})
    for other in seen[1:]:
        assert other.keys() == seen[0].keys()
        for key, value in seen[0].items():
            assert other[key] == (None if value is None else pytest.approx(value, abs=1e-6))


@pytest.mark.parametrize("name", ["STS_002", "STS_035", "STS_048"])
def test_real_tumours(data: Callable[[str], Path], name: str) -> None:
    from scipy.spatial.distance import pdist

    from medseg.io import read_segmentation

    mask = read_segmentation(data(f"sarcoma/{name}/MR_T1_mask.nii.gz"))
    label = mask.table.labels[0].name
    plan = LesionPlan(names=(label,), minimum_mm3=100, rule="recist-1.1")
    found = measure_lesions(mask, None, plan)
    item = get(found, LONG, 1, label)
    long, short = float(item.value or 0), float(get(found, SHORT, 1, label).value or 0)
    k = int((item.plane or "").split("k=")[1])
    # Centres of the slice's voxels are a lower bound, a pixel's diagonal more an upper one.
    lesion = find_lesions(mask, plan).ids[..., k] == 1
    edge = np.argwhere(
        lesion
        & ~(np.roll(lesion, 1, 0) & np.roll(lesion, -1, 0) & np.roll(lesion, 1, 1) & np.roll(lesion, -1, 1))
    )
    centres = pdist(edge * mask.grid.spacing[:2]).max()
    assert centres < long <= centres + math.hypot(*mask.grid.spacing[:2])
    assert 0 < short < long
    assert "--slice-thickness" in (get(found, MEETS, 1, label).reason or "")
    thick = replace(mask, grid=replace(mask.grid, slice_thickness=3.27))
    assert get(measure_lesions(thick, None, plan), MEETS, 1, label).value == 1


def test_of_a_pet_alone_no_size_criterion_is_judged() -> None:
    """RECIST measures on CT or MR: the extent of uptake is no size of a lesion."""
    mask = segmentation(ball((20, 18, 20), 8.0))
    plan = LesionPlan(rule="recist-1.1")
    pet = Image(np.ones(GRID.shape), GRID, "PT", "g/ml{SUVbw}", channel="pet")
    ct = Image(np.ones(GRID.shape), GRID, "CT", "[hnsf'U]", channel="ct")
    alone = get(measure_lesions(mask, {"pet": pet}, plan), MEETS)
    assert alone.value is None
    assert alone.reason == "RECIST 1.1 measures size on CT or MR, and only a PET was given"
    for images in ({"pet": pet, "ct": ct}, {"ct": ct}, {}):
        assert get(measure_lesions(mask, images, plan), MEETS).value == 1


def test_sums_are_those_of_the_lesions() -> None:
    found = measure_lesions(segmentation(ball((9, 9, 12), 5.0), ball((28, 25, 26), 8.0)), None, LesionPlan())
    for total, quantity in (
        (Quantity.LESION_VOLUME, Quantity.VOLUME),
        (Quantity.LESION_DIAMETERS, Quantity.LONGEST_DIAMETER),
    ):
        each = [item.value for item in found if item.quantity is quantity and item.target.lesion]
        summed = get(found, total, lesion=None)
        assert len(each) == 2
        assert summed.value == pytest.approx(sum(each))
        assert summed.status is Status.OK
        assert summed.method == "sum over 2 lesions"


def test_a_sum_with_a_cut_lesion_is_a_lower_bound_and_one_without_a_size_is_no_sum() -> None:
    mask = segmentation(ball((9, 9, 12), 5.0), ball((28, 25, 38), 8.0))
    found = measure_lesions(mask, None, LesionPlan())
    assert get(found, Quantity.LESION_DIAMETERS, lesion=None).status is Status.TRUNCATED_LOWER_BOUND
    plane = Grid((40, 36, 1), np.diag([1.0, 1.0, 1.0, 1.0]))
    flat = segmentation(ball((20, 18, 0), 5.0, plane), grid=plane)
    refused = get(measure_lesions(flat, None, LesionPlan()), Quantity.LESION_VOLUME, lesion=None)
    assert refused.value is None
    assert refused.reason is not None
    assert refused.reason.startswith("lesion 1: ")
