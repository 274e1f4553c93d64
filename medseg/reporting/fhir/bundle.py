"""A Record as FHIR: a Bundle of patient, study, devices, structures, Observations and one DiagnosticReport.

R4B, with only those elements that are the same in R4 (4.0.1), so that servers of either version take it.
"""

import base64
import hashlib
import json
from decimal import Decimal
from typing import Any

from medseg.domain import Record
from medseg.masks.changes import edit_text
from medseg.reporting.fhir.codes import CLAIM, coding, security
from medseg.reporting.fhir.context import FhirContext
from medseg.reporting.fhir.observations import measured_targets, observations, panel_role, panels, status_code
from medseg.reporting.fhir.resources import Resources
from medseg.reporting.fhir.structures import structures
from medseg.reporting.fhir.subject import PATIENT, devices, patient, studies, study_role
from medseg.reporting.page.headline import headline
from medseg.reporting.record.json import content_digest
from medseg.reporting.wording import how_made, review_text

__all__ = ["to_fhir"]

_REPORT = "report"
_IMAGING_STUDY = coding("http://loinc.org", "18748-4", "Diagnostic imaging study")
_RECORD = "urn:medseg:record-sha256"


def to_fhir(record: Record, context: FhirContext | None = None) -> bytes:
    """FHIR JSON of a Record; values are exact, volumes in ml, every unit UCUM.

    The report's results are one Observation for each structure, lesion or delineation, and its members the numbers.
    The status is `preliminary` until a person signs, then `final`; `amended` when a signed Record was changed and
    signed again. A lower bound has the comparator `>=`; what was not computed has a dataAbsentReason and no value
    (obs-6); an interval is a pair of components. The subject is the pseudonym, and nothing says when, unless the
    context says that the bundle may.
    """
    from fhir.resources.R4B.bundle import Bundle

    context = context or FhirContext()
    # Of the same content other ids for each way to name the patient: one must not replace the other on a server.
    make = Resources(record, context, f"{content_digest(record)} {context.privacy}")
    resources = [
        _report(make),
        patient(make),
        *studies(make),
        *devices(make),
        *structures(make),
        *panels(make),
        *observations(make),
    ]
    bundle = {
        "resourceType": "Bundle",
        "meta": security(context.privacy),
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{item['id']}", "resource": item} for item in resources],
    }
    # The library checks names, types and cardinalities; the rules that it leaves out are held by tests.
    Bundle.model_validate(bundle)
    return (json.dumps(bundle, separators=(",", ":"), ensure_ascii=False, default=_number) + "\n").encode()


def _report(make: Resources) -> dict[str, Any]:
    record, context = make.record, make.context
    review = record.review
    words = headline(record)
    elements: dict[str, Any] = {
        "meta": security(context.privacy),
        "identifier": [{"system": _RECORD, "value": content_digest(record)}],
        "status": status_code(make),
        "category": [{"text": "Volumetric report, research"}],
        "code": {"coding": [_IMAGING_STUDY], "text": f"Volumetric report. {CLAIM.upper()}"},
        "subject": make.reference(PATIENT),
        "effectiveDateTime": context.started(context.series_of(record, None)),
        "imagingStudy": [make.reference(study_role(study)) for study in context.studies],
        "result": [make.reference(panel_role(target)) for target in measured_targets(make)],
        "conclusion": " ".join((*words, *_small_print(make))),
        "presentedForm": [] if context.pdf is None else [_attachment(context.pdf, record)],
    }
    if review.state == "reviewed":
        elements["issued"] = review.signed_at
        elements["resultsInterpreter"] = [{"display": f"{review.reviewer}, {review.organization}"}]
    return make.make("DiagnosticReport", _REPORT, " ".join((*words, f"{CLAIM}.")), elements)


def _small_print(make: Resources) -> list[str]:
    record, context = make.record, make.context
    said = [f"RESEARCH – {review_text(record)}. {CLAIM}."]
    if context.privacy == "identified":
        said.append("IDENTIFIED: this bundle names the patient.")
    if not context.studies:
        said.append("The images are not named: no DICOM series was at hand.")
    said.append(f"Mask: {'; '.join(f'{name}: {text}' for name, text in how_made(record))}.")
    said += [f"Edit {number}: {edit_text(edit)}." for number, edit in enumerate(record.made_by.edits, 1)]
    return [*said, *(finding.message for finding in record.findings)]


def _attachment(pdf: bytes, record: Record) -> dict[str, Any]:
    """The report's pages, with their size and SHA-1 (which FHIR asks for) so that a reader sees that they are whole."""
    digest = hashlib.sha1(pdf, usedforsecurity=False).digest()
    return {
        "contentType": "application/pdf",
        "data": base64.b64encode(pdf).decode(),
        "size": len(pdf),
        "hash": base64.b64encode(digest).decode(),
        "title": f"RESEARCH – {review_text(record)} – Volumetric report",
    }


def _number(value: Any) -> float | int:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no place in FHIR JSON")
    return int(value) if value == value.to_integral_value() and "." not in str(value) else float(value)
