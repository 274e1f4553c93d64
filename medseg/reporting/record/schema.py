"""The published JSON Schema of a Record: `python -m medseg.reporting > docs/reference/record.schema.json`."""

import json
from typing import Any

from medseg.domain.record import RECORD_SCHEMA
from medseg.reporting.record.json import adapter

__all__ = ["record_schema", "schema_text"]


def record_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what `record_to_json` writes; unknown keys are errors in every object.

    `version` is the schema's own; a Record's `schema` key must carry the same major number.
    """
    name, _, version = RECORD_SCHEMA.partition("/")
    schema = adapter().json_schema(mode="validation")
    schema["properties"]["schema"]["pattern"] = rf"^{name.replace('.', '[.]')}/{version.split('.')[0]}[.]\d+$"
    schema["required"].append("schema")  # the type has a default, a file must say what it is
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('.', ':')}:{version}",
        "version": version,
        **schema,
    }


def schema_text() -> str:
    """The schema as the committed file holds it."""
    return json.dumps(record_schema(), indent=2, ensure_ascii=False) + "\n"
