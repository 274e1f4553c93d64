"""SEGs keep only the slices that show something: what their distances say, alone and with the images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medseg import io, measuring
from medseg.domain import Measurement, Quantity, ReadOptions, Segmentation, Status
from medseg.errors import GridMismatchError

Data = Callable[[str], Path]


def volume(found: Segmentation) -> Measurement:
    (row,) = measuring.measure(found, only=(Quantity.VOLUME,))
    return row


@pytest.mark.parametrize(
    ("name", "alone", "with_image"),
    [("sg_plain", 1.152, 1.152), ("sg_469", 0.576, 0.576), ("sg_sparse_nospacing", None, 0.384)],
)
def test_the_volume_alone_and_with_its_image(
    name: str, alone: float | None, with_image: float, data: Data
) -> None:
    path = data(f"faults/{name}/seg.dcm")
    found = volume(io.read_segmentation(path))
    assert found.status is (Status.NOT_COMPUTED if alone is None else Status.OK)
    assert found.value == (alone if alone is None else pytest.approx(alone))
    placed = volume(io.read_segmentation(path, on=io.read(data(f"faults/{name}/ct"))))
    assert (placed.value, placed.status) == (pytest.approx(with_image), Status.OK)


def test_an_unknown_step_is_said_and_can_be_given(data: Data) -> None:
    path = data("faults/sg_sparse_nospacing/seg.dcm")
    assert [item.code for item in io.read_segmentation(path).findings] == ["seg.step_unknown"]
    given = volume(io.read_segmentation(path, options=ReadOptions(spacing=(1.0, 1.0, 2.0))))
    assert (given.value, given.status) == (pytest.approx(0.384), Status.OK)


def test_neighbours_that_touch_need_no_stated_spacing(data: Data, tmp_path: Path) -> None:
    ds = pydicom.dcmread(data("faults/sg_plain/seg.dcm"))
    del ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    ds.save_as(tmp_path / "seg.dcm")
    assert volume(io.read_segmentation(tmp_path / "seg.dcm")).value == pytest.approx(1.152)


def test_a_stated_spacing_that_does_not_divide_the_distances_is_not_believed(
    data: Data, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(data("faults/sg_sparse_nospacing/seg.dcm"))
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 3.0
    ds.save_as(tmp_path / "seg.dcm")
    assert volume(io.read_segmentation(tmp_path / "seg.dcm")).status is Status.NOT_COMPUTED
    image = io.read(data("faults/sg_sparse_nospacing/ct"))
    assert volume(io.read_segmentation(tmp_path / "seg.dcm", on=image)).value == pytest.approx(0.384)


def test_frames_lie_on_the_slices_of_an_uneven_ct(data: Data, tmp_path: Path) -> None:
    ds = pydicom.dcmread(data("faults/sg_plain/seg.dcm"))
    uneven = pydicom.dcmread(next(iter(sorted(data("faults/rt_varz/ct").iterdir()))), stop_before_pixels=True)
    ds.FrameOfReferenceUID = uneven.FrameOfReferenceUID
    ds.ReferencedSeriesSequence[0].SeriesInstanceUID = uneven.SeriesInstanceUID
    for group in ds.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        if float(place.ImagePositionPatient[2]) == 18.0:
            place.ImagePositionPatient = [*place.ImagePositionPatient[:2], 20.0]
    ds.save_as(tmp_path / "seg.dcm")
    image = io.read(data("faults/rt_varz/ct"), options=ReadOptions(resample=True))
    found = io.read_segmentation(tmp_path / "seg.dcm", on=image)
    contours = io.read_segmentation(data("faults/rt_varz/rs.dcm"), on=image)
    assert np.array_equal(found.labels > 0, contours.labels > 0)
    place.ImagePositionPatient = [*place.ImagePositionPatient[:2], 19.0]
    ds.save_as(tmp_path / "off.dcm")
    with pytest.raises(GridMismatchError, match=r"1 of 6 frames of off\.dcm lie on no slice"):
        io.read_segmentation(tmp_path / "off.dcm", on=image)
