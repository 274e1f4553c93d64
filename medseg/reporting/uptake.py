"""Uptake on PET as tables: a row per structure or lesion and delineation, and how SUV and delineation came about."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from medseg.domain import Measurement, Quantity, Record
from medseg.reporting.groups import GROUPS
from medseg.reporting.index import Index, Lesion
from medseg.reporting.numbers import unit_text
from medseg.reporting.sheet import Cell, Notes, Row, Sheet, legend, measured, method_lines, text_cell
from medseg.reporting.wording import delineation_text

__all__ = ["lesion_uptake", "structure_uptake"]

#: Name of what a row is about, delineation, measurements.
_Row: TypeAlias = tuple[str, str, list[Measurement]]
_GIVEN = "given"
_VOLUMES = (Quantity.MTV, Quantity.TLG)
_GIVEN_NOTE = (
    "Given mask: the volume is that of the mask on PET, drawn on another image; it is no metabolic volume."
)


def structure_uptake(record: Record, index: Index) -> tuple[Sheet, ...]:
    """Uptake of labels and regions; nothing where no PET was measured."""
    found: dict[str, list[Measurement]] = {}
    for target, items in index.by_target.items():
        if target.kind in ("label", "region") and _pet(items):
            found.setdefault(target.name, []).extend(_pet(items))
    if not found:
        return ()
    rows = [row for name, items in found.items() for row in _by_delineation(name, items)]
    return (_sheet(record, "Uptake on PET", "Structure", rows),)


def lesion_uptake(record: Record, lesions: Sequence[Lesion]) -> Sheet:
    """Uptake of each lesion by each delineation."""
    several = len({lesion.name for lesion in lesions}) > 1
    rows: list[_Row] = []
    for lesion in lesions:
        title = f"{lesion.name} {lesion.number}" if several else str(lesion.number)
        rows += _by_delineation(title, _pet(lesion.items))
    return _sheet(record, "Uptake of each lesion", "Lesion", rows)


def _by_delineation(title: str, items: Sequence[Measurement]) -> list[_Row]:
    """A row per delineation; what no delineation changes stands with the given mask."""
    rows: dict[str, list[Measurement]] = {}
    for item in items:
        rows.setdefault(item.target.detail or _GIVEN, []).append(item)
    return [(title, detail, found) for detail, found in rows.items()]


def _sheet(record: Record, title: str, first: str, rows: Sequence[_Row]) -> Sheet:
    grid, notes = record.mask.grid, Notes()
    everything = [item for _, _, items in rows for item in items]
    seen = {item.quantity for item in everything}
    used = [quantity for quantity in GROUPS["Uptake"] if quantity in seen]
    drawn = []
    for name, detail, items in rows:
        by_quantity = {item.quantity: item for item in items}
        cells = [measured(by_quantity.get(quantity), grid, notes) for quantity in used]
        drawn.append(Row((text_cell(name), text_cell(delineation_text(detail)), *cells)))
    heads = [_head(quantity, everything) for quantity in used]
    sized = any(item.quantity in _VOLUMES and item.target.detail == _GIVEN for item in everything)
    methods = method_lines((item.quantity.info.title, item.method) for item in everything)
    said = (*legend(drawn), *notes.lines, *((_GIVEN_NOTE,) if sized else ()))
    units = dict.fromkeys(unit_text(item.unit) for item in everything if item.quantity not in _VOLUMES)
    unit = f": {', '.join(units)}" if units else ""
    return Sheet(
        f"{title}{unit}", (text_cell(first), text_cell("Delineation"), *heads), tuple(drawn), said, methods
    )


def _head(quantity: Quantity, items: Iterable[Measurement]) -> Cell:
    title = quantity.info.title
    if quantity not in _VOLUMES:
        return text_cell(title, number=True)
    unit = next(unit_text(item.unit) for item in items if item.quantity is quantity)
    return text_cell(f"{'MTV, or mask volume' if quantity is Quantity.MTV else title} ({unit})", number=True)


def _pet(items: Iterable[Measurement]) -> list[Measurement]:
    return [item for item in items if item.quantity.info.kind == "pet"]
