"""Editing masks as a user does."""

import json
from pathlib import Path

import numpy as np
import pytest

import medseg as package
from medseg.workflows.edit import replay


@pytest.fixture
def mask(data) -> Path:
    """A tumour on MR: 17 090 voxels of 0.98 × 0.98 × 3.27 mm."""
    return data("sarcoma/STS_002/MR_T1_mask.nii.gz")


def test_a_tumour_is_cleaned_grown_and_measured(medseg, mask: Path, tmp_path: Path) -> None:
    out = tmp_path / "target.nii.gz"
    operations = ("close=4", "keep-largest", "smooth=2", "margin=5,superior=10")
    seen = medseg("edit", mask, *(word for item in operations for word in ("--op", item)), "--out", out)
    assert seen.code == 0, seen.err
    assert [line.split("\t")[0] for line in seen.out.splitlines()[1:]] == [
        "close",
        "keep-largest",
        "smooth",
        "margin",
    ]
    before, after = package.read_segmentation(mask), package.read_segmentation(out)
    assert not ((before.labels > 0) & (after.labels == 0)).any()
    edits = after.made_by.edits
    assert [item.operation for item in edits] == ["close", "keep-largest", "smooth", "margin"]
    voxel = before.grid.voxel_volume / 1000
    assert abs(edits[2].volume_change_ml or 0) < 5 * voxel
    changed = (int((after.labels > 0).sum()) - int((before.labels > 0).sum())) * voxel
    assert sum(item.volume_change_ml or 0 for item in edits) == pytest.approx(changed)
    assert replay(before, edits).digest == after.digest
    record = tmp_path / "r.json"
    assert medseg("measure", out, "--out", record).code == 0
    assert len(json.loads(record.read_text())["made_by"]["edits"]) == 4


def test_the_same_command_gives_the_same_bytes(medseg, mask: Path, tmp_path: Path) -> None:
    found = []
    for name in ("a.nii.gz", "b.nii.gz"):
        seen = medseg("edit", mask, "--op", "open=3", "--op", "split=4", "--out", tmp_path / name, "--json")
        found.append(seen.json["result"])
    assert found[0]["digest"] == found[1]["digest"]
    assert found[0]["edits"] == found[1]["edits"]


def test_every_third_slice_of_a_real_tumour_is_enough(medseg, mask: Path, tmp_path: Path) -> None:
    whole = package.read_segmentation(mask)
    axis = 2
    used = np.flatnonzero(whole.labels.any(axis=(0, 1)))
    kept = sorted({*used[::3], used[-1]})
    labels = np.zeros_like(whole.labels)
    labels[..., kept] = whole.labels[..., kept]
    drawn = package.Segmentation(labels, whole.grid, whole.table)
    package.write(drawn, tmp_path / "drawn.nii.gz")
    out = tmp_path / "filled.nii.gz"
    assert medseg("edit", tmp_path / "drawn.nii.gz", "--op", "fill-between", "--out", out).code == 0
    found = package.read_segmentation(out)
    both = int(((found.labels > 0) & (whole.labels > 0)).sum())
    dice = 2 * both / (int((found.labels > 0).sum()) + int((whole.labels > 0).sum()))
    assert dice > 0.95, axis


def test_two_labels_of_a_hippocampus_leave_each_other_alone(medseg, data, tmp_path: Path) -> None:
    folder = data("hippocampus/labelsTr")
    mask = sorted(folder.glob("hippocampus_*.nii*"))[0]
    out = tmp_path / "out.nii.gz"
    seen = medseg("edit", mask, "--op", "dilate=2,label=label 1", "--out", out, "--json")
    assert seen.code == 0, seen.err
    assert seen.json["result"]["edits"][0]["left_to_other_labels"] > 0
    before, after = package.read_segmentation(mask), package.read_segmentation(out)
    assert ((before.labels == 2) == (after.labels == 2)).all()


def test_another_file_takes_part_and_is_named_in_the_sidecar(medseg, mask: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.nii.gz"
    rim = tmp_path / "rim.nii.gz"
    assert medseg("edit", mask, "--op", "erode=6", "--out", small).code == 0
    assert medseg("edit", mask, "--op", f"subtract={small}", "--out", rim).code == 0
    whole, inner, outer = (package.read_segmentation(path) for path in (mask, small, rim))
    assert ((outer.labels > 0) == ((whole.labels > 0) & (inner.labels == 0))).all()
    (item,) = outer.made_by.edits
    assert dict(item.parameters)["other_digest"] == inner.digest
    assert str(tmp_path) not in (tmp_path / "rim.seg.json").read_text()


def test_the_list_of_operations(medseg) -> None:
    seen = medseg("edit", "--list")
    assert seen.code == 0
    assert "radius_mm" in seen.out
    assert len(medseg("edit", "--list", "--json").json["result"]["operations"]) == 17


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--op", "clsoe=2"], "did you mean 'close'"),
        (["--op", "close=2", "--label", "tumour"], "no label or region 'tumour'"),
        ([], "--list"),
        (["--op", "union=nothing.nii.gz"], "no file"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    medseg, ball: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    mask = tmp_path / "mask.nii.gz"
    assert medseg("segment", "otsu", ball, "--out", mask).code == 0
    out = tmp_path / "out.nii.gz"
    seen = medseg("edit", mask, *arguments, "--out", out)
    assert seen.code == 2
    assert message in seen.line
    assert not out.exists()


def test_a_mask_is_not_edited_onto_itself_and_outputs_are_kept(medseg, ball: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.nii.gz"
    medseg("segment", "otsu", ball, "--out", mask)
    assert "onto itself" in medseg("edit", mask, "--op", "close=2", "--out", mask, "--force").line
    out = tmp_path / "out.nii.gz"
    assert medseg("edit", mask, "--op", "close=2", "--out", out).code == 0
    assert medseg("edit", mask, "--op", "close=2", "--out", out).code == 2
    assert medseg("edit", mask, "--op", "close=2", "--out", out, "--force").code == 0
    assert "--out" in medseg("edit", mask, "--op", "close=2").line
