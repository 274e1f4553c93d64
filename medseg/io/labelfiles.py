"""Files that name the labels of a mask, as the programs of the field write them.

YAML and JSON of pairs; ITK-SNAP's label descriptions; colour tables of 3D Slicer and FreeSurfer; `dseg.tsv` of BIDS;
`dataset.json` of nnU-Net and the Decathlon.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.domain.labels import Color
from medseg.domain.texts import parse_json, parse_table, parse_yaml

__all__ = ["NamedLabel", "named_labels", "unions_of"]

_SNAP = re.compile(r'\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+\S+\s+\d+\s+\d+\s+"(.*)"\s*')
_COLOURS = re.compile(r"\s*(\d+)\s+(\S.*?)\s+(\d+)\s+(\d+)\s+(\d+)(?:\s+\d+)?\s*")
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
#: Column of the value and of the name, as tables call them, in small letters.
_VALUES = ("index", "labelvalue", "value", "label", "id")
_NAMES = ("name", "label_name", "structure", "abbreviation")


@dataclass(frozen=True, slots=True)
class NamedLabel:
    """A value of a mask as it is stored, of any size, with its name and colour."""

    value: int
    name: str
    color: Color | None = None


def named_labels(path: Path, text: str) -> tuple[Any, list[NamedLabel]]:
    """What a YAML or JSON holds (None for other files), and the labels that a file names, background left out.

    Raises
    ------
    ValueError
        If it names none.
    """
    suffix = path.suffix.lower()
    content: Any = None
    if suffix in (".tsv", ".csv"):
        found = _distinct(_rows(text, "\t" if suffix == ".tsv" else ","))
    elif suffix in (".json", ".yaml", ".yml"):
        content = parse_json(text) if suffix == ".json" else parse_yaml(text)
        found = _pairs(content)
    else:
        found = _distinct(_lines(text))
        if not found:
            content = parse_yaml(text)
            found = _pairs(content)
    if not found and not (isinstance(content, dict) and isinstance(content.get("labels"), list)):
        raise ValueError("it holds no pairs")
    return content, [item for item in found if item.value]


def unions_of(content: Any) -> dict[str, tuple[int, ...]]:
    """Regions of an nnU-Net's `dataset.json`: names of several values."""
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {str(name): tuple(map(int, value)) for name, value in labels.items() if isinstance(value, list)}


def _distinct(labels: Iterable[NamedLabel]) -> list[NamedLabel]:
    """Each name once; a name that stands for several values gets them behind it."""
    found = list(labels)
    names = [item.name for item in found]
    return [
        NamedLabel(item.value, f"{item.name} ({item.value})", item.color)
        if names.count(item.name) > 1
        else item
        for item in found
    ]


def _pairs(content: Any) -> list[NamedLabel]:
    if isinstance(content, dict) and isinstance(content.get("labels"), dict):
        content = content["labels"]
    if not isinstance(content, Mapping) or isinstance(content.get("labels"), list):
        return []
    single = {key: value for key, value in content.items() if not isinstance(value, list)}
    swapped = all(isinstance(value, int) for value in single.values())
    pairs = [(value, key) if swapped else (key, value) for key, value in single.items()]
    if odd := [value for value, _ in pairs if isinstance(value, bool)]:
        raise ValueError(f"{str(odd[0]).lower()} is no value of a mask")
    return [NamedLabel(int(value), str(name)) for value, name in pairs]


def _rows(text: str, delimiter: str) -> list[NamedLabel]:
    rows = parse_table(text, delimiter)
    heads = {str(head).strip().lower(): head for head in (rows[0] if rows else {})}
    value = next((heads[name] for name in _VALUES if name in heads), None)
    name = next((heads[name] for name in _NAMES if name in heads), None)
    if value is None or name is None:
        raise ValueError(f"its columns are {', '.join(heads) or 'none'}; it needs index and name")
    color = heads.get("color", heads.get("colour"))
    return [
        NamedLabel(int(row[value]), str(row[name]).strip(), _from_hex(row[color]) if color else None)
        for row in rows
        if str(row[value] or "").strip()
    ]


def _lines(text: str) -> Iterable[NamedLabel]:
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if found := _SNAP.fullmatch(line):
            value, red, green, blue, name = found.groups()
        elif found := _COLOURS.fullmatch(line):
            value, name, red, green, blue = found.groups()
        else:
            return
        if int(value):
            yield NamedLabel(int(value), name.strip(), (int(red), int(green), int(blue)))


def _from_hex(value: Any) -> Color | None:
    found = _HEX.fullmatch(str(value or "").strip())
    if found is None:
        return None
    digits = found[1]
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
