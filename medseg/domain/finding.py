"""Findings: what the reader of a report must know and code can't fix."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.values import STRICT, Details, Scalar

__all__ = ["Finding", "Severity"]

Severity: TypeAlias = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One plain sentence with a stable code.

    Parameters
    ----------
    code
        Dotted and stable, for scripts: `grid.snapped`, `dicom.gap`.
    severity
        `info` (good to know), `warning` (may change what the numbers mean), `error` (the input is unfit).
    message
        One sentence for a reader who knows medicine and not the code; no patient identifiers.
    details
        The figures behind the sentence, as pairs so that the value hashes.
    """

    code: str
    severity: Severity
    message: str
    details: Details = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def detail(self, key: str) -> Scalar:
        """Value stored under `key`, or None."""
        return dict(self.details).get(key)
