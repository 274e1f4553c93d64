"""Concepts of SNOMED CT by the keywords of DICOM's dictionary (PS3.16)."""

from medseg.domain.labels import Code

__all__ = ["concept"]


def concept(keyword: str) -> Code | None:
    """The code that DICOM's dictionary has under a keyword; None where it has none.

    >>> concept("Liver")
    Code(value='10200004', meaning='Liver', scheme='SCT')
    """
    from pydicom.sr.codedict import codes

    if not keyword or keyword not in codes.SCT.dir():
        return None
    found = getattr(codes.SCT, keyword)
    return Code(found.value, found.meaning)
