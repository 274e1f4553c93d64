"""What every resource of a bundle has: an id made from what it says, a sentence for people, references to others."""

import re
from dataclasses import dataclass
from html import escape
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from medseg.domain import Measurement, Record
from medseg.reporting.fhir.context import FhirContext

__all__ = ["Resources"]

_XHTML = "http://www.w3.org/1999/xhtml"
#: What a string of FHIR can't hold: control characters, and halves of characters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, eq=False)
class Resources:
    """Makes the resources of one Record, each known by its role; the same seed and role give the same id."""

    record: Record
    context: FhirContext
    seed: str

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """What goes out: everything, or what people read."""
        return tuple(
            item
            for item in self.record.measurements
            if self.context.everything or item.quantity.info.brief or item.placement is not None
        )

    def id(self, role: str) -> str:
        """UUID of a resource."""
        return str(uuid5(NAMESPACE_OID, f"{self.seed} {role}"))

    def reference(self, role: str) -> dict[str, str]:
        """How another resource refers to it inside the bundle."""
        return {"reference": f"urn:uuid:{self.id(role)}"}

    def make(self, kind: str, role: str, words: str, elements: dict[str, Any]) -> dict[str, Any]:
        """A resource with its narrative; elements without content are left out (FHIR has no empty ones)."""
        div = f'<div xmlns="{_XHTML}">{escape(words)}</div>'
        narrative = {"status": "generated", "div": div}
        filled = {name: value for name, value in elements.items() if value not in (None, "", [], {})}
        made: dict[str, Any] = _printable(
            {"resourceType": kind, "id": self.id(role), "text": narrative, **filled}
        )
        return made


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _printable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_printable(part) for part in value]
    return _UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) else value
