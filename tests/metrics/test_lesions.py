"""Lesion by lesion: the matching rule, bins, empty cases, and a summary that can't be raised by leaving out."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medseg.domain import Grid, Label, LabelTable, Measurement, Quantity, Segmentation
from medseg.errors import ConfigError
from medseg.metrics import LesionRule, evaluate, evaluate_lesions, summarise

GRID = Grid((36, 36, 12), np.diag([1.0, 1.0, 2.0, 1.0]))
TABLE = LabelTable((Label(1, "lesion"),))
Box = tuple[slice, slice, slice]


def segmentation(*boxes: Box, grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    for box in boxes:
        labels[box] = 1
    return Segmentation(labels, grid, TABLE)


def box(i: int, j: int, size: int = 4, length: int | None = None) -> Box:
    return slice(i, i + size), slice(j, j + (length or size)), slice(2, 6)


def compare(
    prediction: Segmentation, reference: Segmentation, rule: LesionRule | None = None
) -> tuple[Measurement, ...]:
    return evaluate_lesions(prediction=prediction, reference=reference, rule=rule)


def totals(found: tuple[Measurement, ...], detail: str | None = None) -> dict[Quantity, float | None]:
    return {
        item.quantity: item.value
        for item in found
        if item.target.detail == detail and item.target.lesion is None
    }


def test_one_found_one_missed_one_false() -> None:
    reference = segmentation(box(2, 2), box(2, 20))
    prediction = segmentation(box(3, 2), box(20, 20))
    found = totals(compare(prediction, reference))
    assert found[Quantity.LESIONS_IN_REFERENCE] == 2
    assert found[Quantity.LESIONS_FOUND] == 1
    assert found[Quantity.LESION_FALSE_POSITIVES] == 1
    assert found[Quantity.LESION_SENSITIVITY] == found[Quantity.LESION_PRECISION] == 0.5
    assert found[Quantity.LESION_F1] == 0.5
    assert found[Quantity.MEAN_MATCHED_DICE] == pytest.approx(0.75)
    iou = 3 / 5
    assert found[Quantity.PANOPTIC_QUALITY] == pytest.approx(iou / (1 + 0.5 + 0.5))


def test_each_lesion_of_the_reference_has_dice_and_volume_error() -> None:
    reference = segmentation(box(2, 2, 6), box(2, 20))
    prediction = segmentation(box(3, 2, 6))
    rows = {
        (item.target.lesion, item.quantity): item.value
        for item in compare(prediction, reference)
        if item.target.lesion is not None
    }
    assert rows[1, Quantity.DICE] == pytest.approx(5 / 6)
    assert rows[1, Quantity.VOLUME_ERROR] == 0
    assert rows[2, Quantity.DICE] == 0
    assert rows[2, Quantity.VOLUME_ERROR] == pytest.approx(-4 * 4 * 4 * 2 / 1000)
    assert rows[2, Quantity.RELATIVE_VOLUME_ERROR] == -100


def test_a_lesion_is_paired_once_and_as_many_as_possible_are() -> None:
    """A long prediction over two lesions takes the one that leaves the other to the next prediction."""
    reference = segmentation(box(2, 2, 4, 8), box(7, 2, 4, 8))
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:6, 2:10, 2:6] = 1  # the first lesion, and by a bridge most of the second
    labels[6:10, 2:8, 2:6] = 1
    labels[10, 9:12, 2:6] = 1
    found = totals(compare(Segmentation(labels, GRID, TABLE), reference))
    assert found[Quantity.LESIONS_FOUND] == 1
    fragments = segmentation(
        (slice(2, 6), slice(2, 5), slice(2, 6)), (slice(2, 6), slice(7, 10), slice(2, 6))
    )
    found = totals(compare(fragments, segmentation(box(2, 2, 4, 8))))
    assert (found[Quantity.LESIONS_FOUND], found[Quantity.LESION_FALSE_POSITIVES]) == (1, 1)


def test_one_blob_over_everything_finds_nothing() -> None:
    reference = segmentation(*(box(i, j, 2) for i, j in product((2, 12, 22), repeat=2)))
    blob = segmentation((slice(0, 30), slice(0, 30), slice(0, 10)))
    found = totals(compare(blob, reference))
    assert found[Quantity.LESIONS_FOUND] == 0
    assert found[Quantity.LESION_FALSE_POSITIVES] == 1


RULES = [
    (LesionRule(connectivity=26), 1),
    (LesionRule(connectivity=18), 2),
    (LesionRule(connectivity=6), 2),
    (LesionRule(connectivity=26, minimum_mm3=200), 0),
]


@pytest.mark.parametrize(("rule", "count"), RULES)
def test_connectivity_and_minimum_size(rule: LesionRule, count: int) -> None:
    corner = segmentation((slice(2, 6), slice(2, 6), slice(2, 4)), (slice(6, 10), slice(6, 10), slice(4, 6)))
    found = totals(compare(corner, corner, rule))
    assert found[Quantity.LESIONS_IN_REFERENCE] == count
    assert found[Quantity.LESION_F1] == 1


def test_bins_are_in_ml_by_the_size_in_the_reference() -> None:
    rule = LesionRule(bins_ml=(0.1, 0.5))
    assert [name for name, *_ in rule.bins] == ["under 0.1 ml", "0.1–0.5 ml", "from 0.5 ml"]
    reference = segmentation(box(2, 2, 3), box(2, 12, 5), box(2, 22, 8))  # 0.072, 0.2, 0.512 ml
    prediction = segmentation(box(2, 12, 5), box(20, 2, 3), box(2, 22, 8))
    found = compare(prediction, reference, rule)
    small, middle, large = (totals(found, name) for name, *_ in rule.bins)
    assert small[Quantity.LESION_SENSITIVITY] == 0
    assert small[Quantity.LESION_FALSE_POSITIVES] == 1
    assert middle[Quantity.LESION_SENSITIVITY] == large[Quantity.LESION_SENSITIVITY] == 1
    empty = totals(compare(prediction, segmentation(), rule), "from 0.5 ml")
    assert empty[Quantity.LESION_SENSITIVITY] is None
    assert empty[Quantity.LESION_FALSE_POSITIVES] == 1


@pytest.mark.parametrize(("overlap", "found"), [(3, 0), (4, 1)])
def test_a_tenth_of_the_union_is_found_unless_said_otherwise(overlap: int, found: int) -> None:
    """Of 36 voxels along a line two bars share 3 (IoU 0.08) or 4 (0.11)."""
    reference = segmentation((slice(0, 19), slice(2, 4), slice(2, 4)))
    prediction = segmentation((slice(19 - overlap, 36), slice(2, 4), slice(2, 4)))
    assert totals(compare(prediction, reference))[Quantity.LESIONS_FOUND] == found


@pytest.mark.parametrize(("edge", "counts"), [(0.128, (0, 1)), (0.129, (1, 0)), (0.127, (0, 1))])
def test_a_lesion_on_an_edge_belongs_to_the_larger_bin(edge: float, counts: tuple[int, int]) -> None:
    one = segmentation(box(2, 2))  # 64 voxels of 2 mm³
    rule = LesionRule(bins_ml=(edge,))
    rows = compare(one, one, rule)
    assert tuple(totals(rows, name)[Quantity.LESIONS_IN_REFERENCE] for name, *_ in rule.bins) == counts


def test_bins_unless_said_otherwise() -> None:
    assert LesionRule().bins == (
        ("under 0.1 ml", 0.0, 0.1),
        ("0.1–1 ml", 0.1, 1.0),
        ("1–10 ml", 1.0, 10.0),
        ("from 10 ml", 10.0, float("inf")),
    )
    assert LesionRule(bins_ml=()).bins == ()


EMPTY, ONE = segmentation(), segmentation(box(2, 2))
#: prediction, reference → sensitivity, precision, F1, panoptic quality, Dice of found.
EMPTY_CASES = [
    (EMPTY, EMPTY, (None, None, 1, 1, None)),
    (EMPTY, ONE, (0, None, 0, 0, None)),
    (ONE, EMPTY, (None, 0, 0, 0, None)),
]


@pytest.mark.parametrize(("prediction", "reference", "expected"), EMPTY_CASES)
def test_empty_cases(
    prediction: Segmentation, reference: Segmentation, expected: tuple[float | None, ...]
) -> None:
    found = totals(compare(prediction, reference))
    quantities = (
        Quantity.LESION_SENSITIVITY,
        Quantity.LESION_PRECISION,
        Quantity.LESION_F1,
        Quantity.PANOPTIC_QUALITY,
        Quantity.MEAN_MATCHED_DICE,
    )
    assert tuple(found[quantity] for quantity in quantities) == expected


def test_pixels_have_no_bins_and_nothing_in_millimetres() -> None:
    grid = Grid((36, 36, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    flat = segmentation((slice(2, 6), slice(2, 6), slice(0, 1)), grid=grid)
    found = compare(flat, flat)
    assert {item.unit for item in found} <= {"1", "%"}
    assert not any("mm" in item.method for item in found)
    assert totals(found)[Quantity.LESION_F1] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"connectivity": 8},
        {"minimum_mm3": -1},
        {"iou": 0},
        {"iou": 0.6},
        {"bins_ml": (1, 1)},
        {"bins_ml": (2.0, 1.0)},
        {"bins_ml": (0.0, 1.0)},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        LesionRule(**wrong)  # type: ignore[arg-type]


#: A cell of 12 × 12 holds one lesion of the reference, one of the prediction, both or neither.
cells = st.tuples(
    st.booleans(), st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(2, 6), st.integers(2, 6)
)


def _cell(number: int, shift: int, size: int) -> Box:
    return box(12 * (number // 3) + shift, 12 * (number % 3) + shift, size)


def _headlines(cases: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> dict[str, dict[str, float]]:
    rows = {
        case: evaluate(prediction=Segmentation(one, GRID, TABLE), reference=Segmentation(two, GRID, TABLE))
        + evaluate_lesions(
            prediction=Segmentation(one, GRID, TABLE), reference=Segmentation(two, GRID, TABLE)
        )
        for case, (one, two) in cases.items()
    }
    return {row["quantity"]: row for row in summarise(rows) if row["headline"]}


@settings(max_examples=30, deadline=None)
@given(st.lists(cells, min_size=2, max_size=9), st.integers(0, 8))
def test_taking_lesions_away_one_at_a_time_never_raises_a_headline_that_was_right(
    layout: list[tuple[bool, bool, int, int, int, int]], other: int
) -> None:
    reference, prediction = np.zeros((2, *GRID.shape), np.uint8)
    for number, (there, given_, one, two, size, length) in enumerate(layout):
        if there:
            reference[_cell(number, one, size)] = 1
        if given_:
            prediction[_cell(number, two, length)] = 1
    second = segmentation(box(2, 2)).labels, segmentation(box(2 + other, 2)).labels
    before = _headlines({"a": (prediction, reference), "b": second})
    assert set(before) == {quantity.value for quantity in Quantity if quantity.info.quotable}
    for number, (_, given_, _, two, _, length) in enumerate(layout):
        if not given_:
            continue
        place = _cell(number, two, length)
        right = reference[place].mean() >= 0.5
        less = prediction.copy()
        less[place] = 0
        after = _headlines({"a": (less, reference), "b": second})
        f1, sensitivity = Quantity.LESION_F1.value, Quantity.LESION_SENSITIVITY.value
        fewer_false = after[f1]["false_positives"] < before[f1]["false_positives"]
        if before[sensitivity]["mean"] is not None:
            assert after[sensitivity]["mean"] <= before[sensitivity]["mean"] + 1e-12
        assert after[f1]["misses"] >= before[f1]["misses"]
        assert fewer_false or after[f1]["mean"] <= before[f1]["mean"] + 1e-12
        assert not right or after["dice"]["mean"] <= before["dice"]["mean"] + 1e-12
        prediction = less
        before = after


def test_rows_of_single_lesions_stay_out_of_the_summary() -> None:
    rows = compare(ONE, ONE)
    found = summarise({"a": rows, "b": rows})
    assert {row["quantity"] for row in found if row["detail"] is None}.isdisjoint({"dice", "volume_error"})
    counts = {row["quantity"]: row["total"] for row in found if row["detail"] is None}
    assert counts["lesions_in_reference"] == counts["lesions_found"] == 2
    assert counts["lesion_f1"] is None
