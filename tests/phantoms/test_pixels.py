"""The px contract: what has no physical size gets no number in millimetres, whatever is measured."""

import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from medseg.domain import Grid, Image, Label, LabelTable, Measurement, Quantity, Region, Segmentation
from medseg.domain.plan import LesionPlan, PetPlan, RuleSet, TissuePlan
from medseg.errors import InputError
from medseg.measuring import (
    contours,
    measure,
    measure_lesions,
    measure_pet,
    measure_tissue,
)
from medseg.metrics import evaluate

#: A photograph: i = column, j = row, one slice.
FLAT = Grid((60, 50, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px", orientation_known=False)
#: A stack without a size, as from a multi-page TIFF.
STACK = Grid((30, 28, 12), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px", orientation_known=False)
TABLE = LabelTable((Label(1, "a"), Label(2, "b"), Label(3, "absent")), (Region("all", (1, 2)),))
PHYSICAL = re.compile(r"mm|ml|cm|\bg\b|/m2|SUV")
PHYSICAL_NUMBERS = re.compile(r"\d\s*(mm|ml|cm)")


def two_discs(grid: Grid) -> Segmentation:
    labels = np.zeros(grid.shape, np.uint8)
    i, j, k = np.indices(grid.shape)
    middle = (grid.shape[2] - 1) / 2
    labels[(i - 9) ** 2 + (j - 12) ** 2 + (k - middle) ** 2 < 30] = 1
    labels[(i - 20) ** 2 + (j - 15) ** 2 + (k - middle) ** 2 < 16] = 2
    probabilities = np.stack([labels == value for value in range(4)]).astype(np.float32)
    return Segmentation(labels, grid, TABLE, probabilities=probabilities)


def assert_no_millimetres(rows: tuple[Measurement, ...]) -> None:
    assert rows
    for row in rows:
        if PHYSICAL.search(row.unit):
            assert row.value is None, row
            assert row.reason, row
        if row.value is not None:
            assert not PHYSICAL_NUMBERS.search(f"{row.plane or ''} {row.method}"), row


@pytest.mark.parametrize("grid", [FLAT, STACK], ids=["picture", "stack"])
def test_no_quantity_of_a_px_mask_carries_millimetres(grid: Grid) -> None:
    segmentation = two_discs(grid)
    values = np.random.default_rng(0).normal(size=grid.shape)
    assert_no_millimetres(measure(segmentation, {"image": Image(values, grid)}))


def attempted(attempt: Callable[[], tuple[Measurement, ...]]) -> tuple[tuple[Measurement, ...], str]:
    try:
        return attempt(), ""
    except InputError as refusal:
        return (), str(refusal)


@pytest.mark.parametrize("rule", [None, "recist-1.1", "recist-1.1-node", "rano-2010", "rano-bm"])
@pytest.mark.parametrize("grid", [FLAT, STACK], ids=["picture", "stack"])
def test_no_lesion_of_a_px_mask_carries_millimetres(grid: Grid, rule: RuleSet | None) -> None:
    rows = measure_lesions(two_discs(grid), None, LesionPlan(rule=rule))
    assert_no_millimetres(rows)
    found = {row.quantity: row for row in rows if row.target.lesion == 1 and row.target.name == "a"}
    assert found[Quantity.LONGEST_DIAMETER].unit == "{px}"
    assert found[Quantity.BIDIMENSIONAL_PRODUCT].unit == "{px}2"
    if rule is not None:
        assert found[Quantity.MEETS_SIZE_CRITERION].value is None


@pytest.mark.parametrize("grid", [FLAT, STACK], ids=["picture", "stack"])
def test_pet_and_tissue_of_px_masks_are_refused_or_null(grid: Grid) -> None:
    segmentation = two_discs(grid)
    values = np.random.default_rng(0).uniform(0, 9, size=grid.shape)
    pet = Image(values, grid, modality="PT", value_unit="g/ml{SUVbw}", channel="pet")
    ct = Image(values * 30 - 150, grid, modality="CT", value_unit="[hnsf'U]", channel="ct")
    attempts: list[Callable[[], tuple[Measurement, ...]]] = [
        lambda: measure_pet(segmentation, {"pet": pet}, PetPlan()),
        lambda: measure_tissue(segmentation, {"ct": ct}, TissuePlan(compartment="a")),
    ]
    for attempt in attempts:
        rows, refusal = attempted(attempt)
        assert rows or "px" in refusal
        if rows:
            assert_no_millimetres(rows)


@pytest.mark.parametrize("grid", [FLAT, STACK], ids=["picture", "stack"])
def test_contours_of_px_masks_are_in_pixels(grid: Grid) -> None:
    text = json.dumps(contours(two_discs(grid)))
    assert "{px}" in text or '"px"' in text
    assert not re.search(r'_mm"|"mm"|"ml"', text)


@pytest.mark.parametrize("grid", [FLAT, STACK], ids=["picture", "stack"])
def test_no_comparison_of_px_masks_carries_millimetres(grid: Grid) -> None:
    one = two_discs(grid)
    other = Segmentation(np.roll(one.labels, 2, axis=0), grid, TABLE)
    rows = evaluate(prediction=other, reference=one)
    assert_no_millimetres(rows)
    distances = {row.quantity: row for row in rows if row.target.name == "a"}
    assert distances[Quantity.HD].unit == "{px}"
    assert distances[Quantity.HD].value == pytest.approx(2)


@pytest.mark.parametrize("grid", [FLAT, STACK], ids=["picture", "stack"])
def test_what_pixels_can_tell_is_told_in_pixels(grid: Grid) -> None:
    found = {row.quantity: row for row in measure(two_discs(grid)) if row.target.name == "a"}
    for quantity in (Quantity.LONGEST_DIAMETER, Quantity.EXTENT_I):
        assert found[quantity].unit == "{px}"
        assert found[quantity].value is not None
    assert found[Quantity.VOLUME].value is None
    assert "px" in (found[Quantity.VOLUME].reason or "")


def test_every_quantity_states_what_it_is_on_pixels() -> None:
    """No unit for pixels in the table is a physical one."""
    for quantity in Quantity:
        px_unit = quantity.info.px_unit
        assert px_unit is None or not PHYSICAL.search(px_unit), quantity
