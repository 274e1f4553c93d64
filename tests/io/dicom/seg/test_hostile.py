"""Truncated, hostile and huge masks end in one line, without taking more memory than they are worth."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medseg import io
from medseg.errors import InputError, MedsegError
from medseg.io.dicom.checked import checked_rtstruct
from medseg.io.dicom.rtstruct.write import make_rtstruct
from tests.io.dicom.rtstruct.test_read import SQUARE, drawn
from tests.io.dicom.sources import Data, scene

_SEGS = ("dcmqi/23x38x3/seg/label.seg", "dcmqi/partial_overlaps.dcm", "dcmqi/sparse-labelmap-ppv5.dcm")
#: No damaged file of a few hundred kB may cost more than this.
_MOST_BYTES = 300 << 20


@pytest.fixture(params=[*_SEGS, "RTSTRUCT"])
def whole(request: pytest.FixtureRequest, data: Data, tmp_path: Path) -> bytes:
    if request.param != "RTSTRUCT":
        return data(f"dicom/{request.param}").read_bytes()
    found = scene("oblique sagittal", data, tmp_path / "series")
    return checked_rtstruct(make_rtstruct(found.mask, found.origin), found.mask, found.origin)


def _read(path: Path) -> None:
    """Read a mask; if it can't be, in one line, and in bounded memory."""
    before = _memory()
    try:
        io.read_segmentation(path)
    except MedsegError as error:
        assert "\n" not in str(error)  # noqa: PT017 - reading may also succeed
        assert isinstance(error, InputError)  # noqa: PT017
    assert _memory() - before < _MOST_BYTES


def _memory() -> int:
    """The most memory that this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_truncated_file_is_one_line(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(InputError) as caught:
            io.read_segmentation(path)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_flipped_bytes_are_one_line_or_harmless(whole: bytes, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "flipped.dcm"
    for _ in range(50):
        spoilt = bytearray(whole)
        # Headers break in more ways than pixels, so most flips go there.
        for place in random.integers(0, min(len(spoilt), 6000), 3):
            spoilt[place] = int(random.integers(0, 256))
        path.write_bytes(bytes(spoilt))
        _read(path)


def _frames(ds: Any) -> None:
    ds.NumberOfFrames = 1_000_000


def _size(ds: Any) -> None:
    ds.Rows = ds.Columns = 65535


def _far(ds: Any) -> None:
    last = ds.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0]
    last.ImagePositionPatient = [float(x) + 1e9 for x in last.ImagePositionPatient]


def _apart(ds: Any) -> None:
    """Two frames, 10 000 stated steps from each other."""
    groups = ds.PerFrameFunctionalGroupsSequence
    shared = ds.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence[0].SpacingBetweenSlices = 0.01
    first = groups[0].PlanePositionSequence[0].ImagePositionPatient
    for number, group in enumerate(groups):
        group.PlanePositionSequence[0].ImagePositionPatient = [
            first[0],
            first[1],
            float(first[2]) + 100.0 * number,
        ]


def _no_groups(ds: Any) -> None:
    del ds.PerFrameFunctionalGroupsSequence


def _no_segments(ds: Any) -> None:
    del ds.SegmentSequence


def _unknown_segment(ds: Any) -> None:
    item = ds.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0]
    item.ReferencedSegmentNumber = 77


def _no_number(ds: Any) -> None:
    item = ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    item.ImagePositionPatient = None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_frames, "claims 1000000 frames and describes 3"),
        (_size, "holds .* bytes: damaged"),
        (_far, "no regular stack|a position is wrong|several orientations|span"),
        (_apart, "a position is wrong"),
        (_no_groups, "claims 3 frames and describes 0"),
        (_no_segments, "damaged"),
        (_unknown_segment, "77"),
        (_no_number, "where in the patient"),
    ],
)
def test_claims_that_are_not_kept_are_refused(
    change: Callable[[Any], None], words: str, data: Data, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(data("dicom/dcmqi/23x38x3/seg/label.seg"))
    change(ds)
    ds.save_as(tmp_path / "hostile.dcm")
    before = _memory()
    with pytest.raises(InputError, match=words) as caught:
        io.read_segmentation(tmp_path / "hostile.dcm")
    assert _memory() - before < _MOST_BYTES
    assert "\n" not in str(caught.value)


def test_ten_million_points_are_refused_by_their_count(data: Data, tmp_path: Path) -> None:
    path = drawn(data, tmp_path, ["CLOSED_PLANAR"], [SQUARE])
    ds = pydicom.dcmread(path)
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    text = b"1\\" * 30_000_000
    tag = Tag(0x30060050)
    contour[tag] = RawDataElement(tag, "DS", len(text), text, 0, is_implicit_VR=True, is_little_endian=True)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    pydicom.dcmwrite(path, ds, implicit_vr=True, little_endian=True)
    with pytest.raises(InputError, match="holds more than 5000000 points"):
        io.read_segmentation(path)


@pytest.mark.parametrize("text", ["1\\2\\3\\4", "a\\b\\c", "1\\2\\nan", "", "1e999\\0\\0"])
def test_contours_that_are_no_points_are_refused(text: str, data: Data, tmp_path: Path) -> None:
    path = drawn(data, tmp_path, ["CLOSED_PLANAR"], [SQUARE])
    ds = pydicom.dcmread(path)
    raw = text.encode() + b" " * (len(text) % 2)
    tag = Tag(0x30060050)
    ds.ROIContourSequence[0].ContourSequence[0][tag] = RawDataElement(
        tag, "DS", len(raw), raw, 0, is_implicit_VR=False, is_little_endian=True
    )
    ds.save_as(path)
    with pytest.raises(InputError, match=r"no points in space|no number"):
        io.read_segmentation(path)
