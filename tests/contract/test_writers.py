"""What every writer promises: the same voxels at the same places, whole or not at all."""

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from medseg import plugins
from medseg.domain import Grid, Image, LabelTable, Segmentation
from medseg.errors import InputError, OutputError, UnsupportedFormatError
from medseg.geometry import same_grid
from medseg.io import read, read_segmentation, write_image, write_segmentation
from medseg.io.protocols import Writer

MM_FORMATS = ["x.nii.gz", "x.nii", "x.nrrd", "x.mha"]
PX_FORMATS = ["x.png", "x.tif", "x.tiff"]
SHAPE = (6, 7, 5)


def rotation(*degrees: float) -> NDArray[np.float64]:
    x, y, z = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def placed(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = (-31.5, 12.25, 140.0)
    return affine


STEPS = np.array([0.9, 1.3, 2.7])
ORDERS = [
    (f"{order} {signs}", placed(np.eye(3)[:, order] * signs * STEPS))
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
OBLIQUE = [
    (f"turned by {angles}", placed(rotation(*angles) * STEPS))
    for angles in ((10, 0, 0), (0, 38.7, 0), (3.5, -12, 80), (44, 44, 44), (-0.3, 0.2, 179))
]


@pytest.fixture
def labels() -> NDArray[np.uint8]:
    array = np.zeros(SHAPE, np.uint8)
    array[1:3, 2:6, 3] = 1
    array[4, 1, 0] = 2
    return array


def judged_centroid(path: Path, by: str) -> NDArray[np.float64]:
    """Centroid of label 1 in RAS mm, by a library that shares no code with ours."""
    if by == "nibabel":
        image = nib.load(path)
        index = np.argwhere(np.asarray(image.dataobj) == 1).mean(axis=0)
        return image.affine[:3, :3] @ index + image.affine[:3, 3]
    image = sitk.ReadImage(str(path))
    index = np.argwhere(sitk.GetArrayFromImage(image) == 1).mean(axis=0)[::-1]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index.tolist())) * (-1, -1, 1)


@pytest.mark.parametrize(("case", "affine"), ORDERS + OBLIQUE, ids=[name for name, _ in ORDERS + OBLIQUE])
def test_every_orientation_is_where_others_find_it(labels, case, affine, tmp_path: Path) -> None:
    grid = Grid(SHAPE, affine)
    segmentation = Segmentation(labels, grid, LabelTable.from_values((1, 2)))
    expected = grid.to_position(np.argwhere(labels == 1)).mean(axis=0)
    for name in ("x.nii.gz", "x.nrrd", "x.mha"):
        path = write_segmentation(segmentation, tmp_path / case / name)
        for by in ("nibabel", "sitk") if name == "x.nii.gz" else ("sitk",):
            np.testing.assert_allclose(judged_centroid(path, by), expected, atol=1e-3)
        again = read(path)
        assert same_grid(again.grid, grid)
        np.testing.assert_array_equal(again.array, labels)


@pytest.mark.parametrize("name", plugins.names(plugins.WRITERS))
def test_a_writer_keeps_to_the_protocol(name: str) -> None:
    writer = plugins.load(plugins.WRITERS, name)
    assert isinstance(writer, Writer)
    assert writer.name == name
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in writer.suffixes)


@pytest.mark.parametrize("name", MM_FORMATS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i2"])
def test_values_keep_their_type(name: str, dtype: str, tmp_path: Path) -> None:
    array = np.arange(210).reshape(SHAPE).astype(dtype) if dtype[-1] != "1" else np.ones(SHAPE, dtype)
    image = Image(array, Grid(SHAPE, placed(np.diag(STEPS))))
    again = read(write_image(image, tmp_path / name))
    np.testing.assert_array_equal(again.array, array)
    assert again.array.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("name", MM_FORMATS)
def test_a_shear_is_kept(name: str, labels, tmp_path: Path) -> None:
    matrix = np.diag(STEPS)
    matrix[1, 2] = 0.7
    grid = Grid(SHAPE, placed(matrix))
    path = write_image(Image(labels, grid), tmp_path / name)
    assert same_grid(read(path).grid, grid)
    if name == "x.nii":
        header = nib.load(path).header
        assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 1)


def test_nifti_says_both_forms_and_millimetres(labels, tmp_path: Path) -> None:
    path = write_image(Image(labels, Grid(SHAPE, placed(rotation(5, 5, 5) * STEPS))), tmp_path / "x.nii.gz")
    header = nib.load(path).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert header.get_data_dtype() == np.uint8
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)


def test_an_unknown_orientation_stays_unknown(labels, tmp_path: Path) -> None:
    grid = Grid(SHAPE, np.diag([*STEPS, 1.0]), orientation_known=False)
    again = read(write_image(Image(labels, grid), tmp_path / "x.nii.gz"))
    assert not again.grid.orientation_known
    assert again.grid.spacing == pytest.approx(grid.spacing)
    for name in ("x.nrrd", "x.mha"):
        with pytest.raises(InputError, match="--orientation"):
            write_image(Image(labels, grid), tmp_path / name)
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", PX_FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_keep_their_values(name: str, dtype: type, tmp_path: Path) -> None:
    array = (np.arange(42).reshape(6, 7, 1) * (1 if dtype is np.uint8 else 1500)).astype(dtype)
    grid = Grid((6, 7, 1), np.diag([-1.0, -1, 1, 1]), unit="px", orientation_known=False)
    again = read(write_image(Image(array, grid), tmp_path / name))
    np.testing.assert_array_equal(again.array, array)
    assert again.grid.unit == "px"
    names = LabelTable.from_values(tuple(int(value) for value in np.unique(array)))
    path = write_segmentation(Segmentation(array, grid, names), tmp_path / f"mask-{name}")
    assert read_segmentation(path).table == names


WRONG = [
    ("x.nii.gz", "px", "png"),
    ("x.nrrd", "px", "png"),
    ("x.mha", "px", "png"),
    ("x.png", "mm", "nii"),
    ("x.tif", "mm", "nii"),
]


@pytest.mark.parametrize(("name", "unit", "remedy"), WRONG)
def test_a_format_that_would_lie_about_sizes_is_refused(name: str, unit, remedy: str, tmp_path: Path) -> None:
    image = Image(np.zeros((4, 4, 1), np.uint8), Grid((4, 4, 1), np.diag([-1.0, -1, 1, 1]), unit=unit))
    with pytest.raises(InputError, match=remedy) as caught:
        write_image(image, tmp_path / name)
    assert name in str(caught.value)
    assert ".medseg-" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.jpg", "x.mhd", "x.xyz", "x", "x.dcm"])
def test_formats_nobody_writes(name: str, labels, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"\.nii\.gz"):
        write_image(Image(labels, Grid(SHAPE, np.eye(4))), tmp_path / name)


@pytest.mark.parametrize("name", MM_FORMATS)
def test_nothing_half_written(name: str, labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(labels, Grid(SHAPE, np.eye(4)))
    path = write_image(image, tmp_path / name)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="--force"):
        write_image(image, path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medseg.io.write.read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_image(Image(labels + 1, image.grid), path, force=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", MM_FORMATS)
def test_a_writer_that_errs_is_caught_by_reading_again(
    name: str, labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image(labels, Grid(SHAPE, np.eye(4)))
    wrong = Image(labels[::-1].copy(), image.grid)
    monkeypatch.setattr("medseg.io.write.read", lambda _path: wrong)
    with pytest.raises(OutputError, match="other values"):
        write_image(image, tmp_path / name)
    assert not list(tmp_path.iterdir())
