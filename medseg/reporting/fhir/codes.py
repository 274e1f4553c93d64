"""Systems and codes of FHIR."""

from typing import Any

from medseg.domain import Code, Quantity

__all__ = [
    "CLAIM",
    "DICOM_UID",
    "SUBJECT",
    "UCUM",
    "code_of",
    "coding",
    "dicom_uid",
    "quantity_concept",
    "security",
]

CLAIM = "Research use, not a medical device"
DICOM_UID = "urn:dicom:uid"
SUBJECT = "urn:medseg:subject"
UCUM = "http://unitsofmeasure.org"
_QUANTITY = "urn:medseg:quantity"
_IDENTITY = "urn:medseg:identity"
_V3 = "http://terminology.hl7.org/CodeSystem/v3"
#: DICOM coding scheme designator → URI.
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "SRT": "http://snomed.info/srt",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "IBSI": "https://ibsi.readthedocs.io",
}
#: Way to name the patient → its security label, and our own words for it.
_LABELS = {
    "identified": ("Confidentiality", "R", "restricted", "names the patient"),
    "pseudonym": (
        "ObservationValue",
        "PSEUDED",
        "pseudonymized",
        "pseudonym; UIDs of images are those of the archive",
    ),
    "deidentified": ("ObservationValue", "PSEUDED", "pseudonymized", "pseudonym; UIDs and dates are changed"),
}


def coding(system: str, code: str, display: str) -> dict[str, str]:
    """One coding."""
    return {"system": system, "code": code, "display": display}


def code_of(code: Code) -> dict[str, str]:
    """A coded concept of DICOM; one of a scheme without a URI keeps its code alone."""
    system = _SYSTEMS.get(code.scheme)
    plain = {"code": code.value, "display": code.meaning}
    return plain if system is None else {"system": system, **plain}


def quantity_concept(quantity: Quantity) -> dict[str, Any]:
    """Our name of a quantity, then the public codes that its row names."""
    info = quantity.info
    found = [coding(_QUANTITY, quantity.value, info.title)]
    if info.ibsi:
        found.append(coding(_SYSTEMS["IBSI"], info.ibsi, info.title))
    if info.code is not None and info.code.scheme != "IBSI":
        found.append(code_of(info.code))
    return {"coding": found, "text": info.title}


def dicom_uid(uid: str) -> dict[str, str]:
    """A DICOM UID as an identifier."""
    return {"system": DICOM_UID, "value": f"urn:oid:{uid}"}


def security(privacy: str) -> dict[str, Any]:
    """Labels of a resource: what it tells of whom, and that it serves research."""
    table, code, display, words = _LABELS[privacy]
    return {
        "security": [
            coding(f"{_V3}-{table}", code, display),
            coding(f"{_V3}-ActReason", "HRESCH", "healthcare research"),
        ],
        "tag": [coding(_IDENTITY, privacy, words)],
    }
