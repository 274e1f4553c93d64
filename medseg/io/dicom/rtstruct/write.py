"""Writing RTSTRUCT on pydicom: outlines along voxel edges, holes as keyholes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Provenance, Segmentation
from medseg.domain.record import Review
from medseg.domain.segmentation import voxels_with
from medseg.errors import InputError
from medseg.geometry import flip_positions
from medseg.io.dicom.derived.attributes import (
    Uids,
    add_patient_and_study,
    derived_series,
    person_name,
    research_title,
    review_time,
)
from medseg.io.dicom.derived.fit import fit_sources
from medseg.io.dicom.derived.maker import maker_of
from medseg.io.dicom.derived.origin import Origin, on_origin
from medseg.io.dicom.rtstruct.keyholes import polygons_of
from medseg.io.dicom.rtstruct.points import set_points
from medseg.io.dicom.structures.segments import Segment, dicom_name, segments_of

__all__ = ["RtOptions", "make_rtstruct"]

_SERIES = 20
_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"


@dataclass(frozen=True, slots=True)
class RtOptions:
    """Whose review a structure set states, its UIDs, and when it was made."""

    review: Review = field(default_factory=Review)
    uids: Uids = field(default_factory=Uids)
    now: datetime | None = None


def make_rtstruct(segmentation: Segmentation, origin: Origin, options: RtOptions | None = None) -> Any:
    """A structure set (pydicom dataset) of a segmentation on its source series.

    Contours follow the edges of voxels on every slice, so that a reader that takes pixels by their centres gets
    the same mask back. A hole is joined to its outline by a bridge walked both ways (a keyhole).

    Raises
    ------
    InputError
        If nothing is segmented, or the source is one multi-frame object, which an RTSTRUCT can't refer to by slice.
    GridMismatchError
        If the mask's voxels are not the series'.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ImplicitVRLittleEndian

    options = options or RtOptions()
    now = options.now or datetime.now().astimezone()
    labels = on_origin(segmentation.labels, segmentation.grid, origin)
    if not labels.any():
        raise InputError("the mask is empty, and a structure set needs at least one contour")
    segments = segments_of(segmentation.table)
    sources = fit_sources(origin)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    # Explicit VR gives a contour's text 16 bits of length, which is 2000 points.
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.SOPClassUID = UID(_CLASS)
    add_patient_and_study(ds, origin)
    title = research_title(options.review, "Structures")
    derived_series(ds, options.uids, modality="RTSTRUCT", title=title, number=_SERIES, now=now)
    ds.file_meta.MediaStorageSOPClassUID = UID(_CLASS)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.OperatorsName = ""
    ds.FrameOfReferenceUID = sources[0].FrameOfReferenceUID
    ds.PositionReferenceIndicator = str(origin.first.get("PositionReferenceIndicator", "") or "")
    ds.StructureSetLabel = "RESEARCH"
    ds.StructureSetName = title
    ds.StructureSetDescription = "Research use, not a medical device."
    ds.StructureSetDate, ds.StructureSetTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    _state_review(ds, options.review)
    ds.ReferencedFrameOfReferenceSequence = [_frame_of_reference(sources)]
    ds.StructureSetROISequence = [
        _structure(item, sources[0].FrameOfReferenceUID, segmentation.made_by) for item in segments
    ]
    ds.ROIContourSequence = [_contours(item, labels, origin.grid, sources) for item in segments]
    ds.RTROIObservationsSequence = [_observation(item) for item in segments]
    return ds


def _state_review(ds: Any, review: Review) -> None:
    """Approved only by the person who signed, at the time of signing."""
    ds.ApprovalStatus = "APPROVED" if review.state == "reviewed" else "UNAPPROVED"
    if review.state == "reviewed":
        moment = review_time(review)
        ds.ReviewDate, ds.ReviewTime = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
        ds.ReviewerName = person_name(str(review.reviewer))


def _frame_of_reference(sources: list[Any]) -> Any:
    series = _dataset(
        SeriesInstanceUID=sources[0].SeriesInstanceUID,
        ContourImageSequence=[_image(source) for source in _unique(sources)],
    )
    study = _dataset(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=sources[0].StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _dataset(FrameOfReferenceUID=sources[0].FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _structure(segment: Segment, frame_of_reference: str, made_by: Provenance) -> Any:
    maker = maker_of(made_by)
    found = _dataset(
        ROINumber=segment.number,
        ReferencedFrameOfReferenceUID=frame_of_reference,
        ROIName=dicom_name(segment.name),
        ROIGenerationAlgorithm=maker.kind or "",
    )
    if maker.name:
        found.ROIGenerationDescription = dicom_name(maker.name)
    return found


def _contours(segment: Segment, labels: NDArray[Any], grid: Grid, sources: list[Any]) -> Any:
    mask = voxels_with(labels, segment.values)
    found = _dataset(ROIDisplayColor=list(segment.color), ReferencedROINumber=segment.number)
    items = []
    for k, polygon in polygons_of(mask):
        index = np.column_stack([polygon, np.full(len(polygon), float(k))])
        item = _dataset(
            ContourImageSequence=[_image(sources[min(k, len(sources) - 1)], k, len(sources))],
            ContourGeometricType="CLOSED_PLANAR",
        )
        set_points(item, flip_positions(grid.to_position(index)))
        items.append(item)
    if items:
        found.ContourSequence = items
    return found


def _observation(segment: Segment) -> Any:
    return _dataset(
        ObservationNumber=segment.number,
        ReferencedROINumber=segment.number,
        RTROIInterpretedType="",
        ROIInterpreter="",
    )


def _image(source: Any, k: int = 0, count: int = 2) -> Any:
    found = _dataset(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)
    if count == 1 and "NumberOfFrames" in source:
        found.ReferencedFrameNumber = k + 1
    return found


def _unique(sources: list[Any]) -> list[Any]:
    return list({str(source.SOPInstanceUID): source for source in sources}.values())


def _dataset(**attributes: Any) -> Any:
    from pydicom.dataset import Dataset

    ds = Dataset()
    for name, value in attributes.items():
        setattr(ds, name, value)
    return ds
