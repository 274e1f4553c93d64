"""Comparison of masks: closed-form cases, the empty ones, and a summary that can't be flattered."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medseg.domain import Grid, Label, LabelTable, Measurement, Quantity, Region, Segmentation
from medseg.errors import ConfigError, GridMismatchError
from medseg.metrics import evaluate, summarise
from medseg.metrics.boxes import boxes_of

GRID = Grid((40, 40, 20), np.diag([1.0, 1.0, 2.0, 1.0]))
TABLE = LabelTable((Label(1, "a"),))


def mask(low: int, high: int, grid: Grid = GRID) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    labels[low:high, 10:20, 5:10] = 1
    return Segmentation(labels, grid, TABLE)


EMPTY = mask(0, 0)


def values(found: tuple[Measurement, ...]) -> dict[Quantity, float | None]:
    return {item.quantity: item.value for item in found}


def test_a_mask_against_itself() -> None:
    found = values(evaluate(prediction=mask(10, 20), reference=mask(10, 20)))
    assert found[Quantity.DICE] == 1
    assert found[Quantity.SURFACE_DICE] == 1
    assert found[Quantity.HD] == found[Quantity.HD95] == found[Quantity.ASSD] == 0
    assert found[Quantity.VOLUME_ERROR] == 0


def test_a_box_grown_by_three_millimetres_on_one_side() -> None:
    found = values(evaluate(prediction=mask(10, 23), reference=mask(10, 20)))
    assert found[Quantity.DICE] == pytest.approx(2 * 10 / 23)
    assert found[Quantity.HD] == pytest.approx(3)
    assert found[Quantity.VOLUME_ERROR] == pytest.approx(3 * 10 * 5 * 2 / 1000)
    assert found[Quantity.RELATIVE_VOLUME_ERROR] == pytest.approx(30)


@pytest.mark.parametrize(("end", "is_within"), [(22, True), (23, False)])
def test_the_surface_may_be_off_by_two_millimetres_unless_said_otherwise(end: int, is_within: bool) -> None:
    found = values(evaluate(prediction=mask(10, end), reference=mask(10, 20)))
    assert (found[Quantity.SURFACE_DICE] == 1) == is_within


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), float("inf")])
def test_tolerances_that_make_no_sense_are_refused(tolerance: float) -> None:
    with pytest.raises(ConfigError, match="0 mm or more"):
        evaluate(prediction=mask(10, 20), reference=mask(10, 20), tolerance_mm=tolerance)


def test_a_tolerance_of_nothing_is_allowed() -> None:
    found = values(evaluate(prediction=mask(10, 20), reference=mask(10, 20), tolerance_mm=0))
    assert found[Quantity.SURFACE_DICE] == 1


def test_distances_use_true_millimetres() -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10:20, 10:20, 5:12] = 1
    found = values(evaluate(prediction=Segmentation(labels, GRID, TABLE), reference=mask(10, 20)))
    assert found[Quantity.HD] == pytest.approx(4)


EMPTY_CASES = [
    (EMPTY, EMPTY, 1, 1, "both masks are empty"),
    (EMPTY, mask(10, 20), 0, 0, "the prediction is empty"),
    (mask(10, 20), EMPTY, 0, 0, "the reference is empty"),
]


@pytest.mark.parametrize(("prediction", "reference", "dice", "surface", "reason"), EMPTY_CASES)
def test_empty_masks(
    prediction: Segmentation, reference: Segmentation, dice: float, surface: float, reason: str
) -> None:
    found = evaluate(prediction=prediction, reference=reference)
    assert values(found)[Quantity.DICE] == dice
    assert values(found)[Quantity.SURFACE_DICE] == surface
    for item in found:
        if item.quantity in (Quantity.HD, Quantity.HD95, Quantity.ASSD):
            assert item.value is None
            assert reason in (item.reason or "")


def test_regions_are_compared_too() -> None:
    table = LabelTable((Label(1, "a"), Label(2, "b")), (Region("both", (1, 2)),))
    one = np.zeros(GRID.shape, np.uint8)
    one[10:15, 10:20, 5:10] = 1
    one[15:20, 10:20, 5:10] = 2
    two = np.where(one > 0, 3 - one, 0).astype(np.uint8)
    found = evaluate(prediction=Segmentation(one, GRID, table), reference=Segmentation(two, GRID, table))
    dice = {item.target.name: item.value for item in found if item.quantity is Quantity.DICE}
    assert dice == {"a": 0, "b": 0, "both": 1}


def test_other_grids_are_refused() -> None:
    shifted = Grid(GRID.shape, np.diag([1.0, 1.0, 2.5, 1.0]))
    with pytest.raises(GridMismatchError, match="spacing"):
        evaluate(prediction=mask(10, 20, shifted), reference=mask(10, 20))


def test_a_2d_mask_has_an_outline() -> None:
    grid = Grid((20, 20, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    labels = np.zeros(grid.shape, np.uint8)
    labels[5:10, 5:10] = 1
    moved = np.roll(labels, 2, axis=0)
    found = evaluate(prediction=Segmentation(moved, grid, TABLE), reference=Segmentation(labels, grid, TABLE))
    assert values(found)[Quantity.HD] == pytest.approx(2)
    assert {item.unit for item in found if item.quantity is Quantity.HD} == {"{px}"}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=6))
def test_removing_predictions_never_raises_the_mean_dice(cases: list[tuple[int, bool]]) -> None:
    full, less = {}, {}
    for number, (start, keep) in enumerate(cases):
        reference = mask(10, 20)
        full[str(number)] = evaluate(prediction=mask(start, start + 10), reference=reference)
        less[str(number)] = full[str(number)] if keep else evaluate(prediction=EMPTY, reference=reference)

    def dice(rows: list[dict[str, object]]) -> dict[str, object]:
        return next(row for row in rows if row["quantity"] == "dice")

    before, after = dice(summarise(full)), dice(summarise(less))
    assert float(str(after["mean"])) <= float(str(before["mean"])) + 1e-12
    assert after["misses"] == sum(not keep for _, keep in cases)


def test_on_sheared_grids_dice_and_volume_hold_and_distances_are_refused() -> None:
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.8
    grid = Grid(GRID.shape, affine)
    found = evaluate(prediction=mask(10, 23, grid), reference=mask(10, 20, grid))
    assert values(found)[Quantity.DICE] == pytest.approx(2 * 10 / 23)
    assert values(found)[Quantity.VOLUME_ERROR] == pytest.approx(3 * 10 * 5 * 2 / 1000)
    for item in found:
        if item.quantity in (Quantity.SURFACE_DICE, Quantity.HD, Quantity.HD95, Quantity.ASSD):
            assert item.value is None
            assert "sheared" in (item.reason or "")


def test_both_volumes_stand_beside_their_difference() -> None:
    found = evaluate(prediction=mask(10, 23), reference=mask(10, 20))
    volumes = {item.target.detail: item.value for item in found if item.quantity is Quantity.VOLUME}
    assert volumes == {"prediction": pytest.approx(1.3), "reference": pytest.approx(1.0)}


def test_many_labels_are_compared_in_their_own_boxes() -> None:
    """The answer of each label is that of the label alone, whatever the order in memory."""
    rng = np.random.default_rng(0)
    table = LabelTable(tuple(Label(value, f"label {value}") for value in range(1, 9)))
    one = rng.integers(0, 9, (12, 10, 8)).astype(np.uint8)
    two = np.where(rng.random(one.shape) > 0.3, one, 0).astype(np.uint8)
    grid = Grid(one.shape, np.diag([1.0, 1.5, 2.0, 1.0]))
    found = evaluate(
        prediction=Segmentation(np.asfortranarray(two), grid, table), reference=Segmentation(one, grid, table)
    )
    for value in range(1, 9):
        alone = LabelTable((Label(value, f"label {value}"),))
        pair = (Segmentation(np.where(item == value, item, 0), grid, alone) for item in (two, one))
        expected = evaluate(prediction=next(pair), reference=next(pair))
        assert [item.value for item in found if item.target.labels == (value,)] == pytest.approx(
            [item.value for item in expected]
        )


SUMMARY_CASES = [("mm", 1.0), ("px", 1.0)]


@pytest.mark.parametrize(("unit", "step"), SUMMARY_CASES)
def test_misses_and_false_positives_stand_beside_every_mean(unit: str, step: float) -> None:
    grid = Grid((40, 40, 20), np.diag([step, step, step, 1.0]), unit=unit)  # type: ignore[arg-type]
    empty, full = mask(0, 0, grid), mask(10, 20, grid)
    rows = {
        "found": evaluate(prediction=full, reference=full),
        "missed": evaluate(prediction=empty, reference=full),
        "false": evaluate(prediction=full, reference=empty),
        "neither": evaluate(prediction=empty, reference=empty),
    }
    summary = {(row["quantity"], row["detail"]): row for row in summarise(rows)}
    assert {(row["misses"], row["false_positives"]) for row in summary.values()} == {(1, 1)}
    assert summary["dice", None]["mean"] == 0.5
    assert (summary["hausdorff_distance", None]["cases"], summary["hausdorff_distance", None]["of"]) == (1, 4)
    assert summary["dice", None]["headline"]
    assert not summary["hausdorff_distance", None]["headline"]


def test_nothing_to_summarise() -> None:
    assert summarise({}) == []


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.9])
def test_boxes_of_labels(order: Literal["C", "F"], share: float) -> None:
    """The same by runs, by voxels and by their definition."""
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((15, 12, 17)) < share, rng.integers(0, 6, (15, 12, 17)), 0).astype(np.uint8)
    found = boxes_of(np.asarray(labels, order=order))
    assert set(found) == set(np.unique(labels).tolist()) - {0}
    for value, box in found.items():
        places = np.argwhere(labels == value)
        assert [(one.start, one.stop) for one in box] == list(
            zip(places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist(), strict=True)
        )
