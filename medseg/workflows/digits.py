"""Numbers as the page shows them, for a window: rounded alike, with the same words, and the exact value beside."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medseg.domain import Measurement, Quantity, Record, Target
from medseg.reporting import to_csv
from medseg.reporting.index import index_of
from medseg.reporting.numbers import interval_text, unit_text, value_text
from medseg.reporting.page.headline import KEY_ROWS, key_rows
from medseg.reporting.wording import quantity_text, status_view

__all__ = ["ShownNumber", "csv_of", "first_numbers", "shown_numbers"]

#: What stands for a lesion or an organ where more structures are than have rows of their own.
_SIZES = (Quantity.VOLUME, Quantity.AREA)


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """One Measurement in words.

    Parameters
    ----------
    structure, quantity
        Of what, with the number of a lesion; and what, with channel, delineation or level.
    value
        Rounded, with unit, as on the page; a lower bound has its sign.
    exact
        Every digit, as JSON has it; empty where there is no value.
    unit
        As on the page.
    icon, status
        Of its status.
    interval
        Or that uncertainty was not estimated.
    why
        The reason where there is one, else the method.
    """

    item: Measurement
    structure: str
    quantity: str
    value: str
    exact: str
    unit: str
    icon: str
    status: str
    interval: str
    why: str


def shown_numbers(record: Record, items: Iterable[Measurement] | None = None) -> tuple[ShownNumber, ...]:
    """All numbers of a Record in words, in its order; or those given."""
    return tuple(_shown(record, item) for item in (record.measurements if items is None else items))


def first_numbers(record: Record) -> tuple[ShownNumber, ...]:
    """At most eight that stand first: those of page one; of many structures the sizes of the largest."""
    chosen = [row.item for row in key_rows(record)]
    index = index_of(record.measurements)
    lesions = [target for target in index.by_target if target.kind == "lesion" and not target.detail]
    rest = lesions or ([] if chosen else list(index.structures))
    sizes = [item for item in map(index.size, rest) if item is not None and item not in chosen]
    sizes.sort(key=lambda item: -(item.value or 0))
    return shown_numbers(record, [*chosen, *sizes][:KEY_ROWS])


def csv_of(record: Record, items: Sequence[Measurement] | None = None) -> bytes:
    """Rows as the command line's CSV has them; those given, or all."""
    return to_csv([record if items is None else replace(record, measurements=tuple(items))])


def _shown(record: Record, item: Measurement) -> ShownNumber:
    grid = record.mask.grid
    icon, words, _ = status_view(item.status)
    return ShownNumber(
        item,
        _name(item.target),
        quantity_text(item),
        value_text(item, grid),
        "" if item.value is None else repr(item.value),
        unit_text(item.unit),
        icon,
        words,
        interval_text(item, grid),
        item.reason or item.method,
    )


def _name(target: Target) -> str:
    return target.structure
