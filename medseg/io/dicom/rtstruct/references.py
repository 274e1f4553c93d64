"""What a structure set says of the images that it was drawn on: their series, their UIDs, its frames of reference."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from medseg.domain import Finding, Grid, Source
from medseg.errors import GridMismatchError
from medseg.io.dicom.rtstruct.rois import Roi

__all__ = ["References", "named_images", "reference_findings", "referenced_series"]

_OTHER_FRAME = (
    "The contours name another frame of reference than their images; the images that they name were used."
)
_OTHER_IMAGES = "The contours name their series and none of the images in it; slices were found by position."


@dataclass(frozen=True, slots=True)
class References:
    """What a set names as a whole, for judging what one of its structures names.

    Parameters
    ----------
    frames
        Frames of reference that it or a structure of it names.
    images
        SOP Instance UIDs of the series that it is read on.
    known
        Whether it names some of these images.
    """

    frames: frozenset[str]
    images: frozenset[str]
    known: bool

    @classmethod
    def of(cls, ds: Any, source: Source) -> Self:
        """The references of a set that is read on a series."""
        images = frozenset(item.uid for item in source.instances)
        return cls(frozenset(_stated_frames(ds)), images, bool(named_images(ds) & images))

    def about(self, roi: Roi, grid: Grid) -> tuple[str, ...]:
        """What is to be said of a structure that names other images or another frame than the others of its set.

        Raises
        ------
        GridMismatchError
            If it was drawn in another frame of reference and names none of the images: its contours have places
            then, and not in these.
        """
        named = _named_by(contour for item in roi.items for contour in item.get("ContourSequence") or ())
        own = grid.frame_of_reference
        is_elsewhere = own in self.frames and roi.frame_of_reference not in ("", own)
        if is_elsewhere and not named & self.images:
            raise GridMismatchError(
                f"structure {roi.name!r} was drawn in another frame of reference than these images"
            )
        strange = self.known and bool(named - self.images)
        return ("other_frame",) * is_elsewhere + ("other_images",) * strange


def reference_findings(ds: Any, name: str, source: Source, grid: Grid) -> tuple[Finding, ...]:
    """What the references of the whole set say.

    Raises
    ------
    GridMismatchError
        If it was drawn in another frame of reference, unless the very images are named.
    """
    frames, own = _stated_frames(ds), grid.frame_of_reference
    images = named_images(ds)
    known = bool(images & {instance.uid for instance in source.instances})
    if own and frames and own not in frames:
        if not known:
            raise GridMismatchError(f"{name} was drawn in another frame of reference than this series")
        return (Finding("rtstruct.frame_of_reference", "warning", _OTHER_FRAME),)
    if images and not known:
        return (Finding("rtstruct.references", "warning", _OTHER_IMAGES),)
    return ()


def referenced_series(ds: Any) -> tuple[str, ...]:
    """Series Instance UIDs of the images that a structure set was drawn on."""
    found = [str(series.get("SeriesInstanceUID", "")) for series in _referenced_series(ds)]
    return tuple(dict.fromkeys(uid for uid in found if uid))


def named_images(ds: Any) -> set[str]:
    """SOP Instance UIDs of the images that a structure set names, for a contour or for the whole."""
    contours = (
        contour
        for item in ds.get("ROIContourSequence") or ()
        for contour in item.get("ContourSequence") or ()
    )
    return _named_by((*_referenced_series(ds), *contours))


def _named_by(holders: Iterable[Any]) -> set[str]:
    found = {
        str(image.get("ReferencedSOPInstanceUID", ""))
        for holder in holders
        for image in holder.get("ContourImageSequence") or ()
    }
    return found - {""}


def _referenced_series(ds: Any) -> list[Any]:
    return [
        series
        for frame in ds.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
    ]


def _stated_frames(ds: Any) -> set[str]:
    """Frames of reference that a structure set names, for the whole or for a structure."""
    sets = ds.get("ReferencedFrameOfReferenceSequence") or ()
    found = {str(item.get("FrameOfReferenceUID", "")) for item in sets}
    structures = ds.get("StructureSetROISequence") or ()
    found |= {str(roi.get("ReferencedFrameOfReferenceUID", "")) for roi in structures}
    return found - {""}
