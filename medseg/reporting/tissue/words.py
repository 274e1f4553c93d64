"""Tissues in sentences: how much of each, at which level."""

from collections.abc import Iterator

from medseg.domain import Measurement, Quantity, Record, Target
from medseg.reporting.index import Index, index_of
from medseg.reporting.numbers import bare_text, spoken, unit_text
from medseg.reporting.places import plane_text
from medseg.reporting.tissue.table import LEVELS, is_slice
from medseg.reporting.wording import reason_text

__all__ = ["level_text", "tissue_sentences"]

#: Tissues with a sentence of their own; the table has all.
_SENTENCES = 4
_SIZES = (Quantity.TISSUE_AREA, Quantity.TISSUE_VOLUME)
_INDEXES = {
    Quantity.TISSUE_HEIGHT_INDEX: "by height squared",
    Quantity.TISSUE_SURFACE_INDEX: "by body surface",
}


def tissue_sentences(record: Record) -> tuple[str, ...]:
    """`Muscle range (…): 154 cm² at slice 58 of 120; 48.2 cm²/m² by height squared.`, for each tissue and level."""
    index = index_of(record.measurements)
    said = [text for name in _names(index) for text in _of_tissue(record, index, name)]
    more = len(said) - _SENTENCES
    rest = (f"{more} more tissues and levels: see the table.",) if more > 0 else ()
    return (*said[:_SENTENCES], *rest)


def level_text(record: Record, detail: str | None) -> str:
    """A level in words: a slice by its number, anything else as it was named."""
    if detail is None:
        return "in the whole compartment"
    return f"at {plane_text(detail, record.mask.grid) if is_slice(detail) else detail}"


def _names(index: Index) -> list[str]:
    return list(dict.fromkeys(target.name for target in index.by_target if target.kind == "tissue"))


def _of_tissue(record: Record, index: Index, name: str) -> Iterator[str]:
    targets = [target for target in index.by_target if target.kind == "tissue" and target.name == name]
    slices = [target for target in targets if is_slice(target.detail)]
    if len(slices) > LEVELS:
        targets = [target for target in targets if target not in set(slices)]
        yield _span(record, index, name, slices)
    for target in targets:
        yield _sentence(record, index, target)


def _sentence(record: Record, index: Index, target: Target) -> str:
    found = [item for quantity in _SIZES if (item := index.find(target, quantity)) is not None]
    size = next((item for item in found if item.value is not None), None)
    where = level_text(record, target.detail)
    if size is None:
        return f"{target.name} {where}: not computed ({reason_text(found[0].reason if found else None)})."
    indexes = [
        f"; {spoken(item, record.mask.grid)} {words}"
        for quantity, words in _INDEXES.items()
        if (item := index.find(target, quantity)) is not None and item.value is not None
    ]
    return f"{target.name}: {spoken(size, record.mask.grid)} {where}{''.join(indexes)}."


def _span(record: Record, index: Index, name: str, slices: list[Target]) -> str:
    areas = [index.find(target, Quantity.TISSUE_AREA) for target in slices]
    known: list[Measurement] = sorted(
        (item for item in areas if item is not None and item.value is not None),
        key=lambda item: item.value or 0,
    )
    if not known:
        return f"{name}: not computed in any of {len(slices)} slices."
    grid = record.mask.grid
    ends = f"{bare_text(known[0], grid)} to {bare_text(known[-1], grid)} {unit_text(known[0].unit)}"
    return f"{name}: {ends} in each of {len(known)} slices."
