"""Synthetic enhanced MR: what tells its volumes apart, by what they are and by the dimensions that it declares."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian

from medseg.domain import ReadOptions
from medseg.errors import InputError
from medseg.io import inspect, read

Group = dict[str, Any]
CARDINAL = [1, 0, 0, 0, 1, 0]


def item(**tags: Any) -> list[Dataset]:
    ds = Dataset()
    for name, value in tags.items():
        setattr(ds, name, value)
    return [ds]


def enhanced(path: Path, groups: Iterable[Group], dimensions: list[tuple[int, str]] = ()) -> Path:  # type: ignore[assignment]
    """Frames by their own groups: z, type, te, t, component, index."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = EnhancedMRImageStorage, "1.2.9", "1.2.8"
    ds.Modality, ds.FrameOfReferenceUID, ds.PatientID = "MR", "1.2.7", "x"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 4, 6, 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.ImageType = ["ORIGINAL", "PRIMARY", "MIXED", "NONE"]
    frames = []
    for group in groups:
        frame = Dataset()
        frame.PlanePositionSequence = item(ImagePositionPatient=[0.0, 0.0, float(group["z"])])
        frame.PlaneOrientationSequence = item(ImageOrientationPatient=CARDINAL)
        frame.PixelMeasuresSequence = item(PixelSpacing=[1.0, 1.0], SliceThickness=2.0)
        content = {}
        if "t" in group:
            content["TemporalPositionIndex"] = group["t"]
        if "index" in group:
            content["DimensionIndexValues"] = group["index"]
        frame.FrameContentSequence = item(**content)
        kind = {"FrameType": ["ORIGINAL", "PRIMARY", group.get("type", "M"), "NONE"]}
        if "component" in group:
            kind["ComplexImageComponent"] = group["component"]
        frame.MRImageFrameTypeSequence = item(**kind)
        frame.MREchoSequence = item(EffectiveEchoTime=float(group.get("te", 5)))
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = frames
    ds.NumberOfFrames = len(frames)
    ds.DimensionIndexSequence = [
        item(DimensionIndexPointer=pointer, DimensionDescriptionLabel=label)[0]
        for pointer, label in dimensions
    ]
    ds.PixelData = np.repeat(np.arange(len(frames), dtype=np.uint16), 24).tobytes()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, "1.2.9"  # type: ignore[assignment]
    ds.save_as(path, enforce_file_format=True)
    return path


KINDS = [
    ({"type": "FIELD_MAP", "te": 0}, "field map"),
    ({"type": "B0_MAP", "te": 0}, "field map"),
    ({"type": "PHASE MAP"}, "phase"),
    ({"type": "P"}, "phase"),
    ({"type": "OTHER", "component": "PHASE"}, "phase"),
    ({"type": "OTHER", "component": "REAL"}, "real"),
    ({"type": "I"}, "imaginary"),
    ({"type": "T2_MAP"}, "T2 map"),
]


@pytest.mark.parametrize(("tags", "kind"), KINDS)
def test_volumes_are_told_apart_by_what_they_are(tags: Group, kind: str, tmp_path: Path) -> None:
    frames = [{"z": 2 * n, "type": "M"} for n in range(3)] + [{"z": 2 * n, **tags} for n in range(3)]
    path = enhanced(tmp_path / "x.dcm", frames)
    image, other = inspect(path)
    assert image.volume == "kind=magnitude"
    assert not image.findings
    assert other.volume == f"kind={kind}"
    assert kind in other.description
    assert other.detail("kind") == kind
    assert [(item.code, item.severity) for item in other.findings] == [("dicom.kind", "warning")]
    with pytest.raises(InputError, match="kind=magnitude") as caught:
        read(path)
    assert f"kind={kind}" in str(caught.value)
    assert read(path, options=ReadOptions(volume="kind=magnitude")).array[0, 0].tolist() == [0, 1, 2]
    assert read(path, options=ReadOptions(volume=f"kind={kind}")).array[0, 0].tolist() == [3, 4, 5]


def test_a_phase_alone_is_said_to_be_one(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "x.dcm", [{"z": 2 * n, "type": "P"} for n in range(3)])
    assert {item.code for item in read(path).findings} == {"dicom.kind"}


def test_dimensions_that_the_object_declares_split(tmp_path: Path) -> None:
    """40 positions, 3 times, 2 labels that no standard tag tells apart."""
    frames = [
        {"z": 2 * place, "t": time, "index": [1, place + 1, time, label]}
        for time in (1, 2, 3)
        for label in (1, 2)
        for place in range(40)
    ]
    declared = [
        (0x00209056, "Stack"),
        (0x00209057, "In-Stack Position"),
        (0x00209128, "Temporal Position Index"),
        (0x20051429, "Label Type"),
    ]
    sources = inspect(enhanced(tmp_path / "x.dcm", frames, declared))
    assert len(sources) == 6
    assert {source.grid.shape[2] for source in sources if source.grid} == {40}
    assert {source.volume for source in sources} >= {"t=1 label type=1", "t=3 label type=2"}


def test_frames_that_only_a_declared_dimension_tells_apart(tmp_path: Path) -> None:
    frames = [{"z": 2 * place, "index": [place + 1, label]} for label in (1, 2) for place in range(3)]
    sources = inspect(
        enhanced(tmp_path / "x.dcm", frames, [(0x00209057, "Place"), (0x20051429, "Label Type")])
    )
    assert [source.volume for source in sources] == ["label type=1", "label type=2"]


def test_an_enhanced_object_without_pixels(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "x.dcm", [{"z": 0}, {"z": 2}])
    ds = pydicom.dcmread(path)
    del ds.PixelData
    ds.save_as(path)
    (source,) = inspect(path)
    assert source.grid is None
    with pytest.raises(InputError, match="holds no pixels"):
        read(path)


@pytest.mark.parametrize("claimed", ["99999", "2147483647", "0", "-3"])
def test_frames_that_are_claimed_but_not_there(claimed: str, tmp_path: Path) -> None:
    path = enhanced(tmp_path / "x.dcm", [{"z": 0}, {"z": 2}])
    ds = pydicom.dcmread(path)
    ds.NumberOfFrames = claimed
    ds.save_as(path)
    with pytest.raises(InputError, match="frames"):
        read(path)


def test_older_objects_of_several_frames(data: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("r11_nm_pos.dcm", "r10_ct.dcm"):
        image = read(data(f"faults/{name}"))
        assert image.grid.shape == (20, 24, 16)
        assert image.grid.spacing == pytest.approx((1, 1, 2))
        assert "dicom.stacked" in {item.code for item in image.findings}
    for change in ({"SpacingBetweenSlices": None}, {"SpacingBetweenSlices": 0}):
        ds = pydicom.dcmread(data("faults/r10_ct.dcm"))
        for tag, value in change.items():
            setattr(ds, tag, value)
        ds.save_as(tmp_path / "x.dcm")
        with pytest.raises(InputError, match="SpacingBetweenSlices"):
            read(tmp_path / "x.dcm")
    ds = pydicom.dcmread(data("faults/r11_nm_pos.dcm"))
    ds.SpacingBetweenSlices = -2
    ds.save_as(tmp_path / "x.dcm")
    image = read(tmp_path / "x.dcm")
    # A negative step stacks against the normal: frame 16 is the first slice.
    assert np.array_equal(image.array, read(data("faults/r11_nm_pos.dcm")).array[..., ::-1])
