"""Record ↔ JSON: exact numbers, stable layout, unknown keys refused."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medseg.domain.record import RECORD_SCHEMA, Record
from medseg.errors import InputError

__all__ = ["record_from_json", "record_to_json"]

_NAME, _, _VERSION = RECORD_SCHEMA.partition("/")
_MAJOR, _MINOR = (int(part) for part in _VERSION.split("."))


def record_to_json(record: Record) -> bytes:
    """UTF-8 JSON of a Record, indented by two, keys in the order of the type; the same Record gives the same bytes.

    Floats are written with the fewest digits that read back to the same float64; integers stay integers.

    Raises
    ------
    InputError
        If a detail holds NaN or infinity: they never leave the code.
    """
    plain = adapter().dump_python(record, mode="json")
    try:
        text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(
            f"the record of {record.subject} holds NaN or infinity, which JSON and a report can't carry"
        ) from error
    return f"{text}\n".encode()


def record_from_json(data: bytes) -> Record:
    """Record of the bytes that `record_to_json` wrote, now or by an earlier minor version.

    A Record of an earlier minor version comes back as one of this version: what it lacked has its default.

    Raises
    ------
    InputError
        In one line, if it is no JSON, no Record, of another major version, or holds keys or values that a
        Record does not have.
    """
    minor = _minor_version(_parse(data))
    try:
        record = adapter().validate_json(data, strict=True)
    except ValidationError as error:
        newer = (
            f"; it was written by a newer medseg (version {_MAJOR}.{minor}), update to read it"
            if minor > _MINOR
            else ""
        )
        raise InputError(f"this record can't be read: {_first_fault(error)}{newer}") from None
    return record if record.schema == RECORD_SCHEMA else replace(record, schema=RECORD_SCHEMA)


@cache
def adapter() -> TypeAdapter[Record]:
    """Pydantic's reader and writer of a Record; building it takes a tenth of a second."""
    return TypeAdapter(Record)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is no JSON of a record: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise InputError(f"this is no JSON of a record: the top is a {type(found).__name__}, not an object")
    return found


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"key {twice[0]!r} stands twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number to report")


def _minor_version(found: dict[str, Any]) -> int:
    name, _, number = str(found.get("schema", "")).partition("/")
    major, _, minor = number.partition(".")
    if name != _NAME or not (major.isdecimal() and minor.isdecimal()):
        raise InputError(
            f"this is no record: its schema is {found.get('schema')!r}, expected {RECORD_SCHEMA!r}"
        )
    if int(major) != _MAJOR:
        raise InputError(
            f"this record has schema version {number}, and this medseg reads {_MAJOR}.x; "
            "read it with the medseg that wrote it"
        )
    return int(minor)


def _first_fault(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in faults[0]["loc"]) or "record"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{place}: {faults[0]['msg'].splitlines()[0]}{more}"
