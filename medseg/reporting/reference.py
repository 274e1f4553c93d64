"""Where values lie among reference values, in sentences and as a table; not whether that is much or little."""

from medseg.domain import Measurement, Record
from medseg.domain.measurement import Placement
from medseg.reporting.numbers import number_text, unit_text, value_text
from medseg.reporting.sheet import Cell, Row, Sheet, text_cell
from medseg.reporting.wording import quantity_text

__all__ = ["reference_sentences", "reference_sheet"]

_HEAD = ("Structure", "Quantity", "Value", "Place", "Reference values", "Whom")
_NOTE = (
    "Reference values are those of a table that the user gave. Nothing is extrapolated: outside the table a value has "
    "no place, beyond its outermost values no percentile."
)


def reference_sentences(record: Record) -> tuple[str, ...]:
    """`Amygdala: volume 1.5 ml lies at the 37th percentile (female; source).`, for each; one refused says why."""
    return tuple(_sentence(record, item, place) for item, place in _placed(record))


def reference_sheet(record: Record) -> Sheet | None:
    """The same as a table with its sources below; None where no reference values were given."""
    found = _placed(record)
    if not found:
        return None
    sources = dict.fromkeys(place.source for _, place in found)
    methods = dict.fromkeys(place.method for _, place in found if place.method)
    notes = (_NOTE, *(f"Source: {text}." for text in sources), *(f"Place: {text}." for text in methods))
    head = tuple(text_cell(words, number=words == "Value") for words in _HEAD)
    return Sheet("Against reference values", head, tuple(_row(record, *pair) for pair in found), notes)


def _placed(record: Record) -> list[tuple[Measurement, Placement]]:
    return [(item, item.placement) for item in record.measurements if item.placement is not None]


def _sentence(record: Record, item: Measurement, place: Placement) -> str:
    what = f"{_name(item)}: {_lower(quantity_text(item))}"
    if place.outcome == "refused":
        return f"{what} is not placed among the reference values: {place.words} ({place.source})."
    shown = value_text(item, record.mask.grid).replace("≥ ", "at least ")
    return f"{what} {shown} lies {_words(place)} ({place.group}; {place.source})."


def _words(place: Placement) -> str:
    """`at the 37th percentile (31 to 44 over its interval)`, `below the 2.5th percentile`, `within the range`."""
    if place.outcome != "percentile":
        return place.words
    over = ""
    if place.interval is not None:
        low, high = (f"{round(end)}" for end in place.interval)
        over = f" ({low} to {high} over its interval)"
    return f"at the {place.words}{over}"


def _row(record: Record, item: Measurement, place: Placement) -> Row:
    refused = place.outcome == "refused"
    shown = "–" if item.value is None else value_text(item, record.mask.grid)
    where = Cell(f"not placed: {place.words}", kind="none", mark="∅") if refused else text_cell(_words(place))
    cells = (
        text_cell(_name(item)),
        text_cell(quantity_text(item)),
        Cell(shown, number=True),
        where,
        text_cell(_limits(item, place)),
        text_cell(place.group or "–"),
    )
    return Row(cells)


def _limits(item: Measurement, place: Placement) -> str:
    """The outermost reference values, to the digits that tell them apart."""
    known = [value for value in (place.low, place.high) if value is not None]
    if not known:
        return "–"
    step = max(abs(value) for value in known) / 1000
    low, high = (None if value is None else number_text(value, step) for value in (place.low, place.high))
    unit = unit_text(item.unit)
    if low is None or high is None:
        return f"{'from' if high is None else 'up to'} {low or high} {unit}".rstrip()
    return f"{low}–{high} {unit}".rstrip()


def _name(item: Measurement) -> str:
    return item.target.structure


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
