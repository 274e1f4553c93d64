"""Objects as bytes, read again and compared before they get a name."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Record, Segmentation, Source
from medseg.domain.segmentation import voxels_with
from medseg.domain.source import Instance
from medseg.errors import OutputError
from medseg.io.dicom.derived.origin import Origin, on_origin
from medseg.io.dicom.placing import place_exactly
from medseg.io.dicom.rtstruct.read import rtstruct_of
from medseg.io.dicom.seg.read import seg_of
from medseg.io.dicom.sr.codes import sr_value
from medseg.io.dicom.sr.read import sr_numbers
from medseg.io.dicom.sr.write import rows_of
from medseg.io.dicom.structures.segments import Segment, dicom_name, segments_of

__all__ = [
    "checked_capture",
    "checked_key_images",
    "checked_pdf",
    "checked_rtstruct",
    "checked_seg",
    "checked_sr",
    "to_bytes",
]

#: Two fractions that are stored in the same of 255 steps differ by less than this.
_STEP = 1 / 255 + 1e-6


def to_bytes(ds: Any) -> bytes:
    """A DICOM file of a dataset: preamble, file meta information, UTF-8 text.

    Raises
    ------
    OutputError
        If a value can't be written as the standard wants it.
    """
    import pydicom

    buffer = io.BytesIO()
    ds.SpecificCharacterSet = "ISO_IR 192"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lengths that a source's own values break
            pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError) as error:
        raise OutputError(f"the object can't be written: {error}") from error
    return buffer.getvalue()


def reread(data: bytes) -> Any:
    """The dataset of a file's bytes."""
    import pydicom

    return pydicom.dcmread(io.BytesIO(data))


def checked_seg(seg: Any, segmentation: Segmentation, origin: Origin) -> bytes:
    """Bytes of a SEG whose segments, read again, are those of the mask: every voxel, or every fraction to 1/255.

    Raises
    ------
    OutputError
        If any structure differs.
    """
    data = to_bytes(seg)
    again = seg_of(reread(data), "the new SEG")
    if str(seg.SegmentationType) == "FRACTIONAL":
        _require_fractions(again, segmentation, origin)
    else:
        _require_same(again, segmentation, origin, "SEG")
    return data


def checked_rtstruct(ds: Any, segmentation: Segmentation, origin: Origin) -> bytes:
    """Bytes of a structure set whose contours, filled again, are the mask, voxel by voxel.

    Raises
    ------
    OutputError
        If any structure differs.
    """
    data = to_bytes(ds)
    instances = tuple(
        Instance(str(origin.datasets[number].SOPInstanceUID), "", frame) for number, frame in origin.slices
    )
    source = Source("the source series", "dicom", origin.grid, instances=instances)
    _require_same(
        rtstruct_of(reread(data), "the new RTSTRUCT", source), segmentation, origin, "structure set"
    )
    return data


def checked_sr(sr: Any, record: Record, *, everything: bool = False) -> bytes:
    """Bytes of an SR whose numbers, read again, are those of the Record, to the last digit.

    `everything` as it was made: all numbers, or the brief ones.

    Raises
    ------
    OutputError
        If a number is missing or another.
    """
    data = to_bytes(sr)
    found = sr_numbers(reread(data))
    wanted = [sr_value(item) for item in rows_of(record, everything=everything)]
    if _ranked(wanted) != _ranked(found):
        raise OutputError("the SR was not written: read again, its numbers are not those of the record")
    return data


def checked_pdf(ds: Any, pdf: bytes) -> bytes:
    """Bytes of an Encapsulated PDF that holds the document, byte by byte.

    Raises
    ------
    OutputError
        If it does not.
    """
    data = to_bytes(ds)
    again = reread(data)
    if again.EncapsulatedDocument[: int(again.EncapsulatedDocumentLength)] != pdf:
        raise OutputError("the PDF was not written: read again, it is another document")
    return data


def checked_capture(ds: Any, page: NDArray[np.uint8]) -> bytes:
    """Bytes of a Secondary Capture that shows the page, pixel by pixel.

    Raises
    ------
    OutputError
        If it does not.
    """
    data = to_bytes(ds)
    if not np.array_equal(reread(data).pixel_array, page):
        raise OutputError("the page was not written: read again, it is another picture")
    return data


def checked_key_images(ko: Any, origin: Origin) -> bytes:
    """Bytes of a selection whose references, read again, are all to images of the series in its own study.

    Raises
    ------
    OutputError
        If one is not.
    """
    data = to_bytes(ko)
    again = reread(data)
    own = {
        str(ds.SOPInstanceUID)
        for ds in origin.datasets
        if str(ds.get("StudyInstanceUID")) == str(again.StudyInstanceUID)
    }
    named = [
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in again.ContentSequence
        if item.ValueType == "IMAGE"
    ]
    if not named or not set(named) <= own:
        raise OutputError("the key images were not written: read again, they are not of the source's study")
    return data


def _ranked(values: Sequence[float | int | None]) -> list[tuple[float, float]]:
    return sorted((-1.0, 0.0) if value is None else (1.0, float(value)) for value in values)


def _require_same(again: Segmentation, segmentation: Segmentation, origin: Origin, what: str) -> None:
    regions = {item.name: item.labels for item in again.table.regions}
    values = {item.name: (item.value,) for item in again.table.labels} | regions
    wanted = on_origin(segmentation.labels, segmentation.grid, origin)
    segments = segments_of(segmentation.table)
    for segment, name in zip(segments, _names(segments), strict=True):
        ours = voxels_with(wanted, segment.values)
        mask = voxels_with(again.labels, values.get(name, ())).view(np.uint8)
        theirs = place_exactly(mask, again.grid, origin.grid)
        if theirs is None or not np.array_equal(theirs > 0, ours):
            raise OutputError(f"the {what} was not written: read again, {segment.name} has other voxels")


def _names(segments: Sequence[Segment]) -> list[str]:
    """Names as a reader has them: what is equal after shortening gets its number."""
    found: list[str] = []
    for segment in segments:
        name = dicom_name(segment.name)
        found.append(f"{name} ({segment.number})" if name in found else name)
    return found


def _require_fractions(again: Segmentation, segmentation: Segmentation, origin: Origin) -> None:
    if again.probabilities is None or segmentation.probabilities is None:
        return  # too large to be kept: the frames were read, which is what can be said
    values = segmentation.table.values
    shares = segmentation.probabilities
    for segment in segments_of(segmentation.table):
        own = np.sum([shares[1 + values.index(value)] for value in segment.values], axis=0)
        ours = on_origin(own, segmentation.grid, origin)
        channel = 1 + again.table.values.index(segment.number)
        theirs = place_exactly(again.probabilities[channel], again.grid, origin.grid)
        if theirs is None or float(np.abs(theirs - np.clip(ours, 0, 1)).max()) > _STEP:
            raise OutputError(f"the SEG was not written: read again, {segment.name} has other fractions")
