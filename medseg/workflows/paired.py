"""Pairs of one patient measured twice, from a CSV: values as they stand, or Records and masks to be measured."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from medseg.domain import Finding, Measurement, Quantity, ReadOptions, Record, Status, Target
from medseg.domain.provenance import GIVEN
from medseg.domain.repeatability import PairedValue
from medseg.domain.values import as_details, digest_of_plain
from medseg.errors import ConfigError, InputError
from medseg.io import read_segmentation
from medseg.io.plain import read_plain
from medseg.metrics import Measured
from medseg.workflows.measure import measure
from medseg.workflows.record import read_record

__all__ = ["COLUMNS", "Making", "Paired", "PairsOptions", "read_pairs"]

#: What a row says; `label`, `quantity` and `unit` only of values.
COLUMNS = ("subject", "first", "second", "label", "lesion", "quantity", "unit")
_NEEDED = ("subject", "first", "second")
#: Unit that people write → UCUM unit here, and what to multiply by.
_CONVERTED = {
    "mm3": ("ml", 1e-3),
    "cm3": ("ml", 1.0),
    "cc": ("ml", 1.0),
    "mL": ("ml", 1.0),
    "cm": ("mm", 10.0),
}
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class PairsOptions:
    """How a CSV of pairs is read.

    Parameters
    ----------
    columns
        Column here → the CSV's own name of it.
    quantities
        What is compared of Records and masks; of values, what they are where the CSV has no column for it.
    unit
        Of the values, where the CSV has no column for it; by default the quantity's own.
    labels
        Names for masks without them.
    sizes
        Where to cut volumes by size, in ml.
    source
        Citation of the pairs; by default the file's name.
    read
        How masks are read.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    quantities: tuple[Quantity, ...] = ()
    unit: str | None = None
    labels: Path | None = None
    sizes: tuple[float, ...] = ()
    source: str = ""
    read: ReadOptions = ReadOptions()


