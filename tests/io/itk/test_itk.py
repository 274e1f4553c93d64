"""NRRD and MetaImage: read as they are written, with SimpleITK as the outside judge."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from medseg.domain import ReadOptions
from medseg.errors import InputError
from medseg.io import inspect, read, read_segmentation


def judged_affine(image: sitk.Image) -> NDArray[np.float64]:
    """RAS affine that ITK's own numbers mean."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1, 1, 1]) @ affine


@pytest.fixture
def written(tmp_path: Path, values: NDArray[np.int16]) -> Callable[..., Path]:
    """A file by ITK, oblique unless told otherwise."""

    def write(name: str, array: NDArray | None = None, *, packed: bool = True, shear: float = 0.0) -> Path:
        image = sitk.GetImageFromArray((values if array is None else array).transpose(2, 1, 0))
        turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
        turn[1, 2] = shear
        image.SetDirection((turn / np.linalg.norm(turn, axis=0)).ravel().tolist())
        image.SetSpacing((0.7, 1.1, 2.5))
        image.SetOrigin((5.0, -6.0, 7.0))
        sitk.WriteImage(image, str(tmp_path / name), useCompression=packed)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd", "ä b.mha"])
@pytest.mark.parametrize("packed", [True, False])
def test_the_same_voxels_at_the_same_places_as_itk(written, values, name: str, packed: bool) -> None:
    path = written(name, packed=packed)
    image = read(path)
    judge = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(image.array, values)
    np.testing.assert_allclose(image.grid.affine, judged_affine(judge), atol=1e-12)
    assert image.grid.orientation_known
    assert image.findings == ()


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_suffixes_in_upper_case(written, values, name: str) -> None:
    path = written(name)
    path = path.rename(path.with_suffix(path.suffix.upper()))
    np.testing.assert_array_equal(read(path).array, values)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_numeric_type(written, name: str, dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    image = read(written(name, array))
    np.testing.assert_array_equal(image.array, array)
    assert image.array.dtype == dtype


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_a_shear_is_kept(written, name: str) -> None:
    path = written(name, shear=0.3)
    image = read(path)
    assert image.grid.is_sheared
    np.testing.assert_allclose(image.grid.affine, judged_affine(sitk.ReadImage(str(path))), atol=1e-9)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("cut", [5, 60, 300])
def test_a_file_cut_short_is_one_line(written, name: str, packed: bool, cut: int) -> None:
    path = written(name, packed=packed)
    path.write_bytes(path.read_bytes()[:-cut])
    inspect(path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_damaged_packed_voxels_are_noticed(written, name: str) -> None:
    """ITK returns them without a word."""
    path = written(name)
    data = bytearray(path.read_bytes())
    data[-30] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        read(path)


def nrrd(path: Path, *lines: str, sizes: str = "5 6 4", data: bytes = bytes(240)) -> Path:
    count = len(sizes.split())
    head = [
        "NRRD0004",
        "type: short",
        f"dimension: {count}",
        f"sizes: {sizes}",
        "encoding: raw",
        "endian: little",
    ]
    given = {line.partition(":")[0] for line in lines}
    head = [line for line in head if line.partition(":")[0] not in given]
    path.write_bytes(("\n".join([*head, *lines]) + "\n\n").encode() + data)
    return path


STEPS = "space directions: (1,0,0) (0,2,0) (0,0,3)"
SPACES = [
    ("left-posterior-superior", (-1, -1, 1)),
    ("LPS", (-1, -1, 1)),
    ("right-anterior-superior", (1, 1, 1)),
    ("RAS", (1, 1, 1)),
    ("left-anterior-superior", (-1, 1, 1)),
]


@pytest.mark.parametrize(("space", "signs"), SPACES)
def test_the_space_of_an_nrrd(tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
    path = nrrd(tmp_path / "x.nrrd", f"space: {space}", STEPS, "space origin: (5,6,7)")
    affine = read(path).grid.affine
    rows = np.array([[1, 0, 0, 5], [0, 2, 0, 6], [0, 0, 3, 7]])
    np.testing.assert_array_equal(affine[:3], rows * np.array(signs)[:, None])
    np.testing.assert_allclose(affine, judged_affine(sitk.ReadImage(str(path))), atol=1e-12)


UNKNOWN = [
    (("spacings: 1 2 3",), (1, 2, 3), {"orientation.unknown"}),
    (("space: scanner-xyz", STEPS), (1, 2, 3), {"orientation.unknown"}),
    (("space dimension: 3", STEPS), (1, 2, 3), {"orientation.unknown"}),
    ((), (1, 1, 1), {"orientation.unknown", "spacing.unknown"}),
]


@pytest.mark.parametrize(("lines", "spacing", "codes"), UNKNOWN)
def test_an_nrrd_that_does_not_say_where_it_lies(tmp_path: Path, lines, spacing, codes) -> None:
    path = nrrd(tmp_path / "x.nrrd", *lines)
    image = read(path)
    assert not image.grid.orientation_known
    assert image.grid.spacing == spacing
    assert {finding.code for finding in image.findings} == codes
    stated = (1.0, 1.0, 1.0) if image.grid.unit == "px" else None
    given = read(path, options=ReadOptions(orientation="LPS", spacing=stated))
    assert given.grid.orientation == "LPS"


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("um", 0.001), ("cm", 10), ("parsec", 1)])
def test_units_of_an_nrrd(tmp_path: Path, unit: str, factor: float) -> None:
    units = f'space units: "{unit}" "{unit}" "{unit}"'
    image = read(nrrd(tmp_path / "x.nrrd", "space: LPS", STEPS, units))
    assert image.grid.spacing == pytest.approx((factor, 2 * factor, 3 * factor))
    assert bool(image.findings) == (unit != "mm")


VECTORS = [
    ("3 5 6 4", "kinds: RGB-color domain domain domain"),
    ("3 5 6 4", "kinds: vector domain domain domain"),
    ("3 5 6 4", "kinds: list domain domain domain"),
    ("3 5 6 4", "space directions: none (1,0,0) (0,2,0) (0,0,3)"),
]


@pytest.mark.parametrize(("sizes", "line"), VECTORS)
def test_colours_and_vectors_are_refused_by_name(tmp_path: Path, sizes: str, line: str) -> None:
    path = nrrd(tmp_path / "x.nrrd", "space: LPS", line, sizes=sizes, data=bytes(720))
    with pytest.raises(InputError, match="one number per voxel"):
        read(path)


def test_a_meta_image_in_colour_is_refused(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "x.mha"))
    with pytest.raises(InputError, match="3 values per voxel"):
        read(tmp_path / "x.mha")


