"""SNOMED CT terms by the keywords of DICOM's own dictionary."""

from medseg.domain import Code

__all__ = ["snomed_term"]


def snomed_term(keyword: str) -> Code | None:
    """The term of a keyword such as `Kidney`; None where the dictionary has none."""
    from pydicom.sr.codedict import codes

    if not keyword or keyword not in codes.SCT.dir():
        return None
    found = getattr(codes.SCT, keyword)
    return Code(found.value, found.meaning)
