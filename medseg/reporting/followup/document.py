"""Follow-up ↔ JSON: exact numbers, stable layout, unknown keys refused."""

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medseg.domain.followup import FOLLOWUP_SCHEMA, FollowUp
from medseg.domain.texts import parse_json
from medseg.errors import InputError

__all__ = ["followup_from_json", "followup_to_json"]

_NAME, _, _VERSION = FOLLOWUP_SCHEMA.partition("/")


def followup_to_json(found: FollowUp) -> bytes:
    """UTF-8 JSON, indented by two, keys in the order of the type; the same follow-up gives the same bytes."""
    plain = _adapter().dump_python(found, mode="json")
    return f"{json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def followup_from_json(data: bytes) -> FollowUp:
    """Follow-up of the bytes that `followup_to_json` wrote.

    Raises
    ------
    InputError
        In one line, if it is none, of another major version, or holds keys or values that none has.
    """
    try:
        plain: Any = parse_json(data)
    except ValueError as error:
        raise InputError(f"this is no JSON of a follow-up: {error}") from None
    name, _, version = str(plain.get("schema", "") if isinstance(plain, dict) else "").partition("/")
    if name != _NAME or version.partition(".")[0] != _VERSION.partition(".")[0]:
        raise InputError(
            f"this is no follow-up that this medseg reads: its schema is not {FOLLOWUP_SCHEMA!r}"
        )
    try:
        return _adapter().validate_json(data, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise InputError(f"this follow-up can't be read: {place}: {fault['msg'].splitlines()[0]}") from None


@cache
def _adapter() -> TypeAdapter[FollowUp]:
    return TypeAdapter(FollowUp)
