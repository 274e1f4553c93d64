"""Values of an earlier scan beside those of this one, in sentences and as a table; never a word for growth."""

from medseg.domain import Measurement, Record
from medseg.reporting.numbers import change_text, value_text
from medseg.reporting.sheet import Cell, Row, Sheet, text_cell
from medseg.reporting.wording import quantity_text

__all__ = ["earlier_sentences", "earlier_sheet"]

_NOTE = (
    "A change without an error says nothing about growth or shrinkage: outlines differ between two scans of the same "
    "structure."
)


def earlier_sentences(record: Record) -> tuple[str, ...]:
    """`Tumour: volume 3.33 ml; earlier 2.90 ml, 91 days before; change +0.43 ml, error unknown.`, for each."""
    return tuple(
        f"{item.target.structure}: {quantity_text(item).lower()} {value_text(item, record.mask.grid)}; "
        f"{change_text(item, record.mask.grid)}."
        for item in _compared(record)
    )


def earlier_sheet(record: Record) -> Sheet | None:
    """The same as a table; None where no earlier value is known."""
    found = _compared(record)
    if not found:
        return None
    head = (
        text_cell("Structure"),
        text_cell("Quantity"),
        text_cell("Now", number=True),
        text_cell("Earlier, and the change"),
    )
    grid = record.mask.grid
    rows = tuple(
        Row(
            (
                text_cell(item.target.structure),
                text_cell(quantity_text(item)),
                Cell(value_text(item, grid), number=True),
                text_cell(change_text(item, grid)),
            )
        )
        for item in found
    )
    how = dict.fromkeys(
        item.earlier.error.method for item in found if item.earlier is not None and item.earlier.error
    )
    return Sheet(
        "Against an earlier scan", head, rows, (_NOTE, *(f"Error of the change: {text}." for text in how))
    )


def _compared(record: Record) -> list[Measurement]:
    return [item for item in record.measurements if item.earlier is not None]
