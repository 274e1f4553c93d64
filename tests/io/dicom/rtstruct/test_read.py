"""RTSTRUCTs of others give the masks that are known, on the images that they were drawn on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medseg import io
from medseg.errors import GridMismatchError, InputError

Data = Callable[[str], Path]


@pytest.mark.parametrize("modality", ["CT", "MR_T1", "PET"])
def test_the_contours_of_sts002_give_its_nifti_mask(modality: str, data: Data) -> None:
    found = io.read_segmentation(data(f"dicom/ibsi_sts002/{modality}/mask"))
    image = io.read(data(f"dicom/ibsi_sts002/nifti/{modality}_image.nii.gz"))
    truth = io.read_segmentation(data(f"dicom/ibsi_sts002/nifti/{modality}_mask.nii.gz"))
    on = io.read_segmentation(data(f"dicom/ibsi_sts002/{modality}/mask"), on=image)
    assert [item.name for item in found.table.labels] == [f"GTV_Mass_{modality}"]
    assert np.count_nonzero(found.labels) == np.count_nonzero(truth.labels)
    assert np.array_equal(on.labels > 0, truth.labels > 0)


def test_the_images_are_those_given(data: Data) -> None:
    image = io.read(data("dicom/ibsi_sts002/CT/image"))
    found = io.read_segmentation(data("dicom/ibsi_sts002/CT/mask"), on=image)
    assert found.grid is image.grid


@pytest.mark.parametrize("other", ["dicom/ibsi_sts002/PET/image", "dicom/dcmqi/ct-3slice"])
def test_images_that_it_was_not_drawn_on_are_refused(other: str, data: Data) -> None:
    with pytest.raises(GridMismatchError, match="was drawn on other images than these"):
        io.read_segmentation(data("dicom/ibsi_sts002/CT/mask"), on=io.read(data(other)))


def test_without_its_images_it_says_what_to_give(data: Data, tmp_path: Path) -> None:
    folder = tmp_path / "case" / "mask"
    shutil.copytree(data("dicom/ibsi_sts002/CT/mask"), folder)
    with pytest.raises(InputError, match="are not beside it; give their series with --image"):
        io.read_segmentation(folder)


@pytest.mark.parametrize("name", ["invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"])
def test_wrong_references_are_refused(name: str, data: Data) -> None:
    with pytest.raises(GridMismatchError, match="lies on no slice of the series"):
        io.read_segmentation(data(f"dicom/rt_utils/mock_data/{name}"))


def test_another_frame_of_reference_is_said_where_the_images_are_named(data: Data) -> None:
    found = io.read_segmentation(data("dicom/rt_utils/mock_data/rt.dcm"))
    codes = [finding.code for finding in found.findings]
    assert codes == ["rtstruct.frame_of_reference", "rtstruct.nested"]


def test_it_is_listed_as_a_mask_and_refused_as_an_image(data: Data) -> None:
    path = data("dicom/rt_utils/mock_data/rt.dcm")
    (source,) = io.inspect(path)
    assert source.description == "mask (RTSTRUCT), 1 structure (ROI-1)"
    with pytest.raises(InputError, match=r"no image but a mask \(RTSTRUCT\)"):
        io.read(path)


SQUARE = [(2.0, 2.0), (8.0, 2.0), (8.0, 8.0), (2.0, 8.0)]
INNER = [(4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0)]
ASIDE = [(6.0, 6.0), (12.0, 6.0), (12.0, 12.0), (6.0, 12.0)]


@pytest.mark.parametrize(
    ("kinds", "contours", "outcome"),
    [
        (["CLOSED_PLANAR"], [SQUARE], (36, [])),
        (["CLOSED_PLANAR"] * 2, [SQUARE, INNER], (32, ["rtstruct.nested"])),
        (["CLOSEDPLANAR_XOR"] * 2, [SQUARE, INNER], (32, [])),
        (["CLOSEDPLANAR_XOR"] * 2, [SQUARE, ASIDE], (64, [])),
        (["CLOSED_PLANAR"] * 2, [SQUARE, ASIDE], (68, ["rtstruct.overlap"])),
        (["CLOSED_PLANAR"] * 2, [SQUARE, SQUARE], (36, [])),
        (["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"], [SQUARE, INNER], "mixes contour types"),
        (["POINT"], [SQUARE[:1]], (0, ["mask.not_read"])),
        (["OPEN_PLANAR"], [SQUARE], (0, ["mask.not_read"])),
    ],
)
def test_contours_mean_what_the_rules_say(
    kinds: list[str], contours: list[list[tuple[float, float]]], outcome: object, data: Data, tmp_path: Path
) -> None:
    path = drawn(data, tmp_path, kinds, contours)
    if isinstance(outcome, str):
        with pytest.raises(InputError, match=outcome):
            io.read_segmentation(path)
        return
    found = io.read_segmentation(path)
    codes = [item.code for item in found.findings]
    assert (int(np.count_nonzero(found.labels)), codes) == outcome


def drawn(data: Data, folder: Path, kinds: list[str], contours: list[list[tuple[float, float]]]) -> Path:
    """A structure set whose corners lie between pixels (i, j) of the first slice of a real series; synthetic."""
    from medseg.geometry import flip_positions

    series = data("dicom/dcmqi/ct-3slice")
    for file in series.glob("*.dcm"):
        shutil.copy(file, folder)
    (source,) = io.inspect(folder)
    assert source.grid is not None
    first = pydicom.dcmread(source.instances[0].file, stop_before_pixels=True)
    ds = pydicom.dcmread(data("dicom/rt_utils/mock_data/rt.dcm"))
    images = [pydicom.Dataset()]
    images[0].ReferencedSOPClassUID, images[0].ReferencedSOPInstanceUID = (
        first.SOPClassUID,
        first.SOPInstanceUID,
    )
    frame = ds.ReferencedFrameOfReferenceSequence[0]
    frame.FrameOfReferenceUID = source.grid.frame_of_reference
    ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = source.grid.frame_of_reference
    named = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    named.SeriesInstanceUID, named.ContourImageSequence = source.series_uid, images
    items = []
    for kind, contour in zip(kinds, contours, strict=True):
        item = pydicom.Dataset()
        item.ContourGeometricType, item.ContourImageSequence = kind, images
        index = np.array([(i - 0.5, j - 0.5, 0) for i, j in contour])
        item.ContourData = flip_positions(source.grid.to_position(index)).round(4).ravel().tolist()
        item.NumberOfContourPoints = len(contour)
        items.append(item)
    ds.ROIContourSequence[0].ContourSequence = items
    path = folder / "rt.dcm"
    ds.save_as(path)
    return path
