"""The JSON of COCO, checked once: pictures, categories, and outlines by picture."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medseg.domain import Finding, Label, LabelTable
from medseg.domain.labels import Color
from medseg.domain.texts import parse_json
from medseg.errors import InputError
from medseg.io.coco.panoptic import PanopticPicture, is_panoptic, panoptic_pictures
from medseg.io.plain import read_plain
from medseg.io.raster.pages import MAX_PIXELS

__all__ = ["Annotation", "CocoFile", "CocoPicture", "parse_coco"]

#: A larger file is refused unread; the largest of COCO itself has 0.45 GB.
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class CocoPicture:
    """One entry of `images`."""

    id: int
    file_name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One entry of `annotations`; `category` is the label value, `segmentation` as it stands in the file."""

    id: int
    category: int
    segmentation: Any
    is_crowd: bool


@dataclass(frozen=True, slots=True, eq=False)
class CocoFile:
    """A checked file.

    Parameters
    ----------
    path
        Where it stands.
    table
        Categories as labels.
    pictures
        By file name, or by id where a file name stands twice.
    annotations
        By the id of their picture, in the order of the file.
    findings
        What had to be decided.
    licence
        As `info` or the only entry of `licenses` states it.
    panoptic
        Of a panoptic file, in the place of outlines: segments by the id of their picture.
    """

    path: Path
    table: LabelTable
    pictures: dict[str, CocoPicture]
    annotations: dict[int, list[Annotation]]
    findings: tuple[Finding, ...] = ()
    licence: str = field(default="")
    panoptic: dict[int, PanopticPicture] = field(default_factory=dict)

    @property
    def panoptic_folder(self) -> Path:
        """Where the PNGs of a panoptic file lie: a folder of its name, beside it."""
        return self.path.with_suffix("")


def parse_coco(path: Path) -> CocoFile:
    """Read and check a file; outlines are looked at when their picture is.

    Raises
    ------
    InputError
        In one line, if it is too large, no COCO file, or its parts contradict each other.
    """
    content = _read(path)
    try:
        pictures = [_picture(item) for item in _items(content, "images")]
        numbers, table, findings = _table(_items(content, "categories"))
        entries, ids = _items(content, "annotations"), {item.id for item in pictures}
        panoptic = panoptic_pictures(entries, ids, numbers) if is_panoptic(entries) else {}
        annotations = {} if panoptic else _annotations(entries, ids, numbers)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not pictures:
        raise InputError(f"{path} lists no images")
    if len({item.id for item in pictures}) < len(pictures):
        raise InputError(f"{path}: two images have the same id")
    named = _by_name(pictures)
    return CocoFile(path, table, named, annotations, findings, _licence(content), panoptic)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(read_plain(path, most=_MOST_BYTES).decode("utf-8-sig"))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no COCO file: it holds a {type(content).__name__}, not an object")
    return content


def _items(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    items = content.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError(f"it is no COCO file: {key!r} is a list of objects")
    return items


def _whole(item: dict[str, Any], key: str, what: str) -> int:
    value = item.get(key)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) >= 1 << 63:
        raise InputError(f"{key!r} of {what} is a whole number, not {str(value)[:40]!r}")
    return value


def _picture(item: dict[str, Any]) -> CocoPicture:
    number = _whole(item, "id", "an image")
    what = f"image {number}"
    width, height = _whole(item, "width", what), _whole(item, "height", what)
    name = item.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{what} has no file name")
    if min(width, height) < 1 or width * height > MAX_PIXELS:
        raise InputError(f"{what} has {width} × {height} pixels; there are from 1 to {MAX_PIXELS}")
    return CocoPicture(number, name, width, height)


def _by_name(pictures: list[CocoPicture]) -> dict[str, CocoPicture]:
    names = [item.file_name for item in pictures]
    twice = {name for name, count in _counts(names).items() if count > 1}
    return {str(item.id) if item.file_name in twice else item.file_name: item for item in pictures}


def _counts(names: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _table(items: list[dict[str, Any]]) -> tuple[dict[int, int], LabelTable, tuple[Finding, ...]]:
    """Category id → label value, and the table."""
    found: dict[int, dict[str, Any]] = {}
    for item in items:
        number = _whole(item, "id", "a category")
        if number in found:
            raise InputError(f"two categories have id {number}")
        found[number] = item
    fits = all(1 <= number <= 65535 for number in found)
    if len(found) > 65535:
        raise InputError(f"it has {len(found)} categories, and a mask holds 65535 labels")
    values = {number: number if fits else place for place, number in enumerate(sorted(found), start=1)}
    names: set[str] = set()
    labels = []
    for number, value in values.items():
        name = " ".join(str(found[number].get("name", "") or "").split()) or f"category {number}"
        name = f"{name} ({number})" if name in names else name
        names.add(name)
        labels.append(Label(value, name, _color(found[number].get("color"))))
    text = "Categories have ids that are no labels (1 to 65535); they were numbered from 1 in their order."
    findings = () if fits else (Finding("coco.renumbered", "info", text),)
    return values, LabelTable(tuple(labels)), findings


def _color(value: Any) -> Color | None:
    if isinstance(value, list) and len(value) == 3 and all(type(x) is int and 0 <= x <= 255 for x in value):
        return value[0], value[1], value[2]
    return None


def _annotations(
    items: list[dict[str, Any]], pictures: set[int], numbers: dict[int, int]
) -> dict[int, list[Annotation]]:
    found: dict[int, list[Annotation]] = {}
    for place, item in enumerate(items):
        number = _whole(item, "id", f"annotation {place}") if "id" in item else place
        what = f"annotation {number}"
        picture = _whole(item, "image_id", what)
        category = _whole(item, "category_id", what)
        if picture not in pictures:
            raise InputError(f"{what} names image {picture}, which is not there")
        if category not in numbers:
            raise InputError(f"{what} names category {category}, which is not there")
        crowd = item.get("iscrowd", 0) in (1, True)
        found.setdefault(picture, []).append(
            Annotation(number, numbers[category], item.get("segmentation"), crowd)
        )
    return found


def _licence(content: dict[str, Any]) -> str:
    items = content.get("licenses")
    names = (
        [str(item.get("name", "")) for item in items or () if isinstance(item, dict)]
        if isinstance(items, list)
        else []
    )
    return names[0][:200] if len(names) == 1 else ""
