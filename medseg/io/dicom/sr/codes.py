"""Codes of SR: quantities and units."""

from typing import Any

from medseg.domain import Code, Quantity
from medseg.domain.quantity import UCUM_TO_DICOM

__all__ = ["IMAGING", "concept", "own_scheme", "quantity_code", "unit_code"]

#: What was done, where no more is known than that there are images.
IMAGING = Code("363679005", "Imaging procedure")
#: Scheme of quantities that no public dictionary names.
LOCAL = "99MEDSEG"


def quantity_code(quantity: Quantity) -> Code:
    """The code that its row names, else IBSI, else our own by the quantity's stable name."""
    info = quantity.info
    if info.code is not None:
        return info.code
    if info.ibsi:
        return Code(info.ibsi, info.title[:64], "IBSI")
    return Code(quantity.value, info.title[:64], LOCAL)


def unit_code(unit: str) -> tuple[Code, float]:
    """(UCUM code, factor to multiply by): ml is written as cm3, everything else as it is."""
    name, factor = UCUM_TO_DICOM.get(unit, (unit, 1.0))
    return Code(name, "no units" if name == "1" else name, "UCUM"), factor


def own_scheme() -> Any:
    """What the scheme of our own codes is, as an object that uses them must say."""
    from pydicom.dataset import Dataset

    found = Dataset()
    found.CodingSchemeDesignator = LOCAL
    found.CodingSchemeName = "Quantities of medseg, by their names in its JSON"
    found.CodingSchemeResponsibleOrganization = "medseg"
    return found


def concept(code: Code) -> Any:
    """Highdicom's coded concept."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value=code.value, meaning=code.meaning, scheme_designator=code.scheme)
