"""What stands on page one: the main structures, a sentence for each, and at most eight rows."""

from collections import Counter
from dataclasses import dataclass

from medseg.domain import Grid, Measurement, Quantity, Record, Target
from medseg.reporting.groups import shown_in_order
from medseg.reporting.index import Index, index_of
from medseg.reporting.lesions.words import LINES, lesion_sentences
from medseg.reporting.numbers import interval_text, spoken, value_text
from medseg.reporting.organs import named_list, organ_sentences
from medseg.reporting.places import cut_words
from medseg.reporting.purpose import Purpose, purpose_of
from medseg.reporting.tissue.table import LEVELS, is_slice
from medseg.reporting.tissue.words import tissue_sentences
from medseg.reporting.wording import reason_text

__all__ = ["KEY_ROWS", "KeyRow", "headline", "key_rows", "main_targets", "sentence"]

#: Rows of numbers on page one, lines of lesions among them.
KEY_ROWS = 8
#: Structures that each get a sentence; of more, only the largest does.
_SENTENCES = 3
#: What an empty mask says, and what it does not.
_NOT_FOUND = "Nothing is marked in the mask; something too small or too faint to be marked may be there."
_SIZES = (Quantity.VOLUME, Quantity.AREA)
_TOTALS = (Quantity.LESION_COUNT, Quantity.LESION_VOLUME, Quantity.LESION_DIAMETERS)
_ORDER = shown_in_order(lambda row: row.headline, "mask", "pet", "intensity")
_TISSUE = shown_in_order(lambda row: row.headline, "tissue")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One Measurement as it stands on page one; `alone` says that its structure has no other row.

    Under the value stand its interval and its place among reference values, where it has them.
    """

    item: Measurement
    value: str
    interval: str
    alone: bool = False
    place: str = ""


def main_targets(record: Record) -> tuple[Target, ...]:
    """Structures with a sentence: all if there are three or fewer (regions first), else the largest one."""
    return _mains(index_of(record.measurements))


def headline(record: Record, purpose: Purpose | None = None) -> tuple[str, ...]:
    """Sentences that answer what was asked, the answer first; every number in them stands in the Record."""
    index = index_of(record.measurements)
    if not index.structures:
        return ("Nothing was looked for: the mask names no structure.",)
    match purpose_of(record, purpose):
        case "lesions":
            found = lesion_sentences(record)
        case "tissue":
            found = tissue_sentences(record)
        case "organs":
            found = organ_sentences(index)
        case "absent":
            found = (
                f"{named_list([target.name for target in index.structures])}: looked for and not found.",
                _NOT_FOUND,
            )
        case "structure" | "comparison":
            found = ()
    return found or tuple(
        sentence(record, target) for target in main_targets(record) or index.structures[:_SENTENCES]
    )


def sentence(record: Record, target: Target) -> str:
    """Size with its uncertainty, longest diameter, and where the structure is cut."""
    index, grid = index_of(record.measurements), record.mask.grid
    size = index.size(target)
    if size is None:
        return f"{target.name}: not measured."
    if size.value == 0:
        return f"{target.name}: looked for and not found."
    if size.value is None:
        words = [f"{size.quantity.info.title.lower()} not computed ({reason_text(size.reason)})"]
    else:
        words = [f"{spoken(size, grid)} ({interval_text(size, grid)})"]
    diameter = index.find(target, Quantity.LONGEST_DIAMETER)
    if diameter is not None:
        told = (
            f"not computed ({reason_text(diameter.reason)})"
            if diameter.value is None
            else spoken(diameter, grid)
        )
        words.append(f"longest diameter {told}")
    return f"{target.name}: {', '.join(words)}; {_where(index, target, grid)}."


def key_rows(record: Record, purpose: Purpose | None = None) -> tuple[KeyRow, ...]:
    """What stands beside the pictures, by purpose: with the lines of lesions below them at most eight rows.

    Of a structure or a few their Measurements by importance; of lesions their count and sums, or the only lesion's
    structure; of tissues those at a level. A list of organs and a comparison have tables of their own.
    """
    index = index_of(record.measurements)
    mains = _mains(index)
    match purpose_of(record, purpose):
        case "lesions":
            lesions = _lesion_count(index)
            chosen = _totals(index) if lesions > 1 else _of_mains(index, mains)
            chosen = [*chosen, *_uptake(index, mains)] if lesions > 1 else chosen
            chosen = chosen[: KEY_ROWS - min(LINES, lesions)]
        case "tissue":
            chosen = _tissues(index)
        case "organs" | "absent" | "comparison":
            chosen = []
        case "structure":
            chosen = _of_mains(index, mains)[:KEY_ROWS]
    names = list(dict.fromkeys([*(target.name for target in mains), *(item.target.name for item in chosen)]))
    chosen.sort(key=lambda item: names.index(item.target.name))
    grid = record.mask.grid
    rows_of = Counter(item.target.name for item in chosen)
    alone = {name for name, rows in rows_of.items() if rows == 1 and len(rows_of) > 1}
    return tuple(_key_row(item, grid, alone=item.target.name in alone) for item in chosen)


def _key_row(item: Measurement, grid: Grid, *, alone: bool) -> KeyRow:
    interval = "" if item.interval is None else interval_text(item, grid)
    placed = item.placement is not None and item.placement.outcome != "refused"
    return KeyRow(
        item,
        value_text(item, grid),
        interval,
        alone,
        item.placement.words if placed and item.placement else "",
    )


def _totals(index: Index) -> list[Measurement]:
    """Count, total volume and sum of diameters of each structure with lesions."""
    return [item for items in index.by_target.values() for item in items if item.quantity in _TOTALS]


def _uptake(index: Index, mains: tuple[Target, ...]) -> list[Measurement]:
    return [item for item in _of_mains(index, mains) if item.quantity.info.kind == "pet"]


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
    ][:KEY_ROWS]
    names = list(dict.fromkeys(item.target.name for item in shown))
    return sorted(shown, key=lambda item: names.index(item.target.name))


def _lesion_count(index: Index) -> int:
    return len({(target.name, target.lesion) for target in index.by_target if target.kind == "lesion"})


def _says_something(index: Index, target: Target, item: Measurement) -> bool:
    # An area beside a volume, and details of what was not found, only take room on page one; a PET's mean or
    # maximum by voxel centres beside its SUVs would be a second number for one thing.
    size = index.size(target)
    if item.quantity in _SIZES:
        return item is size
    if item.quantity is Quantity.BORDER_VOXELS:
        return False  # the sentence says where it is cut
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
        size = index.size(target)
        if size is not None:
            sizes[target] = size.value or 0.0
    return tuple(sorted(sizes, key=lambda target: -sizes[target]))


def _where(index: Index, target: Target, grid: Grid) -> str:
    cut = cut_words(index, target, grid)
    if cut is not None:
        return f"{cut}, so it is larger than what was measured"
    border = index.find(target, Quantity.BORDER_VOXELS)
    return (
        "it lies inside the scan"
        if border is not None and border.value == 0
        else "its border was not examined"
    )
