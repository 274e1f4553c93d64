"""What a bundle says beside its Record: patient, studies, tracking UIDs, the page. Plain values, read by workflows."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from medseg.domain import Record
from medseg.domain.study import Identity, SeriesFacts, StudyFacts

__all__ = ["FhirContext", "Privacy"]

#: Who can be told from a bundle: the patient by name; nobody, though UIDs are those of the archive; nobody at all.
Privacy: TypeAlias = Literal["identified", "pseudonym", "deidentified"]


@dataclass(frozen=True, slots=True)
class FhirContext:
    """What is known of the images that a Record was measured on, at the time of an export.

    Parameters
    ----------
    privacy
        Decides whether the bundle may name the patient and say when.
    identity
        The patient; only of an identified bundle.
    studies
        Studies and series that were measured, that of the mask first. Of a de-identified export they have its
        UIDs and its shifted dates.
    tracking
        Name of a structure or lesion → its tracking UID in the other objects of the export.
    maker
        Name and version of what made the mask.
    pdf
        The report's pages, where they go out with the bundle.
    everything
        Whether every number goes out; else those that people read, as in a short SR.
    """

    privacy: Privacy = "pseudonym"
    identity: Identity | None = None
    studies: tuple[StudyFacts, ...] = ()
    tracking: tuple[tuple[str, str], ...] = ()
    maker: tuple[str, str] = ("", "")
    pdf: bytes | None = None
    everything: bool = True

    def series_of(self, record: Record, channel: str | None) -> SeriesFacts | None:
        """The series of an image channel; that of the mask where the channel is none or no DICOM."""
        uids = {item.channel: item.series_uid for item in record.images}
        known = [series for study in self.studies for series in study.series]
        return next((item for item in known if channel and item.uid == uids.get(channel)), None) or (
            known[0] if known else None
        )

    def started(self, series: SeriesFacts | StudyFacts | None) -> str:
        """When, where the bundle may say so: a date tells a patient from others."""
        return "" if series is None or self.privacy == "pseudonym" else series.started
