"""Numbers follow the mask: right or marked stale after every change, and those of the command line in the end."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medseg.domain import Image, Run
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.workflows import measure, read, write
from medseg.workflows.digits import csv_of, first_numbers, shown_numbers
from napari_medseg.workspace import EditedMask
from napari_medseg.workspace.measures import Measures
from tests.workspace.test_journal import GRID, SHAPE, act, actions, paint, segmentation


def images() -> dict[str, Image]:
    values = np.random.default_rng(0).normal(40, 30, SHAPE).astype(np.float32)
    return {"ct": Image(values, GRID, channel="ct")}


def measured(mask: EditedMask, **how: Any) -> Measures:
    numbers = Measures(mask, images(), **how)
    numbers.take(numbers.work()(Run()))
    return numbers


def never_wrong(numbers: Measures) -> None:
    """Each row that is not stale equals that of a measurement from scratch."""
    scratch = measure(numbers.mask.now(), numbers.images, plan=numbers.plan)
    known = {(item.target, item.quantity, item.channel): item for item in scratch.measurements}
    for row in numbers.rows:
        if not row.is_stale:
            assert known[row.item.target, row.item.quantity, row.item.channel] == row.item


@settings(max_examples=8, deadline=None)
@given(done=st.lists(actions, min_size=1, max_size=5))
def test_any_sequence_of_strokes_undo_redo_and_operations_is_followed(done: list[Any]) -> None:
    mask = EditedMask("uid", segmentation())
    numbers = measured(mask)
    for action in done:
        act(mask, action)
        never_wrong(numbers)
    numbers.take(numbers.work()(Run()))
    assert numbers.is_fresh
    record = numbers.record
    assert record is not None
    assert record.measurements == measure(mask.now(), numbers.images).measurements


def test_what_is_changed_while_it_is_measured_is_stale_afterwards() -> None:
    mask = EditedMask("uid", segmentation())
    numbers = measured(mask)
    found = numbers.work()(Run())
    paint(mask, (0, 0, 0), (2, 2, 2), 1)
    numbers.take(found)
    assert not numbers.is_fresh
    never_wrong(numbers)
    count = next(row for row in numbers.rows if row.item.quantity.name == "VOXEL_COUNT")
    assert (count.item.value, count.is_stale) == (int((mask.labels == 1).sum()), False)


def test_a_change_that_nobody_told_of_is_found_by_the_next_measurement() -> None:
    mask = EditedMask("uid", segmentation())
    numbers = measured(mask)
    mask.labels[0, 0, 0] = 2
    numbers.take(numbers.work()(Run()))
    assert mask.journal.done[-1].kind == "outside"
    assert not numbers.is_fresh, "the history has more than was measured"
    numbers.take(numbers.work()(Run()))
    record = numbers.record
    assert record is not None
    assert numbers.is_fresh
    assert record.made_by == mask.now().made_by
    assert record.measurements == measure(mask.now(), numbers.images).measurements


def test_other_names_are_no_fresh_numbers() -> None:
    mask = EditedMask("uid", segmentation())
    numbers = measured(mask)
    mask.name_label(1, "node")
    assert not numbers.is_fresh
    numbers.take(numbers.work()(Run()))
    assert {row.item.target.name for row in numbers.rows} == {"node", "liver"}


def test_another_plan_is_measured_too() -> None:
    mask = EditedMask("uid", segmentation())
    numbers = measured(mask)
    numbers.ask(MeasurePlan(lesions=LesionPlan(rule="recist-1.1")))
    assert not numbers.is_fresh
    numbers.take(numbers.work()(Run()))
    assert numbers.is_fresh
    assert any(row.item.target.kind == "lesion" for row in numbers.rows)
    paint(mask, (0, 0, 0), (1, 1, 1), 1)
    never_wrong(numbers)


def test_the_digits_are_those_of_the_command_line(tmp_path: Path) -> None:
    """Painted, undone, operated on, saved: the table's values are what `medseg measure` prints for the file."""
    mask = EditedMask("uid", segmentation())
    paint(mask, (0, 0, 0), (3, 3, 2), 1)
    paint(mask, (5, 5, 5), (3, 3, 2), 2)
    mask.undo()
    mask.operate("dilate=1", labels=["tumour"])
    numbers = Measures(mask, images())
    write(images()["ct"], tmp_path / "ct.nii.gz")
    write(mask.now(), tmp_path / "mask.nii.gz")
    numbers.images = {"ct": read(tmp_path / "ct.nii.gz")}
    numbers.take(numbers.work()(Run()))
    out = tmp_path / "r.json"
    command = [sys.executable, "-m", "medseg", "measure", str(tmp_path / "mask.nii.gz")]
    command += ["--channel", f"ct={tmp_path / 'ct.nii.gz'}", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    theirs = [
        (item["quantity"], item["value"], item["status"])
        for item in json.loads(out.read_text())["measurements"]
    ]
    record = numbers.record
    assert record is not None
    ours = [(item.quantity.value, item.value, item.status.value) for item in record.measurements]
    assert json.loads(json.dumps(ours)) == [list(row) for row in theirs]


class TestWords:
    """Numbers as they are shown."""

    @pytest.mark.parametrize("plan", [None, MeasurePlan(lesions=LesionPlan(rule="recist-1.1"))])
    def test_at_most_eight_stand_first(self, plan: MeasurePlan | None) -> None:
        record = measure(segmentation(), images(), plan=plan)
        first = first_numbers(record)
        assert 1 <= len(first) <= 8
        assert all(row.item in record.measurements for row in first)

    def test_a_cut_structure_has_its_sign_and_its_words(self) -> None:
        mask = EditedMask("uid", segmentation())
        paint(mask, (0, 2, 2), (3, 3, 2), 1)
        record = measure(mask.now(), images())
        volume = next(
            row for row in shown_numbers(record) if row.quantity == "Volume" and row.structure == "tumour"
        )
        assert volume.value.startswith("≥ ")
        assert (volume.icon, volume.status) == ("≥", "cut by the border: lower bound")
        assert float(volume.exact) == volume.item.value

    def test_chosen_rows_are_exported_as_the_command_line_writes_them(self) -> None:
        record = measure(segmentation(), images())
        whole, part = csv_of(record).decode(), csv_of(record, record.measurements[:2]).decode()
        assert whole.splitlines()[:3] == part.splitlines()
