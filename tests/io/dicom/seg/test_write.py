"""A SEG that medseg writes is read by others to the same voxels, over every kind of geometry."""

from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Label, LabelTable, Region, Segmentation
from medseg.errors import GridMismatchError, InputError
from medseg.io.dicom.checked import checked_seg, reread
from medseg.io.dicom.seg.read import seg_of
from medseg.io.dicom.seg.write import SegOptions, make_seg
from tests.io.dicom.sources import KINDS, Data, scene
from tests.journeys.judges import complaints, judge, segments_by_dcmqi

#: These are quick; the others run with the slow tests.
_QUICK = ("axial multi-frame, 23 columns", "oblique sagittal", "oblique, pixels 4.0 × 6.4")
KIND = [kind if kind in _QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]


@pytest.mark.parametrize("kind", KIND)
def test_dcmqi_reads_the_same_voxels_and_dciodvfy_says_no_more_than_of_the_source(
    kind: str, data: Data, tmp_path: Path
) -> None:
    judge("dciodvfy"), judge("segimage2itkimage")
    found = scene(kind, data, tmp_path / "series")
    seg = make_seg(found.mask, found.origin)
    (tmp_path / "seg.dcm").write_bytes(checked_seg(seg, found.mask, found.origin))
    known = set().union(*(complaints(file) for file in found.files[:2]))
    assert complaints(tmp_path / "seg.dcm") - known == set()
    if kind == "sheared":
        return  # dcmqi builds its grid along the normal and can't hold tilted slices; highdicom reads them below
    masks = segments_by_dcmqi(tmp_path / "seg.dcm", tmp_path / "dcmqi", found.mask.grid)
    assert sorted(masks) == [1, 2]
    for value, mask in masks.items():
        assert np.count_nonzero(mask != (found.mask.labels == value)) == 0


def test_a_sheared_series_has_a_frame_for_each_of_its_slices(data: Data, tmp_path: Path) -> None:
    from highdicom.seg import Segmentation as HighdicomSeg

    found = scene("sheared", data, tmp_path)
    again = HighdicomSeg.from_dataset(
        reread(checked_seg(make_seg(found.mask, found.origin), found.mask, found.origin))
    )
    uids = [instance.uid for instance in found.source.instances]
    pixels = again.get_pixels_by_source_instance(uids, combine_segments=True, skip_overlap_checks=True)
    assert np.array_equal(pixels.transpose(2, 1, 0), found.mask.labels)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_every_kind_of_seg_gives_the_mask_back(kind: str, data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    labels = found.mask.labels
    shares = np.stack([labels == 0, labels == 1, labels == 2]).astype(np.float32)
    shares[1][labels == 1] = 0.75
    shares[0][labels == 1] = 0.25
    mask = Segmentation(labels, found.mask.grid, found.mask.table, probabilities=shares)
    again = seg_of(
        reread(checked_seg(make_seg(mask, found.origin, SegOptions(kind)), mask, found.origin)),  # type: ignore[arg-type]
        "x",
    )
    assert np.array_equal(again.labels, labels)
    assert [item.name for item in again.table.labels] == ["Ring", "Core ä"]
    assert again.table.labels[0].side == "left"
    assert again.table.labels[0].type is not None
    assert again.table.labels[0].type.value == "10200004"
    if kind == "FRACTIONAL":
        assert again.probabilities is not None
        assert np.abs(again.probabilities - shares).max() <= 1 / 255


def test_empty_frames_are_left_out(data: Data, tmp_path: Path) -> None:
    found = scene("oblique multi-frame", data, tmp_path)
    labels = np.zeros_like(found.mask.labels)
    labels[10:20, 10:20, 5:8] = 1
    mask = Segmentation(labels, found.mask.grid, found.mask.table)
    assert make_seg(mask, found.origin).NumberOfFrames == 3


def test_a_mask_in_another_axis_order_is_brought_back(data: Data, tmp_path: Path) -> None:
    from medseg.geometry import order_to

    found = scene("oblique sagittal", data, tmp_path)
    order = order_to(found.mask.grid, "RAS")
    turned = Segmentation(order.apply(found.mask.labels), order.grid(found.mask.grid), found.mask.table)
    assert turned.labels.shape != found.mask.labels.shape
    again = seg_of(reread(checked_seg(make_seg(turned, found.origin), turned, found.origin)), "x")
    assert np.count_nonzero(again.labels) == np.count_nonzero(found.mask.labels)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("empty", InputError, "the mask is empty"),
        ("shifted", GridMismatchError, "shifted by half a voxel"),
        ("no probabilities", InputError, "needs probabilities"),
    ],
)
def test_what_a_seg_can_not_say_is_refused(
    change: str, error: type[Exception], words: str, data: Data, tmp_path: Path
) -> None:
    from dataclasses import replace

    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    mask, options = found.mask, SegOptions()
    if change == "empty":
        mask = replace(mask, labels=np.zeros_like(mask.labels))
    if change == "shifted":
        affine = mask.grid.affine.copy()
        affine[:3, 3] += affine[:3, 0] / 2
        mask = replace(mask, grid=replace(mask.grid, affine=affine))
    if change == "no probabilities":
        options = SegOptions("FRACTIONAL")
    with pytest.raises(error, match=words):
        make_seg(mask, found.origin, options)


def test_overlapping_structures_are_one_segment_each_and_no_label_map(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    table = LabelTable(
        (Label(1, "a alone", is_part=True), Label(2, "a & b", is_part=True)),
        (Region("a", (1, 2)), Region("b", (2,))),
    )
    mask = Segmentation(found.mask.labels, found.mask.grid, table)
    again = seg_of(reread(checked_seg(make_seg(mask, found.origin), mask, found.origin)), "x")
    regions = {item.name: item.labels for item in again.table.regions}
    assert np.array_equal(again.mask(*regions["a"]), mask.mask(1, 2))
    assert np.array_equal(again.mask(*regions["b"]), mask.mask(2))
    with pytest.raises(InputError, match="a label map can't hold that"):
        make_seg(mask, found.origin, SegOptions("LABELMAP"))


def test_names_that_dicom_can_not_hold_are_kept_as_far_as_it_can(data: Data, tmp_path: Path) -> None:
    found = scene("axial multi-frame, 23 columns", data, tmp_path)
    table = LabelTable((Label(1, "GTV\\1  boost"), Label(2, "x" * 100)))
    mask = Segmentation(found.mask.labels, found.mask.grid, table)
    again = seg_of(reread(checked_seg(make_seg(mask, found.origin), mask, found.origin)), "x")
    assert [item.name for item in again.table.labels] == ["GTV/1 boost", "x" * 64]
