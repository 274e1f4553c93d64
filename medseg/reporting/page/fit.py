"""What fits on page one beside the numbers: an estimate in lines, on the safe side."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medseg.domain import Finding, Status
from medseg.reporting.lesions.words import LesionLine
from medseg.reporting.page.headline import KeyRow

__all__ = ["MOST_FINDINGS", "ShownFinding", "lines_taken", "shown_findings"]

#: Findings on page one; the rest stand in the appendix, the worst come first.
MOST_FINDINGS = 5
#: Lines of the right column of an A4 page, and characters of a line.
_LINES, _PER_LINE = 60, 40
#: Characters of a finding on page one; a longer one is cut there and whole in the appendix.
_LONGEST = 300
#: However full the page, the worst finding stands on it, with at least this much of its text.
_LEAST = 120


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding as page one shows it."""

    severity: str
    message: str


def shown_findings(findings: Sequence[Finding], taken: float) -> tuple[tuple[ShownFinding, ...], bool]:
    """(findings for page one, whether the appendix must have them in full); `findings` come worst first."""
    shown: list[ShownFinding] = []
    room = _LINES - taken
    for item in findings[:MOST_FINDINGS]:
        longest = _LONGEST if shown else max(_LEAST, min(_LONGEST, int((room - 1) * _PER_LINE)))
        message = _clipped(item.message, longest)
        room -= math.ceil((len(message) + 10) / _PER_LINE) + 0.5
        if shown and room < 0:
            break
        shown.append(ShownFinding(item.severity, message))
    whole = [item.message for item in findings] == [item.message for item in shown]
    return tuple(shown), not whole


def lines_taken(
    rows: Sequence[KeyRow],
    lesions: Sequence[LesionLine],
    made: Iterable[tuple[str, str]],
    compared: int,
    above: Sequence[str],
) -> float:
    """Lines that everything else on the right of page one takes, and what the sentences above take from it."""
    cut = (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)
    key = sum(3.4 if row.item.status in cut else 2.3 for row in rows)
    groups = len({row.item.target.name for row in rows if not row.alone}) * 1.6
    list_of = sum(3.6 if line.status in cut else 2.4 for line in lesions) + (6 if lesions else 0)
    how = sum(1.2 + math.ceil(len(text) / _PER_LINE) for _, text in made)
    sentences = sum(math.ceil(len(text) / (72 if number == 0 else 95)) for number, text in enumerate(above))
    box = compared * 1.5 + 7 if compared else 0
    return 9 + key + groups + list_of + how + box + 1.2 * max(0, sentences - 2)


def _clipped(message: str, longest: int) -> str:
    if len(message) <= longest:
        return message
    return f"{message[: longest - 1].rsplit(' ', 1)[0].rstrip(',;:')} … (in full: next page)"
