"""A Record's measurements by target and quantity, so that no view searches the list again and again."""

from collections.abc import Iterable
from dataclasses import dataclass

from medseg.domain import Measurement, Quantity, Record, Target

__all__ = ["Index", "Lesion", "index_of", "is_absent", "lesions_of"]

#: What a structure is called in a table: its kind and name; the lesion and the detail come beside it.
_STRUCTURES = ("label", "region")


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Measurements by target and quantity; of several channels the first stands here."""

    first: dict[tuple[Target, Quantity], Measurement]
    by_target: dict[Target, list[Measurement]]

    def find(self, target: Target, quantity: Quantity) -> Measurement | None:
        """The measurement, or None where the quantity was not looked at."""
        return self.first.get((target, quantity))

    def size(self, target: Target) -> Measurement | None:
        """Volume, or the area where a volume can't be had."""
        volume, area = (self.find(target, quantity) for quantity in (Quantity.VOLUME, Quantity.AREA))
        if area is not None and area.value is not None and (volume is None or volume.value is None):
            return area
        return volume or area

    @property
    def structures(self) -> tuple[Target, ...]:
        """Labels and regions as a whole, in the Record's order: no lesion, no delineation, no level."""
        return tuple(target for target in self.by_target if target.kind in _STRUCTURES and not target.detail)


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """All measurements of one lesion, those of its delineations on PET too."""

    name: str
    number: int
    labels: tuple[int, ...]
    items: tuple[Measurement, ...]

    def find(
        self, quantity: Quantity, *, channel: str | None = None, detail: str | None = None
    ) -> Measurement | None:
        """The lesion's first measurement of a quantity, of a channel or delineation where one is named."""
        for item in self.items:
            fits = channel is None or item.channel == channel
            if item.quantity is quantity and fits and (detail is None or item.target.detail == detail):
                return item
        return None

    @property
    def size(self) -> Measurement | None:
        """Volume, or the area where a volume can't be had."""
        found = [item for item in map(self.find, (Quantity.VOLUME, Quantity.AREA)) if item is not None]
        return next((item for item in found if item.value is not None), found[0] if found else None)

    @property
    def amount(self) -> float:
        """Volume or area as a number to sort by; 0 where there is none."""
        return 0.0 if self.size is None or self.size.value is None else float(self.size.value)

    @property
    def plane(self) -> str:
        """Plane and slice of the longest diameter; "" where there is none."""
        long = self.find(Quantity.LONGEST_DIAMETER)
        return "" if long is None or not long.plane else long.plane

    @property
    def judged(self) -> list[Measurement]:
        """What the status of the lesion as a whole follows from: its size and axes, not every statistic."""
        sizes = (Quantity.VOLUME, Quantity.AREA, Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)
        return [item for item in self.items if item.quantity in sizes and item.value is not None]


def index_of(measurements: Iterable[Measurement]) -> Index:
    """Index of measurements; none give an empty one."""
    first: dict[tuple[Target, Quantity], Measurement] = {}
    by_target: dict[Target, list[Measurement]] = {}
    for item in measurements:
        first.setdefault((item.target, item.quantity), item)
        by_target.setdefault(item.target, []).append(item)
    return Index(first, by_target)


def lesions_of(record: Record) -> tuple[Lesion, ...]:
    """Lesions in the Record's order of structures, by their numbers within each."""
    found: dict[tuple[str, int], list[Measurement]] = {}
    for item in record.measurements:
        if item.target.kind == "lesion" and item.target.lesion is not None:
            found.setdefault((item.target.name, item.target.lesion), []).append(item)
    names = list(dict.fromkeys(name for name, _ in found))
    ordered = sorted(found.items(), key=lambda entry: (names.index(entry[0][0]), entry[0][1]))
    return tuple(
        Lesion(name, number, items[0].target.labels, tuple(items)) for (name, number), items in ordered
    )


def is_absent(index: Index, target: Target) -> bool:
    """Whether a structure was looked for and not found."""
    size = index.size(target)
    return size is not None and size.value == 0
