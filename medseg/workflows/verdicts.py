"""What a reader said of each case on the contact sheet: accept, fix, reject; read for a script or a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg.domain import Record
from medseg.domain.texts import parse_json
from medseg.domain.values import STRICT
from medseg.errors import InputError
from medseg.io.plain import read_plain
from medseg.reporting.record.json import content_digest

__all__ = ["QC_SCHEMA", "CaseVerdict", "Verdicts", "read_verdicts", "verdicts_on"]

#: Name and version of the JSON that the page saves.
QC_SCHEMA = "medseg.qc/1.0"
Word: TypeAlias = Literal["accept", "fix", "reject", "open"]


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """One case: what the sheet calls it, the digest of the Record's content that was looked at, the verdict."""

    case: str
    record: str
    verdict: Word
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All cases of a sheet, and when they were saved (ISO 8601)."""

    cases: tuple[CaseVerdict, ...]
    saved_at: str = ""
    schema: str = QC_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def named(self, verdict: Word) -> tuple[str, ...]:
        """Cases with a verdict, in the order of the sheet."""
        return tuple(item.case for item in self.cases if item.verdict == verdict)


_ADAPTER = TypeAdapter(Verdicts)


def read_verdicts(path: str | Path) -> Verdicts:
    """Read what the contact sheet saved.

    Raises
    ------
    InputError
        If the file is none of these.
    """
    data = read_plain(path)
    try:
        parse_json(data)
        found = _ADAPTER.validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "file"
        raise InputError(f"{path} holds no verdicts: {place}: {fault['msg'].splitlines()[0]}") from None
    except ValueError as error:
        raise InputError(f"{path} holds no verdicts: {error}") from None
    if not found.schema.startswith("medseg.qc/1."):
        raise InputError(f"{path} holds no verdicts: its schema is {found.schema!r}, expected {QC_SCHEMA!r}")
    return found


def verdicts_on(verdicts: Verdicts, records: Mapping[str, Record] | Sequence[Record]) -> dict[str, Word]:
    """Verdict on each Record as it is now; `open` where it was not looked at, or has changed since.

    By name where names are given, else by the subject's pseudonym.
    """
    known = {item.record: item.verdict for item in verdicts.cases}
    named = records if isinstance(records, Mapping) else {record.subject: record for record in records}
    return {name: known.get(content_digest(record), "open") for name, record in named.items()}
