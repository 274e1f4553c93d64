"""Structure sets with something odd: the good structures are read, the odd ones named and never 0 ml."""

import re
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from medseg import io, measuring
from medseg.domain import Quantity, ReadOptions, Status
from medseg.errors import InputError, MedsegError
from medseg.io.dicom.rtstruct.fill import fill_slice

Data = Callable[[str], Path]


def volumes(found: object) -> dict[str, float | None]:
    rows = measuring.measure(found, only=(Quantity.VOLUME,))  # type: ignore[arg-type]
    return {row.target.name: row.value if row.value is None else round(row.value, 4) for row in rows}


@pytest.mark.parametrize(
    ("name", "expected", "code"),
    [
        ("rt_plain", {"liver": 1.152}, None),
        ("rt_interpolated", {"liver": 1.152}, None),
        ("rt_nearly_twice", {"liver": 1.152}, "rtstruct.twice"),
        ("rt_mixed", {"liver": 1.152}, "rtstruct.left_out"),
        ("rt_points", {"liver": 1.152, "iso": None}, "mask.not_read"),
        ("rt_outside_z", {"liver": 1.152, "BODY": None}, "mask.not_read"),
    ],
)
def test_the_good_structures_are_read(
    name: str, expected: dict[str, float | None], code: str | None, data: Data
) -> None:
    image = io.read(data(f"faults/{name}/ct"))
    found = io.read_segmentation(data(f"faults/{name}/rs.dcm"), on=image)
    assert volumes(found) == expected
    assert [item.code for item in found.findings] == ([] if code is None else [code])


def test_every_number_of_an_odd_structure_is_null_with_the_reason(data: Data) -> None:
    image = io.read(data("faults/rt_outside_z/ct"))
    found = io.read_segmentation(data("faults/rt_outside_z/rs.dcm"), on=image)
    everything = measuring.measure(found, {"ct": image})
    rows = [row for row in everything if row.target.name == "BODY"]
    assert {row.status for row in rows} == {Status.NOT_COMPUTED}
    assert all("lies on no slice" in str(row.reason) for row in rows)
    assert len(rows) == len(everything) / 2


def test_what_was_not_read_stays_unknown_in_another_format(data: Data, tmp_path: Path) -> None:
    image = io.read(data("faults/rt_points/ct"))
    io.write_segmentation(
        io.read_segmentation(data("faults/rt_points/rs.dcm"), on=image), tmp_path / "mask.nii.gz"
    )
    assert volumes(io.read_segmentation(tmp_path / "mask.nii.gz")) == {"liver": 1.152, "iso": None}


def test_one_structure_is_picked_by_its_name(data: Data) -> None:
    image, path = io.read(data("faults/rt_outside_z/ct")), data("faults/rt_outside_z/rs.dcm")
    found = io.read_segmentation(path, on=image, options=ReadOptions(label="liver"))
    assert (volumes(found), found.findings) == ({"liver": 1.152}, ())
    with pytest.raises(MedsegError, match="lies on no slice"):
        io.read_segmentation(path, on=image, options=ReadOptions(label="BODY"))
    with pytest.raises(InputError, match="holds no structure 'lung'; it has liver, BODY"):
        io.read_segmentation(path, on=image, options=ReadOptions(label="lung"))


