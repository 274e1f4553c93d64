"""Classes of a Pascal VOC folder: its `labelmap.txt` if it has one, else the twenty of the challenge."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from medseg.domain import Label, LabelTable
from medseg.domain.labels import Color
from medseg.errors import InputError

__all__ = ["VOID", "VOID_COLOR", "VocClasses", "class_name", "labelmap_text", "voc_classes", "voc_color"]

#: Number and colour of pixels that nobody decided on.
VOID, VOID_COLOR = 255, (224, 224, 192)
BACKGROUND: Color = (0, 0, 0)
_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_LINE = re.compile(r"([^:]+):(\d{1,3}),(\d{1,3}),(\d{1,3}):.*")


@dataclass(frozen=True, slots=True)
class VocClasses:
    """Labels 1 and up in the order of the classes; `by_color` says whether colours tell them apart."""

    table: LabelTable
    by_color: bool
    stated: bool


def voc_color(number: int) -> Color:
    """Colour of a class number by the rule of the challenge: its bits dealt to red, green and blue in turn.

    >>> voc_color(1), voc_color(15), voc_color(255)
    ((128, 0, 0), (192, 128, 128), (224, 224, 192))
    """
    parts = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            parts[channel] |= (number >> (3 * bit + channel) & 1) << (7 - bit) if 3 * bit + channel < 8 else 0
    return parts[0], parts[1], parts[2]


def voc_classes(root: Path) -> VocClasses:
    """Classes of a folder.

    Raises
    ------
    InputError
        If `labelmap.txt` is damaged.
    """
    path = root / "labelmap.txt"
    try:
        state = path.stat()
    except OSError:
        labels = tuple(Label(number, name, voc_color(number)) for number, name in enumerate(_NAMES, start=1))
        return VocClasses(LabelTable(labels), by_color=True, stated=False)
    return _stated(path, state.st_mtime_ns, state.st_size)


def class_name(name: str) -> str:
    """A name on one line, without the sign that ends it there; background is a name of its own."""
    plain = " ".join(name.replace(":", " ").split())
    return f"{plain} (label)" if plain.lower() == "background" or plain.startswith("#") else plain


def labelmap_text(table: LabelTable, colors: dict[int, Color]) -> str:
    """The lines of a `labelmap.txt` (the dialect of CVAT): name, colour, parts, actions."""
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    lines += [f"{class_name(item.name)}:{','.join(map(str, colors[item.value]))}::" for item in table.labels]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=8)
def _stated(path: Path, _changed: int, size: int) -> VocClasses:
    if size > 1 << 20:
        raise InputError(f"{path} is no list of classes: it has {size} bytes")
    labels: list[Label] = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        color = tuple(int(part) for part in found.groups()[1:]) if found else (999,)
        if found is None or max(color) > 255:
            raise InputError(f"{path}: {line[:60]!r} is no class; a line is name:red,green,blue::")
        name = found.group(1).strip()
        if name.lower() != "background" and color not in (BACKGROUND, VOID_COLOR):
            labels.append(Label(len(labels) + 1, name, (color[0], color[1], color[2])))
    if len(labels) >= VOID:
        raise InputError(f"{path} names {len(labels)} classes; a picture of numbers holds up to {VOID - 1}")
    try:
        table = LabelTable(tuple(labels))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    distinct = len({label.color for label in labels}) == len(labels)
    return VocClasses(table, by_color=distinct, stated=True)
