"""Lesions in words: a sentence, a few lines for page one, captions. Size alone, never a judgement."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medseg.definitions.size import RULES
from medseg.domain import Grid, Measurement, Quantity, Record, Status
from medseg.reporting.index import Lesion, lesions_of
from medseg.reporting.numbers import ends_text, number_text, unit_text, value_text
from medseg.reporting.places import plane_text
from medseg.reporting.record.older import plan_of
from medseg.reporting.wording import reason_text

__all__ = [
    "LINES",
    "NOT_JUDGED",
    "LesionLine",
    "counting_note",
    "criterion_word",
    "lesion_lines",
    "lesion_sentences",
    "lesion_words",
    "rule_name",
]

_RULE = re.compile(r"RECIST 1\.1(?:,? lymph node)?|RANO 2010|RANO-BM")
#: What stands where a size criterion was asked for and could not be had.
NOT_JUDGED = "not computed"
#: Lesions on page one, by size.
LINES = 5
#: Connectivity in words.
_TOUCH = {
    "6": "voxels that share a face",
    "18": "voxels that touch at a face or an edge",
    "26": "voxels that touch at a face, an edge or a corner",
}
_AXES = (Quantity.LONGEST_DIAMETER, Quantity.SHORT_DIAMETER)


@dataclass(frozen=True, slots=True)
class LesionLine:
    """One lesion on page one: its number, sizes as text, and what the size criterion says."""

    name: str
    number: int
    size: str
    axes: str
    plane: str
    criterion: str
    status: Status


def lesion_lines(record: Record) -> tuple[LesionLine, ...]:
    """The largest lesions, at most `LINES`; none without lesions."""
    grid = record.mask.grid
    found = sorted(lesions_of(record), key=lambda lesion: -lesion.amount)
    return tuple(_line(lesion, grid) for lesion in found[:LINES])


def lesion_sentences(record: Record) -> tuple[str, ...]:
    """Count, total, sum of diameters and the largest of each structure; then what the size criterion says of them."""
    counts = [item for item in record.measurements if item.quantity is Quantity.LESION_COUNT]
    found: dict[str, list[Lesion]] = {}
    for lesion in lesions_of(record):
        found.setdefault(lesion.name, []).append(lesion)
    names = list(dict.fromkeys([*(item.target.name for item in counts), *found]))
    by_name = {item.target.name: item for item in counts}
    first = [_sentence(record, name, by_name.get(name), found.get(name, [])) for name in names]
    criterion = _criterion_sentence(lesions_of(record), rule_name(record))
    return (*first, *((criterion,) if criterion else ()))


def rule_name(record: Record) -> str:
    """Name of the rule set behind the size criterion, as its method gives it; "" where none was asked for."""
    plan = plan_of(record).lesions
    if plan is not None and plan.rule is not None:
        return RULES[plan.rule].title
    items = (item for item in record.measurements if item.quantity is Quantity.MEETS_SIZE_CRITERION)
    named = (_RULE.search(item.method) for item in items)
    return next((found[0] for found in named if found), "")


def lesion_words(lesion: Lesion, grid: Grid) -> list[str]:
    """What a caption says of a lesion, from the Record: volume, axes, size criterion."""
    line = _line(lesion, grid)
    met = lesion.find(Quantity.MEETS_SIZE_CRITERION)
    judged = ""
    if met is not None:
        judged = "size criterion not computed" if met.value is None else value_text(met, grid)
    return [words for words in (line.size, line.axes, judged) if words and words != "–"]


def criterion_word(item: Measurement) -> str:
    """`meets`, `below` or `not computed`, under a head that says of what."""
    if item.value is None:
        return NOT_JUDGED
    return "meets" if item.value else "below"


def _line(lesion: Lesion, grid: Grid) -> LesionLine:
    size = lesion.size
    long, short = (lesion.find(quantity) for quantity in _AXES)
    axes = "–"
    if long is not None:
        axes = "axes not computed" if long.value is None else value_text(long, grid)
        if long.value is not None and short is not None and short.value is not None:
            bare = value_text(long, grid).removesuffix(f" {unit_text(long.unit)}")
            axes = f"{bare} × {value_text(short, grid).removeprefix('≥ ')}"
    met = lesion.find(Quantity.MEETS_SIZE_CRITERION)
    criterion = "" if met is None else criterion_word(met)
    return LesionLine(
        lesion.name,
        lesion.number,
        "–" if size is None else _size(size, grid),
        axes,
        plane_text(lesion.plane, grid),
        criterion,
        _worst(lesion),
    )


def _size(item: Measurement, grid: Grid) -> str:
    ends = ends_text(item, grid)
    return f"{value_text(item, grid)} ({ends})" if ends else value_text(item, grid)


def counting_note(record: Record) -> str:
    """What counts as one lesion, in words; "" where nothing was counted."""
    counts = [item for item in record.measurements if item.quantity is Quantity.LESION_COUNT]
    said = dict.fromkeys(text for item in counts if (text := _conditions(item.method)))
    return f"Counted as one lesion: {'; '.join(said)}." if said else ""


def _sentence(record: Record, name: str, count: Measurement | None, found: Sequence[Lesion]) -> str:
    grid = record.mask.grid
    if count is not None and count.value is None:
        return f"{name}: lesions not counted ({reason_text(count.reason)})."
    number = len(found) if count is None or count.value is None else int(count.value)
    if number == 0:
        return f"{name}: looked for lesions and found none."
    if number == 1 and found:
        line = _line(found[0], grid)
        return f"{name}: 1 lesion of {_at_least(line.size)}, {_at_least(line.axes)}{_in_plane(line)}."
    together, diameters = _together(found, grid), _diameters(record, name)
    words = [f"{number} lesions", *([f"together {together}"] if together else []), *diameters]
    largest = max(found, key=lambda lesion: lesion.amount, default=None)
    if largest is not None:
        line = _line(largest, grid)
        words.append(f"the largest {_at_least(line.size)}, {_at_least(line.axes)}")
    return f"{name}: {', '.join(words)}."


def _in_plane(line: LesionLine) -> str:
    return "" if "not computed" in line.axes or line.axes == "–" else " (longest × perpendicular diameter)"


def _at_least(text: str) -> str:
    return text.replace("≥ ", "at least ")


def _diameters(record: Record, name: str) -> list[str]:
    item = next(
        (
            item
            for item in record.measurements
            if item.quantity is Quantity.LESION_DIAMETERS and item.target.name == name
        ),
        None,
    )
    if item is None:
        return []
    told = "not computed" if item.value is None else _at_least(value_text(item, record.mask.grid))
    return [f"sum of longest diameters {told}"]


def _criterion_sentence(found: Sequence[Lesion], rule: str) -> str:
    """`Size criterion (RECIST 1.1): 5 meet it, 6 do not; not computed for 1: the slice thickness is not known.`"""
    items = [item for lesion in found if (item := lesion.find(Quantity.MEETS_SIZE_CRITERION)) is not None]
    if not items:
        return ""
    meets = sum(item.value == 1 for item in items)
    below = sum(item.value == 0 for item in items)
    missing = [item for item in items if item.value is None]
    parts = (
        [f"{meets} meet{'s' * (meets == 1)} it", f"{below} do{'es' * (below == 1)} not"]
        if meets or below
        else []
    )
    reasons = list(dict.fromkeys(reason_text(item.reason) for item in missing))
    if missing:
        of = "" if len(missing) == len(items) == 1 else f" for {len(missing)}"
        parts.append(
            f"not computed{of} ({reasons[0]}{f'; {len(reasons) - 1} more reasons' if len(reasons) > 1 else ''})"
        )
    return f"Size criterion{f' ({rule})' if rule else ''}: {', '.join(parts)}."


def _together(found: Sequence[Lesion], grid: Grid) -> str:
    sizes = [lesion.size for lesion in found]
    known = [item for item in sizes if item is not None and item.value is not None]
    if not known or len(known) < len(sizes) or len({item.unit for item in known}) > 1:
        return ""
    step = grid.voxel_volume / 1000 if known[0].unit == "ml" else 1.0
    least = "at least " if any(item.status is not Status.OK for item in known) else ""
    total = sum(item.value or 0 for item in known)
    return f"{least}{number_text(float(total), step)} {unit_text(known[0].unit)}"


def _conditions(method: str) -> str:
    """`voxels that touch at a corner, at least 50 mm³`, as far as the method says so."""
    said = []
    joined = re.search(r"connectivity (\d+)|(\d+)-connected", method)
    if joined:
        said.append(_TOUCH.get(joined[1] or joined[2], f"connectivity {joined[1] or joined[2]}"))
    least = re.search(r"(\d[\d.]*) ?(mm³|mm3|px³|px)", method)
    if least and float(least[1].rstrip(".")) > 0:
        said.append(f"at least {float(least[1].rstrip('.')):g} {least[2].replace('mm3', 'mm³')}")
    return ", ".join(said)


def _worst(lesion: Lesion) -> Status:
    order = (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)
    seen = {item.status for item in lesion.judged}
    return next((status for status in order if status in seen), Status.OK if seen else Status.NOT_COMPUTED)
