"""What stands on page one: the main structures, a sentence for each, and at most eight rows."""

from dataclasses import dataclass

from medseg.domain import Measurement, Quantity, Record, Status, Target
from medseg.reporting.numbers import interval_text, value_text

__all__ = ["KEY_ROWS", "KeyRow", "key_rows", "main_targets", "sentence", "status_view"]

#: Rows of numbers on page one.
KEY_ROWS = 8
#: Structures that each get a sentence; of more, only the largest does.
_SENTENCES = 3
_SIZE = (Quantity.VOLUME, Quantity.AREA)
_ORDER = (
    Quantity.VOLUME,
    Quantity.AREA,
    Quantity.LONGEST_DIAMETER,
    Quantity.SHORT_DIAMETER,
    Quantity.MAXIMUM,
    Quantity.MEAN,
    Quantity.MEDIAN,
    Quantity.BORDER_VOXELS,
)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One Measurement as it stands on page one."""

    item: Measurement
    value: str
    interval: str


def status_view(status: Status) -> tuple[str, str, str]:
    """(icon, words, CSS class) of a status; what is cut is never shown like what is whole."""
    return {
        Status.OK: ("✓", "ok", "ok"),
        Status.TRUNCATED_LOWER_BOUND: ("≥", "cut by the border: lower bound", "cut"),
        Status.TRUNCATED_UNRELIABLE: ("⚠\ufe0e", "cut by the border: unreliable", "cut"),
        Status.NOT_COMPUTED: ("∅", "not computed", "none"),
    }[status]


def main_targets(record: Record) -> tuple[Target, ...]:
    """Structures with a sentence: all if there are three or fewer (regions first), else the largest one."""
    targets = _by_size(record)
    if len(targets) > _SENTENCES:
        return targets[:1]
    return tuple(sorted(targets, key=lambda target: target.kind != "region"))


def sentence(record: Record, target: Target) -> str:
    """Size with its uncertainty, longest diameter, and whether the structure touches the border."""
    size = _size(record, target)
    if size is None:
        return f"{target.name}: not measured."
    if size.value == 0:
        return f"{target.name}: looked for and not found."
    grid = record.mask.grid
    if size.value is None:
        first = f"{size.quantity.info.title.lower()} not computed ({_clause(size.reason)})"
    else:
        shown = value_text(size, grid).replace("≥ ", "at least ")
        first = f"{shown} ({interval_text(size, grid)})"
    return (
        f"{target.name}: {first}{_diameter(record, target)}, touches the border: {_touches(record, target)}."
    )


def key_rows(record: Record) -> tuple[KeyRow, ...]:
    """At most eight Measurements: the main structures by importance, then the sizes of further ones."""
    mains = main_targets(record)
    chosen = [
        item
        for quantity in _ORDER
        for target in mains
        for item in record.measurements
        if item.target == target and item.quantity is quantity and _says_something(record, item)
    ]
    others = [_size(record, target) for target in _by_size(record) if target not in mains]
    picked = [*chosen, *(item for item in others if item is not None)]
    if len(mains) == 1 and others:  # many structures: their sizes matter more than details of one
        picked = [*chosen[:3], *(item for item in others if item is not None)]
    picked = picked[:KEY_ROWS]
    picked.sort(key=lambda item: [*mains, item.target].index(item.target))
    grid = record.mask.grid
    return tuple(KeyRow(item, value_text(item, grid), interval_text(item, grid)) for item in picked)


def _says_something(record: Record, item: Measurement) -> bool:
    # An area beside a volume, and details of what was not found, only take room on page one.
    size = _size(record, item.target)
    if item.quantity in _SIZE:
        return item is size
    return size is None or size.value != 0


def _by_size(record: Record) -> tuple[Target, ...]:
    sizes: dict[Target, float] = {}
    for target in dict.fromkeys(item.target for item in record.measurements):
        size = _size(record, target)
        if target.kind in ("label", "region") and size is not None:
            sizes[target] = size.value or 0.0
    return tuple(sorted(sizes, key=lambda target: -sizes[target]))


def _size(record: Record, target: Target) -> Measurement | None:
    """Volume, or the area where a volume can't be had."""
    volume, area = (_find(record, target, quantity) for quantity in _SIZE)
    if area is not None and area.value is not None and (volume is None or volume.value is None):
        return area
    return volume or area


def _find(record: Record, target: Target, quantity: Quantity) -> Measurement | None:
    return next(
        (item for item in record.measurements if item.target == target and item.quantity is quantity), None
    )


def _diameter(record: Record, target: Target) -> str:
    item = _find(record, target, Quantity.LONGEST_DIAMETER)
    if item is None:
        return ""
    if item.value is None:
        return f", longest diameter not computed ({_clause(item.reason)})"
    shown = value_text(item, record.mask.grid).replace("≥ ", "at least ")
    return f", longest diameter {shown} in plane"


def _touches(record: Record, target: Target) -> str:
    border = _find(record, target, Quantity.BORDER_VOXELS)
    if border is None or border.value is None:
        cut = any(
            item.status in (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)
            for item in record.measurements
            if item.target == target
        )
        return "yes" if cut else "not examined"
    return "yes" if border.value > 0 else "no"


def _clause(reason: str | None) -> str:
    return (reason or "no reason given").rstrip(".")
