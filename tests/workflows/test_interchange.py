"""There and back through other libraries' objects: every voxel at its place, in 48 orientations and tilted."""

import sys
from collections.abc import Callable
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

import medseg
from medseg.domain import Grid, Image, Segmentation
from medseg.errors import InputError, LabelError, MissingExtra
from medseg.geometry import compare_grids, same_grid
from medseg.testing.grids import ORIENTATIONS, grid_around, random_turn

NAMES = {1: "liver", 2: "node"}
BOUNDS = np.array([[-20.0, 5.0, 100.0], [-4.0, 15.0, 118.0]])
GRIDS = {name: grid_around(BOUNDS, (0.9, 1.3, 2.1), orientation=name) for name in ORIENTATIONS}
GRIDS |= {
    f"oblique {seed}": grid_around(BOUNDS, (0.7, 0.7, 3.0), turn=random_turn(np.random.default_rng(seed)))
    for seed in range(4)
}

There = Callable[..., Any]
#: Library → (from medseg's value to its object, and back).
WAYS: dict[str, tuple[There, There]] = {
    "numpy": (medseg.to_numpy, lambda pair, **how: medseg.from_numpy(*pair, **how)),
    "nibabel": (medseg.to_nibabel, medseg.from_nibabel),
    "sitk": (medseg.to_sitk, medseg.from_sitk),
    "monai": (medseg.to_monai, medseg.from_torch),
}


def image_on(grid: Grid) -> Image:
    return Image(np.random.default_rng(0).normal(size=grid.shape).astype(np.float32), grid)


def mask_on(grid: Grid) -> Segmentation:
    labels = np.random.default_rng(1).integers(0, 3, grid.shape).astype(np.uint8)
    found = medseg.from_numpy(labels, grid.affine, labels=NAMES)
    assert isinstance(found, Segmentation)
    return found


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("library", WAYS)
def test_there_and_back_every_voxel_is_at_its_place(library: str, name: str) -> None:
    there, back = WAYS[library]
    image, mask = image_on(GRIDS[name]), mask_on(GRIDS[name])
    found = back(there(image))
    assert np.array_equal(found.array, image.array)
    assert compare_grids(found.grid, image.grid).corner_mm < 1e-3
    again = back(there(mask), labels=NAMES)
    assert np.array_equal(again.labels, mask.labels)
    assert (again.table, same_grid(again.grid, mask.grid)) == (mask.table, True)


def test_a_position_of_the_world_is_the_same_in_every_library() -> None:
    """The one bright voxel lies where each library says it does, in its own convention."""
    grid = GRIDS["PIL"]
    values = np.zeros(grid.shape, np.float32)
    values[2, 3, 1] = 1
    image, ras = Image(values, grid), grid.to_position(np.array([2, 3, 1]))
    assert nib.affines.apply_affine(medseg.to_nibabel(image).affine, [2, 3, 1]) == pytest.approx(ras)
    lps = medseg.to_sitk(image).TransformIndexToPhysicalPoint((2, 3, 1))
    assert lps == pytest.approx(ras * [-1, -1, 1])
    assert medseg.to_sitk(image).GetPixel(2, 3, 1) == 1
    tensor = medseg.to_monai(image)
    assert (tensor.affine.numpy() @ [2, 3, 1, 1])[:3] == pytest.approx(ras)
    assert (tuple(tensor.shape), float(tensor[0, 2, 3, 1])) == ((1, *grid.shape), 1.0)


def test_files_of_other_libraries_and_ours_agree(tmp_path: Any) -> None:
    image = image_on(GRIDS["oblique 1"])
    nib.save(medseg.to_nibabel(image), tmp_path / "a.nii.gz")
    sitk.WriteImage(medseg.to_sitk(image), str(tmp_path / "b.nrrd"))
    for name in ("a.nii.gz", "b.nrrd"):
        read = medseg.read(tmp_path / name)
        assert compare_grids(read.grid, image.grid).corner_mm < 1e-3
        assert np.array_equal(read.array, image.array)
    loaded = medseg.from_nibabel(nib.load(tmp_path / "a.nii.gz"))
    assert same_grid(loaded.grid, medseg.read(tmp_path / "a.nii.gz").grid)


def test_nibabel_is_placed_as_a_file_of_it_is() -> None:
    """Metres become millimetres, no form leaves the orientation unknown, an affine set in memory holds."""
    values = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    metres = nib.Nifti1Image(values, np.diag([0.002, 0.002, 0.003, 1]))
    metres.header.set_xyzt_units("meter")
    found = medseg.from_nibabel(metres)
    assert found.grid.spacing == pytest.approx((2, 2, 3))
    assert "nifti.unit_converted" in {item.code for item in found.findings}
    unplaced = nib.Nifti1Image(values, None)
    unplaced.header.set_zooms((1.0, 1.0, 2.0))
    found = medseg.from_nibabel(nib.Nifti1Image(values, None, unplaced.header))
    assert (found.grid.orientation_known, found.grid.spacing) == (False, (1.0, 1.0, 2.0))
    mgh = nib.MGHImage(values.astype(np.float32), GRIDS["LSP"].affine)
    assert np.allclose(medseg.from_nibabel(mgh).grid.affine, GRIDS["LSP"].affine, atol=1e-4)


