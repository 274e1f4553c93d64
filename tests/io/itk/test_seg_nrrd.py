"""3D Slicer's `.seg.nrrd`: layers, names, colours and codes in and out. The files here are synthetic, after the
published description of the format; none made by Slicer itself is among the test data."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medseg.domain import Code, Grid, Label, LabelTable, Provenance, Region, Segmentation
from medseg.errors import InputError, LabelError
from medseg.io import inspect, read, read_segmentation, write_segmentation
from medseg.io.sidecar import sidecar_path

SHAPE = (6, 5, 4)
OBLIQUE = np.array([[0.0, -0.6, 2.4, 11], [0.7, 0, 0, -22], [0, 0.8, 1.8, 33], [0, 0, 0, 1]])
LIVER = (
    "Segmentation.Status:inprogress|TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^|"
)
KIDNEY = (
    "TerminologyEntry:x~SCT^123037004^Anatomical Structure~SCT^64033007^Kidney~SCT^7771000^Left"
    "~y~SCT^113345001^Abdomen~^^|"
)


def file_of(path: Path, values: np.ndarray, *pairs: str, **fields: str) -> Path:
    """A file as Slicer writes it: (I, J, K), or (layers, I, J, K), in left-posterior-superior."""
    several = values.ndim == 4
    header = {
        "type": {"uint8": "unsigned char", "int16": "short", "float32": "float"}[str(values.dtype)],
        "dimension": str(values.ndim),
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, values.shape)),
        "space directions": "none " * several + "(-2,0,0) (0,-3,0) (0,0,4)",
        "kinds": "list " * several + "domain domain domain",
        "endian": "little",
        "encoding": "gzip",
        "space origin": "(-10,-20,30)",
    } | {key.replace("_", " "): value for key, value in fields.items()}
    text = "NRRD0004\n# Complete NRRD file format specification at:\n"
    text += "".join(f"{key}: {value}\n" for key, value in header.items())
    text += "".join(f"{pair}\n" for pair in pairs)
    path.write_bytes(text.encode() + b"\n" + gzip.compress(values.tobytes(order="F")))
    return path


def segment(
    number: int, name: str, value: int, layer: int = 0, color: str = "1 0 0", tags: str = ""
) -> list[str]:
    start = f"Segment{number}_"
    return [
        f"{start}Color:={color}", f"{start}Extent:=0 1 0 1 0 1", f"{start}ID:=Segment_{number}",
        f"{start}LabelValue:={value}", f"{start}Layer:={layer}", f"{start}Name:={name}", f"{start}Tags:={tags}",
    ]  # fmt: skip


@pytest.fixture
def two() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:3, 1:4, 1:3], labels[4, 2, 2] = 1, 7
    return labels


def test_one_layer(two: np.ndarray, tmp_path: Path) -> None:
    pairs = [
        *segment(0, "Liver", 1, color="0.866667 0.509804 0.396078", tags=LIVER),
        *segment(1, "left kidney", 7, color="0.5 0 1", tags=KIDNEY),
        "Segmentation_ReferenceImageExtentOffset:=12 34 56",
    ]
    found = read_segmentation(file_of(tmp_path / "a.seg.nrrd", two, *pairs))
    assert np.array_equal(found.labels, two)
    # The header places the voxels that are there; the extent's offset is not added again.
    assert np.array_equal(found.grid.affine, [[2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
    liver, kidney = found.table.labels
    assert (liver.value, liver.name, liver.color) == (1, "Liver", (221, 130, 101))
    assert liver.category == Code("123037004", "Anatomical Structure")
    assert (liver.type, liver.anatomic_region) == (Code("10200004", "Liver"), None)
    assert (kidney.value, kidney.side, kidney.color) == (7, "left", (128, 0, 255))
    assert kidney.anatomic_region == Code("113345001", "Abdomen")
    assert not found.findings


def test_layers_that_overlap_become_parts_and_regions(tmp_path: Path) -> None:
    layers = np.zeros((2, *SHAPE), np.uint8)
    layers[0, 0:3, 0, 0], layers[0, 5, 4, 3] = 1, 2
    layers[1, 2:5, 0, 0] = 3
    pairs = [*segment(0, "a", 1), *segment(1, "alone", 2), *segment(2, "b", 3, layer=1, color="0 1 0")]
    path = file_of(tmp_path / "a.seg.nrrd", layers, *pairs)
    found = read_segmentation(path)
    regions = {item.name: found.mask(*item.labels) for item in found.table.regions}
    assert np.array_equal(regions["a"], layers[0] == 1)
    assert np.array_equal(regions["b"], layers[1] == 3)
    assert np.array_equal(found.mask(2), layers[0] == 2)
    assert [item.color for item in found.table.regions] == [(255, 0, 0), (0, 255, 0)]
    assert [item.name for item in found.table.labels if item.is_part] == ["a alone", "a & b", "b alone"]
    assert [item.code for item in found.findings] == ["seg.overlap"]
    (source,) = inspect(path)
    assert source.grid is not None
    with pytest.raises(InputError, match="no image but a mask of overlapping segments"):
        read(path)


def test_layers_that_do_not_overlap_are_plain_labels(tmp_path: Path) -> None:
    layers = np.zeros((2, *SHAPE), np.uint8)
    layers[0, 0], layers[1, 1] = 1, 1
    path = file_of(tmp_path / "a.seg.nrrd", layers, *segment(0, "a", 1), *segment(1, "b", 1, layer=1))
    found = read_segmentation(path)
    assert np.array_equal(found.labels, layers[0] + 2 * layers[1])
    assert [(item.value, item.name) for item in found.table.labels] == [(1, "a"), (2, "b")]
    assert [item.code for item in found.findings] == ["seg_nrrd.renumbered"]


def test_files_of_before_2020_name_no_layer_and_no_label_value(tmp_path: Path) -> None:
    layers = np.zeros((2, *SHAPE), np.uint8)
    layers[0, 0:2], layers[1, 3] = 1, 1
    found = read_segmentation(
        file_of(tmp_path / "a.seg.nrrd", layers, "Segment0_Name:=a", "Segment1_Name:=b")
    )
    assert np.array_equal(found.labels, layers[0] + 2 * layers[1])


def test_labels_that_no_segment_describes_and_names_that_stand_twice(two: np.ndarray, tmp_path: Path) -> None:
    two[0, 0, 0] = 9
    found = read_segmentation(
        file_of(
            tmp_path / "a.seg.nrrd", two, *segment(0, "a", 1), *segment(1, "a", 7), *segment(2, "none", 30)
        )
    )
    names = [(item.value, item.name) for item in found.table.labels]
    assert names == [(1, "a"), (7, "a (7)"), (9, "label 9"), (30, "none")]


def test_a_cropped_mask_comes_onto_its_image(two: np.ndarray, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.seg.nrrd", two, *segment(0, "a", 1))
    affine = np.array([[2.0, 0, 0, 10 - 2 * 3], [0, 3, 0, 20 - 3 * 4], [0, 0, 4, 30 - 4 * 5], [0, 0, 0, 1]])
    on = Grid((20, 20, 20), affine)
    found = read_segmentation(path, on=on)
    assert found.grid is on
    assert np.array_equal(found.labels[3:9, 4:9, 5:9], two)
    assert np.count_nonzero(found.labels) == np.count_nonzero(two)


def test_a_single_voxel_says_that_there_is_nothing(tmp_path: Path) -> None:
    found = read_segmentation(
        file_of(tmp_path / "a.seg.nrrd", np.zeros((1, 1, 1), np.uint8), *segment(0, "a", 1))
    )
    assert not found.present
    assert [item.code for item in found.findings] == ["seg_nrrd.no_voxels"]


def test_names_given_by_hand_go_first(two: np.ndarray, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.seg.nrrd", two, *segment(0, "a", 1), *segment(1, "b", 7))
    (tmp_path / "names.yaml").write_text("1: liver\n")
    found = read_segmentation(path, labels=tmp_path / "names.yaml")
    assert [item.name for item in found.table.labels] == ["liver", "b"]


DAMAGED = {
    "layer beyond": (segment(0, "a", 1, layer=1), {}, "layer 1 of 1"),
    "label 0": (segment(0, "a", 0), {}, "label 0 in layer 0"),
    "twice": ([*segment(0, "a", 1), *segment(1, "b", 1)], {}, "two segments have label 1"),
    "no number": (["Segment0_LabelValue:=one"], {}, "'one' is no layer or label"),
    "huge number": (["Segment0_Layer:=" + "9" * 5000], {}, "is no layer or label"),
    "more than there is": (segment(0, "a", 1), {"sizes": "9999 9999 9999"}, "promises"),
    "a million layers": (
        segment(0, "a", 1),
        {"dimension": "4", "sizes": "1000000 6 5 4", "kinds": "list domain domain domain",
         "space_directions": "none (1,0,0) (0,1,0) (0,0,1)"},
        "1000000 layers",
    ),
    "more layers than there are": (
        segment(0, "a", 1),
        {"dimension": "4", "sizes": "60000 6 5 4", "kinds": "list domain domain domain",
         "space_directions": "none (1,0,0) (0,1,0) (0,0,1)"},
        "promises",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_line(two: np.ndarray, tmp_path: Path, name: str) -> None:
    pairs, fields, words = DAMAGED[name]
    path = file_of(tmp_path / "a.seg.nrrd", two, *pairs, **fields)
    with pytest.raises(InputError, match=words) as caught:
        read_segmentation(path)
    assert "a.seg.nrrd" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_halves_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="whole numbers"):
        read_segmentation(
            file_of(tmp_path / "a.seg.nrrd", np.full(SHAPE, 0.5, np.float32), *segment(0, "a", 1))
        )


@pytest.fixture
def described(two: np.ndarray) -> Segmentation:
    liver = Label(
        1, "Liver", (221, 130, 101), Code("123037004", "Anatomical Structure"), Code("10200004", "Liver")
    )
    kidney = Label(
        7, "left ^kidney~|", (0, 1, 254), Code("123037004", "Anatomical Structure"), Code("64033007", "Kidney"),
        Code("113345001", "Abdomen"), "left",
    )  # fmt: skip
    table = LabelTable((liver, kidney, Label(9, "empty")), (Region("both", (1, 7)),))
    return Segmentation(two, Grid(SHAPE, OBLIQUE), table, Provenance("otsu"))


def test_what_is_written_is_read_again(described: Segmentation, tmp_path: Path) -> None:
    path = write_segmentation(described, tmp_path / "a.seg.nrrd")
    again = read_segmentation(path)
    assert np.array_equal(again.labels, described.labels)
    assert np.array_equal(again.grid.affine, described.grid.affine)
    assert again.table == described.table
    assert again.made_by == described.made_by
    # Without the sidecar the file itself still knows all but the history and unions of labels.
    sidecar_path(path).unlink()
    alone = read_segmentation(path)
    assert alone.table.labels[:2] == described.table.labels[:2]
    assert [item.name for item in alone.table.labels] == ["Liver", "left ^kidney~|", "empty"]


def test_itk_reads_what_is_written(described: Segmentation, tmp_path: Path) -> None:
    image = sitk.ReadImage(str(write_segmentation(described, tmp_path / "a.seg.nrrd")))
    assert np.array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), described.labels)
    corner = np.array(image.TransformIndexToPhysicalPoint((5, 4, 3))) * (-1, -1, 1)
    np.testing.assert_allclose(corner, described.grid.to_position(np.array([5, 4, 3])), atol=1e-9)
    assert image.GetMetaData("Segment0_Name") == "Liver"
    assert image.GetMetaData("Segment0_Extent") == "1 2 1 3 1 2"
    assert image.GetMetaData("Segment1_LabelValue") == "7"
    assert "~SCT^64033007^Kidney~SCT^7771000^Left~" in image.GetMetaData("Segment1_Tags")


def test_a_name_changed_in_slicer_goes_before_the_sidecar(described: Segmentation, tmp_path: Path) -> None:
    path = write_segmentation(described, tmp_path / "a.seg.nrrd")
    path.write_bytes(path.read_bytes().replace(b"_Name:=Liver\n", b"_Name:=Leber\n"))
    again = read_segmentation(path)
    assert again.table.labels[0].name == "Leber"
    assert again.made_by == described.made_by


def test_overlaps_survive_the_round_trip(tmp_path: Path) -> None:
    layers = np.zeros((3, *SHAPE), np.uint8)
    layers[0, 0:3], layers[1, 2:5], layers[2, 2:4, 1:3] = 1, 3, 2
    pairs = [
        *segment(0, "a", 1, tags=LIVER), *segment(1, "b", 3, layer=1, tags=KIDNEY), *segment(2, "c", 2, layer=2)
    ]  # fmt: skip
    first = read_segmentation(file_of(tmp_path / "a.seg.nrrd", layers, *pairs))
    path = write_segmentation(first, tmp_path / "b.seg.nrrd")
    again = read_segmentation(path)
    assert "sidecar.ignored" not in {item.code for item in again.findings}
    masks = dict(zip("abc", layers > 0, strict=True))
    assert {item.name for item in again.table.regions} == set("abc")
    for region in again.table.regions:
        assert np.array_equal(again.mask(*region.labels), masks[region.name])
    codes = {item.name: (item.type, item.side) for item in again.table.regions}
    assert codes["a"] == (Code("10200004", "Liver"), "not applicable")
    assert codes["b"] == (Code("64033007", "Kidney"), "left")


def test_pixels_have_no_place(tmp_path: Path) -> None:
    grid = Grid((2, 2, 1), np.diag([-1.0, -1, 1, 1]), unit="px")
    mask = Segmentation(np.ones((2, 2, 1), np.uint8), grid, LabelTable((Label(1, "a"),)))
    with pytest.raises(InputError, match="would claim a known size"):
        write_segmentation(mask, tmp_path / "a.seg.nrrd")
    assert not list(tmp_path.iterdir())


def test_a_dicom_seg_with_overlaps_goes_there_and_back(data: Callable[[str], Path], tmp_path: Path) -> None:
    from medseg.io.dicom.seg.read import read_seg

    first = read_seg(data("dicom/dcmqi/partial_overlaps.dcm"))
    again = read_segmentation(write_segmentation(first, tmp_path / "a.seg.nrrd"))
    assert [item.name for item in again.table.regions] == [item.name for item in first.table.regions]
    for ours, theirs in zip(first.table.regions, again.table.regions, strict=True):
        assert np.array_equal(first.mask(*ours.labels), again.mask(*theirs.labels))
        assert ours.type == theirs.type
