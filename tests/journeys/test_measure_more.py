"""Lesions, PET, tissue and contours from the command line, into the record and onto the page."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import medseg as api
from medseg import settings
from tests.journeys.conftest import Seen

Medseg = Callable[..., Seen]


@pytest.fixture
def two_balls(tmp_path: Path) -> tuple[Path, Path]:
    """A synthetic scan and mask with two balls of radius 8 and 5 mm on 1 × 1 × 2 mm."""
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    i, j, k = np.indices((60, 40, 24))
    large = (i - 18) ** 2 + (j - 20) ** 2 + (2 * (k - 12)) ** 2 <= 8**2
    small = (i - 44) ** 2 + (j - 20) ** 2 + (2 * (k - 12)) ** 2 <= 5**2
    values = np.where(large, 9.0, np.where(small, 4.0, 0.5)).astype(np.float32)
    paths = tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"
    for path, array in zip(paths, (values, (large | small).astype(np.uint8)), strict=True):
        image = nib.Nifti1Image(array, affine)
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, 1)
        nib.save(image, path)
    return paths


def found(record: Path, quantity: str, **wanted: object) -> list[float | None]:
    items = [item for item in api.read_record(record).measurements if item.quantity.value == quantity]
    return [
        item.value
        for item in items
        if all(getattr(item.target, name) == value for name, value in wanted.items())
    ]


def test_lesions_with_a_rule_and_their_mask(
    medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path
) -> None:
    scan, mask = two_balls
    record, numbered = tmp_path / "r.json", tmp_path / "lesions.nii.gz"
    options = ("--lesions", "all", "--rule", "recist-1.1", "--slice-thickness", 2, "--lesion-mask", numbered)
    assert medseg("measure", mask, "--image", scan, *options, "--out", record).code == 0
    assert found(record, "lesion_count") == [2]
    long = [found(record, "longest_in_plane_diameter", lesion=number)[0] for number in (1, 2)]
    assert long == [pytest.approx(16, abs=1.5), pytest.approx(10, abs=1.5)]
    assert found(record, "meets_size_criterion", lesion=1) == [1]
    labels = api.read_segmentation(numbered)
    assert [label.name for label in labels.table.labels] == ["label 1 lesion 1", "label 1 lesion 2"]
    page = tmp_path / "r.html"
    assert medseg("report", record, "--html", page).code == 0
    text = page.read_text(encoding="utf-8")
    assert "2 lesions" in text
    assert "meets" in text
    assert "target lesion" not in text


def test_pet_values_are_declared_for_a_nifti(
    medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path
) -> None:
    scan, mask = two_balls
    record = tmp_path / "r.json"
    asked = ("--pet", "given", "--pet", "41%")
    assert medseg("measure", mask, "--image", scan, *asked, "--out", record).code == 0
    assert found(record, "suv_max")[0] is None
    declared = ("--values", "SUVbw", "--force")
    assert medseg("measure", mask, "--image", scan, *asked, *declared, "--out", record).code == 0
    assert found(record, "suv_max", kind="label") == [9.0]
    plan = api.read_record(record).plan.pet
    assert plan is not None
    assert plan.delineations == ("given", "41%")
    assert any(item.code == "channel.declared" for item in api.read_record(record).findings)


BAD = [
    (("--rule", "recist-1.1"), "need --lesions NAME"),
    (("--lesions", "all", "--rule", "recist"), "--rule is one of recist-1.1"),
    (("--lesions", "liver"), "no label or region is called 'liver'"),
    (("--level", "L3"), "need --tissue NAME"),
    (("--values", "SUV"), "values are HU, SUVbw, MR"),
    (("--values", "ct=HU"), "declared for channel 'ct'"),
    (("--contour-planes", "all"), "acquisition or three"),
    (("--pet", "42 percent"), "42 percent"),
]


@pytest.mark.parametrize(("options", "line"), BAD, ids=[" ".join(options) for options, _ in BAD])
def test_one_line_for_what_can_not_be(
    medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    scan, mask = two_balls
    if "--pet" in options:
        options = (*options, "--values", "SUVbw")
    seen = medseg("measure", mask, "--image", scan, *options, "--out", tmp_path / "r.json")
    assert seen.code == 2
    assert line in seen.line
    assert not (tmp_path / "r.json").exists()


def test_contours_in_three_planes(medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path) -> None:
    _, mask = two_balls
    outlines = tmp_path / "c.json"
    options = ("--contours", outlines, "--contour-planes", "three")
    assert medseg("measure", mask, *options, "--out", tmp_path / "r.json").code == 0
    polygons = json.loads(outlines.read_text(encoding="utf-8"))["labels"][0]["polygons"]
    assert {polygon["axis"] for polygon in polygons} == {0, 1, 2}


def test_tissue_at_a_level(medseg: Medseg, data: Callable[[str], Path], tmp_path: Path) -> None:
    scan, mask = data("misc/ct_small/example_ct_sm.nii.gz"), data("misc/ct_small/example_seg.nii.gz")
    names = tmp_path / "names.json"
    values = np.unique(np.asarray(nib.load(mask).dataobj))
    names.write_text(json.dumps({int(value): f"organ {int(value)}" for value in values if value}))
    largest = int(np.bincount(np.asarray(nib.load(mask).dataobj).astype(int).ravel())[1:].argmax()) + 1
    record = tmp_path / "r.json"
    options = ("--values", "HU", "--tissue", f"organ {largest}", "--level", "k=15", "--labels", names)
    assert medseg("measure", mask, "--image", scan, *options, "--out", record).code == 0
    areas = found(record, "tissue_area", kind="tissue")
    assert any(area for area in areas)
    page = tmp_path / "r.html"
    assert medseg("report", record, "--html", page).code == 0
    assert "at slice 16 of " in page.read_text(encoding="utf-8")


def test_probabilities_beside_a_mask_weight_its_volume(
    medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path
) -> None:
    from dataclasses import replace

    from medseg.io import write_probabilities, write_segmentation

    _, mask = two_balls
    found_mask = api.read_segmentation(mask)
    share = np.where(found_mask.labels > 0, 0.75, 0.0).astype(np.float32)
    kept = replace(found_mask, probabilities=np.stack([1 - share, share]))
    path, record = tmp_path / "kept.nii.gz", tmp_path / "r.json"
    write_segmentation(kept, path)
    write_probabilities(kept, path)
    assert medseg("measure", path, "--out", record).code == 0
    volume = found(record, "volume")[0]
    assert volume is not None
    assert found(record, "probability_volume") == [pytest.approx(0.75 * volume)]
    content = json.loads((tmp_path / "kept.prob.json").read_text(encoding="utf-8"))
    (tmp_path / "kept.prob.json").write_text(json.dumps({**content, "mask_digest": "ab" * 32}))
    assert medseg("measure", path, "--out", record, "--force").code == 0
    assert found(record, "probability_volume") == []
    assert any(item.code == "probabilities.ignored" for item in api.read_record(record).findings)


@pytest.mark.parametrize("source", ["shipped", "nnU-Net"])
def test_a_models_probabilities_are_kept_on_its_grid_and_measured_beside_its_voxels(
    source: str, medseg: Medseg, data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    name, options = "hippocampus", ("-p", "mirror=false")
    image = settings.shipped_folder() / "samples" / "hippocampus" / "mr.nii.gz"
    if source == "nnU-Net":
        name = "theirs"
        image = data("nnunet/input/hippocampus_035_0000.nii.gz")
        folder = data("nnunet/Dataset901_HippoTiny/nnUNetTrainer__nnUNetPlans__3d_fullres")
        assert medseg("models", "add", folder, "--name", name).code == 0
    path, record = tmp_path / "m.nii.gz", tmp_path / "r.json"
    assert medseg("segment", name, image, "--out", path, "--probabilities", *options).code == 0
    told = json.loads((tmp_path / "m.prob.json").read_text(encoding="utf-8"))
    assert told["rounding"]["to"] == "float16"
    assert medseg("measure", path, "--out", record).code == 0
    rows = api.read_record(record).measurements
    weighed = [
        row for row in rows if row.quantity.value == "probability_volume" and row.target.kind == "label"
    ]
    assert [row.target.name for row in weighed] == told["channels"][1:]
    if (
        source == "nnU-Net"
    ):  # what nnU-Net's own probabilities of this case add up to, which are kept natively
        theirs = np.load(data("nnunet/expected/901_plain_mirror0/hippocampus_035.npz"))["probabilities"]
        own = [float(one.sum(dtype=np.float64)) / 1000 for one in theirs[1:]]
        assert [row.value for row in weighed] == [pytest.approx(value, rel=0.01) for value in own]
    for row, added in zip(weighed, told["rounding"]["added_to_volumes_ml"][1:], strict=True):
        assert any(one.target == row.target and one.quantity.value == "volume" for one in rows)
        assert row.value is not None
        assert abs(added) <= 2.0**-11 * row.value
        assert row.method is not None
        assert row.method.endswith(f"which changed it by {added:+.2g} ml")


def test_one_compartment_at_a_time(medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path) -> None:
    scan, mask = two_balls
    options = ("--values", "HU", "--tissue", "a", "--tissue", "b", "--out", tmp_path / "r.json")
    assert "one label or region, not 2" in medseg("measure", mask, "--image", scan, *options).line


def test_an_empty_mask_says_that_nothing_was_looked_for(
    medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path
) -> None:
    scan, mask = two_balls
    image = nib.load(mask)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine, image.header), mask)
    assert medseg("measure", mask, "--image", scan, "--out", tmp_path / "r.json").code == 0
    assert [item.code for item in api.read_record(tmp_path / "r.json").findings] == ["mask.empty"]


def test_the_thickness_that_the_image_states_holds_for_a_nifti_mask(
    medseg: Medseg, data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = data("dicom/ibsi_sts002")
    record = tmp_path / "r.json"
    options = ("--image", folder / "CT" / "image", "--lesions", "all", "--rule", "recist-1.1")
    assert medseg("measure", folder / "nifti" / "CT_mask.nii.gz", *options, "--out", record).code == 0
    assert found(record, "meets_size_criterion") == [1]


def test_a_case_with_nothing_to_find_counts_in_a_cohort(medseg: Medseg, tmp_path: Path) -> None:
    for folder, values in (("p", (1, 0)), ("r", (1, 0))):
        (tmp_path / folder).mkdir()
        for name, value in zip("ab", values, strict=True):
            array = np.zeros((6, 6, 6), np.uint8)
            array[2:4, 2:4, 2:4] = value
            nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / folder / f"{name}.nii.gz")
    seen = medseg("evaluate", tmp_path / "p", tmp_path / "r", "--json")
    dice = [row for row in seen.json["result"]["measurements"] if row["quantity"] == "dice"]
    assert [(row["case"], row["value"]) for row in dice] == [("a", 1.0), ("b", 1.0)]
    bad = medseg("evaluate", tmp_path / "p", tmp_path / "r", "--tolerance-mm", "-1")
    assert "0 mm or more" in bad.line or "0 mm or more" in bad.err


def test_a_method_for_pet_takes_a_declared_nifti(
    medseg: Medseg, two_balls: tuple[Path, Path], tmp_path: Path
) -> None:
    scan, _ = two_balls
    out = tmp_path / "hot.nii.gz"
    options = ("pet-threshold", scan, "-p", "rule=fixed-4.0", "--out", out)
    assert medseg("segment", *options).code == 2
    assert medseg("segment", *options, "--values", "SUVbw").code == 0
    assert int((api.read_segmentation(out).labels > 0).sum()) > 0
