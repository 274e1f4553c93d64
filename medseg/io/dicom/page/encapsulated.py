"""Writing the report as Encapsulated PDF on pydicom."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from medseg.domain.record import Review
from medseg.io.dicom.derived.attributes import (
    Uids,
    add_patient_and_study,
    derived_series,
    file_meta,
    research_title,
    sources_of,
)
from medseg.io.dicom.derived.origin import Origin
from medseg.settings import local_now

__all__ = ["PageOptions", "make_pdf"]

_SERIES = 30
_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
_MIME = "application/pdf"


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What pages state: the review, their UIDs, when they were made, and whether they show who the patient is."""

    review: Review = field(default_factory=Review)
    uids: Uids = field(default_factory=Uids)
    now: datetime | None = None
    identified: bool = False


def make_pdf(pdf: bytes, origin: Origin, options: PageOptions | None = None) -> Any:
    """An Encapsulated PDF (pydicom dataset) in the study of the source series."""
    from pydicom.dataset import Dataset

    options = options or PageOptions()
    now = options.now or local_now()
    title = research_title(options.review, "Volumetric report")
    ds = Dataset()
    add_patient_and_study(ds, origin)
    derived_series(ds, options.uids, modality="DOC", title=title, number=_SERIES, now=now)
    file_meta(ds, _CLASS)
    ds.ConversionType = "WSD"
    ds.ContentDate, ds.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    ds.AcquisitionDateTime = ""
    ds.BurnedInAnnotation = "YES" if options.identified else "NO"
    ds.DocumentTitle = title
    ds.ConceptNameCodeSequence = [_document()]
    ds.VerificationFlag = "VERIFIED" if options.review.state == "reviewed" else "UNVERIFIED"
    ds.SourceInstanceSequence = sources_of(origin)
    ds.MIMETypeOfEncapsulatedDocument = _MIME
    ds.EncapsulatedDocumentLength = len(pdf)
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return ds


def _document() -> Any:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "18748-4", "LN"
    code.CodeMeaning = "Diagnostic imaging study"
    return code