@pytest.mark.parametrize("name", ["x.nrrd", "x.mha"])
def test_4d_asks_which_volume(tmp_path: Path, name: str, values: NDArray[np.int16]) -> None:
    one = sitk.GetImageFromArray(values.transpose(2, 1, 0))
    sitk.WriteImage(sitk.JoinSeries([one, one + 1]), str(tmp_path / name))
    with pytest.raises(InputError, match="--volume"):
        read(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name, options=ReadOptions(volume="1")).array, values + 1)


DAMAGED = [
    ("sizes: 5 6", "sizes"),
    ("sizes: 5 6 four", "damaged"),
    ("sizes: 90000 90000 900", "promises"),
    ("encoding: hex", "encoding"),
    ("type: block", "type"),
    ("space directions: (1,0,0) (0,2,0)", "damaged"),
    ("space directions: (1,0,0) (0,0,0) (0,0,3)", "singular"),
    ("data file: ../../etc/passwd", "outside its folder"),
    ("data file: missing.raw", "missing.raw"),
    ("data file: LIST", "several files"),
]


@pytest.mark.parametrize(("line", "_word"), DAMAGED, ids=[line for line, _ in DAMAGED])
def test_damaged_headers(tmp_path: Path, line: str, _word: str) -> None:
    path = nrrd(tmp_path / "x.nrrd", "space: LPS", STEPS, line)
    inspect(path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert "x.nrrd" in str(caught.value)


#: Of a header: what is said twice, and whether that is one thing.
TWICE = [
    ("x.nrrd", "sizes: 6 5 4", "'sizes' stands twice, with two values"),
    ("x.nrrd", "SIZES: 6 5 4", "'sizes' stands twice"),
    ("x.nrrd", "spacing units:=1", None),
    ("x.nrrd", "a:=1\na:=2", "'a' stands twice"),
    ("x.nrrd", "endian: little", None),
    ("x.mha", "ElementSpacing = 3 3 3", "'ElementSpacing' stands twice"),
    ("x.mha", "ElementSpacing = 1 1 2", None),
    ("x.mha", "Position = 5 5 5", "Offset and Position mean one thing, and say another each"),
    ("x.mha", "Origin = 0 0 0.0", None),
    ("x.mha", "Rotation = 0 1 0 1 0 0 0 0 1", "TransformMatrix and Rotation mean one thing"),
    ("x.mha", "ElementSize = 1 1 5", None),  # a slice may be thicker than the step to the next one
]


@pytest.mark.parametrize(("name", "line", "words"), TWICE, ids=[f"{row[0]} {row[1]}" for row in TWICE])
def test_of_two_values_for_one_thing_none_is_chosen(
    tmp_path: Path, name: str, line: str, words: str | None
) -> None:
    path = tmp_path / name
    nrrd(path, "space: LPS", STEPS)
    if name == "x.mha":
        placed = ("ElementSpacing = 1 1 2", "Offset = 0 0 0", "TransformMatrix = 1 0 0 0 1 0 0 0 1")
        mha(path, *placed)
    head, end = (b"endian: little\n", b"") if name == "x.nrrd" else (b"", b"ElementDataFile")
    path.write_bytes(path.read_bytes().replace(head + end, head + line.encode() + b"\n" + end))
    if words is None:
        assert read(path).grid.shape == (5, 6, 4)
        return
    with pytest.raises(InputError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("ElementToIntensityFunctionSlope = 2",), True),
        (("ElementToIntensityFunctionOffset = -1024",), True),
        (("ElementToIntensityFunctionSlope = 1", "ElementToIntensityFunctionOffset = 0"), False),
        ((), False),
    ],
)
def test_a_scale_that_readers_of_meta_images_leave_out_is_said(
    tmp_path: Path, lines: tuple[str, ...], said: bool
) -> None:
    path = mha(tmp_path / "x.mha", "ElementSpacing = 1 1 1", *lines)
    image = read(path)
    assert ("metaimage.as_stored" in {item.code for item in image.findings}) is said
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(image.array, theirs.transpose(2, 1, 0))


