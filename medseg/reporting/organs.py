"""A list of organs: how many were found, cut, missing; left and right side by side with their asymmetry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medseg.domain import LabelTable, Measurement, Record, Status, Target
from medseg.domain.labels import side_in_name, without_side
from medseg.reporting.index import Index, index_of, is_absent
from medseg.reporting.numbers import unit_text
from medseg.reporting.pictures.palette import swatch
from medseg.reporting.places import cut_words
from medseg.reporting.sheet import Cell, Notes, Row, Sheet, legend, measured, status_cell, text_cell

__all__ = ["Counts", "count_organs", "named_list", "organ_sentences", "organ_sheet"]

#: Names in a sentence; of more, their number is.
_NAMES = 6
_SIGN = (
    "Asymmetry: 200 × (left − right) / (left + right) in %, positive where the left is larger; none where a side is "
    "cut, missing or not known."
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Structures of a list by what became of them."""

    asked: int
    found: int
    whole: int
    cut: int
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the list: a structure, or its two sides."""

    name: str
    targets: tuple[Target, ...]
    paired: bool = False


def count_organs(index: Index) -> Counts:
    """How many structures were asked for, found, whole, cut, and which are missing."""
    sizes = {target: index.size(target) for target in index.structures}
    absent = tuple(target.name for target, size in sizes.items() if size is not None and size.value == 0)
    cut = sum(
        size is not None and size.status is not Status.OK and size.value is not None
        for size in sizes.values()
    )
    found = len(sizes) - len(absent)
    return Counts(len(sizes), found, found - cut, cut, absent)


def organ_sentences(index: Index) -> tuple[str, ...]:
    """`41 structures: 38 found, 27 of them cut by the border of the scan.`, and the names of those not found."""
    counts = count_organs(index)
    cut = f", {counts.cut} of them cut by the border of the scan" if counts.cut else ", all inside the scan"
    first = f"{counts.asked} structures looked for: {counts.found} found{cut if counts.found else ''}"
    first += f", {len(counts.absent)} not found." if counts.absent else "."
    return (first, f"Not found: {named_list(counts.absent)}.") if counts.absent else (first,)


def named_list(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many.

    >>> named_list(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) > _NAMES:
        return f"{', '.join(names[:_NAMES])} and {len(names) - _NAMES} more"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1] if names else "") if part)


def organ_sheet(record: Record) -> Sheet:
    """A line per structure with its size; left and right of one organ share a line."""
    index, notes = index_of(record.measurements), Notes()
    lines = list(
        _lines(record.table, [target for target in index.structures if not is_absent(index, target)])
    )
    paired = any(line.paired for line in lines)
    unit = next((unit_text(size.unit) for target in index.structures if (size := index.size(target))), "")
    heads = [
        "Structure",
        *([f"Left ({unit})", f"Right ({unit})", "Asymmetry (%)"] if paired else []),
        f"Volume ({unit})",
    ]
    if unit != "ml":
        heads[-1] = f"Size ({unit})"
    rows = tuple(_row(record, index, line, notes, paired=paired) for line in lines)
    absent = count_organs(index).absent
    said = (f"Looked for and not found (volume 0): {', '.join(absent)}.",) if absent else ()
    head = tuple(text_cell(title, number=number > 0) for number, title in enumerate(heads))
    return Sheet(
        "Structures",
        (*head, text_cell("Status")),
        rows,
        (*legend(rows), *notes.lines, *((_SIGN,) if paired else ()), *said),
    )


def asymmetry(left: Measurement, right: Measurement) -> float | None:
    """200 · (L − R) / (L + R) in %, positive where the left is larger; None where a side is cut or missing."""
    if not (left.status is right.status is Status.OK) or left.value is None or right.value is None:
        return None
    total = left.value + right.value
    return 200.0 * (left.value - right.value) / total if total > 0 else None


def _row(record: Record, index: Index, line: _Line, notes: Notes, *, paired: bool) -> Row:
    grid = record.mask.grid
    sizes = [index.size(target) for target in line.targets]
    cells = [measured(size, grid, notes) for size in sizes]
    if line.paired:
        left, right = sizes
        found = asymmetry(left, right) if left is not None and right is not None else None
        middle = [
            *cells,
            Cell("–" if found is None else _signed(found), number=True),
            Cell("", number=True),
        ]
    else:
        middle = [*([Cell("", number=True)] * 3 if paired else []), *cells]
    name = Cell(line.name, swatch=swatch(record.table, line.targets[0].labels[0]) if _is_label(line) else "")
    return Row((name, *middle, _state(record, index, line)))


def _signed(value: float) -> str:
    """With its sign, but for what rounds to nothing."""
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def _state(record: Record, index: Index, line: _Line) -> Cell:
    words = [cut_words(index, target, record.mask.grid) for target in line.targets]
    cut = next((text for text in words if text), None)
    cell = status_cell([size for target in line.targets if (size := index.size(target)) is not None])
    return Cell(cut, kind=cell.kind, mark=cell.mark) if cut and cell.kind == "cut" else cell


def _lines(table: LabelTable, targets: Sequence[Target]) -> Iterator[_Line]:
    """Structures in their order; the two sides of one stand where the first of them does."""
    sides: dict[str, dict[str, Target]] = {}
    for target in targets:
        side = _side(table, target)
        if side is not None:
            sides.setdefault(without_side(target.name), {})[side] = target
    done: set[Target] = set()
    for target in targets:
        if target in done:
            continue
        pair = sides.get(without_side(target.name), {})
        if _side(table, target) is not None and set(pair) == {"left", "right"}:
            done |= set(pair.values())
            yield _Line(without_side(target.name), (pair["left"], pair["right"]), paired=True)
        else:
            yield _Line(target.name, (target,))


def _side(table: LabelTable, target: Target) -> str | None:
    """The side that the table states, else the one in the name; None where it is not known, or the two disagree."""
    items = table.labels if target.kind == "label" else table.regions
    stated = next((item.side for item in items if item.name == target.name), "not applicable")
    said = side_in_name(target.name)
    if stated in ("left", "right"):
        return stated if said in (None, stated) else None
    return said if stated == "not applicable" else None


def _is_label(line: _Line) -> bool:
    return line.targets[0].kind == "label"
