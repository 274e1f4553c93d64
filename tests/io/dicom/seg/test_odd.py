"""SEGs with something odd: read where what they mean is known, else refused in one line that names the tag."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medseg import io, measuring
from medseg.domain import Quantity, ReadOptions
from medseg.errors import InputError

Data = Callable[[str], Path]
PROBABILITY_VOLUME, VOLUME = Quantity.PROBABILITY_VOLUME, Quantity.VOLUME


def put(item: Any, tag: int, vr: str, text: str) -> None:
    """An element as a damaged file holds it, past the library's own checks."""
    data = text.encode() + b" " * (len(text) % 2)
    item[Tag(tag)] = RawDataElement(
        Tag(tag), vr, len(data), data, 0, is_implicit_VR=False, is_little_endian=True
    )


def pixels(ds: Any) -> np.ndarray:
    count = ds.NumberOfFrames * ds.Rows * ds.Columns
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")[:count]
    return bits.reshape(ds.NumberOfFrames, ds.Rows, ds.Columns)


def set_pixels(ds: Any, values: np.ndarray, places: list[int]) -> None:
    """Bits of frames, each with the group of an old one."""
    groups = list(ds.PerFrameFunctionalGroupsSequence)
    ds.PixelData = np.packbits(values, axis=None, bitorder="little").tobytes()
    ds.NumberOfFrames = len(values)
    ds.PerFrameFunctionalGroupsSequence = [deepcopy(groups[place]) for place in places]


def shared(ds: Any, keyword: str) -> Any:
    return getattr(ds.SharedFunctionalGroupsSequence[0], keyword)[0]


def shuffle(ds: Any) -> None:
    order = [3, 0, 5, 1, 4, 2]
    set_pixels(ds, pixels(ds)[order], order)


def repeat(ds: Any, *, turned: bool) -> None:
    values = pixels(ds)
    extra = 1 - values[:1] if turned else values[:1]
    set_pixels(ds, np.concatenate([values, extra]), [*range(len(values)), 0])


def number(ds: Any, value: int | None) -> None:
    for group in (ds.SharedFunctionalGroupsSequence[0], *ds.PerFrameFunctionalGroupsSequence):
        if "SegmentIdentificationSequence" in group:
            if value is None:
                del group.SegmentIdentificationSequence
            else:
                group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = value
    if value is not None:
        ds.SegmentSequence[0].SegmentNumber = value


def bytes_of(ds: Any, kind: str, value: int = 1) -> None:
    """The same frames with a byte for each pixel."""
    ds.PixelData = (pixels(ds) * np.uint8(value)).tobytes()
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.SegmentationType = 7, kind


def fractions(ds: Any, value: int = 200, top: int | None = 255, kind: str = "PROBABILITY") -> None:
    bytes_of(ds, "FRACTIONAL", value)
    ds.SegmentationFractionalType = kind
    if top is not None:
        ds.MaximumFractionalValue = top


def label_map(ds: Any, value: int = 1) -> None:
    bytes_of(ds, "LABELMAP", value)
    number(ds, None)


#: What is changed in a SEG of one liver of 1.152 ml, and what the volumes are then.
READ: dict[str, tuple[Callable[[Any], Any], dict[str, float], list[str]]] = {
    "nothing": (lambda ds: None, {"liver": 1.152}, []),
    "frames out of order": (shuffle, {"liver": 1.152}, []),
    "a frame twice": (lambda ds: repeat(ds, turned=False), {"liver": 1.152}, []),
    "segment 0": (lambda ds: number(ds, 0), {"liver": 1.152}, []),
    "segment 5 alone": (lambda ds: number(ds, 5), {"liver": 1.152}, []),
    "a binary one in bytes": (lambda ds: bytes_of(ds, "BINARY", 255), {"liver": 1.152}, []),
    "a label map": (label_map, {"liver": 1.152}, []),
    "a label map of what it does not describe": (
        lambda ds: label_map(ds, 7),
        {"liver": 0.0, "label 7": 1.152},
        ["labels.unnamed"],
    ),
    "a name that steers": (
        lambda ds: setattr(ds.SegmentSequence[0], "SegmentLabel", "a\nb\x1b[2J"),
        {"a b [2J": 1.152},
        [],
    ),
}


