"""One row says all about a quantity, and something computes it."""

from collections import Counter
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from medseg.domain import Grid, Image, Label, LabelTable, Measurement, Quantity, Segmentation
from medseg.domain.plan import LesionPlan, NormalPlan, PetPlan, TissuePlan
from medseg.domain.quantity import Group, Kind, QuantityInfo
from medseg.measuring import measure, measure_lesions, measure_pet, measure_tissue, normalised
from medseg.metrics import evaluate, evaluate_lesions

ROW = "medseg/domain/quantity.py: Quantity"
GRID = Grid((44, 30, 20), np.diag([1.5, 1.5, 2.0, 1.0]), slice_thickness=2.0)
TABLE = LabelTable((Label(1, "body"),))


def two_parts(grid: Grid = GRID) -> Segmentation:
    """A U, whose longest and perpendicular diameters leave it, and a box; with probabilities."""
    labels = np.zeros(grid.shape, np.uint8)
    middle = slice(None) if grid.shape[2] == 1 else slice(6, 14)
    labels[8:30, 8:22, middle] = 1
    labels[12:26, 12:22, middle] = 0
    labels[33:36, 10:14, middle] = 1
    return Segmentation(labels, grid, TABLE, probabilities=np.stack([1.0 - labels, labels]))


def image(unit: str, modality: str) -> Image:
    values = np.random.default_rng(0).integers(-20, 60, GRID.shape)
    return Image(values, GRID, modality, unit, "values")


def of_every_kind() -> list[Measurement]:
    """What is measured of phantoms in space and in a picture: masks, values, lesions, PET, tissue, a comparison."""
    space, picture = two_parts(), two_parts(Grid((44, 30, 1), np.eye(4), unit="px"))
    ct, pet = image("[hnsf'U]", "CT"), image("g/ml{SUVbw}", "PT")
    tissue = TissuePlan(compartment="body", levels=("k=8",), height_m=1.7, weight_kg=70)
    return [
        *measure(space, {"values": ct}),
        *measure(picture),
        *measure_lesions(space, None, LesionPlan(rule="recist-1.1")),
        *measure_pet(space, {"values": pet}, PetPlan()),
        *measure_tissue(space, {"values": ct}, tissue),
        *normalised(measure(space), NormalPlan(icv_ml=1500.0, height_m=1.7, weight_kg=70)),
        *evaluate(prediction=space, reference=space),
        *evaluate_lesions(prediction=space, reference=space),
    ]


def test_every_quantity_is_computed() -> None:
    computed = {item.quantity for item in of_every_kind() if item.value is not None}
    never = [quantity.name for quantity in Quantity if quantity not in computed]
    assert not never, (
        f"{ROW} has rows that nothing in measuring or metrics computes for these phantoms: {never}"
    )


@pytest.mark.parametrize("quantity", Quantity, ids=lambda quantity: quantity.name)
def test_a_row_is_whole(quantity: Quantity) -> None:
    row = quantity.info
    assert row.kind in get_args(Kind), f"{ROW}.{quantity.name}: kind"
    assert row.group in get_args(Group), f"{ROW}.{quantity.name}: group"
    assert row.place > 0, f"{ROW}.{quantity.name}: place"
    assert row.title, f"{ROW}.{quantity.name}: title"
    assert row.definition.endswith("."), f"{ROW}.{quantity.name}: definition"
    if row.kind == "intensity":
        assert row.method, f"{ROW}.{quantity.name}: method, which every statistic says"


@pytest.mark.parametrize(
    "place",
    [
        lambda row: (row.group, row.place),
        lambda row: row.headline and (row.kind in ("tissue", "comparison") and row.kind, row.headline),
        lambda row: row.matrix and (row.kind, row.matrix),
    ],
    ids=["place in its group", "headline", "matrix"],
)
def test_no_two_rows_have_one_place(place: Callable[[QuantityInfo], object]) -> None:
    taken = Counter(place(quantity.info) for quantity in Quantity if place(quantity.info))
    assert [key for key, rows in taken.items() if rows > 1] == [], ROW
