"""The order in which people read quantities, as their rows say it: under headings, and in the tables of a page."""

from collections.abc import Callable
from typing import get_args

from medseg.domain import Quantity
from medseg.domain.quantity import Group, QuantityInfo

__all__ = ["GROUPS", "group_of", "rank", "shown_in_order"]


def shown_in_order(place: Callable[[QuantityInfo], int], *kinds: str) -> tuple[Quantity, ...]:
    """Quantities of these kinds that have a place, in its order.

    >>> [quantity.name for quantity in shown_in_order(lambda row: row.headline, "pet")]
    ['SUV_MAX', 'SUV_PEAK', 'MTV', 'TLG']
    """
    there = (item for item in Quantity if item.info.kind in kinds and place(item.info))
    return tuple(sorted(there, key=lambda item: place(item.info)))


#: Heading → its quantities, most wanted first.
GROUPS: dict[str, tuple[Quantity, ...]] = {
    heading: tuple(
        sorted((item for item in Quantity if item.info.group == heading), key=lambda item: item.info.place)
    )
    for heading in get_args(Group)
}
_PLACES = {heading: place for place, heading in enumerate(GROUPS)}


def group_of(quantity: Quantity) -> str:
    """Heading under which a quantity stands."""
    return quantity.info.group


def rank(quantity: Quantity) -> tuple[int, int]:
    """Key to sort quantities as people read them."""
    return _PLACES[quantity.info.group], quantity.info.place
