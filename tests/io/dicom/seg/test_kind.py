"""Which kind of SEG is written by default, how large it is, and that it gives the mask back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from benchmarks.seg_size import STRUCTURES, phantom, sizes
from medseg.domain import Label, LabelTable, Segmentation
from medseg.errors import InputError
from medseg.io.dicom.checked import checked_seg, reread
from medseg.io.dicom.seg.kind import choose_kind
from medseg.io.dicom.seg.read import seg_of
from medseg.io.dicom.seg.write import SegOptions, make_seg
from medseg.io.dicom.structures.segments import Segment
from tests.io.dicom.sources import Data, scene
from tests.journeys.judges import judge, segments_by_dcmqi

Change = Callable[[np.ndarray], Any]


def _stack(count: int, side: int, slices: int) -> np.ndarray:
    """(K, rows, columns): `count` labels as columns of pixels, on every slice."""
    return np.broadcast_to(np.arange(side) % (count + 1), (slices, side, side)).astype(np.uint8)


@pytest.mark.parametrize(
    ("count", "side", "slices", "overlapping", "kind"),
    [
        (1, 512, 300, False, "BINARY"),  # large, and every viewer loads it
        (10, 512, 300, False, "BINARY"),
        (11, 512, 5, False, "BINARY"),  # 55 frames of 32768 bytes are 1.8 MB
        (11, 512, 6, False, "LABELMAP"),  # 66 are 2.2 MB
        (11, 512, 6, True, "BINARY"),  # a label map can't hold what overlaps
        (117, 64, 30, False, "BINARY"),  # 63 of them are there at most, which is small
    ],
)
def test_the_rule_of_the_default(count: int, side: int, slices: int, overlapping: bool, kind: str) -> None:
    segments = [Segment(number, f"s{number}", (number,)) for number in range(1, count + 1)]
    if overlapping:
        segments[0] = replace(segments[0], values=(1, 2))
    assert choose_kind(_stack(count, side, slices), segments) == kind


def _many(found: Any) -> Segmentation:
    """117 labels of a few voxels each on a real series."""
    labels = np.zeros(found.mask.grid.shape, np.uint8)
    places = np.random.default_rng(0).choice(labels.size, 3 * STRUCTURES, replace=False)
    labels.reshape(-1)[places] = np.repeat(np.arange(1, STRUCTURES + 1), 3)
    names = tuple(
        Label(value, f"structure {value}", color=(value, 2 * value, 255 - value))
        for value in range(1, STRUCTURES + 1)
    )
    return Segmentation(labels, found.mask.grid, LabelTable(names))


def test_a_packed_label_map_gives_voxels_names_and_colours_back(data: Data, tmp_path: Path) -> None:
    judge("segimage2itkimage")
    found = scene("oblique sagittal", data, tmp_path)
    mask = _many(found)
    seg = make_seg(mask, found.origin, SegOptions("LABELMAP"))
    assert seg.file_meta.TransferSyntaxUID == RLELossless
    written = checked_seg(seg, mask, found.origin)
    (tmp_path / "seg.dcm").write_bytes(written)
    again = seg_of(reread(written), "x")
    assert [item.name for item in again.table.labels] == [item.name for item in mask.table.labels]
    ours, theirs = (np.array([item.color for item in one.table.labels]) for one in (mask, again))
    assert np.abs(ours - theirs).max() <= 2  # through CIELab of 16 bits
    by_others = segments_by_dcmqi(tmp_path / "seg.dcm", tmp_path / "dcmqi", mask.grid)
    for value, held in by_others.items():
        assert np.count_nonzero(held != (mask.labels == value)) == 0
    assert len(by_others) == STRUCTURES


def test_the_background_of_a_label_map_stands_behind_its_structures(data: Data, tmp_path: Path) -> None:
    """Viewers count segments for the values 1, 2, …; a background in front shifts names and colours by one."""
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    seg = make_seg(found.mask, found.origin, SegOptions("LABELMAP"))
    assert [int(item.SegmentNumber) for item in seg.SegmentSequence] == [1, 2, 0]


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("geometry", ["oblique sagittal", "oblique multi-frame"])
def test_all_frames_share_one_orientation(kind: str, geometry: str, data: Data, tmp_path: Path) -> None:
    """OHIF compares the orientation of the frames, and refuses a SEG whose frames say it each a little else."""
    found = scene(geometry, data, tmp_path)
    seg = make_seg(found.mask, found.origin, SegOptions(kind))  # type: ignore[arg-type]
    (shared,) = seg.SharedFunctionalGroupsSequence
    cosines = [float(value) for value in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
    direction = found.origin.grid.direction.T[:2] * (-1, -1, 1)
    assert cosines == pytest.approx(direction.ravel(), abs=1e-4)
    assert not any("PlaneOrientationSequence" in item for item in seg.PerFrameFunctionalGroupsSequence)


def test_bits_are_not_packed(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    assert (
        make_seg(found.mask, found.origin, SegOptions("BINARY")).file_meta.TransferSyntaxUID
        == ExplicitVRLittleEndian
    )
    with pytest.raises(InputError, match="one bit per pixel, which RLE can't pack; write a LABELMAP"):
        make_seg(found.mask, found.origin, SegOptions("BINARY", packing="RLE"))


@pytest.mark.slow
def test_117_structures_of_a_ct_are_less_than_2_mb() -> None:
    mask, origin = phantom()
    default = next(sizes(mask, origin))
    assert (default.kind, default.size_bytes < 2e6) == ("LABELMAP", True), default