def test_text_voxels(tmp_path: Path) -> None:
    numbers = " ".join(str(number) for number in range(24)).encode()
    path = nrrd(tmp_path / "x.nrrd", "space: LPS", STEPS, "encoding: ascii", sizes="2 3 4", data=numbers)
    np.testing.assert_array_equal(read(path).array.ravel(order="F"), np.arange(24))


def test_names_in_a_slicer_segmentation(tmp_path: Path) -> None:
    path = nrrd(
        tmp_path / "x.seg.nrrd",
        "space: LPS",
        STEPS,
        "Segment0_LabelValue:=1",
        "Segment0_Name:=liver",
        "Segment1_LabelValue:=7",
        "Segment1_Name:=spleen",
        data=np.tile(np.array([0, 1, 7], np.int16), 40).tobytes(),
    )
    segmentation = read_segmentation(path)
    assert [(label.value, label.name) for label in segmentation.table.labels] == [(1, "liver"), (7, "spleen")]


REAL = ["pyradiomics/brain1_image.nrrd", "pyradiomics/breast1_label.nrrd", "dicom/dcmqi/liver_seg.nrrd"]


@pytest.mark.parametrize("relative", REAL)
def test_real_files(data: Callable[[str], Path], relative: str) -> None:
    path = data(relative)
    image, judge = read(path), sitk.ReadImage(str(path))
    np.testing.assert_array_equal(image.array, sitk.GetArrayFromImage(judge).transpose(2, 1, 0))
    np.testing.assert_allclose(image.grid.affine, judged_affine(judge), atol=1e-9)


