"""Objects as bytes, read again and compared before they get a name."""

import io
import warnings
from typing import Any

import numpy as np

from medseg.domain import Record, Segmentation
from medseg.errors import OutputError
from medseg.geometry.place import place_on
from medseg.io.dicom.origin import Origin, on_origin
from medseg.io.dicom.seg_read import seg_of
from medseg.io.dicom.segments import segments_of
from medseg.io.dicom.sr_read import numbers_of

__all__ = ["checked_seg", "checked_sr", "to_bytes"]


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
    """Bytes of a SEG whose segments, read again, have the same voxels as the mask.

    Raises
    ------
    OutputError
        If any structure differs.
    """
    data = to_bytes(seg)
    again = seg_of(reread(data), "the new SEG")
    regions = {item.name: item.labels for item in again.table.regions}
    values = {item.name: (item.value,) for item in again.table.labels} | regions
    wanted = on_origin(segmentation.labels, segmentation.grid, origin)
    for segment in segments_of(segmentation.table):
        ours = np.isin(wanted, segment.values)
        mask = np.isin(again.labels, values.get(segment.name, ())).astype(np.uint8)
        theirs = place_on(mask, again.grid, origin.grid)
        if theirs is None or not np.array_equal(theirs > 0, ours):
            raise OutputError(f"the SEG was not written: read again, {segment.name} has other voxels")
    return data


def checked_sr(sr: Any, record: Record) -> bytes:
    """Bytes of an SR whose numbers, read again, are those of the Record, to the last digit.

    Raises
    ------
    OutputError
        If a number is missing or another.
    """
    data = to_bytes(sr)
    found = numbers_of(reread(data))
    wanted = [
        item.value for item in record.measurements if item.target.kind != "pair" and "{px}" not in item.unit
    ]
    key = [(-1.0 if value is None else 1.0, float(value or 0)) for value in wanted]
    if sorted(key) != sorted((-1.0 if value is None else 1.0, float(value or 0)) for value in found):
        raise OutputError("the SR was not written: read again, its numbers are not those of the record")
    return data
