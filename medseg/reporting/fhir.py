"""A Record as FHIR: a Bundle with one DiagnosticReport and an Observation per measurement.

R4B, with only those elements that are the same in R4 (4.0.1), so that servers of either version take it.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from medseg._version import __version__
from medseg.domain import Measurement, Record, Status
from medseg.masks.changes import edit_text
from medseg.reporting.record.json import content_digest
from medseg.reporting.wording import how_made

__all__ = ["to_fhir"]

_UCUM = "http://unitsofmeasure.org"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_LOINC_IMAGING = {"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}
_QUANTITY = "urn:medseg:quantity"
_SUBJECT = "urn:medseg:subject"
_IBSI = "https://ibsi.readthedocs.io"
_CLAIM = "RESEARCH USE – NOT A MEDICAL DEVICE"


def to_fhir(record: Record) -> bytes:
    """FHIR JSON of a Record; values are exact, volumes in ml, every unit UCUM.

    The status is `preliminary` until a person signs, then `final`; `amended` when a signed Record was changed
    and signed again. A lower bound has the comparator `>=`; what was not computed has a dataAbsentReason and
    no value (obs-6). The subject is the pseudonym.
    """
    from fhir.resources.R4B.bundle import Bundle

    seed = content_digest(record)
    observations = [_observation(record, item, place, seed) for place, item in enumerate(record.measurements)]
    report = _report(record, observations, seed)
    entries = [{"fullUrl": f"urn:uuid:{item['id']}", "resource": item} for item in (report, *observations)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    # The library checks names, types and cardinalities; the rules that it leaves out are held by tests.
    Bundle.model_validate(bundle)
    return (json.dumps(bundle, indent=1, ensure_ascii=False, default=_number) + "\n").encode()


def _report(record: Record, observations: list[dict[str, Any]], seed: str) -> dict[str, Any]:
    review = record.review
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": _id(seed, "report"),
        "status": _status(record),
        "category": [{"text": "Volumetric report, research"}],
        "code": {"coding": [_LOINC_IMAGING], "text": f"Volumetric report. {_CLAIM}"},
        "subject": _subject(record),
        "result": [{"reference": f"urn:uuid:{item['id']}"} for item in observations],
        "conclusion": f"RESEARCH – {_review_words(record)}. Research use, not a medical device. "
        f"Mask: {'; '.join(f'{name}: {text}' for name, text in how_made(record))}. "
        + "".join(
            f"Edit {number}: {edit_text(edit)}. " for number, edit in enumerate(record.made_by.edits, 1)
        )
        + " ".join(finding.message for finding in record.findings),
    }
    if review.state == "reviewed":
        report["issued"] = review.signed_at
        report["resultsInterpreter"] = [{"display": f"{review.reviewer}, {review.organization}"}]
    return report


def _observation(record: Record, item: Measurement, place: int, seed: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "id": _id(seed, f"observation {place}"),
        "status": _status(record),
        "category": [{"coding": [{"system": _CATEGORY, "code": "imaging", "display": "Imaging"}]}],
        "code": {"coding": list(_codings(item)), "text": item.quantity.info.title},
        "subject": _subject(record),
        "bodySite": {"text": _structure(item)},
        "device": {"display": f"medseg {__version__}, research use, not a medical device"},
        "note": [{"text": text} for text in _notes(record, item)],
    }
    if item.method:
        found["method"] = {"text": item.method}
    if item.value is None:
        found["dataAbsentReason"] = {
            "coding": [{"system": _ABSENT, "code": "not-performed", "display": "Not Performed"}],
            "text": item.reason,
        }
        return found
    value: dict[str, Any] = {
        "value": Decimal(repr(item.value)),
        "unit": item.unit,
        "system": _UCUM,
        "code": item.unit,
    }
    if item.status is Status.TRUNCATED_LOWER_BOUND:
        value["comparator"] = ">="
    found["valueQuantity"] = value
    return found


def _codings(item: Measurement) -> Iterator[dict[str, str]]:
    info = item.quantity.info
    yield {"system": _QUANTITY, "code": item.quantity.value, "display": info.title}
    if info.ibsi:
        yield {"system": _IBSI, "code": info.ibsi, "display": info.title}


def _structure(item: Measurement) -> str:
    target = item.target
    parts = [target.name]
    if target.lesion is not None:
        parts.append(f"lesion {target.lesion}")
    if target.detail:
        parts.append(target.detail)
    return ", ".join(parts)


def _notes(record: Record, item: Measurement) -> Iterator[str]:
    yield f"RESEARCH – {_review_words(record)}"
    if item.reason and item.value is not None:
        yield f"{item.status.value}: {item.reason}"
    if item.channel:
        yield f"channel {item.channel}"
    if item.plane:
        yield f"plane {item.plane}"


def _review_words(record: Record) -> str:
    review = record.review
    if review.state != "reviewed":
        return "NOT REVIEWED"
    return f"reviewed by {review.reviewer}, {review.organization}, {review.signed_at}"


def _status(record: Record) -> str:
    if record.review.state != "reviewed":
        return "preliminary"
    return "amended" if record.review.amends else "final"


def _subject(record: Record) -> dict[str, Any]:
    return {"identifier": {"system": _SUBJECT, "value": record.subject}, "display": record.subject}


def _id(seed: str, role: str) -> str:
    return str(uuid5(NAMESPACE_OID, f"{seed} {role}"))


def _number(value: Any) -> float | int:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no place in FHIR JSON")
    return int(value) if value == value.to_integral_value() and "." not in str(value) else float(value)
