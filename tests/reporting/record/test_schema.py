"""The published schema is the one of the code."""

import json
from pathlib import Path

from medseg.reporting import record_schema
from medseg.reporting.record.schema import schema_text

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "reference" / "record.schema.json"


def test_the_published_file_is_up_to_date() -> None:
    text = PUBLISHED.read_text(encoding="utf-8")
    assert text == schema_text(), "run: python -m medseg.reporting > docs/reference/record.schema.json"


def test_it_is_versioned_and_closed() -> None:
    schema = record_schema()
    assert schema["version"] == "1.5"
    assert "schema" in schema["required"]
    assert schema["additionalProperties"] is False
    objects = [part for part in schema["$defs"].values() if part.get("type") == "object"]
    assert all(part["additionalProperties"] is False for part in objects)
    json.dumps(schema, allow_nan=False)
