"""NIfTI voxels: shapes, types, scaling, damage."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from medseg.domain import ReadOptions, Source
from medseg.errors import InputError
from medseg.io import inspect, read, read_segmentation

Nifti = Callable[..., Path]
SFORM = np.diag([1.0, 2.0, 3.0, 1.0])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "UPPER.NII.GZ", "with space.nii", "größe.nii.gz"])
def test_values_come_back(nifti: Nifti, values: NDArray[np.int16], name: str) -> None:
    path = nifti(sform=SFORM, name=name)
    image = read(str(path))
    np.testing.assert_array_equal(image.array, values)
    assert image.array.dtype == np.int16
    assert not image.array.flags.writeable
    assert isinstance(image.source, Source)
    assert image.source.uri == str(path)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i2", ">f4", ">f8"]
)
def test_every_numeric_type(tmp_path: Path, dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    order = ">" if dtype.startswith(">") else "<"
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(array.dtype)
    nib.save(nib.Nifti1Image(array, SFORM, header, dtype=array.dtype), tmp_path / "x.nii")
    image = read(tmp_path / "x.nii")
    np.testing.assert_array_equal(image.array, array)
    assert image.array.dtype == np.dtype(dtype).newbyteorder("=")


def test_nifti_2(tmp_path: Path, values: NDArray[np.int16]) -> None:
    nib.save(nib.Nifti2Image(values, SFORM), tmp_path / "two.nii.gz")
    np.testing.assert_array_equal(read(tmp_path / "two.nii.gz").array, values)


def test_a_2d_file_is_one_slice(nifti: Nifti, values: NDArray[np.int16]) -> None:
    image = read(nifti(values[:, :, 0], sform=SFORM))
    assert image.array.shape == (5, 6, 1)
    assert image.grid.slice_thickness is None


def test_a_2d_file_without_a_step_between_slices(nifti: Nifti, values: NDArray[np.int16]) -> None:
    flat = SFORM.copy()
    flat[2, 2] = 0
    rows = {f"srow_{name}": flat[row] for row, name in enumerate("xyz")}
    image = read(nifti(values[:, :, 0], sform=SFORM, **rows))
    assert image.grid.spacing == (1, 2, 1)


def test_4d_asks_which_volume(nifti: Nifti) -> None:
    array = np.arange(5 * 6 * 4 * 3, dtype=np.int16).reshape(5, 6, 4, 3)
    path = nifti(array, sform=SFORM)
    assert [source.volume for source in inspect(path)] == ["0", "1", "2"]
    with pytest.raises(InputError, match=r"3 volumes; choose with --volume: 0 .*1 .*2"):
        read(path)
    for number in range(3):
        image = read(path, options=ReadOptions(volume=str(number)))
        np.testing.assert_array_equal(image.array, array[..., number])
    np.testing.assert_array_equal(read(path, source=inspect(path)[2]).array, array[..., 2])
    with pytest.raises(InputError, match="no volume '3'"):
        read(path, options=ReadOptions(volume="3"))


def test_4d_with_one_volume_is_3d(nifti: Nifti, values: NDArray[np.int16]) -> None:
    path = nifti(values[..., None], sform=SFORM)
    np.testing.assert_array_equal(read(path).array, values)
    assert read(path, options=ReadOptions(volume="0")).grid.shape == (5, 6, 4)
    with pytest.raises(InputError, match="one volume"):
        read(path, options=ReadOptions(volume="1"))


SCALING = [
    # stored type, slope, intercept, expected type
    ("int16", 1.0, 0.0, "int16"),
    ("uint16", 1.0, -1024.0, "int16"),
    ("uint8", 2.0, 0.0, "uint8"),
    ("uint8", 10.0, -1024.0, "int16"),
    ("int16", 0.5, 0.0, "float32"),
    ("int32", 0.1, 3.0, "float64"),
    ("float32", 2.0, 0.0, "float32"),
    ("float64", 2.0, 1.0, "float64"),
    ("int16", 0.0, 5.0, "int16"),
    ("int16", np.nan, np.nan, "int16"),
]


@pytest.mark.parametrize(("stored", "slope", "intercept", "expected"), SCALING)
def test_slope_and_intercept(
    nifti: Nifti, stored: str, slope: float, intercept: float, expected: str
) -> None:
    array = np.arange(120).reshape(5, 6, 4).astype(stored)
    image = read(nifti(array, sform=SFORM, scl_slope=slope, scl_inter=intercept))
    scaled = slope != 0 and np.isfinite(slope)
    wanted = array.astype(float) * slope + intercept if scaled else array
    np.testing.assert_allclose(image.array, wanted, rtol=1e-6)
    assert image.array.dtype == expected


def test_voxels_that_hold_no_number(nifti: Nifti, values: NDArray[np.int16]) -> None:
    array = values.astype(np.float32)
    array[0, 0, :2] = np.nan
    array[1, 1, 1] = np.inf
    image = read(nifti(array, sform=SFORM))
    (finding,) = [item for item in image.findings if item.code == "image.not_finite"]
    assert finding.detail("voxels") == 3
    assert image.outside is not None
    assert int(image.outside.sum()) == 3
    assert np.isfinite(image.array).all()
    np.testing.assert_array_equal(image.array[~image.outside], array[~image.outside])
    array[:] = np.nan
    with pytest.raises(InputError, match="no voxel holds a number"):
        read(nifti(array, sform=SFORM, name="nothing.nii"))


REFUSED = [
    (128, "RGB"),
    (2304, "RGBA"),
    (32, "complex"),
    (1792, "complex"),
    (1536, "128-bit"),
    (1, "one bit"),
]


@pytest.mark.parametrize(("code", "word"), REFUSED)
def test_other_kinds_of_values_are_refused_by_name(nifti: Nifti, code: int, word: str) -> None:
    path = nifti(sform=SFORM, datatype=code)
    with pytest.raises(InputError, match=word):
        read(path)


def damaged(path: Path, how: str) -> bytes:
    data = path.read_bytes()
    if how == "cut":
        return data[: len(data) // 2]
    if how == "cut in the header":
        return data[:100]
    if how == "a bit flipped":
        changed = bytearray(data)
        changed[-30] ^= 0xFF
        return bytes(changed)
    if how == "the checksum gone":
        return data[:-8]
    return {"empty": b"", "text": b"this is a letter, not an image\n" * 40, "zeros": bytes(2000)}[how]


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize(
    "how", ["cut", "cut in the header", "a bit flipped", "the checksum gone", "empty", "text", "zeros"]
)
def test_damage_is_one_line_and_inspect_never_raises(nifti: Nifti, name: str, how: str) -> None:
    path = nifti(sform=SFORM, name=name)
    path.write_bytes(damaged(path, how))
    inspect(path)
    if how == "a bit flipped" and name == "x.nii":
        return  # plain voxels have no checksum
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


LIES = [
    {"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]},
    {"dim": [3, -5, 6, 4, 1, 1, 1, 1]},
    {"dim": [0, 5, 6, 4, 1, 1, 1, 1]},
    {"dim": [9, 5, 6, 4, 1, 1, 1, 1]},
    {"dim": [4, 5, 6, 4, 32000, 1, 1, 1]},
    {"vox_offset": np.nan},
    {"vox_offset": 3.0},
    {"vox_offset": 1e30},
    {"datatype": 999},
    {"magic": b"xyz"},
    {"magic": b"ni1"},
    {"scl_slope": np.inf, "scl_inter": 0.0},
    {"scl_slope": 3e38, "scl_inter": 0.0},  # beyond the numbers that float32 holds
]


@pytest.mark.parametrize("fields", LIES, ids=[str(fields) for fields in LIES])
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_absurd_headers_are_refused_without_asking_for_memory(nifti: Nifti, fields, name: str) -> None:
    path = nifti(sform=SFORM, name=name, **fields)
    inspect(path)
    with pytest.raises(InputError) as caught:
        read(path, options=ReadOptions(volume="0"))
    assert "\n" not in str(caught.value)


def test_voxels_without_a_size_are_in_pixels_until_it_is_stated(nifti: Nifti) -> None:
    path = nifti(pixdim=np.zeros(8))
    image = read(path)
    assert image.grid.unit == "px"
    assert "spacing.unknown" in {item.code for item in image.findings}
    given = read(path, options=ReadOptions(spacing=(1.0, 2.0, 3.0), orientation="LPS"))
    assert given.grid.voxel_volume == pytest.approx(6)
    assert given.grid.orientation == "LPS"


@pytest.mark.parametrize("step", [np.nan, np.inf, 0.0])
def test_one_size_that_is_none_is_unknown(nifti: Nifti, step: float) -> None:
    image = read(nifti(pixdim=np.array([1, 0.5, 0.5, step, 1, 1, 1, 1])))
    assert image.grid.unit == "px"
    (said,) = [item.message for item in image.findings if item.code == "spacing.unknown"]
    assert "0.5 × 0.5 × ? mm" in said


def test_an_sform_against_pixdim_is_said(nifti: Nifti, data) -> None:
    image = read(data("faults/r1_fastsurfer36_q0.nii"))
    assert image.grid.voxel_volume == pytest.approx(1)
    assert {item.code: item.severity for item in image.findings}["nifti.pixdim_differs"] == "warning"
    image = read(nifti(sform=SFORM, zooms=(1.0, 1.0, 1.5)))
    assert "nifti.pixdim_differs" in {item.code for item in image.findings}


@pytest.mark.parametrize(("step", "refused"), [(1e30, True), (1e-30, True), (500.0, False), (1e-4, False)])
def test_implausible_voxels(nifti: Nifti, step: float, refused: bool) -> None:
    path = nifti(sform=np.diag([1.0, 1.0, step, 1.0]))
    (source,) = inspect(path)
    assert {item.code: item.severity for item in source.findings} == {
        "spacing.implausible": "error" if refused else "warning"
    }
    if refused:
        with pytest.raises(InputError, match="implausible"):
            read(path)
    else:
        assert "spacing.implausible" in {item.code for item in read(path).findings}


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_bytes_left_over_are_said(nifti: Nifti, name: str) -> None:
    path = nifti(sform=SFORM, name=name)
    data = path.read_bytes()
    path.write_bytes(
        gzip.compress(gzip.decompress(data) + bytes(50)) if name.endswith("gz") else data + bytes(50)
    )
    assert "voxels.left_over" in {item.code for item in read(path).findings}


def test_a_gzip_file_needs_no_gz_suffix(nifti: Nifti, values: NDArray[np.int16]) -> None:
    path = nifti(sform=SFORM)
    renamed = path.with_name("misnamed.nii")
    path.rename(renamed)
    np.testing.assert_array_equal(read(renamed).array, values)


def test_equal_masks_give_equal_files(nifti: Nifti, tmp_path: Path) -> None:
    from medseg.io import write_image

    image = read(nifti(sform=SFORM))
    one, two = (write_image(image, tmp_path / name).read_bytes() for name in ("1.nii.gz", "2.nii.gz"))
    assert one == two
    assert gzip.decompress(one)[344:347] == b"n+1"


REAL = [
    # path, orientation, spacing, codes
    ("hippocampus/imagesTr/hippocampus_003.nii.gz", "RAS", (1, 1, 1), set()),
    ("sarcoma/STS_002/MR_T1_image.nii.gz", "LPS", (0.976562, 0.976562, 3.269955), set()),
    ("sarcoma/STS_002/PET_image.nii.gz", "LPS", (5.46875, 5.46875, 3.27), set()),
    ("misc/cord/t2/t2.nii.gz", "PSR", (1, 1, 1), set()),
    ("misc/ct_small/example_ct_sm.nii.gz", "RAS", (3, 3, 3), {"nifti.unit_unknown"}),
    ("ibsi_phantom/phantom.nii.gz", None, (2, 2, 2), None),
]


@pytest.mark.parametrize(
    ("relative", "orientation", "spacing", "codes"), REAL, ids=[case[0] for case in REAL]
)
def test_real_files(data: Callable[[str], Path], relative: str, orientation, spacing, codes) -> None:
    path = data(relative)
    image = read(path)
    assert image.grid.spacing == pytest.approx(spacing, rel=1e-5)
    if orientation:
        assert image.grid.orientation == orientation
        assert {finding.code for finding in image.findings} == codes
    judge = nib.load(path)
    np.testing.assert_allclose(image.array, np.asarray(judge.dataobj), rtol=1e-6)
    np.testing.assert_allclose(image.grid.affine, judge.affine, atol=1e-4)


def test_real_masks(data: Callable[[str], Path]) -> None:
    hippocampus = read_segmentation(data("hippocampus/labelsTr/hippocampus_003.nii.gz"))
    assert hippocampus.table.values == (1, 2)
    assert hippocampus.labels.dtype == np.uint8
    organs = read_segmentation(data("misc/ct_small/example_seg.nii.gz"))
    assert len(organs.present) == 41
    phantom = read_segmentation(data("ibsi_phantom/mask.nii.gz"))
    assert int(phantom.mask(1).sum()) * phantom.grid.voxel_volume == pytest.approx(592)


@pytest.mark.parametrize(
    ("slope", "intercept", "is_read"),
    [
        (np.nan, np.nan, True),
        (np.nan, 0, True),
        (0, 5, True),
        (1, np.nan, False),
        (np.nan, 5, False),
        (np.inf, 0, False),
    ],
)
def test_a_scaling_that_is_half_a_number_is_refused(
    slope: float, intercept: float, *, is_read: bool, tmp_path: Path
) -> None:
    image = nib.Nifti1Image(np.full((2, 2, 2), 7, np.int16), np.eye(4))
    nib.save(image, tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    struct.pack_into("<2f", data, 112, slope, intercept)
    (tmp_path / "x.nii").write_bytes(data)
    if is_read:
        assert (read(tmp_path / "x.nii").array == 7).all()
    else:
        with pytest.raises(InputError, match="slope"):
            read(tmp_path / "x.nii")
