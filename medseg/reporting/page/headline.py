"""What stands on page one: the main structures, a sentence for each, and at most eight rows."""

from collections import Counter
from dataclasses import dataclass

from medseg.domain import Measurement, Quantity, Record, Status, Target
from medseg.reporting.groups import shown_in_order
from medseg.reporting.index import Index, index_of
from medseg.reporting.lesions.words import LINES
from medseg.reporting.numbers import interval_text, value_text
from medseg.reporting.tissue.table import LEVELS, is_slice

__all__ = ["KEY_ROWS", "KeyRow", "key_rows", "main_targets", "sentence"]

#: Rows of numbers on page one, lines of lesions among them.
KEY_ROWS = 8
#: Structures that each get a sentence; of more, only the largest does.
_SENTENCES = 3
#: Of many structures, rows for the main one; the sizes of others matter more than its details.
_OF_THE_MAIN = 3
#: Rows for tissues at a level.
_TISSUES = 4
_SIZE = (Quantity.VOLUME, Quantity.AREA)
_ORDER = shown_in_order(lambda row: row.headline, "mask", "pet", "intensity")
_TISSUE = shown_in_order(lambda row: row.headline, "tissue")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One Measurement as it stands on page one; `alone` says that its structure has no other row."""

    item: Measurement
    value: str
    interval: str
    alone: bool = False


def main_targets(record: Record) -> tuple[Target, ...]:
    """Structures with a sentence: all if there are three or fewer (regions first), else the largest one."""
    return _mains(index_of(record.measurements))


def sentence(record: Record, target: Target) -> str:
    """Size with its uncertainty, longest diameter, and whether the structure touches the border."""
    index = index_of(record.measurements)
    size = _size(index, target)
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
    diameter, touches = _diameter(record, index, target), _touches(index, target)
    return f"{target.name}: {first}{diameter}, touches the border: {touches}."


def key_rows(record: Record) -> tuple[KeyRow, ...]:
    """The main structures' Measurements by importance, tissues at a level, then the sizes of further structures.

    With the lines of lesions that stand beside them they are at most eight.
    """
    index = index_of(record.measurements)
    mains, sized = _mains(index), _by_size(index)
    tissues = _tissues(index)
    room = KEY_ROWS - len(tissues) - min(LINES, _lesion_count(index))
    others = [item for target in sized if target not in mains and (item := _size(index, target)) is not None]
    chosen = _of_mains(index, mains)
    if len(mains) == 1 and others:
        chosen = [*chosen[:_OF_THE_MAIN], *others]
    picked = chosen[:room]
    names = [target.name for target in mains]
    picked.sort(key=lambda item: [*names, item.target.name].index(item.target.name))
    grid = record.mask.grid
    shown = [*picked, *tissues]
    rows_of = Counter(item.target.name for item in shown)
    alone = {name for name, rows in rows_of.items() if rows == 1 and len(rows_of) > 1}
    return tuple(
        KeyRow(item, value_text(item, grid), interval_text(item, grid), item.target.name in alone)
        for item in shown
    )


def _of_mains(index: Index, mains: tuple[Target, ...]) -> list[Measurement]:
    by_quantity: dict[tuple[str, Quantity], list[Measurement]] = {}
    for target, items in index.by_target.items():
        if target.kind in ("label", "region"):
            for item in items:
                by_quantity.setdefault((target.name, item.quantity), []).append(item)
    return [
        item
        for quantity in _ORDER
        for target in mains
        for item in by_quantity.get((target.name, quantity), [])
        if _says_something(index, target, item)
    ]


def _tissues(index: Index) -> list[Measurement]:
    """Tissue rows that fit a page: none of one row per slice, nothing refused; tissue by tissue."""
    items = [item for target, found in index.by_target.items() if target.kind == "tissue" for item in found]
    slices = {item.target.detail for item in items if is_slice(item.target.detail)}
    shown = [
        item
        for quantity in _TISSUE
        for item in items
        if item.quantity is quantity and item.value is not None
        if len(slices) <= LEVELS or item.target.detail not in slices
    ][:_TISSUES]
    names = list(dict.fromkeys(item.target.name for item in shown))
    return sorted(shown, key=lambda item: names.index(item.target.name))


def _lesion_count(index: Index) -> int:
    return len({(target.name, target.lesion) for target in index.by_target if target.kind == "lesion"})


def _says_something(index: Index, target: Target, item: Measurement) -> bool:
    # An area beside a volume, and details of what was not found, only take room on page one; a PET's mean or
    # maximum by voxel centres beside its SUVs would be a second number for one thing.
    size = _size(index, target)
    if item.quantity in _SIZE:
        return item is size
    if item.target.detail == "given":
        return False  # nearly the volume itself, and no metabolic one
    if item.quantity.info.kind == "intensity" and item.channel in _pet_channels(index):
        return False
    return size is None or size.value != 0


def _pet_channels(index: Index) -> set[str | None]:
    return {item.channel for (_, quantity), item in index.first.items() if quantity is Quantity.SUV_MAX}


def _mains(index: Index) -> tuple[Target, ...]:
    targets = _by_size(index)
    if len(targets) > _SENTENCES:
        return targets[:1]
    return tuple(sorted(targets, key=lambda target: target.kind != "region"))


def _by_size(index: Index) -> tuple[Target, ...]:
    sizes: dict[Target, float] = {}
    for target in index.structures:
        size = _size(index, target)
        if size is not None:
            sizes[target] = size.value or 0.0
    return tuple(sorted(sizes, key=lambda target: -sizes[target]))


def _size(index: Index, target: Target) -> Measurement | None:
    """Volume, or the area where a volume can't be had."""
    volume, area = (index.find(target, quantity) for quantity in _SIZE)
    if area is not None and area.value is not None and (volume is None or volume.value is None):
        return area
    return volume or area


def _diameter(record: Record, index: Index, target: Target) -> str:
    item = index.find(target, Quantity.LONGEST_DIAMETER)
    if item is None:
        return ""
    if item.value is None:
        return f", longest diameter not computed ({_clause(item.reason)})"
    shown = value_text(item, record.mask.grid).replace("≥ ", "at least ")
    return f", longest diameter {shown} in plane"


def _touches(index: Index, target: Target) -> str:
    border = index.find(target, Quantity.BORDER_VOXELS)
    if border is None or border.value is None:
        cut = any(
            item.status in (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)
            for item in index.by_target[target]
        )
        return "yes" if cut else "not examined"
    return "yes" if border.value > 0 else "no"


def _clause(reason: str | None) -> str:
    return (reason or "no reason given").rstrip(".")
