"""Record ↔ JSON: exact numbers, stable layout, unknown keys refused."""

import hashlib
import json
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medseg.domain.record import RECORD_SCHEMA, Record, Review
from medseg.domain.texts import parse_json
from medseg.domain.values import AS_PAIRS
from medseg.errors import InputError
from medseg.reporting.record.signature import sealed_whole, unsigned

__all__ = ["content_digest", "record_from_json", "record_to_json"]

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
    try:
        plain = adapter().dump_python(record, mode="json")
        text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InputError(
            f"the record of {record.subject} holds NaN or infinity, which JSON and a report can't carry"
        ) from error
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"the record of {record.subject} names a file whose name is not UTF-8; rename it"
        ) from error


def record_from_json(data: bytes) -> Record:
    """Record of the bytes that `record_to_json` wrote, now or by an earlier minor version.

    A Record of an earlier minor version comes back as one of this version: what it lacked has its default.
    A signed Record whose content is no longer the signed one comes back as not reviewed, with a Finding.

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
    if record.review.state == "reviewed":
        if content_digest(record) != record.review.digest:
            record = unsigned(record, "The record was changed")
        elif not sealed_whole(record.review, minor):
            record = unsigned(record, "Who signed, for whom or when was changed")
    return record if record.schema == RECORD_SCHEMA else replace(record, schema=RECORD_SCHEMA)


def content_digest(record: Record) -> str:
    """SHA-256 over everything a Record says: its JSON without the review and without the places of files.

    Masks, images and pictures are in it by their own digests, so a change of any of them, of a number, a
    name or a finding gives another digest; moving files does not. Fields at their defaults are left out,
    so that a field that a later version adds does not undo a signature.
    """
    inputs = tuple(replace(item, path="") for item in record.inputs)
    bare = replace(record, review=Review(), inputs=inputs, schema=RECORD_SCHEMA)
    plain = adapter().dump_python(bare, mode="json", exclude_defaults=True, context=AS_PAIRS)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def adapter() -> TypeAdapter[Record]:
    """Pydantic's reader and writer of a Record; building it takes a tenth of a second."""
    return TypeAdapter(Record)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        found = parse_json(data)
    except ValueError as error:
        raise InputError(f"this is no JSON of a record: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"this is no JSON of a record: the top is a {type(found).__name__}, not an object")
    return found


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
