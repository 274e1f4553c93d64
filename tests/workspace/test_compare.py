"""Two masks in the window agree as well as they do in files, and differ where they differ."""

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("psygnal")

from typer.testing import CliRunner

from medseg.cli.everything import app
from medseg.domain import Grid, Label, LabelTable, Quantity, Segmentation
from medseg.errors import GridMismatchError
from medseg.workflows import write
from napari_medseg.workspace.compare import HEADLINE, compare, shown_value

TABLE = LabelTable((Label(1, "liver"), Label(2, "tumour")))


def box(*, start: int, tumour: int = 2, flipped: bool = False) -> Segmentation:
    """A liver of 10 × 10 × 10 voxels of 2 mm³ from `start`, with a tumour in it."""
    labels = np.zeros((24, 20, 16), np.uint8)
    labels[start : start + 10, 5:15, 3:13] = 1
    labels[start + 2 : start + 2 + tumour, 8:10, 6:8] = 2
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    if flipped:
        affine[2, 2], affine[2, 3] = -2.0, 30.0
        labels = labels[:, :, ::-1]
    return Segmentation(labels.copy(), Grid(labels.shape, affine), TABLE)


@pytest.mark.parametrize("flipped", [False, True], ids=["as stored", "stored the other way round"])
def test_digits_are_those_of_the_command_line(flipped: bool, tmp_path: Path) -> None:
    first, second = box(start=4, flipped=flipped), box(start=6, tumour=4)
    for name, mask in (("first", first), ("second", second)):
        write(mask, tmp_path / f"{name}.nii.gz")
    words = ["evaluate", tmp_path / "first.nii.gz", tmp_path / "second.nii.gz", "--out", tmp_path / "out.csv"]
    seen = CliRunner().invoke(app, [str(word) for word in words])
    assert seen.exit_code == 0, seen.output
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8").splitlines()))
    found = compare(first, second)
    ours = [
        (item.target.name, item.quantity.value, item.value, item.status.value) for item in found.measurements
    ]
    theirs = [
        (row["name"], row["quantity"], float(row["value"]) if row["value"] else None, row["status"])
        for row in rows
    ]
    assert ours == theirs
    assert ours


def test_the_table_has_a_row_per_structure_and_says_which_is_larger() -> None:
    found = compare(box(start=4, tumour=4), box(start=4, tumour=2))
    assert [item.name for item in found.structures] == ["liver", "tumour"]
    tumour = dict(zip(HEADLINE, found.structures[1].rows, strict=True))
    dice, error = tumour[Quantity.DICE], tumour[Quantity.VOLUME_ERROR]
    assert dice is not None
    assert error is not None
    assert dice.value == 2 * 8 / (16 + 8)
    assert error.value == pytest.approx(8 * 2 / 1000)
    assert shown_value(dice) == "0.667"
    assert shown_value(error).endswith(" ml")
    assert shown_value(None) == ""


@pytest.mark.parametrize("flipped", [False, True], ids=["as stored", "stored the other way round"])
def test_the_difference_layer_has_the_voxels_that_differ_and_no_other(flipped: bool) -> None:
    first, second = box(start=4, tumour=4), box(start=6, tumour=4)
    found = compare(box(start=4, tumour=4, flipped=flipped), second).difference
    assert np.array_equal(found.labels > 0, first.labels != second.labels)
    assert np.array_equal(found.labels == 1, (first.labels > 0) & (second.labels == 0))
    assert np.array_equal(found.labels == 2, (first.labels == 0) & (second.labels > 0))
    assert [label.name for label in found.table.labels] == [
        "only in the first",
        "only in the second",
        "another structure",
    ]
    assert not compare(first, first).difference.labels.any()


def test_masks_on_other_voxels_are_refused_with_the_fault() -> None:
    other = Segmentation(np.ones((9, 9, 9), np.uint8), Grid((9, 9, 9), np.eye(4)), TABLE)
    with pytest.raises(GridMismatchError):
        compare(box(start=4), other)
