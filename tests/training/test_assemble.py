"""What is left of a run: Dice of subjects, its mean with an interval, a plan without places, a licence."""

import json
from pathlib import Path

import pytest
import yaml

from medseg.errors import InputError
from medseg.training.assemble import (
    _shared_plan,
    assemble_bundle,
    dice_table,
    licence_text,
    quality_of_folds,
    read_dice,
    write_dice,
)
from medseg.training.validate import SubjectDice, pooled_dice
from tests.inference.conftest import make_card


def row(fold: int, subject: str, target: str, dice: float | None) -> SubjectDice:
    return SubjectDice(fold, subject, target, dice, 40, 50, 2)


ROWS = (
    row(0, "s1", "a", 0.5),
    row(0, "s2", "a", 0.9),
    row(1, "s3", "a", None),
    row(1, "s3", "b", 0.8),
    row(1, "s4", "c", None),
)


def test_quality_is_the_mean_over_subjects_that_have_the_label() -> None:
    first, second = quality_of_folds(ROWS, command="medseg train x", note="2 of 2 folds")
    assert (first.label, first.quantity, first.mean, first.cases) == ("a", "dice", pytest.approx(0.7), 2)
    assert (first.low, first.high, first.level) == (0.5, 0.9, 0.95)
    assert (first.command, first.note) == ("medseg train x", "2 of 2 folds")
    # One subject has a mean and no interval.
    assert (second.label, second.mean, second.low, second.high, second.cases) == ("b", 0.8, None, None, 1)


def test_rows_come_back_from_a_folds_folder(tmp_path: Path) -> None:
    write_dice(tmp_path, ROWS)
    assert read_dice(tmp_path) == ROWS
    assert [path.name for path in tmp_path.iterdir()] == ["dice.json"]
    assert json.loads((tmp_path / "dice.json").read_text("utf-8"))[0]["reference_voxels"] == 40


def test_rows_as_a_table() -> None:
    assert dice_table(ROWS[:1]).decode().splitlines() == [
        "fold,subject,target,dice,reference_voxels,prediction_voxels,cases,voxel_ml",
        "0,s1,a,0.5,40,50,2,",
    ]


@pytest.mark.parametrize(
    ("overlap", "prediction", "reference", "dice"),
    [(5, 10, 10, 0.5), (3, 3, 9, 0.5), (0, 4, 0, 0.0), (0, 0, 0, None)],
)
def test_dice_of_counts(overlap: int, prediction: int, reference: int, dice: float | None) -> None:
    assert pooled_dice(overlap, prediction, reference) == dice


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (
            {"root": "/here/data", "cases": "/here/cases.csv", "split": "/here/split.json", "folds": 3},
            {"root": None, "cases": "cases.csv", "split": "split.json", "folds": 3},
        ),
        (
            {"root": "data", "cases": None, "split": None},
            {"root": None, "cases": None, "split": None},
        ),
    ],
)
def test_a_plan_is_shared_without_the_places_of_a_machine(
    tmp_path: Path, data: dict[str, object], left: dict[str, object]
) -> None:
    path = tmp_path / "plan.yaml"
    plan = {"model": {"title": "Größe"}, "data": data}
    path.write_text(yaml.safe_dump(plan, allow_unicode=True, sort_keys=False), "utf-8")
    shared = _shared_plan(path).decode()
    assert yaml.safe_load(shared) == {"model": {"title": "Größe"}, "data": left}
    assert shared.startswith("model:")
    assert "Größe" in shared


def test_a_licence_names_what_it_is_of() -> None:
    card = make_card(licence="CC BY 4.0", attribution="By somebody.")
    assert licence_text(card).decode() == "Toy: weights and card\n\nLicence: CC BY 4.0\n\nBy somebody.\n"


def test_a_run_without_a_finished_fold_has_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "fold0").mkdir()
    with pytest.raises(InputError, match="no finished fold"):
        assemble_bundle(tmp_path)
