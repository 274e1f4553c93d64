"""SEG and RTSTRUCT as Sources: what they are, known by their headers."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medseg.domain import Finding, Source
from medseg.domain.source import Instance, Verdict
from medseg.domain.values import as_details
from medseg.io.dicom.image.headers import Header
from medseg.io.dicom.opened import is_dicom
from medseg.io.dicom.structures.segments import stated_name
from medseg.io.protocols import MASK_DETAIL, unreadable

__all__ = ["is_mask_object", "mask_sources", "series_of_mask"]

#: Modalities that hold masks, and what people call them.
MASKS = {"SEG": "segmentation (SEG)", "RTSTRUCT": "set of contours (RTSTRUCT)"}
#: Segmentation, Label Map Segmentation and RT Structure Set Storage.
_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
    "1.2.840.10008.5.1.4.1.1.481.3",
)
_REFERENCES = ("ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence")
_NAMES = 6
_TAGS = [
    "SOPInstanceUID",
    "SegmentationType",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SegmentSequence",
    "StructureSetROISequence",
]


def is_mask_object(header: Header) -> bool:
    """Whether a file is a SEG or RTSTRUCT by its class too: a modality alone is easily mistaken."""
    from pydicom import dcmread

    if header.modality not in MASKS:
        return False
    try:
        ds = dcmread(header.file, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID"])
        return str(ds.get("SOPClassUID", "")) in _CLASSES
    except Exception:  # noqa: BLE001 - a damaged object fails anywhere inside pydicom
        return False


def series_of_mask(file: Path) -> frozenset[str] | None:
    """The series that a SEG or RTSTRUCT says it was made from, by its header; None for any other file."""
    from pydicom import dcmread

    if not file.is_file() or not is_dicom(file) or _class_in_meta(file) not in (None, *_CLASSES):
        return None
    try:
        ds = dcmread(file, stop_before_pixels=True, specific_tags=["SOPClassUID", *_REFERENCES])
        return frozenset(_series_in(ds)) if str(ds.get("SOPClassUID", "")) in _CLASSES else None
    except Exception:  # noqa: BLE001 - a damaged object fails anywhere inside pydicom
        return None


def _class_in_meta(file: Path) -> str | None:
    """The class in a file's first bytes, by which slices are passed over quickly; None where it has none there."""
    from pydicom.filereader import read_file_meta_info

    try:
        return str(read_file_meta_info(file).MediaStorageSOPClassUID)
    except Exception:  # noqa: BLE001 - no preamble, or damaged: the header says more
        return None


def _series_in(ds: Any) -> Iterator[str]:
    for item in ds.get("ReferencedSeriesSequence") or ():
        yield str(item.get("SeriesInstanceUID", ""))
    for frame in ds.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                yield str(series.get("SeriesInstanceUID", ""))


def mask_sources(path: Path, headers: Sequence[Header]) -> list[Source]:
    """One Source per file of a series of masks. None of them is a volume, so none competes with images."""
    return [_source(path, header, several=len(headers) > 1) for header in headers]


def _source(path: Path, header: Header, *, several: bool) -> Source:
    from pydicom import dcmread

    file = Path(header.file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # letters and lengths that a file's own values break
            ds = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            uid, (words, names) = str(ds.get("SOPInstanceUID", "") or ""), _described(ds, header)
    except Exception as error:  # noqa: BLE001 - a damaged object fails anywhere inside pydicom
        return unreadable(path, "dicom", f"{file.name} is damaged ({type(error).__name__}: {error})")
    what = MASKS[header.modality]
    text = f"{file.name} is a {what}: read it as a mask, beside its images; it is no image itself."
    return Source(
        str(path),
        "dicom",
        verdict=Verdict.NOT_A_VOLUME,
        findings=(Finding("dicom.mask", "info", text),),
        modality=header.modality,
        series_uid=header.series,
        volume=file.name if several else None,
        instances=(Instance(uid, header.file),),
        description=words,
        details=as_details(**{MASK_DETAIL: header.modality, "structures": "; ".join(names)[:1024]}),
    )


def _described(ds: Any, header: Header) -> tuple[str, list[str]]:
    """A line for people, and the names of the structures."""
    if header.modality == "SEG":
        names = [stated_name(item.get("SegmentLabel")) for item in ds.get("SegmentSequence") or ()]
        size = f", {ds.get('NumberOfFrames', 0)} frames of {ds.get('Columns', 0)} × {ds.get('Rows', 0)}"
        kind = f"mask (SEG {ds.get('SegmentationType', '')})"
    else:
        names = [stated_name(item.get("ROIName")) for item in ds.get("StructureSetROISequence") or ()]
        size, kind = "", "mask (RTSTRUCT)"
    shown = ", ".join(names[:_NAMES]) + ", …" * (len(names) > _NAMES)
    count = f"{len(names)} structure{'s' * (len(names) != 1)}"
    return f"{kind}, {count} ({shown}){size}", names
