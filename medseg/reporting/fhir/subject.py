"""Who and what: Patient, ImagingStudy, Devices."""

from collections.abc import Iterator
from typing import Any

from medseg._version import __version__
from medseg.domain.study import Identity, SeriesFacts, StudyFacts
from medseg.reporting.fhir.codes import CLAIM, SUBJECT, coding, dicom_uid, security
from medseg.reporting.fhir.resources import Resources
from medseg.reporting.record.older import model_of

__all__ = ["MAKER", "MEDSEG", "PATIENT", "devices", "patient", "studies", "study_role"]

PATIENT, MEDSEG, MAKER = "patient", "device medseg", "device of the mask"
_MODALITY = "http://dicom.nema.org/resources/ontology/DCM"
_ID_TYPE = coding("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "Medical record number")
_WEIGHTS = "urn:medseg:weights-sha256"
_PART = "Counts are of the images that were measured or stand beside them; the study may hold more."


def study_role(study: StudyFacts) -> str:
    """Role of a study."""
    return f"study {study.uid}"


def patient(make: Resources) -> dict[str, Any]:
    """The subject by its pseudonym; of an identified bundle with id, name, birth date and sex of the source."""
    subject = make.record.subject
    identifiers: list[dict[str, Any]] = [{"system": SUBJECT, "value": subject}]
    elements: dict[str, Any] = {"meta": security(make.context.privacy), "identifier": identifiers}
    words = f"Subject {subject}."
    who = make.context.identity
    if make.context.privacy == "identified" and who is not None:
        if who.patient_id:
            identifiers.append(_known_id(who))
        elements |= {
            "name": [_name(who.name)] if who.name else [],
            "gender": who.sex,
            "birthDate": who.birth_date,
        }
        words = f"{words} Identified: {who.name.replace('^', ' ').strip()}, {who.patient_id}."
    return make.make("Patient", PATIENT, words, elements)


def studies(make: Resources) -> Iterator[dict[str, Any]]:
    """One ImagingStudy for each study whose images were measured."""
    for study in make.context.studies:
        elements = {
            "identifier": [dicom_uid(study.uid)],
            "status": "available",
            "modality": [
                coding(_MODALITY, name, name)
                for name in dict.fromkeys(item.modality for item in study.series if item.modality)
            ],
            "subject": make.reference(PATIENT),
            "started": make.context.started(study),
            "numberOfSeries": len(study.series),
            "numberOfInstances": sum(item.instances for item in study.series),
            "note": [{"text": _PART}],
            "series": [_series(make, item) for item in study.series],
        }
        words = f"Study {study.uid} with {len(study.series)} series. {_PART}"
        yield make.make("ImagingStudy", study_role(study), words, elements)


def devices(make: Resources) -> Iterator[dict[str, Any]]:
    """Medseg, which measured; and what made the mask, with its version and the digest of its weights."""
    yield make.make(
        "Device",
        MEDSEG,
        f"medseg {__version__}. {CLAIM}.",
        {
            "status": "active",
            "manufacturer": "medseg",
            "deviceName": [{"name": "medseg", "type": "user-friendly-name"}],
            "type": {"text": "Software that measures masks of medical images"},
            "version": [{"value": __version__}],
            "note": [{"text": CLAIM}],
        },
    )
    name, version = _maker(make)
    digest = make.record.made_by.weights_digest
    yield make.make(
        "Device",
        MAKER,
        f"What made the mask: {name} {version}".strip() + f". {CLAIM}.",
        {
            "identifier": [{"system": _WEIGHTS, "value": digest}] if digest else [],
            "status": "active",
            "deviceName": [{"name": name, "type": "user-friendly-name"}],
            "type": {"text": "What made the mask"},
            "version": [{"value": version}] if version else [],
            "note": [{"text": text} for text in (CLAIM, *_facts(make))],
        },
    )


def _maker(make: Resources) -> tuple[str, str]:
    model = model_of(make.record)
    if model is not None:
        return model.name, model.version
    name, version = make.context.maker
    return name or make.record.made_by.segmenter, version


def _facts(make: Resources) -> Iterator[str]:
    model = model_of(make.record)
    if model is None:
        return
    told = {
        "Trained on": model.trained_on,
        "Intended use": model.intended_use,
        "Limits": " ".join(model.limits),
        "Licence": model.licence,
    }
    yield from (f"{name}: {text}" for name, text in told.items() if text)


def _series(make: Resources, item: SeriesFacts) -> dict[str, Any]:
    modality = {"system": _MODALITY, "code": item.modality or "OT"}
    started = make.context.started(item)
    return {
        "uid": item.uid,
        "modality": modality,
        "numberOfInstances": item.instances,
        **({"started": started} if started else {}),
    }


def _known_id(who: Identity) -> dict[str, Any]:
    given_by = {"assigner": {"display": who.issuer}} if who.issuer else {}
    return {"use": "usual", "type": {"coding": [_ID_TYPE]}, "value": who.patient_id, **given_by}


def _name(name: str) -> dict[str, Any]:
    """A name in DICOM's form: family, given, middle, prefix, suffix.

    >>> _name("Reader^Ada^M.^Dr.")
    {'text': 'Dr. Ada M. Reader', 'family': 'Reader', 'given': ['Ada', 'M.'], 'prefix': ['Dr.']}
    """
    family, given, middle, prefix, suffix = [*(part.strip() for part in name.split("^")), *[""] * 5][:5]
    parts = {
        "family": family,
        "given": [part for part in (given, middle) if part],
        "prefix": [prefix] if prefix else [],
        "suffix": [suffix] if suffix else [],
    }
    text = " ".join(part for part in (prefix, given, middle, family, suffix) if part)
    return {"text": text, **{key: value for key, value in parts.items() if value}}
