"""The mapping of a set of PNG masks, checked once: classes, and the files of every case.

::

    schema: medseg.labelset/1.0
    images: images                # folder of the pictures; left out, masks stand alone
    masks: masks                  # folder of masks named like the pictures (plus `suffix`)
    suffix: _seg
    classes:
      liver: 63                   # a grey value
      vessel: [255, 0, 0]         # a colour
      tumour: tumour/*.png        # a file per case: * is the picture's stem; where it is not 0
      cyst: {value: 7, label: 12, color: [0, 255, 0]}   # in full, with label and colour of its own
    background: [0, [0, 0, 0]]    # what else belongs to no class; 0 and black always do
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.domain.labels import Color
from medseg.domain.texts import parse_json, parse_yaml
from medseg.errors import InputError
from medseg.io.names import stem_of
from medseg.io.plain import read_plain

__all__ = ["LABELSET_SCHEMA", "ClassRule", "LabelSet", "is_labelset", "parse_labelset"]

LABELSET_SCHEMA = "medseg.labelset/1.0"
_SUFFIXES = (".yaml", ".yml", ".json")
_MASKS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
_KEYS = {"schema", "images", "masks", "suffix", "classes", "background"}
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ClassRule:
    """What a class is: pixels that match a grey value or colour, or that are not 0 in a file of its own.

    Parameters
    ----------
    name, value, shown
        Of the label.
    matches
        Grey value or RGB in the shared mask.
    files
        Path in the set's folder with `*` for the case's stem; None for a class of the shared mask.
    """

    name: str
    value: int
    matches: int | tuple[int, ...] = 0
    files: str | None = None
    shown: Color | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """A checked mapping; `cases` are mask files by class ("" for the shared mask), `images` the pictures."""

    path: Path
    classes: tuple[ClassRule, ...]
    background: tuple[int | tuple[int, ...], ...]
    cases: dict[str, dict[str, Path]]
    images: dict[str, Path]


def is_labelset(path: Path, head: bytes) -> bool:
    """Whether the first bytes of a YAML or JSON file name the schema."""
    return path.suffix.lower() in _SUFFIXES and b"medseg.labelset/" in head


def parse_labelset(path: Path) -> LabelSet:
    """Read a mapping and find its files.

    Raises
    ------
    InputError
        In one line, if it is damaged, leads out of its folder, or finds no mask.
    """
    content = _read(path)
    try:
        classes = _classes(content.get("classes"))
        background = tuple(_match(item, "background") for item in _list(content.get("background", [])))
        images, cases = _files(path.parent, content, classes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not cases:
        raise InputError(f"{path} finds no mask: check 'masks', 'suffix' and the files of its classes")
    return LabelSet(path, classes, (*background, 0, (0, 0, 0)), cases, images)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_plain(path, most=_MOST_BYTES).decode("utf-8-sig")
        content = parse_json(text) if path.suffix.lower() == ".json" else parse_yaml(text)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != LABELSET_SCHEMA:
        raise InputError(f"{path} is no mapping of masks: its schema is not {LABELSET_SCHEMA}")
    if odd := sorted(str(key)[:40] for key in set(content) - _KEYS):
        raise InputError(f"{path}: {odd[0]!r} is none of {', '.join(sorted(_KEYS))}")
    return content


def _classes(content: Any) -> tuple[ClassRule, ...]:
    if not isinstance(content, dict) or not 1 <= len(content) <= 65535:
        raise InputError("'classes' names at least one class: 'liver: 63'")
    entries = {
        str(name): item if isinstance(item, dict) else _short(item, str(name))
        for name, item in content.items()
    }
    stated = [item["label"] for item in entries.values() if "label" in item]
    if not all(type(label) is int and 1 <= label <= 65535 for label in stated) or len(set(stated)) < len(
        stated
    ):
        raise InputError("labels are different whole numbers from 1 to 65535")
    free = (number for number in range(1, 65536) if number not in stated)
    return tuple(_rule(name, item, item.get("label") or next(free)) for name, item in entries.items())


def _short(item: Any, name: str) -> dict[str, Any]:
    if isinstance(item, str):
        return {"files": item}
    return {"value": _match(item, f"class {name!r}")}


def _rule(name: str, item: dict[str, Any], label: int) -> ClassRule:
    if odd := sorted(str(key)[:40] for key in set(item) - {"value", "files", "label", "color"}):
        raise InputError(f"class {name!r}: {odd[0]!r} is none of value, files, label, color")
    if ("value" in item) == ("files" in item):
        raise InputError(f"class {name!r} has either a value (or colour) or files")
    color = None if item.get("color") is None else _match(item["color"], f"color of {name!r}")
    if isinstance(color, int):
        raise InputError(f"color of {name!r} is three numbers from 0 to 255")
    shown = None if color is None else (color[0], color[1], color[2])
    if "files" in item:
        return ClassRule(name, label, files=_pattern(item["files"], name), shown=shown)
    matches = _match(item["value"], f"class {name!r}")
    own = (matches[0], matches[1], matches[2]) if isinstance(matches, tuple) else None
    return ClassRule(name, label, matches, shown=shown or own)


def _match(item: Any, what: str) -> int | tuple[int, ...]:
    if type(item) is int and 0 <= item <= 65535:
        return item
    parts = item if isinstance(item, list | tuple) else ()
    if len(parts) == 3 and all(type(part) is int and 0 <= part <= 255 for part in parts):
        return tuple(parts)
    raise InputError(
        f"{what} is a grey value, or a colour of three numbers from 0 to 255; not {str(item)[:40]!r}"
    )


def _list(item: Any) -> list[Any]:
    plain = isinstance(item, int) or (
        isinstance(item, list) and len(item) == 3 and all(type(x) is int for x in item)
    )
    return [item] if plain else item if isinstance(item, list) else [item]


def _pattern(item: Any, name: str) -> str:
    if not isinstance(item, str) or "\0" in item or not item.strip():
        raise InputError(f"files of {name!r} are a path with *, or a folder; not {str(item)[:40]!r}")
    text = item if "*" in item else f"{item.rstrip('/')}/*.png"
    if text.count("*") != 1 or any(sign in text for sign in "?["):
        raise InputError(f"files of {name!r} have one *, which stands for the case: {text[:60]!r}")
    return _inside(text)


def _inside(text: str) -> str:
    path = Path(text)
    if path.anchor or ".." in path.parts or re.match(r"[A-Za-z]:", text):
        raise InputError(f"{text[:80]!r} leads out of the folder; use relative paths")
    return text


def _files(
    root: Path, content: dict[str, Any], classes: tuple[ClassRule, ...]
) -> tuple[dict[str, Path], dict[str, dict[str, Path]]]:
    images = _pictures(root, content.get("images"))
    suffix = content.get("suffix", "")
    if not isinstance(suffix, str) or re.search(r"[/\\*\0]", suffix):
        raise InputError(f"'suffix' is what masks have behind the picture's name, not {str(suffix)[:40]!r}")
    cases: dict[str, dict[str, Path]] = {}
    if any(rule.files is None for rule in classes):
        for stem, path in _pictures(root, content.get("masks", ".")).items():
            if stem.endswith(suffix) and path.suffix.lower() in _MASKS:
                cases.setdefault(stem[: len(stem) - len(suffix)], {})[""] = path
    for rule in classes:
        for stem, path in _by_pattern(root, rule.files).items() if rule.files else ():
            cases.setdefault(stem, {})[rule.name] = path
    wanted = {name: files for name, files in sorted(cases.items()) if name and (not images or name in images)}
    return images, wanted


def _pictures(root: Path, folder: Any) -> dict[str, Path]:
    if folder is None:
        return {}
    if not isinstance(folder, str) or "\0" in folder:
        raise InputError(f"a folder is a path, not {str(folder)[:40]!r}")
    place = root / _inside(folder)
    if not place.is_dir():
        raise InputError(f"folder {folder[:80]!r} is not there")
    files = sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))
    return {stem_of(path): path for path in files if path.suffix.lower() in _MASKS}


def _by_pattern(root: Path, pattern: str) -> dict[str, Path]:
    name = re.escape(Path(pattern).name).replace(r"\*", "(.+)")
    parent, _, rest = pattern.rpartition("/")
    if "*" in parent:  # a folder per case
        lead, _, tail = pattern.partition("*")
        found = {}
        for path in sorted(root.glob(pattern)):
            text = path.relative_to(root).as_posix()
            found[text[len(lead) : len(text) - len(tail)]] = path
        return {stem: path for stem, path in found.items() if path.is_file()}
    del rest
    place = root / parent
    files = sorted(place.iterdir()) if place.is_dir() else []
    matches = ((re.fullmatch(name, path.name), path) for path in files if path.is_file())
    return {match.group(1): path for match, path in matches if match and not path.name.startswith(".")}
