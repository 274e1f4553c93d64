"""Tissues as a table: a row per tissue and level; of one row per slice only what they span."""

import re
from collections.abc import Sequence

from medseg.domain import Grid, Measurement, Quantity, Record, Target
from medseg.reporting.groups import GROUPS
from medseg.reporting.index import Index
from medseg.reporting.numbers import bare_text, unit_text
from medseg.reporting.places import plane_text
from medseg.reporting.sheet import (
    Cell,
    Notes,
    Row,
    Sheet,
    legend,
    measured,
    method_lines,
    status_cell,
    text_cell,
)

__all__ = ["LEVELS", "is_slice", "tissue_sheets"]

#: Levels of one tissue that each have a row; more are one row for all.
LEVELS = 6
_SLICE = re.compile(r"[ijk] ?= ?(\d+)")
_SUMMED = "One row per slice is in the CSV, XLSX and JSON; here they are one row, from the least to the most."


def tissue_sheets(record: Record, index: Index) -> tuple[Sheet, ...]:
    """The table of tissues; nothing where none was measured."""
    targets = [target for target in index.by_target if target.kind == "tissue"]
    if not targets:
        return ()
    grid, notes = record.mask.grid, Notes()
    everything = [item for target in targets for item in index.by_target[target]]
    used = [
        quantity for quantity in GROUPS["Tissue"] if any(item.quantity is quantity for item in everything)
    ]
    rows: list[Row] = []
    shortened = False
    for name in dict.fromkeys(target.name for target in targets):
        mine = [target for target in targets if target.name == name]
        slices = [target for target in mine if is_slice(target.detail)]
        if len(slices) > LEVELS:
            shortened = True
            mine = [target for target in mine if target not in set(slices)]
        rows += [_row(index, target, used, grid, notes) for target in mine]
        if len(slices) > LEVELS:
            rows.append(_span(index, slices, used, grid))
    heads = [
        text_cell(f"{quantity.info.title} ({_unit(everything, quantity)})", number=True) for quantity in used
    ]
    said = (*legend(rows), *notes.lines, *((_SUMMED,) if shortened else ()))
    return (
        Sheet(
            "Tissue",
            (text_cell("Tissue"), text_cell("Level"), *heads, text_cell("Status")),
            tuple(rows),
            said,
            _methods(everything),
        ),
    )


def is_slice(detail: str | None) -> bool:
    """Whether a level is a single slice by its index, such as `k=57`."""
    return detail is not None and _SLICE.fullmatch(detail) is not None


def _row(index: Index, target: Target, used: Sequence[Quantity], grid: Grid, notes: Notes) -> Row:
    cells = [measured(index.find(target, quantity), grid, notes) for quantity in used]
    state = status_cell(index.by_target[target])
    return Row((text_cell(target.name), text_cell(_level(target.detail, grid)), *cells, state))


def _level(detail: str | None, grid: Grid) -> str:
    """A slice as people count it; anything else as it was named."""
    if detail is None:
        return "all slices"
    return plane_text(detail, grid) if is_slice(detail) else detail


def _span(index: Index, slices: Sequence[Target], used: Sequence[Quantity], grid: Grid) -> Row:
    items = [item for target in slices for item in index.by_target[target]]
    cells = [_range([item for item in items if item.quantity is quantity], grid) for quantity in used]
    first, last = (int(str(target.detail).partition("=")[2]) + 1 for target in (slices[0], slices[-1]))
    return Row(
        (
            text_cell(slices[0].name),
            text_cell(f"each of {len(slices)} slices ({first} to {last})"),
            *cells,
            status_cell(items),
        )
    )


def _range(items: Sequence[Measurement], grid: Grid) -> Cell:
    known = sorted((item for item in items if item.value is not None), key=lambda item: item.value or 0)
    if not known:
        return Cell("–", number=True)
    return Cell(f"{bare_text(known[0], grid)} to {bare_text(known[-1], grid)}", number=True)


def _unit(items: Sequence[Measurement], quantity: Quantity) -> str:
    return next(unit_text(item.unit) for item in items if item.quantity is quantity)


def _methods(items: Sequence[Measurement]) -> tuple[str, ...]:
    """Tissue by tissue, because their ranges and sources differ."""
    said: list[str] = []
    for name in dict.fromkeys(item.target.name for item in items):
        mine = [item for item in items if item.target.name == name]
        lines = method_lines((item.quantity.info.title, item.method) for item in mine)
        said.append(f"{name}. {' '.join(lines)}")
    return tuple(said)
