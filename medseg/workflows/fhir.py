"""A Record as FHIR with what its sources say today: patient, studies, tracking UIDs, the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medseg.domain import Record
from medseg.domain.study import PatientFacts, StudyFacts
from medseg.io.dicom.derived.attributes import Uids
from medseg.io.dicom.derived.maker import maker_of
from medseg.io.dicom.derived.study import moved_studies, studies_of
from medseg.reporting.fhir.bundle import to_fhir
from medseg.reporting.fhir.context import FhirContext, Privacy
from medseg.workflows.deidentify import Hidden
from medseg.workflows.objects import Made, Material

__all__ = ["FhirSources", "fhir_bundle"]

_NAME = "report.fhir.json"


@dataclass(frozen=True, slots=True, eq=False)
class FhirSources:
    """What a bundle is made from beside the Record.

    Parameters
    ----------
    headers
        Of the series that were measured, read again, that of the mask first.
    uids
        Makes the tracking UIDs of the export; None where no other object has them.
    material, hidden
        What the DICOM objects of the same export were made from, and how it is de-identified.
    patient
        Whom to name; None names nobody.
    """

    headers: Sequence[Any]
    uids: Uids | None = None
    material: Material | None = None
    hidden: Hidden | None = None
    patient: PatientFacts | None = None


def fhir_bundle(record: Record, sources: FhirSources, *, everything: bool) -> Made:
    """The bundle of a Record, which is the one without identity where the export has none."""
    pdf = None if sources.material is None else sources.material.objects.get("pdf")
    maker = maker_of(record.made_by)
    context = FhirContext(
        _privacy(sources),
        None if sources.patient is None else sources.patient.identity,
        _studies(sources),
        _tracking(record, sources),
        (maker.name, maker.version),
        pdf if sources.material is not None and "dicom-pdf" in sources.material.kinds else None,
        everything,
    )
    return Made(_NAME, to_fhir(record, context))


def _privacy(sources: FhirSources) -> Privacy:
    if sources.patient is not None:
        return "identified"
    return "pseudonym" if sources.hidden is None else "deidentified"


def _studies(sources: FhirSources) -> tuple[StudyFacts, ...]:
    found = studies_of(sources.headers)
    if sources.hidden is None:
        return found
    disguise = sources.hidden.cleaning.disguise
    return moved_studies(found, disguise.uid, disguise.date)


def _tracking(record: Record, sources: FhirSources) -> tuple[tuple[str, str], ...]:
    """Tracking UIDs as the SEG and SR of the same export have them, under the disguise too."""
    uids, hidden = sources.uids, sources.hidden
    if uids is None:
        return ()
    names = dict.fromkeys(
        item.target.structure
        for item in record.measurements
        if item.target.kind in ("label", "region", "lesion")
    )
    made = {name: uids.tracking(name) for name in names}
    if hidden is not None and hidden.changes_objects:
        made = {name: hidden.cleaning.disguise.uid(uid) for name, uid in made.items()}
    return tuple(made.items())
