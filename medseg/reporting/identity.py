"""Who the patient is, in words, for views that were asked to say so; every page of them is marked."""

from medseg.domain.study import Identity, PatientFacts

__all__ = ["IDENTIFIED", "PATIENT_COLUMNS", "patient_row", "patient_words"]

#: The mark of every page that names a patient.
IDENTIFIED = "IDENTIFIED"
#: Column → what it holds, of tables that name the patient.
PATIENT_COLUMNS = {
    "patient_name": "IDENTIFIED: the patient's name as the source has it, family name first.",
    "patient_id": "IDENTIFIED: the patient's id in the source.",
    "patient_birth_date": "IDENTIFIED: ISO 8601; empty where the source does not say it.",
    "patient_sex": "IDENTIFIED: male, female or other; empty where the source does not say it.",
    "acquired": "IDENTIFIED: when the image of the row was acquired (ISO 8601), of a row without a channel the first.",
}


def patient_words(identity: Identity) -> str:
    """The patient in a line.

    >>> patient_words(Identity("MRN-1", "", "Doe^Ada^M", "1960-05-06", "female"))
    'Doe, Ada M · ID MRN-1 · born 1960-05-06 · female'
    """
    said = (
        _name(identity.name),
        identity.patient_id and f"ID {identity.patient_id}",
        identity.birth_date and f"born {identity.birth_date}",
        identity.sex,
    )
    return " · ".join(words for words in said if words)


def patient_row(facts: PatientFacts, channel: str | None) -> dict[str, str | None]:
    """The columns of a row: of a number of one image the day of that image."""
    person = facts.identity
    days = dict(facts.acquired)
    day = days.get(channel or "") or next(iter(days.values()), "")
    values = (_name(person.name), person.patient_id, person.birth_date, person.sex, day)
    return {name: value or None for name, value in zip(PATIENT_COLUMNS, values, strict=True)}


def _name(name: str) -> str:
    """A name of DICOM's form: the family name, then the others in their order."""
    family, _, rest = name.partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return ", ".join(part for part in (family, given) if part)
