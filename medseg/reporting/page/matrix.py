"""All measurements of labels and regions: every quantity for a few structures, the main ones for many."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from medseg.domain import Grid, LabelTable, Measurement, Quantity, Record, Status, Target
from medseg.reporting.groups import GROUPS, group_of, rank, shown_in_order
from medseg.reporting.index import Index
from medseg.reporting.numbers import unit_text
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.sheet import Cell, Notes, Row, Sheet, legend, measured, status_cell, text_cell

__all__ = ["FEW", "all_measurements"]

#: Structures that can stand side by side with every quantity; of more, the main quantities do.
FEW = 3
_SIZES = shown_in_order(lambda row: row.matrix, "mask")
_AXES = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)
_VALUES = shown_in_order(lambda row: row.matrix, "intensity")
#: Kinds of quantities that stand here; others have tables of their own.
_KINDS = ("mask", "intensity", "lesion")
_ALL_ELSEWHERE = "Every quantity of every structure is in the JSON, CSV and XLSX."


def all_measurements(record: Record, index: Index) -> tuple[Sheet, ...]:
    """Tables that stay readable with one structure and with a hundred.

    Up to `FEW` structures: one table, a row per quantity and a column per structure. More: a row per structure
    and a column per main quantity, and a line that says where the rest is.
    """
    structures = index.structures
    if len(structures) <= FEW:
        return (_side_by_side(record, index, structures),)
    return tuple(_below_each_other(record, index, structures))


def _side_by_side(record: Record, index: Index, structures: Sequence[Target]) -> Sheet:
    grid, notes = record.mask.grid, Notes()
    items = {
        (target, item.quantity, item.channel): item
        for target in structures
        for item in index.by_target[target]
        if item.quantity.info.kind in _KINDS
    }
    keys = sorted(dict.fromkeys((quantity, channel) for _, quantity, channel in items), key=_place)
    rows: list[Row] = []
    before = None
    for quantity, channel in keys:
        heading = group_of(quantity) + (f", {channel}" if channel else "")
        if heading != before:
            rows.append(Row((text_cell(heading),), heading=True))
            before = heading
        found = [items.get((target, quantity, channel)) for target in structures]
        cells = [measured(item, grid, notes, unit=True) for item in found]
        rows.append(Row((text_cell(quantity.info.title), *cells, text_cell(_methods(found)))))
    heads = [_structure(record.table, target, number=True) for target in structures]
    states = [replace(status_cell(index.by_target[target]), number=True) for target in structures]
    first = Row((text_cell("Status"), *states, text_cell("")))
    return Sheet(
        "All measurements",
        (text_cell("Quantity"), *heads, text_cell("Method")),
        (first, *rows),
        (*legend(rows), *notes.lines),
    )


def _below_each_other(record: Record, index: Index, structures: Sequence[Target]) -> Iterator[Sheet]:
    there = [target for target in structures if not _is_empty(index, target)]
    absent = [target.name for target in structures if _is_empty(index, target)]
    missing = (f"Looked for and not found (volume 0): {', '.join(absent)}.",) if absent else ()
    yield _size_sheet(record, index, there, missing)
    for channel in _channels(record):
        yield _value_sheet(record, index, there, channel)


def _size_sheet(record: Record, index: Index, there: Sequence[Target], missing: tuple[str, ...]) -> Sheet:
    grid, notes = record.mask.grid, Notes()
    used = [quantity for quantity in _SIZES if _is_measured(index, there, quantity)]
    axes = any(index.find(target, _AXES[0]) for target in there)
    heads = [_head(index, there, quantity) for quantity in used]
    heads += (
        [text_cell(f"Long × short axis in plane ({_unit(index, there, _AXES[0])})", number=True)]
        if axes
        else []
    )
    rows = []
    for target in there:
        cells = [measured(index.find(target, quantity), grid, notes) for quantity in used]
        if axes:
            cells.append(_both_axes(index, target, grid, notes))
        rows.append(Row((_structure(record.table, target), *cells, _state(index, target))))
    return Sheet(
        "All measurements",
        (text_cell("Structure"), *heads, text_cell("Status")),
        tuple(rows),
        (*legend(rows), *notes.lines, *missing, _ALL_ELSEWHERE),
    )


def _value_sheet(record: Record, index: Index, there: Sequence[Target], channel: str) -> Sheet:
    grid, notes = record.mask.grid, Notes()
    rows, unit = [], ""
    for target in there:
        found = {item.quantity: item for item in index.by_target[target] if item.channel == channel}
        if not found:
            continue
        unit = next((unit_text(item.unit) for item in found.values() if item.quantity in _VALUES), unit)
        cells = [measured(found.get(quantity), grid, notes) for quantity in _VALUES]
        rows.append(
            Row(
                (
                    _structure(record.table, target),
                    *cells,
                    _state_of([item for item in found.values() if item.quantity in _VALUES]),
                )
            )
        )
    heads = [
        text_cell(f"{quantity.info.title} ({unit})".replace(" ()", ""), number=True) for quantity in _VALUES
    ]
    return Sheet(
        f"Intensity, {channel}",
        (text_cell("Structure"), *heads, text_cell("Status")),
        tuple(rows),
        (*legend(rows), *notes.lines),
    )


def _state(index: Index, target: Target) -> Cell:
    return _state_of([item for item in index.by_target[target] if item.quantity.info.kind == "mask"])


def _state_of(items: Sequence[Measurement]) -> Cell:
    # What was refused shows its sign in its own cell; here the structure as a whole is judged.
    judged = [item for item in items if item.status is not Status.NOT_COMPUTED]
    return status_cell(judged or items)


def _both_axes(index: Index, target: Target, grid: Grid, notes: Notes) -> Cell:
    cells = [measured(index.find(target, quantity), grid, notes) for quantity in _AXES]
    if not cells[0].text:
        return cells[0]
    words = " × ".join(cell.text or "–" for cell in cells)
    return Cell(words, number=True, kind=cells[0].kind, mark=cells[0].mark)


def _structure(table: LabelTable, target: Target, *, number: bool = False) -> Cell:
    mark = swatch(table, target.labels[0]) if target.kind == "label" else ""
    return Cell(target.name, number=number, swatch=mark)


def _methods(found: Sequence[Measurement | None]) -> str:
    said = dict.fromkeys(
        f"{item.method}{f'; {item.plane}' if item.plane else ''}"
        for item in found
        if item is not None and (item.method or item.plane)
    )
    return " / ".join(words.removeprefix("; ") for words in said)


def _place(key: tuple[Quantity, str | None]) -> tuple[int, str, int]:
    quantity, channel = key
    group, place = rank(quantity)
    return group, channel or "", place


def _head(index: Index, there: Sequence[Target], quantity: Quantity) -> Cell:
    unit = _unit(index, there, quantity)
    return text_cell(f"{quantity.info.title}{f' ({unit})' if unit else ''}", number=True)


def _unit(index: Index, there: Sequence[Target], quantity: Quantity) -> str:
    found = (index.find(target, quantity) for target in there)
    return next((unit_text(item.unit) for item in found if item is not None and item.value is not None), "")


def _is_measured(index: Index, there: Sequence[Target], quantity: Quantity) -> bool:
    found = [item for item in (index.find(target, quantity) for target in there) if item is not None]
    return any(item.value is not None for item in found) or (bool(found) and quantity is Quantity.VOLUME)


def _is_empty(index: Index, target: Target) -> bool:
    count = index.find(target, Quantity.VOXEL_COUNT) or index.find(target, Quantity.VOLUME)
    return count is not None and count.value == 0


def _channels(record: Record) -> tuple[str, ...]:
    named = [item.channel for item in record.images]
    seen = {item.channel for item in record.measurements if item.quantity in GROUPS["Intensity"]}
    return tuple(name for name in named if name in seen) or tuple(sorted(name for name in seen if name))
