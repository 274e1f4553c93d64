"""Two masks are compared as their user means them: paired by case, read as `measure` reads, mapped where asked."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg import io
from medseg.domain import Grid, Label, LabelTable, ReadOptions, Segmentation
from medseg.errors import GridMismatchError, InputError
from medseg.reporting.comparison.page import Comparison, comparison_to_html
from medseg.workflows.evaluate import evaluate_files
from medseg.workflows.pairs import PairOptions, as_map, pair_files, read_pair

Data = Callable[[str], Path]
GRID = Grid((12, 10, 8), np.diag([1.0, 1.0, 2.0, 1.0]))


def mask(path: Path, value: int = 1, *, grid: Grid = GRID, name: str = "liver") -> Path:
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:8, 2:8, 2:6] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.write_segmentation(Segmentation(labels, grid, LabelTable((Label(value, name),))), path)


def dice(found: object) -> list[float | None]:
    rows = [item for result in found for item in result.measurements]  # type: ignore[attr-defined]
    return [item.value for item in rows if item.quantity.value == "dice"]


def test_values_are_mapped_in_one_mask_or_both(tmp_path: Path) -> None:
    ours, theirs = mask(tmp_path / "a.nii.gz", 255), mask(tmp_path / "b.nii.gz")
    assert dice(evaluate_files(ours, theirs)) == [0.0, 0.0]
    for text in ("255=1", "prediction:255=1"):
        assert dice(evaluate_files(ours, theirs, options=PairOptions(mapping=as_map([text])))) == [1.0]
    assert dice(evaluate_files(ours, theirs, options=PairOptions(mapping=as_map(["reference:1=255"])))) == [
        1.0
    ]
    for wrong in ("255", "a=1", "70000=1", "left:1=2"):
        with pytest.raises(InputError, match="--map takes OLD=NEW"):
            as_map([wrong])
    with pytest.raises(InputError, match="two meanings"):
        as_map(["1=2", "1=3"])


def test_names_and_one_label_as_measure_has_them(tmp_path: Path) -> None:
    ours, theirs = mask(tmp_path / "a.nii.gz"), mask(tmp_path / "b.nii.gz")
    (tmp_path / "names.yaml").write_text("1: spleen\n", encoding="utf-8")
    (found,) = evaluate_files(ours, theirs, options=PairOptions(labels=tmp_path / "names.yaml"))
    assert {item.target.name for item in found.measurements} == {"spleen"}
    assert dice(evaluate_files(ours, theirs, options=PairOptions(read=ReadOptions(label="liver")))) == [1.0]


def test_another_grid_is_refused_or_resampled(tmp_path: Path) -> None:
    theirs = mask(tmp_path / "b.nii.gz")
    finer = Grid((24, 20, 16), np.diag([0.5, 0.5, 1.0, 1.0]))
    ours = mask(tmp_path / "a.nii.gz", grid=finer)
    with pytest.raises(GridMismatchError):
        evaluate_files(ours, theirs)
    (found,) = evaluate_files(ours, theirs, options=PairOptions(read=ReadOptions(resample=True)))
    assert found.grid is not None
    assert found.grid.shape == GRID.shape


def test_a_seg_of_some_slices_is_compared_on_the_others_grid(data: Data, tmp_path: Path) -> None:
    image = io.read(data("faults/sg_469/ct"))
    seg = data("faults/sg_469/seg.dcm")
    whole = io.write_segmentation(io.read_segmentation(seg, on=image), tmp_path / "whole.nii.gz")
    for pair in ((seg, whole), (whole, seg)):
        ours, theirs = read_pair(*pair, PairOptions())
        assert np.array_equal(ours.labels > 0, theirs.labels > 0)
        assert int((ours.labels > 0).sum()) == 288


def test_cases_are_paired_and_what_is_left_is_named(tmp_path: Path) -> None:
    for name in ("p1", "p2_pred", "p9"):
        mask(tmp_path / "ours" / f"{name}.nii.gz")
    for name in ("p1", "p2_gt", "p3"):
        mask(tmp_path / "theirs" / f"{name}.nii.gz")
    found = evaluate_files(tmp_path / "ours", tmp_path / "theirs")
    errors = {item.case: item.error for item in found}
    assert errors["p1"] is None
    assert errors["p2_gt"] is None
    assert "no prediction" in str(errors["p3"])
    assert "no reference for this prediction" in str(errors["p9"])
    assert dice(found) == [1.0, 1.0, 0.0]


PAIRED = [
    ("case_0000_gt", ["p1"], ["p1_0000_gt"], {"p1_0000_gt": 1.0}),
    ("the number of a channel", ["p1_pred"], ["p1_0000"], {"p1_0000": 1.0}),
    (
        "slices by number",
        ["p_0000", "p_0001_seg"],
        ["p_0000_gt", "p_0001"],
        {"p_0000_gt": 1.0, "p_0001": 1.0},
    ),
    ("another patient's number", ["p10", "p2"], ["p1", "p2"], {"p1": 0.0, "p2": 1.0}),
    ("folders of patients", ["p1/seg", "p2/seg"], ["p1/gt", "p2/gt"], {"p1": 1.0, "p2": 1.0}),
    ("folders of structures", ["p1/a", "p1/b"], ["p1/a", "p1/b"], {"p1_a": 1.0, "p1_b": 1.0}),
    ("folders against files", ["p1/seg", "p2/seg"], ["p1_gt", "p2_gt"], {"p1_gt": 1.0, "p2_gt": 1.0}),
    ("two predictions", ["p1_pred", "p1_seg", "p2"], ["p1", "p2"], {"p1": None, "p2": 1.0}),
    (
        "two predictions, one by the case's name",
        ["p1", "p1_seg", "p2"],
        ["p1", "p2"],
        {"p1": None, "p2": 1.0},
    ),
    ("two references", ["p1", "p2"], ["p1_gt", "p1_manual", "p2"], {"p1": None, "p2": 1.0}),
    (
        "two of each, by the same names",
        ["p1_gt", "p1_seg"],
        ["p1_gt", "p1_seg"],
        {"p1_gt": 1.0, "p1_seg": 1.0},
    ),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"), [row[1:] for row in PAIRED], ids=[row[0] for row in PAIRED]
)
def test_paired_by_case_and_not_by_chance(
    ours: list[str], theirs: list[str], expected: dict[str, float | None], tmp_path: Path
) -> None:
    for side, names in (("ours", ours), ("theirs", theirs)):
        for name in names:
            mask(tmp_path / side / f"{name}.nii.gz")
    found = evaluate_files(tmp_path / "ours", tmp_path / "theirs")
    said = {item.case: str(item.error) for item in found}
    values = {item.case: dice((item,))[0] if item.measurements else None for item in found}
    assert {case: value for case, value in values.items() if "no reference" not in said[case]} == expected
    for case in (case for case, value in expected.items() if value is None):
        assert f"of case {case}; rename or remove all but one" in said[case]


def test_masks_of_dicom_are_paired_by_their_series(data: Data, tmp_path: Path) -> None:
    for name, source in (
        ("ours/1.2.dcm", "sg_plain"),
        ("theirs/3.4.dcm", "sg_plain"),
        ("ours/5.dcm", "sg_469"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data(f"faults/{source}/seg.dcm").read_bytes())
    found = evaluate_files(tmp_path / "ours", tmp_path / "theirs")
    assert [item.case for item in found if item.error is None] == ["3.4"]
    assert [item.case for item in found if "no reference" in str(item.error)] == ["5"]
    assert set(dice(found)) == {1.0}


def test_one_volume_of_each(tmp_path: Path) -> None:
    whole = np.zeros((12, 10, 8, 2), np.uint8)
    whole[2:8, 2:8, 2:6, 1] = 3
    nib.save(nib.Nifti1Image(whole, GRID.affine), tmp_path / "four.nii.gz")
    options = PairOptions(read=ReadOptions(volume="1"), mapping=as_map(["3=1"]))
    assert dice(evaluate_files(tmp_path / "four.nii.gz", tmp_path / "four.nii.gz", options=options)) == [1.0]


def test_a_dataset_gives_its_references(tmp_path: Path) -> None:
    for folder in ("imagesTr", "labelsTr"):
        mask(tmp_path / "set" / folder / "c1.nii.gz")
    content = {
        "name": "Set",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "liver"},
        "training": [{"image": "imagesTr/c1.nii.gz", "label": "labelsTr/c1.nii.gz"}],
    }
    (tmp_path / "set/dataset.json").write_text(json.dumps(content), encoding="utf-8")
    mask(tmp_path / "ours" / "c1.nii.gz")
    assert pair_files(tmp_path / "ours", tmp_path / "set").keys() == {"c1"}
    assert dice(evaluate_files(tmp_path / "ours", tmp_path / "set")) == [1.0]


def test_a_structure_that_could_not_be_read_is_no_miss(data: Data) -> None:
    path = data("faults/rt_outside_z/rs.dcm")
    with pytest.raises(InputError, match="structure BODY of the prediction could not be read"):
        evaluate_files(path, path)
    assert dice(evaluate_files(path, path, options=PairOptions(read=ReadOptions(label="liver")))) == [1.0]


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    row = {
        "detail": None,
        "unit": "1",
        "headline": True,
        "cases": 1,
        "of": 1,
        "misses": 0,
        "false_positives": 0,
        "total": None,
        "low": None,
        "high": None,
    }
    means = {"a": 0.5, "b": 0.7, "c": 0.8, "d": 0.9}
    summary = [
        {**row, "name": name, "quantity": "dice", "mean": mean, "median": mean}
        for name, mean in means.items()
    ]
    assert "median of the mean Dice 0.750" in comparison_to_html(Comparison((), summary)).decode()