def test_a_tensor_in_lps_is_turned_and_one_without_a_place_takes_it_from_its_image() -> None:
    image = image_on(GRIDS["RAS"])
    tensor = medseg.to_monai(image)
    turned = tensor.clone()
    turned.affine = turned.affine.clone()
    turned.affine[:2] *= -1
    turned.meta["space"] = "LPS"
    assert same_grid(medseg.from_torch(turned).grid, image.grid)
    plain = medseg.to_torch(image)
    assert not hasattr(plain, "affine")
    assert same_grid(medseg.from_torch(plain, like=image).grid, image.grid)
    assert medseg.from_torch(plain).grid.unit == "px"


def test_many_labels_reach_torch() -> None:
    labels = np.arange(300, dtype=np.uint16).reshape(10, 10, 3)
    mask = medseg.from_numpy(labels, np.eye(4), labels={})
    assert np.array_equal(medseg.to_torch(mask)[0].numpy(), labels)
    assert mask.table.name_of(299) == "label 299"


def test_what_comes_out_is_a_copy() -> None:
    image = image_on(GRIDS["RAS"])
    before = image.digest
    array, affine = medseg.to_numpy(image)
    array[:] = 0
    affine[:] = 0
    medseg.to_torch(image)[:] = 0
    np.asanyarray(medseg.to_nibabel(image).dataobj)[:] = 0
    assert (medseg.from_numpy(image.array, like=image).digest, image.digest) == (before, before)


def test_a_pipeline_of_arrays_is_measured() -> None:
    """Ten by ten by ten voxels of 1 × 1 × 2 mm, from numpy to ml, in three lines."""
    labels = np.zeros((20, 20, 20), bool)
    labels[5:15, 5:15, 5:15] = True
    mask = medseg.from_numpy(labels, np.diag([1.0, 1.0, 2.0, 1.0]), labels={1: "cube"})
    table = medseg.to_dataframe(medseg.measure(mask))
    row = table[(table["name"] == "cube") & (table["quantity"] == "volume")].iloc[0]
    assert (row["value"], row["unit"]) == (2.0, "ml")


def test_numbers_that_are_none_are_left_out_and_said() -> None:
    values = np.ones((3, 3, 3), np.float32)
    values[0, 0, 0] = np.nan
    image = medseg.from_numpy(values, np.eye(4))
    assert image.outside.sum() == 1
    assert "image.not_finite" in {item.code for item in image.findings}


PX = Image(np.zeros((4, 4, 1), np.uint8), Grid((4, 4, 1), np.diag([-1.0, -1, 1, 1]), unit="px"))
UNKNOWN = Image(np.zeros((4, 4, 4), np.uint8), Grid((4, 4, 4), np.eye(4), orientation_known=False))
SHEARED = Grid((40, 40, 40), np.array([[1, 0, 0.5, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
REFUSED = [
    (lambda: medseg.to_nibabel(PX), InputError, "pixels for millimetres"),
    (lambda: medseg.to_sitk(PX), InputError, "pixels for millimetres"),
    (lambda: medseg.to_monai(PX), InputError, "pixels for millimetres"),
    (lambda: medseg.to_sitk(UNKNOWN), InputError, "orientation is unknown"),
    (lambda: medseg.to_sitk(image_on(SHEARED)), InputError, "sheared"),
    (lambda: medseg.from_numpy(np.zeros((2, 3, 4, 5))), InputError, "one channel at a time"),
    (lambda: medseg.from_numpy(np.zeros((2, 3, 4)), np.eye(4), like=PX), InputError, "not by both"),
    (lambda: medseg.from_numpy(np.zeros((2, 3, 4)), like=PX), InputError, "can't lie on a grid"),
    (lambda: medseg.from_numpy(np.full((2, 2, 2), 0.5), labels={1: "a"}), LabelError, "whole numbers"),
    (lambda: medseg.from_numpy(np.full((2, 2, 2), -1), labels={1: "a"}), LabelError, "0 and more"),
    (lambda: medseg.from_numpy(np.full((2, 2, 2), 70000), labels={1: "a"}), LabelError, "up to 65535"),
    (lambda: medseg.from_torch(medseg.to_torch(UNKNOWN).repeat(2, 1, 1, 1)), InputError, "tensor\\[:1\\]"),
    (lambda: medseg.from_sitk(sitk.Image(4, 4, sitk.sitkUInt8)), InputError, "three dimensions"),
    (lambda: medseg.from_sitk(sitk.Image([4, 4, 4], sitk.sitkVectorUInt8, 3)), InputError, "one value"),
    (lambda: medseg.from_nibabel(nib.Nifti1Image(np.zeros((2, 2, 2, 3)), np.eye(4))), InputError, "slicer"),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_is_refused(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchio", None)
    with pytest.raises(MissingExtra, match="torchio, which is not installed"):
        medseg.to_torchio({"mr": image_on(GRIDS["RAS"])})


@pytest.mark.parametrize("name", ["RAS", "PIL", "oblique 2"])
def test_a_subject_of_torchio_goes_there_and_back(name: str) -> None:
    pytest.importorskip("torchio", reason="TorchIO is not installed")
    image, mask = image_on(GRIDS[name]), mask_on(GRIDS[name])
    subject = medseg.to_torchio({"mr": image, "organs": mask})
    found = medseg.from_torchio(subject, labels=NAMES)
    assert np.array_equal(found["mr"].array, image.array)
    assert np.array_equal(found["organs"].labels, mask.labels)
    assert found["organs"].table == mask.table
    for value in found.values():
        assert compare_grids(value.grid, image.grid).corner_mm < 1e-3