@dataclass(frozen=True, slots=True)
class Making:
    """How masks were made, where all were made alike."""

    segmenter: str | None = None
    weights_digest: str | None = None
    parameters_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Paired:
    """Pairs by what they are of, how their masks were made, and what was left out."""

    values: Mapping[Measured, tuple[PairedValue, ...]]
    making: Making | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the CSV, under our names of columns."""

    place: str
    cells: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.cells.get(name, "")


def read_pairs(path: Path, options: PairsOptions) -> Paired:
    """Pairs of a CSV, whose cells `first` and `second` are numbers, or paths of Records or masks beside it.

    Raises
    ------
    InputError
        Naming the row: a missing column or cell, a value and a path in one file, a scan that is paired with itself,
        one structure of one subject twice without `lesion`.
    """
    rows = _rows(path, options)
    are_values = {_is_number(row[name]) for row in rows for name in ("first", "second")}
    if len(are_values) > 1:
        raise InputError(
            f"{path}: some cells of first and second are numbers and others paths; give one kind"
        )
    return _of_values(rows, options) if are_values == {True} else _of_records(rows, options, path.parent)


def _rows(path: Path, options: PairsOptions) -> list[_Row]:
    theirs = {name: options.columns.get(name, name) for name in COLUMNS}
    if unknown := sorted(set(options.columns) - set(COLUMNS)):
        raise ConfigError(f"--column {unknown[0]}: columns are {', '.join(COLUMNS)}")
    try:
        text = read_plain(path).decode("utf-8-sig")
        lines = list(
            csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.split("\n", 1)[0] else ",")
        )
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV of pairs: {error}") from error
    head = set(lines[0]) if lines else set()
    needed = [theirs[name] for name in (*_NEEDED, *options.columns)]
    if missing := [
        name for name in dict.fromkeys((*(theirs[item] for item in _NEEDED), *needed)) if name not in head
    ]:
        raise InputError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(sorted(filter(None, head))) or 'no rows'}. "
            "Name it with --column subject=NAME"
        )
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = {name: (line.get(own) or "").strip() for name, own in theirs.items()}
        if not any(cells.values()):
            continue
        if empty := [name for name in _NEEDED if not cells[name]]:
            raise InputError(
                f"{path}, line {number}: {theirs[empty[0]]} is empty; remove the row, or fill it"
            )
        rows.append(_Row(f"{path.name}, line {number}", cells))
    return rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_values(rows: Sequence[_Row], options: PairsOptions) -> Paired:
    numbers = _subject_numbers(rows)
    found: dict[Measured, dict[tuple[str, str], PairedValue]] = {}
    for row in rows:
        of, factor = _measured(row, options)
        key = (row["subject"], row["lesion"])
        pairs = found.setdefault(of, {})
        if key in pairs:
            raise InputError(
                f"{row.place}: {of.target} of this subject stands twice; give lesions their numbers in a column lesion"
            )
        first, second = (_value(row, name) * factor for name in ("first", "second"))
        pairs[key] = PairedValue(numbers[row["subject"]], first, second, row["lesion"] or None)
    return Paired({of: tuple(pairs.values()) for of, pairs in found.items()})


def _value(row: _Row, name: str) -> float:
    value = float(row[name])
    if not isfinite(value):
        raise InputError(
            f"{row.place}: {name} is {row[name]!r}, which is not a number; remove the row, or fill it"
        )
    return value


def _measured(row: _Row, options: PairsOptions) -> tuple[Measured, float]:
    """What a value is of, in our unit, and what to multiply it by."""
    if row["quantity"]:
        quantity = quantity_of(row["quantity"], row.place)
    elif len(options.quantities) == 1:
        quantity = options.quantities[0]
    else:
        raise InputError(f"{row.place}: what are these values? Give a column quantity, or one --quantity")
    given = row["unit"] or options.unit
    own = quantity.info.unit
    if own.startswith("image") and not given:
        raise InputError(
            f"{row.place}: {quantity.value} has the unit of its image; give a column unit, or --unit"
        )
    unit, factor = _CONVERTED.get(given, (given, 1.0)) if given else (own, 1.0)
    if unit != own and not own.startswith("image"):
        raise InputError(
            f"{row.place}: {quantity.value} is in {own}, and the unit {given!r} is none that becomes it"
        )
    return Measured(row["label"] or quantity.info.title.lower(), quantity, unit), factor


def quantity_of(name: str, where: str) -> Quantity:
    """The quantity of this name.

    Raises
    ------
    InputError
        If there is none; names the place.
    """
    try:
        return Quantity(name)
    except ValueError:
        near = ", ".join(item.value for item in Quantity if name.lower() in item.value)[:200]
        raise InputError(
            f"{where}: no quantity is called {name!r}{f'; near: {near}' if near else ', such as volume'}"
        ) from None


def _subject_numbers(rows: Sequence[_Row]) -> dict[str, int]:
    return {
        name: number for number, name in enumerate(dict.fromkeys(row["subject"] for row in rows), start=1)
    }


def _of_records(rows: Sequence[_Row], options: PairsOptions, folder: Path) -> Paired:
    numbers = _subject_numbers(rows)
    wanted = options.quantities or (Quantity.VOLUME,)
    values: dict[Measured, list[PairedValue]] = {}
    left: list[str] = []
    records: list[Record] = []
    for row in rows:
        first, second = (_record(folder / row[name], row, options) for name in ("first", "second"))
        _require_two_scans(first, second, row)
        records += [first, second]
        taken, refused = _pairs_of_records(first, second, wanted)
        left += [f"{row.place}: {reason}" for reason in refused]
        for of, (one, other) in taken.items():
            pair = PairedValue(numbers[row["subject"]], one, other, row["lesion"] or None)
            if any((old.subject, old.lesion) == (pair.subject, pair.lesion) for old in values.get(of, ())):
                raise InputError(
                    f"{row.place}: this subject has a pair already; one pair of each is compared"
                )
            values.setdefault(of, []).append(pair)
    making, findings = _making(records)
    return Paired({of: tuple(pairs) for of, pairs in values.items()}, making, (*findings, *_left_out(left)))


def _record(path: Path, row: _Row, options: PairsOptions) -> Record:
    if not path.exists():
        raise InputError(f"{row.place}: {path} does not exist")
    if path.suffix.lower() == ".json":
        return read_record(path)
    mask = read_segmentation(path, options=options.read, labels=options.labels)
    return measure(mask, subject=row["subject"])


def _require_two_scans(first: Record, second: Record, row: _Row) -> None:
    """The same scan twice differs by nothing, and would be taken for perfect repeatability."""
    ours, theirs = ({item.digest for item in record.images} for record in (first, second))
    if (ours and ours == theirs) or (not (ours and theirs) and first.mask.digest == second.mask.digest):
        raise InputError(
            f"{row.place}: first and second are the same {'scan' if ours else 'mask'}, voxel for voxel; two scans of "
            "the patient are needed (for one scan alone: --self)"
        )


def _pairs_of_records(
    first: Record, second: Record, wanted: Sequence[Quantity]
) -> tuple[dict[Measured, tuple[float, float]], list[str]]:
    """Values of labels and regions that both have, and why others were left out."""
    ours, theirs = _measurements(first, wanted), _measurements(second, wanted)
    taken, refused = {}, []
    for key in dict.fromkeys((*ours, *theirs)):
        name, quantity, channel = key
        words = f"{name}, {quantity.value}"
        one, other = ours.get(key), theirs.get(key)
        if one is None or other is None:
            refused.append(f"{words} was measured once")
        elif not one.status is other.status is Status.OK or one.value is None or other.value is None:
            refused.append(f"{words} is cut by the border, or not computed")
        elif one.unit != other.unit:
            refused.append(f"{words} is in {one.unit} and in {other.unit}")
        else:
            target = f"{name} ({channel})" if channel else name
            taken[Measured(target, quantity, one.unit)] = (float(one.value), float(other.value))
    return taken, refused


def _measurements(
    record: Record, wanted: Sequence[Quantity]
) -> dict[tuple[str, Quantity, str | None], Measurement]:
    return {
        (item.target.name, item.quantity, item.channel): item
        for item in record.measurements
        if item.quantity in wanted and _is_structure(item.target)
    }


def _is_structure(target: Target) -> bool:
    return target.kind in ("label", "region") and target.lesion is None and target.detail is None


def _left_out(reasons: Sequence[str]) -> Iterator[Finding]:
    if not reasons:
        return
    named = "; ".join(reasons[:_MOST_NAMED])
    more = f"; and {len(reasons) - _MOST_NAMED} more" if len(reasons) > _MOST_NAMED else ""
    text = f"{len(reasons)} pair{'s' * (len(reasons) != 1)} left out: {named}{more}."
    yield Finding("repeatability.left_out", "warning", text, as_details(pairs=len(reasons)))


def _making(records: Sequence[Record]) -> tuple[Making | None, tuple[Finding, ...]]:
    """How all masks were made; None and a Finding where they were made in unlike ways, or changed by hand."""
    ways = {
        (
            record.made_by.segmenter,
            record.made_by.weights_digest,
            digest_of_plain([list(pair) for pair in record.made_by.parameters]),
        )
        for record in records
    }
    edited = sum(bool(record.made_by.edits) for record in records)
    if len(ways) > 1:
        text = (
            f"The masks were made in {len(ways)} ways (segmenter, weights, parameters): their differences are in the "
            "figures, which belong to no single one of them."
        )
        return None, (Finding("repeatability.unlike", "warning", text),)
    if edited:
        text = f"{edited} of {len(records)} masks were changed after segmenting: the figures are of the editor too."
        return None, (Finding("repeatability.edited", "warning", text),)
    (segmenter, weights, parameters), *_ = ways or {(GIVEN, None, "")}
    return (None if segmenter == GIVEN else Making(segmenter, weights, parameters)), ()
