"""Reference values that a user brings, as CSV or YAML; what is not understood is refused by its name."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medseg.domain import Quantity
from medseg.domain.reference import RANGES, Limits, ReferenceRow, ReferenceTable
from medseg.domain.texts import parse_table, parse_yaml
from medseg.errors import ConfigError, InputError
from medseg.io.plain import read_plain

__all__ = ["read_reference_table"]

_MOST_BYTES = 1 << 24
_WORDS = ("structure", "quantity", "unit", "source", "detail", "sex")
_NUMBERS = ("n", "low", "high", "mean", "sd")
_ENDS = tuple(f"{name}_{end}" for name in RANGES for end in ("from", "to"))
#: Of the whole table.
_HEAD = ("segmenter", "segmenter_version")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


def read_reference_table(path: str | Path) -> ReferenceTable:
    """Reference values of a CSV (`.csv`, a row each) or a YAML (`rows`, and what all rows share beside it).

    Columns are `structure`, `quantity`, `unit`, `source`; whom a row is for: `sex`, `age_from`, `age_to` (years, up to
    and without the second), `icv_ml_from`, `icv_ml_to`, `height_m_from`, …; `n`; and either percentiles as `p2.5`,
    `p50`, …, or `low` and `high`, or `mean` and `sd`. `segmenter` and `segmenter_version` are of the whole table.

    Raises
    ------
    InputError
        If the file can't be read, holds something that is none of these, or lacks what a row needs; it names the row.
    """
    path = Path(path)
    shared, rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _yaml_rows(path)
    if not rows:
        raise InputError(f"{path} holds no reference values")
    heads = {name: str(shared.pop(name, "") or "").strip() for name in _HEAD}
    made = tuple(_row(path, number, {**shared, **row}) for number, row in enumerate(rows, start=1))
    try:
        return ReferenceTable(path.name, made, heads["segmenter"], heads["segmenter_version"])
    except ConfigError as error:
        raise InputError(f"{path}: {error}") from error


def _csv_rows(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    text = _text(path)
    head = text.partition("\n")[0]
    # Spreadsheets of many countries write CSV with semicolons.
    delimiter = ";" if ";" in head and "," not in head else ","
    try:
        found = parse_table(text, delimiter, rest="more")
    except ValueError as error:
        raise InputError(f"{path} is no table of reference values: {error}") from error
    rows = [
        {str(key).strip(): value.strip() for key, value in row.items() if value and value.strip()}
        if "more" not in row
        else _wide(path, number)
        for number, row in enumerate(found, start=1)
    ]
    shared = {name: _one(path, name, [str(row.pop(name, "")) for row in rows]) for name in _HEAD}
    return shared, [row for row in rows if row]


def _wide(path: Path, number: int) -> dict[str, Any]:
    raise InputError(f"{path}: row {number} has more cells than the head; quote what holds a comma")


def _one(path: Path, name: str, values: list[str]) -> str:
    """What all rows say of the whole table."""
    if len(set(values)) > 1:
        raise InputError(f"{path}: all rows have one {name}, not {', '.join(sorted(set(values)))}")
    return values[0] if values else ""


def _yaml_rows(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    text = _text(path)
    try:
        content = parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{path} is no YAML of reference values: {error}") from error
    rows = content.get("rows") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} is no table of reference values: it has no list of 'rows'")
    shared = {str(key): value for key, value in content.items() if key != "rows"}
    return shared, [{str(key): value for key, value in row.items()} for row in rows]


def _text(path: Path) -> str:
    try:
        return read_plain(path, most=_MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8") from error


def _row(path: Path, number: int, cells: Mapping[str, Any]) -> ReferenceRow:
    where = f"{path}: row {number}"
    known = {*_WORDS, *_NUMBERS, *_ENDS}
    if unknown := [key for key in cells if key not in known and not _PERCENTILE.fullmatch(key)]:
        raise InputError(
            f"{where} has {unknown[0]!r}, which is none of {', '.join(sorted(known))}, p2.5, p50, …"
        )
    if missing := [name for name in _WORDS[:4] if cells.get(name) in (None, "")]:
        raise InputError(f"{where} lacks its {missing[0]}")
    numbers = {key: _number(where, key, value) for key, value in cells.items() if key not in _WORDS}
    try:
        return ReferenceRow(
            str(cells["structure"]),
            _quantity(where, str(cells["quantity"])),
            str(cells["unit"]),
            str(cells["source"]),
            detail=str(cells["detail"]) if cells.get("detail") not in (None, "") else None,
            sex=_sex(where, cells.get("sex")),
            n=_whole(where, numbers.get("n")),
            percentiles=tuple(sorted(_percentiles(numbers))),
            **{name: _limits(where, name, numbers) for name in RANGES},  # type: ignore[arg-type]
            **{name: numbers.get(name) for name in _NUMBERS[1:]},  # type: ignore[arg-type]
        )
    except ConfigError as error:
        raise InputError(f"{where}: {error}") from error


def _percentiles(numbers: Mapping[str, float]) -> Iterator[tuple[float, float]]:
    for key, value in numbers.items():
        if found := _PERCENTILE.fullmatch(key):
            yield float(found[1]), value


def _limits(where: str, name: str, numbers: Mapping[str, float]) -> Limits | None:
    low, high = (numbers.get(f"{name}_{end}") for end in ("from", "to"))
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise InputError(f"{where}: {name}_from and {name}_to belong together")
    return Limits(low, high)


def _number(where: str, key: str, value: Any) -> float:
    try:
        found = (
            float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
        )
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{where}: {key} is no number: {str(value)[:80]!r}")
    return found


def _whole(where: str, value: float | None) -> int | None:
    if value is not None and not value.is_integer():
        raise InputError(f"{where}: n is a number of persons, not {value:g}")
    return None if value is None else int(value)


def _sex(where: str, value: Any) -> Any:
    if value in (None, ""):
        return None
    if value not in ("male", "female"):
        raise InputError(f"{where}: sex is male or female, or left out; not {value!r}")
    return value


def _quantity(where: str, name: str) -> Quantity:
    try:
        return Quantity(name)
    except ValueError:
        raise InputError(
            f"{where}: no quantity is called {name!r}; names are those of the column 'quantity' in the CSV"
        ) from None
