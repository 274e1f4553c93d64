"""Many Records for REDCap: a data dictionary that its project page takes, and the data in the same fields.

The columns of a dictionary are those of REDCap's own template; each field of the wide table becomes one.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medseg.domain import Record
from medseg.reporting.tables.csv import as_text
from medseg.reporting.tables.wide import CASE_COLUMNS, wide_rows

__all__ = ["redcap_data", "redcap_dictionary"]

_HEAD = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
_FORM = "imaging"
#: REDCap takes names of up to 100 signs; it advises 26, at which names of two quantities would be one.
_LONGEST = 64
#: The first field of a project names its records.
_RECORD_ID = "record_id"
_USABLE = {"yes": 1, "lower bound": 2, "unreliable": 3, "no": 4}
_REVIEW = {"not reviewed": 0, "reviewed": 1}
_USABLE_NOTE = "A bound is never usable as a value. Empty: not looked at."


@dataclass(frozen=True, slots=True)
class _Field:
    """A column of the wide table as a field."""

    column: str
    name: str
    label: str
    kind: str = "text"
    choices: Mapping[str, int] | None = None
    validation: str = ""
    note: str = ""
    section: str = ""

    def cell(self, value: Any) -> Any:
        """A value as REDCap's import takes it: the code of a choice."""
        if value is None:
            return ""
        return self.choices[str(value)] if self.choices else value


def redcap_dictionary(records: Mapping[str, Record]) -> bytes:
    """The data dictionary as CSV, UTF-8: one form, a section per structure, a note with the unit of each field.

    No Records give the fields of a case alone.
    """
    rows = []
    for field in _fields(wide_rows(records)[0]):
        choices = (
            ""
            if field.choices is None
            else " | ".join(f"{code}, {word}" for word, code in field.choices.items())
        )
        row = {
            "Variable / Field Name": field.name,
            "Form Name": _FORM,
            "Section Header": field.section,
            "Field Type": field.kind,
            "Field Label": field.label,
            "Choices, Calculations, OR Slider Labels": choices,
            "Field Note": field.note,
            "Text Validation Type OR Show Slider Number": field.validation,
        }
        rows.append([row.get(column, "") for column in _HEAD])
    return _csv([_HEAD, *rows])


def redcap_data(records: Mapping[str, Record]) -> bytes:
    """The data as CSV for REDCap's import, a row per Record; numbers by `repr`, empty where there is no value."""
    head, rows = wide_rows(records)
    fields = _fields(head)
    return _csv(
        [
            [field.name for field in fields],
            *([field.cell(cell) for field, cell in zip(fields, row, strict=True)] for row in rows),
        ]
    )


def _fields(head: Sequence[str]) -> list[_Field]:
    taken: set[str] = set()
    fields = []
    section = ""
    for number, column in enumerate(head):
        name = _RECORD_ID if number == 0 else _unique(_name(column), taken)
        taken.add(name)
        field = _of_case(column, name) if column in CASE_COLUMNS else _of_number(column, name)
        starts = field.section != section
        section = field.section
        fields.append(field if starts else _without_section(field))
    return fields


def _without_section(field: _Field) -> _Field:
    return _Field(
        field.column, field.name, field.label, field.kind, field.choices, field.validation, field.note
    )


def _of_case(column: str, name: str) -> _Field:
    label = column.replace("_", " ").capitalize()
    if column == "review":
        return _Field(column, name, label, "radio", _REVIEW, note=CASE_COLUMNS[column])
    validation = "integer" if column == "warnings" else ""
    return _Field(column, name, label, validation=validation, note=CASE_COLUMNS[column])


def _of_number(column: str, name: str) -> _Field:
    """A number or what is told beside it; a column is `structure quantity (unit)`, and `usable` or an end behind it."""
    what, _, rest = column.partition(" (")
    unit, _, beside = rest.rpartition(")")
    section = " ".join(what.split()[:-1]) or what
    if beside.strip() == "usable":
        return _Field(column, name, column, "radio", _USABLE, note=_USABLE_NOTE, section=section)
    return _Field(column, name, column, validation="number", note=f"Unit (UCUM): {unit}.", section=section)


def _name(column: str) -> str:
    """Small letters, digits, underscores; begins with a letter.

    >>> _name("left kidney volume (ml) usable")
    'left_kidney_volume_ml_usable'
    """
    plain = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
    return (plain if plain[:1].isalpha() else f"f_{plain}")[:_LONGEST].strip("_")


def _unique(name: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken or found == _RECORD_ID:
        tail = f"_{number}"
        found = f"{name[: _LONGEST - len(tail)]}{tail}"
        number += 1
    return found


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([as_text(cell) if isinstance(cell, str) else repr(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()
