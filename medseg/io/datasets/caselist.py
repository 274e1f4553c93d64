"""Case lists: CSV or JSON with a row per case; paths are relative to the file, or to a root given."""

import csv
from pathlib import Path
from typing import Any

from medseg.domain import Case, ChannelFile, Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import path_inside, read_json

__all__ = ["is_caselist", "open_caselist"]

_IDS = ("id", "case")
_FIXED = (*_IDS, "subject", "reference", "same_space")
_YES = {"yes", "true", "1", "y"}
_NO = {"no", "false", "0", "n", ""}
#: More than any scan has, the directions of diffusion included.
_MOST_CHANNELS = 1024
_REST = "more cells than the head"


def is_caselist(path: Path) -> bool:
    """Whether a file is a case list: a CSV whose head names cases, or a JSON with `cases`."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            head = stream.read(4096)
    except OSError:
        return False
    if path.suffix.lower() == ".csv":
        line = head.partition("\n")[0]
        columns = [name.strip() for row in csv.reader([line], delimiter=_delimiter(line)) for name in row]
        return any(name in columns for name in _IDS) and len(columns) > 1
    return path.suffix.lower() == ".json" and '"cases"' in head


def open_caselist(path: Path, root: Path | None = None) -> Dataset:
    """Cases of a list. Columns: `id` (or `case`), `subject`, `reference`, `same_space`, and one per channel.

    A channel's column is its name, or `image:name`. `subject` defaults to the id; `same_space` is your word
    that the channels share one world space although their files can't say so.

    Raises
    ------
    InputError
        If a row has no id, no image or more cells than the head, or a path leads out of the root.
    """
    root = path.parent if root is None else root
    rows = _rows(path)
    if not rows:
        raise InputError(f"{path} lists no cases")
    channels = tuple(name for name in dict.fromkeys(key for row in rows for key in row) if name not in _FIXED)
    if not channels:
        raise InputError(f"{path} has no channel columns beside {', '.join(_FIXED)}")
    if len(channels) > _MOST_CHANNELS:
        raise InputError(f"{path} has {len(channels)} channel columns, and up to {_MOST_CHANNELS} are read")
    cases = [_case(path, root, row, channels) for row in rows]
    names = tuple(_channel(name) for name in channels)
    return Dataset(path.stem, "caselist", tuple(sorted(cases, key=lambda case: case.id)), names)


def _rows(path: Path) -> list[dict[str, str]]:
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else read_json(path).get("cases")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} is no case list: 'cases' is a list of objects")
    plain = [{str(key).strip(): _cell(path, value) for key, value in row.items()} for row in rows]
    return [row for row in plain if any(row.values())]


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            rows = list(csv.DictReader(stream, delimiter=_delimiter(head), restkey=_REST))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is no case list: {error}") from error
    if wide := [number for number, row in enumerate(rows, start=1) if _REST in row]:
        raise InputError(f"{path}: row {wide[0]} has more cells than the head; quote what holds a comma")
    return rows


def _delimiter(head: str) -> str:
    # Spreadsheets of many countries write CSV with semicolons.
    return ";" if ";" in head and "," not in head else ","


def _cell(path: Path, value: Any) -> str:
    if not isinstance(value, str | int | float | None):
        raise InputError(f"{path}: a case holds {str(value)[:80]!r} where a path or a word belongs")
    return "" if value is None else str(value).strip()


def _case(path: Path, root: Path, row: dict[str, str], channels: tuple[str, ...]) -> Case:
    name = row.get("id") or row.get("case") or ""
    if not name or any(sign in "/\\" or not sign.isprintable() for sign in name) or name.startswith("."):
        raise InputError(f"{path}: a case needs an id that can be a file name, not {name!r}")
    files = tuple(ChannelFile(_channel(key), path_inside(root, row[key])) for key in channels if row.get(key))
    if not files:
        raise InputError(f"{path}: case {name} has no image")
    declared = row.get("same_space", "").lower()
    if declared not in _YES | _NO:
        raise InputError(f"{path}: case {name}: same_space is yes or no, not {declared!r}")
    reference = path_inside(root, row["reference"]) if row.get("reference") else None
    return Case(name, row.get("subject") or name, files, reference, same_space=declared in _YES)


def _channel(column: str) -> str:
    return column.removeprefix("image:")