def test_real_mask(data: Callable[[str], Path]) -> None:
    brain = read_segmentation(data("pyradiomics/brain1_label.nrrd"))
    assert int(brain.mask(1).sum()) == 4137
    assert 4137 * brain.grid.voxel_volume == pytest.approx(16412.66, abs=0.01)
    prostate = read_segmentation(data("pyradiomics/prostate_phantom_subvolume-label.nrrd"))
    counts = {value: int(prostate.mask(value).sum()) for value in prostate.present}
    assert counts == {1: 168, 7: 170, 8: 2997, 9: 9088}


@pytest.mark.parametrize("name", ["s_2of3.mha", "s_zero.nrrd"])
def test_a_missing_voxel_size_is_unknown(name: str, data) -> None:
    path = data(f"faults/{name}")
    image = read(path)
    assert image.grid.unit == "px"
    (said,) = [item.message for item in image.findings if item.code == "spacing.unknown"]
    assert "0.5 × 0.5 × ? mm" in said
    assert "--spacing" in said
    assert not any("sizes hold" in item.message for item in image.findings)
    given = read(path, options=ReadOptions(spacing=(0.5, 0.5, 2.0)))
    assert given.grid.voxel_volume == pytest.approx(0.5)
    assert given.grid.unit == "mm"


def mha(path: Path, *lines: str, size: int = 120) -> Path:
    head = ["ObjectType = Image", "NDims = 3", "DimSize = 5 6 4", "ElementType = MET_UCHAR", *lines]
    text = "\n".join([*head, "ElementDataFile = LOCAL"]) + "\n"
    path.write_bytes(text.encode() + bytes(range(size)))
    return path


@pytest.mark.parametrize("spacing", ["1 nan 1", "1 1 0", "1 -2 1", "1 1", "inf 1 1"])
def test_a_voxel_size_that_is_none_is_unknown(spacing: str, tmp_path: Path) -> None:
    assert read(mha(tmp_path / "x.mha", f"ElementSpacing = {spacing}")).grid.unit == "px"


@pytest.mark.parametrize("size", ["-2", "-100", "1000000"])
def test_a_header_size_that_leads_into_the_header_is_refused(size: str, tmp_path: Path) -> None:
    path = mha(tmp_path / "x.mha", "ElementSpacing = 1 1 1", f"HeaderSize = {size}")
    with pytest.raises(InputError, match=r"x\.mha"):
        read(path)


def test_voxels_that_end_the_file(tmp_path: Path) -> None:
    path = mha(tmp_path / "x.mha", "ElementSpacing = 1 1 1", "HeaderSize = -1", size=130)
    assert int(read(path).array[0, 0, 0]) == 10
    with pytest.raises(InputError, match="of 120 bytes"):
        read(mha(tmp_path / "y.mha", "ElementSpacing = 1 1 1", "HeaderSize = -1", size=100))


def test_bytes_left_over_are_said(data, tmp_path: Path) -> None:
    assert "voxels.left_over" in {item.code for item in read(data("faults/x_excess.mha")).findings}
    assert "voxels.left_over" not in {item.code for item in read(mha(tmp_path / "x.mha")).findings}


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        (
            "x.nrrd",
            "NRRD0004\ntype: uchar\ndimension: 9999\nsizes: 2 2 2\nencoding: raw\n\n",
            "dimension 9999",
        ),
        (
            "x.mha",
            "NDims = 9999\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
            "NDims is 9999",
        ),
        (
            "x.mha",
            "DimSize = 2 2 2\nElementNumberOfChannels = -1\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
            "-1 values per voxel",
        ),
    ],
)
def test_counts_that_contradict_each_other_are_refused(
    name: str, head: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(head.encode() + bytes(8))
    with pytest.raises(InputError, match=words):
        read(tmp_path / name)