@pytest.mark.parametrize("what", READ)
def test_what_is_known_is_read(what: str, data: Data, tmp_path: Path) -> None:
    change, expected, codes = READ[what]
    ds = pydicom.dcmread(data("faults/sg_plain/seg.dcm"))
    change(ds)
    ds.save_as(tmp_path / "seg.dcm")
    for on in (None, io.read(data("faults/sg_plain/ct"))):
        found = io.read_segmentation(tmp_path / "seg.dcm", on=on)
        rows = measuring.measure(found, only=(VOLUME,))
        assert {row.target.name: round(row.value or 0, 4) for row in rows} == expected
        assert [item.code for item in found.findings] == codes


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "one frame twice with other pixels": (
        lambda ds: repeat(ds, turned=True),
        "two of its frames show segment 1 on slice . and differ",
    ),
    "one number twice": (
        lambda ds: setattr(ds, "SegmentSequence", [ds.SegmentSequence[0], deepcopy(ds.SegmentSequence[0])]),
        "two of its segments have the number 1",
    ),
    "no segment named": (lambda ds: number(ds, None), "does not say which segment it shows"),
    "a group too few": (
        lambda ds: ds.PerFrameFunctionalGroupsSequence.pop(),
        "claims 6 frames and describes 5",
    ),
    "another type": (lambda ds: setattr(ds, "SegmentationType", "WOBBLE"), "SegmentationType is 'WOBBLE'"),
    "NaN as position": (
        lambda ds: put(
            ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0], 0x00200032, "DS", r"nan\1\1"
        ),
        r"\(0020,0032\) ImagePositionPatient",
    ),
    "NaN as spacing": (
        lambda ds: put(shared(ds, "PixelMeasuresSequence"), 0x00280030, "DS", r"nan\1"),
        r"\(0028,0030\) PixelSpacing",
    ),
    "a step that is no number": (
        lambda ds: put(shared(ds, "PixelMeasuresSequence"), 0x00180088, "DS", "abc"),
        r"\(0018,0088\) SpacingBetweenSlices is 'abc'",
    ),
    "no directions": (
        lambda ds: setattr(shared(ds, "PlaneOrientationSequence"), "ImageOrientationPatient", [0] * 6),
        "no two directions at right angles",
    ),
    "oblique directions": (
        lambda ds: setattr(
            shared(ds, "PlaneOrientationSequence"), "ImageOrientationPatient", [1, 0, 0, 0.5, 0.5, 0]
        ),
        "no two directions at right angles",
    ),
    "fractions of nothing": (lambda ds: fractions(ds, top=None), "MaximumFractionalValue"),
    "fractions of 0": (lambda ds: fractions(ds, top=0), "MaximumFractionalValue"),
    "fractions above the whole": (lambda ds: fractions(ds, top=100), "holds 200 and states 100"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_known_is_refused_by_name(what: str, data: Data, tmp_path: Path) -> None:
    change, words = REFUSED[what]
    ds = pydicom.dcmread(data("faults/sg_plain/seg.dcm"))
    change(ds)
    ds.save_as(tmp_path / "seg.dcm")
    with pytest.raises(InputError, match=words) as caught:
        io.read_segmentation(tmp_path / "seg.dcm")
    assert "seg.dcm" in str(caught.value)


@pytest.mark.parametrize(("kind", "value"), [("PROBABILITY", 204), ("OCCUPANCY", 102)])
def test_fractions_stay_on_even_and_uneven_slices(kind: str, value: int, data: Data, tmp_path: Path) -> None:
    """96 voxels of 2 mm³ on each of six slices; uneven, the last lies two steps on and its edge fades out."""
    ds = pydicom.dcmread(data("faults/sg_plain/seg.dcm"))
    fractions(ds, value, kind=kind)
    ds.save_as(tmp_path / "even.dcm")
    uneven = pydicom.dcmread(min(data("faults/rt_varz/ct").iterdir()), stop_before_pixels=True)
    ds.FrameOfReferenceUID = uneven.FrameOfReferenceUID
    ds.ReferencedSeriesSequence[0].SeriesInstanceUID = uneven.SeriesInstanceUID
    for group in ds.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        if float(place.ImagePositionPatient[2]) == 18.0:
            place.ImagePositionPatient = [*place.ImagePositionPatient[:2], 20.0]
    ds.save_as(tmp_path / "uneven.dcm")
    share = value / 255
    for name, folder, slices in (("even", "sg_plain", 6), ("uneven", "rt_varz", 7.5)):
        image = io.read(data(f"faults/{folder}/ct"), options=ReadOptions(resample=True))
        for label in (None, "liver"):
            options = ReadOptions(label=label)
            found = io.read_segmentation(tmp_path / f"{name}.dcm", on=image, options=options)
            assert found.probabilities is not None
            assert found.probabilities.sum(axis=0) == pytest.approx(1)
            volume_ml = float(found.probabilities[1].sum()) * image.grid.voxel_volume / 1000
            assert volume_ml == pytest.approx(96 * 2 * share * slices / 1000, rel=1e-5)
            assert found.labels.any() == (share >= 0.5)


def test_fractions_that_are_left_out_are_said(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = pydicom.dcmread(data("faults/sg_plain/seg.dcm"))
    fractions(ds)
    ds.save_as(tmp_path / "seg.dcm")
    monkeypatch.setattr("medseg.io.dicom.seg.read._MOST_PROBABILITY_BYTES", 100)
    found = io.read_segmentation(tmp_path / "seg.dcm")
    assert found.probabilities is None
    assert "seg.fractions_left" in [item.code for item in found.findings]
    rows = measuring.measure(found, only=(VOLUME, PROBABILITY_VOLUME))
    assert [row.quantity for row in rows] == [VOLUME]
