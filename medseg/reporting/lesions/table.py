"""The table of all lesions: size, axes in a plane, size criterion, mean values, status."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from medseg.domain import Grid, Quantity, Record
from medseg.reporting.index import Lesion, lesions_of
from medseg.reporting.lesions.words import criterion_word
from medseg.reporting.numbers import unit_text
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
from medseg.reporting.uptake import lesion_uptake
from medseg.reporting.wording import quantity_text

__all__ = ["lesion_sheets"]

_Column: TypeAlias = tuple[Cell, Callable[[Lesion], Cell]]
#: Channels with a column of means.
_CHANNELS = 3
_AXES = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)
_INSIDE = (Quantity.LONGEST_INSIDE, Quantity.SHORT_INSIDE)
_EXPLAINED = (*_AXES, *_INSIDE, Quantity.MEETS_SIZE_CRITERION)
#: Lines that say how; of more, the files hold each.
_LINES = 8
_METHODS_ELSEWHERE = "How each number came about is in the JSON, CSV and XLSX."
_REST = "Every quantity of every lesion is in the JSON, CSV and XLSX."


def lesion_sheets(record: Record) -> tuple[Sheet, ...]:
    """The table of all lesions, and one of their uptake where a PET was measured; nothing without lesions."""
    found = lesions_of(record)
    if not found:
        return ()
    sheets = [_table(record, found)]
    if any(item.quantity.info.kind == "pet" for lesion in found for item in lesion.items):
        sheets.append(lesion_uptake(record, found))
    return tuple(sheets)


def _table(record: Record, found: Sequence[Lesion]) -> Sheet:
    notes = Notes()
    columns = list(_columns(found, record.mask.grid, notes))
    several = len({lesion.name for lesion in found}) > 1
    rows: list[Row] = []
    for number, lesion in enumerate(found):
        if several and (number == 0 or found[number - 1].name != lesion.name):
            rows.append(Row((text_cell(lesion.name),), heading=True))
        rows.append(Row(tuple(fill(lesion) for _, fill in columns)))
    title = "Lesions" if several else f"Lesions: {found[0].name}"
    heads = tuple(head for head, _ in columns)
    return Sheet(title, heads, tuple(rows), (*legend(rows), *notes.lines), (*_methods(found), _REST))


def _columns(found: Sequence[Lesion], grid: Grid, notes: Notes) -> Iterator[_Column]:
    """Heads and what fills them; a column that no lesion could fill is left out."""
    yield text_cell("Lesion", number=True), lambda lesion: Cell(str(lesion.number), number=True)
    yield _size_head(found), lambda lesion: measured(lesion.size, grid, notes)
    for title, pair in (("Long × short axis", _AXES), ("Inside the mask", _INSIDE)):
        if any(lesion.find(pair[0]) for lesion in found):
            yield _head(title, found, pair[0]), _filler(pair, grid, notes)
        if pair is _AXES:
            yield text_cell("Plane, slice"), lambda lesion: text_cell(plane_text(lesion.plane, grid) or "–")
    product = Quantity.BIDIMENSIONAL_PRODUCT
    if any(lesion.find(product) for lesion in found):
        yield _head("Product", found, product), lambda lesion: measured(lesion.find(product), grid, notes)
    if any(lesion.find(Quantity.MEETS_SIZE_CRITERION) for lesion in found):
        yield text_cell("Size criterion"), lambda lesion: _criterion(lesion, notes)
    for name in _channels(found):
        yield _head(f"Mean, {name}", found, Quantity.MEAN, name), _mean(name, grid, notes)
    yield text_cell("Status"), lambda lesion: status_cell(lesion.judged)


def _filler(pair: tuple[Quantity, Quantity], grid: Grid, notes: Notes) -> Callable[[Lesion], Cell]:
    """`38 × 26` with the mark of the longer one."""

    def fill(lesion: Lesion) -> Cell:
        long, short = (lesion.find(quantity) for quantity in pair)
        first, second = measured(long, grid, notes), measured(short, grid, notes)
        if long is None or long.value is None:
            return first
        return replace(first, text=f"{first.text} × {second.text or '–'}")

    return fill


def _mean(channel: str, grid: Grid, notes: Notes) -> Callable[[Lesion], Cell]:
    return lambda lesion: measured(lesion.find(Quantity.MEAN, channel=channel), grid, notes)


def _criterion(lesion: Lesion, notes: Notes) -> Cell:
    item = lesion.find(Quantity.MEETS_SIZE_CRITERION)
    if item is None:
        return text_cell("–")
    if item.value is None:
        return Cell(criterion_word(item), kind="none", mark="∅", note=notes.letter(item.reason))
    return text_cell(criterion_word(item))


def _channels(found: Sequence[Lesion]) -> tuple[str, ...]:
    uptake = {item.channel for x in found for item in x.items if item.quantity.info.kind == "pet"}
    means = (item.channel for x in found for item in x.items if item.quantity is Quantity.MEAN)
    return tuple(dict.fromkeys(name for name in means if name and name not in uptake))[:_CHANNELS]


def _size_head(found: Sequence[Lesion]) -> Cell:
    item = next((lesion.size for lesion in found if lesion.size is not None), None)
    return text_cell(
        "Size" if item is None else f"{item.quantity.info.title} ({unit_text(item.unit)})", number=True
    )


def _head(title: str, found: Sequence[Lesion], quantity: Quantity, channel: str | None = None) -> Cell:
    items = (lesion.find(quantity, channel=channel) for lesion in found)
    unit = next((unit_text(item.unit) for item in items if item is not None), "")
    return text_cell(f"{title} ({unit})" if unit else title, number=True)


def _methods(found: Sequence[Lesion]) -> tuple[str, ...]:
    """How axes and criterion came about; texts that name each lesion's own numbers are left to the files."""
    items = [
        item for lesion in found for quantity in _EXPLAINED if (item := lesion.find(quantity)) is not None
    ]
    lines = method_lines((quantity_text(item), item.method) for item in items)
    return lines if len(lines) <= _LINES else (_METHODS_ELSEWHERE,)
