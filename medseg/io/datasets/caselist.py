"""Case lists: CSV or JSON with a row per case; paths are relative to the file, or to a root given."""

import csv
import json
from pathlib import Path
from typing import Any

from medseg.domain import Case, ChannelFile, Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import inside

__all__ = ["is_caselist", "open_caselist"]

_IDS = ("id", "case")
_FIXED = (*_IDS, "subject", "reference", "same_space")
_YES = {"yes", "true", "1", "y"}
_NO = {"no", "false", "0", "n", ""}


def is_caselist(path: Path) -> bool:
    """Whether a file is a case list: a CSV whose head names cases, or a JSON with `cases`."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            head = stream.read(4096)
    except OSError:
        return False
    if path.suffix.lower() == ".csv":
        columns = [name.strip() for name in head.partition("\n")[0].split(",")]
        return any(name in columns for name in _IDS) and len(columns) > 1
    return path.suffix.lower() == ".json" and '"cases"' in head


def open_caselist(path: Path, root: Path | None = None) -> Dataset:
    """Cases of a list. Columns: `id` (or `case`), `subject`, `reference`, `same_space`, and one per channel.

    A channel's column is its name, or `image:name`. `subject` defaults to the id; `same_space` is your word
    that the channels share one world space although their files can't say so.

    Raises
    ------
    InputError
        If a row has no id or no image, or a path leads out of the root.
    """
    root = path.parent if root is None else root
    rows = _rows(path)
    if not rows:
        raise InputError(f"{path} lists no cases")
    channels = tuple(name for name in dict.fromkeys(key for row in rows for key in row) if name not in _FIXED)
    if not channels:
        raise InputError(f"{path} has no channel columns beside {', '.join(_FIXED)}")
    cases = [_case(path, root, row, channels) for row in rows]
    names = tuple(_channel(name) for name in channels)
    return Dataset(path.stem, "caselist", tuple(sorted(cases, key=lambda case: case.id)), names)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            return [
                {str(k).strip(): (v or "").strip() for k, v in row.items()}
                for row in csv.DictReader(text.splitlines())
            ]
        content: Any = json.loads(text)
        rows = content["cases"] if isinstance(content, dict) else content
        return [{str(k): "" if v is None else str(v) for k, v in row.items()} for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{path} is no case list: {error}") from error


def _case(path: Path, root: Path, row: dict[str, str], channels: tuple[str, ...]) -> Case:
    name = row.get("id") or row.get("case") or ""
    if not name or any(sign in name for sign in "/\\") or name.startswith("."):
        raise InputError(f"{path}: a case needs an id that can be a file name, not {name!r}")
    files = tuple(ChannelFile(_channel(key), inside(root, row[key])) for key in channels if row.get(key))
    if not files:
        raise InputError(f"{path}: case {name} has no image")
    declared = row.get("same_space", "").lower()
    if declared not in _YES | _NO:
        raise InputError(f"{path}: case {name}: same_space is yes or no, not {declared!r}")
    reference = inside(root, row["reference"]) if row.get("reference") else None
    return Case(name, row.get("subject") or name, files, reference, same_space=declared in _YES)


def _channel(column: str) -> str:
    return column.removeprefix("image:")
