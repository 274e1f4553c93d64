"""Masks: whole numbers, names, and the sidecar that belongs to one mask only."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.domain import Finding, Grid, Label, LabelTable, Provenance, ReadOptions, Region, Segmentation
from medseg.errors import ConfigError, LabelError, OutputError
from medseg.io import atomic, read, read_segmentation, write_image, write_probabilities, write_segmentation
from medseg.io.sidecar import has_sidecar, sidecar_path

AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])


def mask(path: Path, array: np.ndarray) -> Path:
    image = nib.Nifti1Image(array, AFFINE)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


@pytest.fixture
def tumour() -> Segmentation:
    labels = np.zeros((5, 6, 4), np.uint8)
    labels[1:3, 2:4, 1:3] = 1
    labels[3, 3, 3] = 4
    table = LabelTable((Label(1, "core", side="unknown"), Label(4, "oedema")), (Region("whole", (1, 4)),))
    third = np.eye(4)
    third[:3, :3] = np.diag([1 / 3, 0.7, 3.3])
    return Segmentation(
        labels,
        Grid(labels.shape, third, frame_of_reference="1.2.3", slice_thickness=4.0),
        table,
        Provenance("otsu", (("bins", 256), ("side", "above"))),
        (Finding("example.note", "info", "Synthetic."),),
    )


ROUNDED = [
    (np.float32(1.0), set()),
    (np.float32(0.9995), {"labels.rounded"}),
    (np.float64(2.0001), {"labels.rounded"}),
]


@pytest.mark.parametrize(("value", "codes"), ROUNDED)
def test_nearly_whole_numbers_are_rounded(tmp_path: Path, value, codes) -> None:
    array = np.zeros((3, 3, 3), value.dtype)
    array[1, 1, 1] = value
    segmentation = read_segmentation(mask(tmp_path / "m.nii.gz", array))
    assert segmentation.present == (round(float(value)),)
    assert segmentation.labels.dtype == np.uint8
    assert {finding.code for finding in segmentation.findings} == codes


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5, "0.5"), (1.01, "1.01"), (-1.0, "-1"), (1e17, "99999998430674944")]
)
def test_what_is_no_label_is_refused_with_an_example(tmp_path: Path, value: float, shown: str) -> None:
    array = np.zeros((3, 3, 3), np.float32)
    array[1, 1, 1] = value
    with pytest.raises(LabelError, match=shown):
        read_segmentation(mask(tmp_path / "m.nii.gz", array))


def test_voxels_that_hold_no_number_are_no_labels(tmp_path: Path) -> None:
    array = np.zeros((3, 3, 3), np.float32)
    array[0, 0, 0] = np.nan
    with pytest.raises(LabelError, match="NaN"):
        read_segmentation(mask(tmp_path / "m.nii.gz", array))


def test_an_empty_mask_is_a_mask(tmp_path: Path) -> None:
    segmentation = read_segmentation(mask(tmp_path / "m.nii.gz", np.zeros((3, 3, 3), np.uint8)))
    assert segmentation.present == ()
    assert segmentation.table.labels == ()


def test_a_mask_with_very_many_labels_may_be_an_image(tmp_path: Path) -> None:
    array = np.arange(1000, dtype=np.uint16).reshape(10, 10, 10)
    segmentation = read_segmentation(mask(tmp_path / "m.nii.gz", array))
    assert [finding.code for finding in segmentation.findings] == ["labels.many"]


TABLES = [
    ("t.yaml", "1: liver\n2: spleen\n"),
    ("t.json", '{"1": "liver", "2": "spleen"}'),
    ("t.json", '{"background": 0, "liver": 1, "spleen": 2}'),
    ("t.json", '{"labels": [{"value": 1, "name": "liver"}, {"value": 2, "name": "spleen"}]}'),
]


@pytest.mark.parametrize(("name", "text"), TABLES)
def test_names_from_a_file(tmp_path: Path, name: str, text: str) -> None:
    array = np.zeros((3, 3, 3), np.uint8)
    array[0] = 1
    (tmp_path / name).write_text(text)
    segmentation = read_segmentation(mask(tmp_path / "m.nii.gz", array), labels=tmp_path / name)
    assert [label.name for label in segmentation.table.labels] == ["liver", "spleen"]


def test_labels_without_a_name_in_the_file(tmp_path: Path) -> None:
    array = np.full((3, 3, 3), 9, np.uint8)
    (tmp_path / "t.yaml").write_text("1: liver\n")
    segmentation = read_segmentation(mask(tmp_path / "m.nii.gz", array), labels=tmp_path / "t.yaml")
    assert segmentation.table.name_of(9) == "label 9"
    assert [finding.code for finding in segmentation.findings] == ["labels.unnamed"]


BAD_TABLES = ["", "[1, 2]", "1: a\n2: a\n", "liver", "{", '{"labels": [{"value": 1, "nome": "x"}]}', "x: y\n"]


@pytest.mark.parametrize("text", BAD_TABLES)
def test_a_bad_table_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    path = mask(tmp_path / "m.nii.gz", np.ones((3, 3, 3), np.uint8))
    with pytest.raises((ConfigError, LabelError)) as caught:
        read_segmentation(path, labels=tmp_path / "t.yaml")
    assert "\n" not in str(caught.value)
    assert "t.yaml" in str(caught.value)


@pytest.mark.parametrize("name", ["m.nii.gz", "m.nii", "m.nrrd", "m.mha", "M x.NII.GZ"])
def test_everything_comes_back(tmp_path: Path, tumour: Segmentation, name: str) -> None:
    path = write_segmentation(tumour, tmp_path / name)
    assert has_sidecar(path)
    again = read_segmentation(path)
    assert again.digest == tumour.digest
    assert again.table == tumour.table
    assert again.made_by == tumour.made_by
    assert again.findings == tumour.findings
    np.testing.assert_array_equal(again.grid.affine, tumour.grid.affine)
    assert again.grid.frame_of_reference == "1.2.3"
    assert again.grid.slice_thickness == 4.0


def test_ten_cycles_change_nothing(tmp_path: Path, tumour: Segmentation) -> None:
    segmentation = tumour
    for number, suffix in enumerate([".nii.gz", ".nrrd", ".mha", ".nii", ".seg.nrrd"] * 2):
        path = write_segmentation(segmentation, tmp_path / f"{number}{suffix}")
        sidecar_path(path).unlink()
        segmentation = replace(read_segmentation(path), table=tumour.table)
    assert segmentation.digest == tumour.digest
    np.testing.assert_allclose(segmentation.grid.affine, tumour.grid.affine, atol=1e-6)


def test_a_sidecar_of_other_voxels_is_ignored(tmp_path: Path, tumour: Segmentation) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    mask(path, (tumour.labels > 0).astype(np.uint8))
    again = read_segmentation(path)
    assert again.made_by == Provenance()
    assert again.table.name_of(1) == "label 1"
    assert [finding.code for finding in again.findings] == ["sidecar.ignored"]


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"schema": "medseg.mask/9.0"}'])
def test_a_damaged_sidecar_is_ignored(tmp_path: Path, tumour: Segmentation, text: str) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    sidecar_path(path).write_text(text)
    assert [finding.code for finding in read_segmentation(path).findings] == ["sidecar.ignored"]


def test_a_mask_moved_since_keeps_its_names_and_says_so(tmp_path: Path, tumour: Segmentation) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    nib.save(nib.Nifti1Image(tumour.labels, AFFINE), path)
    again = read_segmentation(path)
    assert again.table == tumour.table
    assert again.grid.spacing == (1, 2, 3)
    assert "sidecar.other_grid" in {finding.code for finding in again.findings}


def test_a_slice_thickness_by_the_user_reaches_the_grid(tmp_path: Path) -> None:
    path = mask(tmp_path / "m.nii.gz", np.ones((3, 3, 3), np.uint8))
    write_segmentation(read_segmentation(path), tmp_path / "n.nii.gz")
    again = read_segmentation(tmp_path / "n.nii.gz", options=ReadOptions(slice_thickness=6.0))
    assert again.grid.slice_thickness == 6.0


def test_force_replaces_mask_and_sidecar_together(tmp_path: Path, tumour: Segmentation) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    other = replace(tumour, labels=np.ascontiguousarray(tumour.labels[::-1]), made_by=Provenance("by hand"))
    with pytest.raises(OutputError, match="--force"):
        write_segmentation(other, path)
    assert read_segmentation(path).made_by == tumour.made_by
    write_segmentation(other, path, force=True)
    assert read_segmentation(path).made_by == Provenance("by hand")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["m.nii.gz", "m.seg.json"]


def test_an_interrupted_run_leaves_mask_and_sidecar_as_they_were(
    tmp_path: Path, tumour: Segmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    before = {item.name: item.read_bytes() for item in tmp_path.iterdir()}

    def killed(staged: Path, target: Path, **how: bool) -> None:
        if target.suffix == ".gz":
            raise KeyboardInterrupt
        original(staged, target, **how)

    original = atomic._name
    monkeypatch.setattr(atomic, "_name", killed)
    with pytest.raises(KeyboardInterrupt):
        write_segmentation(replace(tumour, made_by=Provenance("by hand")), path, force=True)
    with pytest.raises(KeyboardInterrupt):
        write_segmentation(tumour, tmp_path / "other.nii.gz")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == before


def test_two_masks_do_not_share_a_sidecar(tmp_path: Path, tumour: Segmentation) -> None:
    write_segmentation(tumour, tmp_path / "m.nii.gz")
    write_segmentation(tumour, tmp_path / "m.mha")  # the same mask in another format
    other = replace(tumour, labels=np.ascontiguousarray(tumour.labels[::-1]))
    with pytest.raises(OutputError, match="another stem"):
        write_segmentation(other, tmp_path / "m.nrrd")
    assert not (tmp_path / "m.nrrd").exists()


def test_a_sidecar_without_its_mask_is_replaced(tmp_path: Path, tumour: Segmentation) -> None:
    """A run that was killed between the two leaves one."""
    sidecar_path(tmp_path / "m.nii.gz").write_text("{}")
    assert read_segmentation(write_segmentation(tumour, tmp_path / "m.nii.gz")).table == tumour.table


def test_the_sidecar_is_versioned_json(tmp_path: Path, tumour: Segmentation) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    content = json.loads(sidecar_path(path).read_text())
    assert content["schema"] == "medseg.mask/1.1"
    assert content["mask_digest"] == tumour.digest
    assert content["grid"]["shape"] == [5, 6, 4]


def test_probabilities_stand_beside_the_mask(tmp_path: Path, tumour: Segmentation) -> None:
    share = np.linspace(0, 1, 120, dtype=np.float16).reshape(5, 6, 4)
    probabilities = np.stack([1 - share, share, share * 0])
    path = write_probabilities(replace(tumour, probabilities=probabilities), tmp_path / "m.nii.gz")
    assert path.name == "m.prob.nii.gz"
    for number in range(3):
        image = read(path, options=ReadOptions(volume=str(number)))
        np.testing.assert_array_equal(image.array, probabilities[number].astype(np.float32))
    names = json.loads((tmp_path / "m.prob.json").read_text())
    assert names["channels"] == ["background", "core", "oedema"]


def test_real_labels_stored_as_float(data: Callable[[str], Path], tmp_path: Path) -> None:
    original = read_segmentation(data("hippocampus/labelsTr/hippocampus_003.nii.gz"))
    again = read_segmentation(write_segmentation(original, tmp_path / "h.nrrd"))
    assert again.digest == original.digest


def test_an_image_that_holds_no_number_is_not_written(tmp_path: Path) -> None:
    from medseg.domain import Image
    from medseg.errors import InputError

    array = np.full((3, 3, 3), np.nan, np.float32)
    with pytest.raises(InputError, match="NaN"):
        write_image(Image(array, Grid(array.shape, AFFINE)), tmp_path / "x.nii.gz")
    assert not list(tmp_path.iterdir())
