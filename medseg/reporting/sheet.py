"""Tables of a page as values: cells with their marks, and notes that explain the marks once."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from medseg.domain import Grid, Measurement, Status
from medseg.reporting.numbers import bare_text, ends_text, value_text
from medseg.reporting.wording import reason_text, status_view

__all__ = ["Cell", "Notes", "Row", "Sheet", "legend", "measured", "method_lines", "status_cell", "text_cell"]

_NONE = "–"
#: Between the clauses of a method.
_CLAUSE = re.compile(r"; |\. (?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, the mark of a status before it, the letter of a note after it."""

    text: str
    number: bool = False
    kind: str = ""
    mark: str = ""
    note: str = ""
    swatch: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of a row; a heading spans the table and has one cell."""

    cells: tuple[Cell, ...]
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table.

    Parameters
    ----------
    title
        Heading above it; "" continues the section before.
    head
        Column heads.
    rows
        Same number of cells as heads, but for headings.
    notes
        Lines below: what marks and letters mean, what is left out.
    methods
        How things were computed, for those who look for it.
    """

    title: str
    head: tuple[Cell, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


@dataclass(slots=True)
class Notes:
    """Letters for reasons, each reason once."""

    letters: dict[str, str] = field(default_factory=dict)

    def letter(self, reason: str | None) -> str:
        """The letter of a reason: a, b, …, z, aa, …; "" for none."""
        if not reason:
            return ""
        return self.letters.setdefault(reason_text(reason), _letter(len(self.letters)))

    @property
    def lines(self) -> tuple[str, ...]:
        """`a: why`, in order."""
        return tuple(f"{letter}: {reason}" for reason, letter in self.letters.items())


def text_cell(words: str, *, number: bool = False) -> Cell:
    """A cell of plain words, or the head of a column of numbers."""
    return Cell(words, number=number)


def measured(item: Measurement | None, grid: Grid, notes: Notes | None = None, *, unit: bool = False) -> Cell:
    """A Measurement as a cell: what is cut carries its mark, what was refused its sign and the letter of its reason.

    Without a Measurement nothing was looked at: a dash. `unit` writes the unit beside the number. An interval stands
    in brackets with its level.
    """
    if item is None:
        return Cell(_NONE, number=True)
    icon, _, kind = status_view(item.status)
    note = notes.letter(item.reason) if notes is not None and item.value is None else ""
    if item.value is None:
        return Cell("", number=True, kind=kind, mark=icon, note=note)
    shown = value_text(item, grid).removeprefix("≥ ") if unit else bare_text(item, grid)
    ends = ends_text(item, grid)
    shown = f"{shown} ({ends})" if ends else shown
    if item.status is Status.OK:
        return Cell(shown, number=True)
    return Cell(shown, number=True, kind=kind, mark="" if shown.startswith(">") else icon)


def status_cell(items: Iterable[Measurement]) -> Cell:
    """The worst that is said of these, as icon and word; never green when something is cut or missing."""
    seen = {item.status for item in items}
    cut = {Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE}
    if seen & cut:
        return Cell(
            "cut by the border", kind="cut", mark="≥" if Status.TRUNCATED_LOWER_BOUND in seen else "⚠\ufe0e"
        )
    if Status.NOT_COMPUTED in seen:
        if seen == {Status.NOT_COMPUTED}:
            return Cell("not computed", kind="none", mark="∅")
        return Cell("in part", kind="none", mark="∅")
    icon, words, kind = status_view(Status.OK)
    return Cell(words, kind=kind, mark=icon)


def legend(rows: Sequence[Row]) -> tuple[str, ...]:
    """What the marks in these rows mean, in a line; nothing where there is none."""
    marks = {cell.mark for row in rows for cell in row.cells if cell.mark}
    words = {
        "≥": "≥ cut by the border: lower bound",
        "⚠\ufe0e": "⚠\ufe0e cut by the border: only the part in view, the error has no known direction",
        "∅": "∅ not computed",
        "–": "",
    }
    said = [meaning for mark, meaning in words.items() if mark in marks and meaning]
    return (f"{'; '.join(said)}.",) if said else ()


def method_lines(named: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """How values came about, each text once; clauses that all of them share stand in a line of their own.

    >>> method_lines([("MTV", "voxels over 2.5; native voxels"), ("TLG", "SUVmean × MTV; native voxels")])
    ('MTV: voxels over 2.5.', 'TLG: SUVmean × MTV.', 'All: native voxels.')
    """
    methods = {(title, tuple(_CLAUSE.split(method.rstrip(".")))): None for title, method in named if method}
    if len(methods) < 2:
        return tuple(f"{title}: {'; '.join(clauses)}." for title, clauses in methods)
    first = next(iter(methods))[1]
    shared = [clause for clause in first if all(clause in clauses for _, clauses in methods)]
    lines: dict[str, None] = {}
    for title, clauses in methods:
        own = "; ".join(clause for clause in clauses if clause not in shared)
        if own:
            lines.setdefault(f"{title}: {own}.")
    return (*lines, *((f"All: {'; '.join(shared)}.",) if shared else ()))


def _letter(number: int) -> str:
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
