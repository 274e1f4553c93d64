"""Whose images they are and when they were made: read again from the source when needed, never kept in a Record."""

from dataclasses import dataclass

__all__ = ["Identity", "PatientFacts", "SeriesFacts", "StudyFacts"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A patient, as the source's header names them; empty is what it does not say.

    Parameters
    ----------
    patient_id, issuer
        The id, and who gave it.
    name
        In DICOM's form: family, given, middle, prefix, suffix, separated by carets.
    birth_date
        ISO 8601.
    sex
        `male`, `female` or `other`.
    """

    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """One series: its UID, modality, how many of its objects were read, and when it was acquired.

    `started` is ISO 8601: a day alone where the header does not say how far its clock is from UTC.
    """

    uid: str
    modality: str
    instances: int
    started: str = ""


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """One study, with those of its series that were read; `started` as of a series."""

    uid: str
    series: tuple[SeriesFacts, ...]
    started: str = ""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """Whose images a Record was measured on, and when each was acquired: what an identified view says beside it.

    `acquired` is (channel, `started` as of a series) for the images that say it.
    """

    identity: Identity
    acquired: tuple[tuple[str, str], ...] = ()
