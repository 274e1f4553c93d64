"""Writing the report's pages as Secondary Capture pictures on pydicom."""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError
from medseg.extras import require_extra
from medseg.io.dicom.derived.attributes import (
    add_patient_and_study,
    derived_series,
    file_meta,
    research_title,
    sources_of,
)
from medseg.io.dicom.derived.origin import Origin
from medseg.io.dicom.page.encapsulated import PageOptions
from medseg.settings import local_now

__all__ = ["make_captures", "pages_of"]

_SERIES = 40
_CLASS = "1.2.840.10008.5.1.4.1.1.7"
#: Dots per inch of a page: 10-point text is read without zooming, and a page stays under 5 MB.
_DPI = 120


def pages_of(pdf: bytes) -> list[NDArray[np.uint8]]:
    """(rows, columns, 3) of every page of a PDF."""
    require_extra("pdf", "a report as pictures")
    import pypdfium2  # type: ignore[import-untyped,unused-ignore]

    document = pypdfium2.PdfDocument(io.BytesIO(pdf))
    try:
        pages = []
        for page in document:
            bitmap = page.render(scale=_DPI / 72, rev_byteorder=True)
            pages.append(np.ascontiguousarray(bitmap.to_numpy()[..., :3]))
            bitmap.close()
            page.close()
        return pages
    finally:
        document.close()


def make_captures(
    pages: Sequence[NDArray[np.uint8]], origin: Origin, options: PageOptions | None = None
) -> Iterator[Any]:
    """One Secondary Capture (pydicom dataset) per page, all in one series of the source's study.

    Raises
    ------
    InputError
        If there are no pages.
    """
    if not pages:
        raise InputError("the report has no pages to capture")
    options = options or PageOptions()
    now = options.now or local_now()
    for number, page in enumerate(pages, start=1):
        yield _capture(page, number, origin, options, now)


def _capture(
    page: NDArray[np.uint8], number: int, origin: Origin, options: PageOptions, now: datetime
) -> Any:
    from pydicom.dataset import Dataset

    ds = Dataset()
    add_patient_and_study(ds, origin)
    title = research_title(options.review, "Volumetric report")
    derived_series(ds, options.uids, modality="OT", title=title, number=_SERIES, now=now)
    ds.SOPInstanceUID = options.uids.make(f"page {number}")
    ds.InstanceNumber = number
    file_meta(ds, _CLASS)
    ds.ConversionType = "WSD"
    ds.ContentDate = ds.DateOfSecondaryCapture = now.strftime("%Y%m%d")
    ds.ContentTime = ds.TimeOfSecondaryCapture = now.strftime("%H%M%S")
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ImageComments = title
    ds.PatientOrientation = ""
    _state_side(ds, origin)
    ds.SourceImageSequence = sources_of(origin)
    for item in ds.SourceImageSequence:
        item.PurposeOfReferenceCodeSequence = [_purpose()]
    ds.BurnedInAnnotation = "YES" if options.identified else "NO"
    ds.LossyImageCompression = "00"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = page.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    data = page.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    return ds


def _state_side(ds: Any, origin: Origin) -> None:
    """The body part and side of the source; a page of which none is known is itself no paired part."""
    for keyword in ("BodyPartExamined", "Laterality"):
        if origin.first.get(keyword):
            setattr(ds, keyword, origin.first.get(keyword))
    if "BodyPartExamined" not in ds and "Laterality" not in ds:
        ds.ImageLaterality = "U"


def _purpose() -> Any:
    """Source image for image processing operation (CID 7202)."""
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "121322", "DCM"
    code.CodeMeaning = "Source image for image processing operation"
    return code
