"""A mask that comes back from another program: placed, changed, or another one; and what is said of it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from medseg.domain import Grid, Label, LabelTable, Provenance, Segmentation
from medseg.errors import OutputError
from medseg.io import read_segmentation, write_segmentation
from medseg.io.sidecar import sidecar_path

TABLE = LabelTable((Label(1, "core", side="left"), Label(4, "oedema")))


@pytest.fixture
def tumour() -> Segmentation:
    labels = np.zeros((5, 6, 4), np.uint8)
    labels[1:3, 2:4, 1:3] = 1
    labels[3, 3, 3] = 4
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])
    affine[:3, 3] = (20.0, 30.0, -40.0)
    return Segmentation(labels, Grid(labels.shape, affine), TABLE, Provenance("otsu", (("side", "above"),)))


def codes(found: Segmentation) -> list[str]:
    return [item.code for item in found.findings if item.code != "nifti.unit_unknown"]


def flip_axes(path: Path) -> None:
    """As a program that always writes RAS."""
    nib.save(nib.as_closest_canonical(nib.load(path)), path)


def permute_axes(path: Path) -> None:
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.PermuteAxes(image, [2, 0, 1]), str(path))


def to_float(path: Path) -> None:
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj).astype(np.float32), image.affine), path)


def crop(path: Path) -> None:
    image = nib.load(path)
    nib.save(image.slicer[1:4, 2:5, 1:4], path)


STORED = [
    ("the same", None, []),
    ("flipped", flip_axes, ["mask.placed"]),
    ("permuted", permute_axes, ["mask.placed"]),
]
STORED += [("as float", to_float, []), ("cropped", crop, ["mask.placed"])]


@pytest.mark.parametrize(("store", "expected"), [row[1:] for row in STORED], ids=[row[0] for row in STORED])
def test_the_same_voxels_stored_otherwise_are_the_same_mask(
    tumour: Segmentation, tmp_path: Path, store: Callable[[Path], None] | None, expected: list[str]
) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    if store is not None:
        store(path)
    found = read_segmentation(path)
    assert found.digest == tumour.digest
    assert (found.grid.affine == tumour.grid.affine).all()
    assert found.table == TABLE
    assert found.made_by == tumour.made_by
    assert codes(found) == expected


def paint(path: Path, *voxels: tuple[int, int, int, int], then: Callable[[Path], None] | None = None) -> None:
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    for i, j, k, value in voxels:
        values[i, j, k] = value
    nib.save(nib.Nifti1Image(values, image.affine), path)
    if then is not None:
        then(path)


@pytest.mark.parametrize("then", [None, flip_axes, permute_axes])
def test_a_changed_mask_keeps_its_history_and_says_what_changed(
    tumour: Segmentation, tmp_path: Path, then: Callable[[Path], None] | None
) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    paint(path, (0, 0, 0, 1), (3, 3, 3, 0), then=then)
    found = read_segmentation(path)
    assert found.made_by.segmenter == "otsu"
    (edit,) = found.made_by.edits
    assert edit.operation == "changed outside medseg"
    assert [(c.label, c.net_voxels, c.net_ml) for c in edit.changes] == [
        ("core", 1, 0.006),
        ("oedema", -1, -0.006),
    ]
    assert edit.slices == (0, 3)
    assert "mask.changed_outside" in codes(found)
    assert found.table == TABLE
    assert (found.grid.affine == tumour.grid.affine).all()


def test_a_label_that_was_added_elsewhere_gets_a_name(tumour: Segmentation, tmp_path: Path) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    paint(path, (0, 0, 0, 2))
    found = read_segmentation(path)
    assert found.table.name_of(2) == "label 2"
    assert found.table.name_of(1) == "core"


def test_a_change_is_kept_when_the_mask_is_written_again(tumour: Segmentation, tmp_path: Path) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    paint(path, (0, 0, 0, 1))
    once = read_segmentation(path)
    again = read_segmentation(write_segmentation(once, tmp_path / "n.nii.gz"))
    assert again.made_by == once.made_by
    assert codes(again) == codes(once)
    paint(tmp_path / "n.nii.gz", (0, 0, 1, 1))
    assert len(read_segmentation(tmp_path / "n.nii.gz").made_by.edits) == 2


def other_shape(path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.diag([1, 1, 1, 1])), path)


def other_spacing(path: Path) -> None:
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.uint8), image.affine @ np.diag([1.5, 1, 1, 1])), path)


@pytest.mark.parametrize("replaced", [other_shape, other_spacing])
def test_a_mask_on_another_grid_is_another_mask(
    tumour: Segmentation, tmp_path: Path, replaced: Callable[[Path], None]
) -> None:
    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    replaced(path)
    found = read_segmentation(path)
    assert found.made_by == Provenance()
    assert codes(found) == ["sidecar.ignored"]


def test_a_sidecar_of_before_knows_no_slices(tumour: Segmentation, tmp_path: Path) -> None:
    import json

    path = write_segmentation(tumour, tmp_path / "m.nii.gz")
    old = json.loads(sidecar_path(path).read_text())
    del old["footprint"]
    sidecar_path(path).write_text(json.dumps({**old, "schema": "medseg.mask/1.0"}))
    assert read_segmentation(path).made_by == tumour.made_by
    paint(path, (0, 0, 0, 1))
    assert codes(read_segmentation(path)) == ["sidecar.ignored"]


def test_a_picture_that_a_paint_program_made_white_is_the_same_mask(tmp_path: Path) -> None:
    from PIL import Image as Picture

    labels = np.zeros((8, 6, 1), np.uint8)
    labels[2:5, 2:4] = 1
    grid = Grid(labels.shape, np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px", orientation_known=False)
    path = write_segmentation(
        Segmentation(labels, grid, LabelTable((Label(1, "core"),)), Provenance("otsu")), tmp_path / "m.png"
    )
    white = np.asarray(Picture.open(path)) * 255
    Picture.fromarray(white).save(path)
    found = read_segmentation(path)
    assert found.table.name_of(1) == "core"
    assert found.made_by.edits == ()
    assert codes(found) == ["labels.black_and_white"]


def test_slicers_file_says_what_was_changed_in_slicer(tumour: Segmentation, tmp_path: Path) -> None:
    path = write_segmentation(tumour, tmp_path / "m.seg.nrrd")
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    array[0, 0, 0] = 1
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        changed.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(changed, str(path))
    found = read_segmentation(path)
    assert found.made_by.segmenter == "otsu"
    assert [edit.operation for edit in found.made_by.edits] == ["changed outside medseg"]


def test_of_two_writers_of_one_mask_the_winner_keeps_its_sidecar(
    tumour: Segmentation, tmp_path: Path
) -> None:
    path, barrier, won = tmp_path / "mask.nii.gz", threading.Barrier(6), []

    def write(number: int) -> None:
        made = replace(tumour, made_by=Provenance("otsu", (("number", number),)))
        barrier.wait()
        with suppress(OutputError):
            write_segmentation(made, path)
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (number,) = won
    found = read_segmentation(path)
    assert dict(found.made_by.parameters) == {"number": number}
    assert codes(found) == []
    assert {item.name for item in tmp_path.iterdir()} == {"mask.nii.gz", "mask.seg.json"}
