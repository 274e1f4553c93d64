"""A study of repeatability ↔ JSON: exact numbers, unknown keys refused."""

import json
from functools import cache

from pydantic import TypeAdapter, ValidationError

from medseg.domain.repeatability import REPEATABILITY_SCHEMA, RepeatabilityStudy
from medseg.domain.texts import parse_json
from medseg.errors import InputError

__all__ = ["repeatability_from_json", "repeatability_to_json"]

_NAME = REPEATABILITY_SCHEMA.partition("/")[0]


def repeatability_to_json(study: RepeatabilityStudy) -> bytes:
    """UTF-8 JSON, indented by two; the same study gives the same bytes."""
    plain = _adapter().dump_python(study, mode="json")
    return f"{json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def repeatability_from_json(data: bytes) -> RepeatabilityStudy:
    """The study of the bytes that `repeatability_to_json` wrote.

    Raises
    ------
    InputError
        In one line, if it is no JSON, no such study, or holds keys or values that none has.
    """
    try:
        found = parse_json(data)
    except ValueError as error:
        raise InputError(f"this is no JSON of a repeatability study: {error}") from None
    schema = found.get("schema") if isinstance(found, dict) else None
    if not str(schema).startswith(f"{_NAME}/1."):
        raise InputError(
            f"this is no repeatability study: its schema is {schema!r}, expected {REPEATABILITY_SCHEMA!r}"
        )
    try:
        return _adapter().validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "study"
        raise InputError(
            f"this repeatability study can't be read: {place}: {fault['msg'].splitlines()[0]}"
        ) from None


@cache
def _adapter() -> TypeAdapter[RepeatabilityStudy]:
    return TypeAdapter(RepeatabilityStudy)
