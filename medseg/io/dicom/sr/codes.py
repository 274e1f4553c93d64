"""Codes of SR: quantities and units."""

from typing import Any

from medseg.domain import Code, Measurement, Quantity
from medseg.domain.quantity import UCUM_TO_DICOM

__all__ = ["IMAGING", "concept", "own_scheme", "quantity_code", "sr_value", "unit_code"]

#: What was done, where no more is known than that there are images.
IMAGING = Code("363679005", "Imaging procedure")
#: Scheme of quantities that no public dictionary names.
LOCAL = "99MEDSEG"
#: Positions are RAS in a Record and LPS in DICOM: there they have another sign, another name and another code.
_IN_LPS = {
    Quantity.CENTROID_X: (-1.0, Code("centroid_x_lps", "Centroid x in LPS, towards the left", LOCAL)),
    Quantity.CENTROID_Y: (-1.0, Code("centroid_y_lps", "Centroid y in LPS, towards the back", LOCAL)),
    Quantity.CENTROID_Z: (1.0, Code("centroid_z_lps", "Centroid z in LPS, towards the head", LOCAL)),
}


def quantity_code(quantity: Quantity) -> Code:
    """The code that its row names, else IBSI, else our own by the quantity's stable name; positions are in LPS."""
    info = quantity.info
    if quantity in _IN_LPS:
        return _IN_LPS[quantity][1]
    if info.code is not None:
        return info.code
    if info.ibsi:
        return Code(info.ibsi, info.title[:64], "IBSI")
    return Code(quantity.value, info.title[:64], LOCAL)


def sr_value(item: Measurement) -> float | None:
    """The number of a Measurement as an SR states it: in the unit of SR, and positions in LPS.

    >>> from medseg.domain import Target
    >>> sr_value(Measurement(Target("label", "liver", (1,)), Quantity.CENTROID_X, 12.5, "mm"))
    -12.5
    """
    if item.value is None:
        return None
    sign = _IN_LPS[item.quantity][0] if item.quantity in _IN_LPS and item.unit == "mm" else 1.0
    return float(item.value) * unit_code(item.unit)[1] * sign


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