def test_contours_lie_on_the_slices_of_an_uneven_ct(data: Data) -> None:
    folder, path = data("faults/rt_varz/ct"), data("faults/rt_varz/rs.dcm")
    with pytest.raises(InputError, match="--resample"):
        io.read_segmentation(path)
    image = io.read(folder, options=ReadOptions(resample=True))
    for on in (image, None):
        found = io.read_segmentation(path, on=on, options=ReadOptions(resample=True))
        assert found.grid.shape == image.grid.shape
        # Contours at 8 to 16 mm and at 20; the place at 18, which no slice shows, lies between two that do.
        assert np.unique(np.nonzero(found.labels)[2]).tolist() == [4, 5, 6, 7, 8, 9, 10]
        assert set(np.bincount(np.nonzero(found.labels)[2])) == {0, 96}
        assert "mask.even" in [item.code for item in found.findings]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("number 0", {"liver": 1.152, "BODY": None}),
        ("one number twice", {"liver": None, "BODY": None}),
        ("two points each", {"liver": None, "BODY": None}),
        ("no contours", {"liver": None, "BODY": None}),
        ("not named", {"BODY": None, "structure 1 without a name": None}),
    ],
)
def test_numbers_and_names_that_are_odd(
    change: str, expected: dict[str, float | None], data: Data, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(data("faults/rt_outside_z/rs.dcm"))
    first, drawn = ds.StructureSetROISequence[0], ds.ROIContourSequence[0]
    if change == "number 0":
        first.ROINumber = drawn.ReferencedROINumber = 0
    elif change == "one number twice":
        first.ROINumber = 2
    elif change == "two points each":
        for contour in drawn.ContourSequence:
            contour.ContourData, contour.NumberOfContourPoints = contour.ContourData[:6], 2
    elif change == "no contours":
        del drawn.ContourSequence
    else:
        del ds.StructureSetROISequence[0]
    ds.save_as(tmp_path / "rs.dcm")
    image = io.read(data("faults/rt_outside_z/ct"))
    if any(expected.values()):
        found = io.read_segmentation(tmp_path / "rs.dcm", on=image)
        assert volumes(found) == expected
    else:
        with pytest.raises(MedsegError):
            io.read_segmentation(tmp_path / "rs.dcm", on=image)


def put(item: Any, tag: int, vr: str, text: str) -> None:
    """An element as a damaged file holds it, past the library's own checks."""
    data = text.encode() + b" " * (len(text) % 2)
    item[Tag(tag)] = RawDataElement(
        Tag(tag), vr, len(data), data, 0, is_implicit_VR=False, is_little_endian=True
    )


def name_images(ds: Any, *uids: str) -> None:
    """The second structure's contours name these images."""
    for contour in ds.ROIContourSequence[1].ContourSequence:
        contour.ContourImageSequence = [Dataset() for _ in uids]
        for item, uid in zip(contour.ContourImageSequence, uids, strict=True):
            item.ReferencedSOPInstanceUID = uid


def another_frame(ds: Any) -> None:
    name_images(ds)
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"


#: What is changed in the second of two equal structures, its volume then, and what is said.
DAMAGED: dict[str, tuple[Callable[[Any, Any], object], float | None, str]] = {
    "nothing": (lambda ds, contour: None, 1.152, ""),
    "a point cut off": (
        lambda ds, contour: setattr(contour, "ContourData", contour.ContourData[:-3]),
        None,
        r"says that it has 4 points \(NumberOfContourPoints\) and holds 3",
    ),
    "more points stated": (lambda ds, contour: put(contour, 0x30060046, "IS", "99"), None, "has 99 points"),
    "a number of points that is none": (
        lambda ds, contour: put(contour, 0x30060046, "IS", "abc"),
        None,
        "has abc points",
    ),
    "a number of points with zeros": (lambda ds, contour: put(contour, 0x30060046, "IS", "04"), 1.152, ""),
    "no number of points": (lambda ds, contour: delattr(contour, "NumberOfContourPoints"), 1.152, ""),
    "NaN": (lambda ds, contour: put(contour, 0x30060050, "DS", r"1\2\nan"), None, "no points in space"),
    "fewer than three numbers": (
        lambda ds, contour: put(contour, 0x30060050, "DS", r"1\2"),
        None,
        "no points",
    ),
    "a point on the moon": (
        lambda ds, contour: put(contour, 0x30060050, "DS", r"1e30\1\8\2\1\8\2\2\8\1\2\8"),
        None,
        r"1e\+30 mm away, which is no place in a patient",
    ),
    "a colour that is none": (
        lambda ds, contour: put(ds.ROIContourSequence[1], 0x3006002A, "IS", r"abc\1\2"),
        1.152,
        "",
    ),
    "a number that is none": (
        lambda ds, contour: put(ds.StructureSetROISequence[1], 0x30060022, "IS", "abc"),
        None,
        "has no contours",
    ),
    "images that are not there": (
        lambda ds, contour: name_images(ds, "1.2.3.4"),
        1.152,
        "name images that are not in this series",
    ),
    "another frame, its images not named": (
        lambda ds, contour: another_frame(ds),
        None,
        "was drawn in another frame of reference than these images",
    ),
    "another frame, its images named": (
        lambda ds, contour: setattr(ds.StructureSetROISequence[1], "ReferencedFrameOfReferenceUID", "1.2.3"),
        1.152,
        "names another frame of reference than its images",
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_structure_is_named_and_the_other_is_read(what: str, data: Data, tmp_path: Path) -> None:
    change, expected, words = DAMAGED[what]
    ds = pydicom.dcmread(data("faults/rt_outside_z/rs.dcm"))
    ds.ROIContourSequence[1].ContourSequence = deepcopy(ds.ROIContourSequence[0].ContourSequence)
    change(ds, ds.ROIContourSequence[1].ContourSequence[0])
    ds.save_as(tmp_path / "rs.dcm")
    found = io.read_segmentation(tmp_path / "rs.dcm", on=io.read(data("faults/rt_outside_z/ct")))
    seen = volumes(found)
    assert (seen["liver"], seen["BODY"]) == (1.152, expected)
    said = " ".join(item.message for item in found.findings if item.code != "seg.overlap")
    assert re.search(words, said) if words else not said


@pytest.mark.parametrize(
    ("name", "kept"), [("a\nb\x1b[2J", "a b [2J"), ("x" * 60_000, "x" * 899 + "…"), ("", "structure 1")]
)
def test_a_name_is_one_line_of_letters(name: str, kept: str, data: Data, tmp_path: Path) -> None:
    ds = pydicom.dcmread(data("faults/rt_plain/rs.dcm"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library says that such names are none
        ds.StructureSetROISequence[0].ROIName = name
        ds.save_as(tmp_path / "rs.dcm")
        found = io.read_segmentation(tmp_path / "rs.dcm", on=io.read(data("faults/rt_plain/ct")))
    assert volumes(found) == {kept: 1.152}


def square(low: float, high: float) -> np.ndarray:
    return np.array([(low, low), (high, low), (high, high), (low, high)])


@pytest.mark.parametrize(
    ("polygons", "pixels", "how"),
    [
        ([square(1.5, 9.5), square(1.6, 9.4)], 64, ()),
        ([square(1.5, 9.5), square(2.2, 9.4)], 64, ("twice",)),
        ([square(1.5, 9.5), square(2.5, 8.5)], 28, ("nested",)),
        ([square(1.5, 9.5), square(3.5, 7.5), square(3.6, 7.0)], 48, ("nested", "twice")),
        ([square(1.5, 9.5), square(3.5, 7.5), square(4.5, 6.5)], 52, ("nested", "")),
    ],
)
def test_a_hole_lies_inside_and_does_not_nearly_coincide(
    polygons: list[np.ndarray], pixels: int, how: tuple[str, ...]
) -> None:
    mask, decided = fill_slice(polygons, (12, 12), xor=False)
    assert (int(mask.sum()), decided) == (pixels, tuple(word for word in how if word))
