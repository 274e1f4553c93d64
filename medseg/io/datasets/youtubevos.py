"""YouTube-VOS: frames of videos, masks that number the objects of a video, `meta.json` that says what each is.

Source of the format: Xu et al. 2018 (arXiv:1809.03327).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medseg.domain import Dataset, Label, LabelTable
from medseg.domain.case import MaskMeaning
from medseg.errors import InputError
from medseg.io.datasets.paths import image_files, read_json, whole_number
from medseg.io.datasets.pictures import Entry, picture_cases
from medseg.io.names import stem_of

__all__ = ["is_youtubevos", "open_youtubevos"]

_META, _PICTURES, _MASKS = "meta.json", "JPEGImages", "Annotations"
#: An object's number fills a byte.
_MOST_OBJECTS = 255


def is_youtubevos(root: Path) -> bool:
    """Whether a folder, or its `train`, is of this layout."""
    return _part(root) is not None


def open_youtubevos(root: Path) -> Dataset:
    """Frames that have a mask; a subject is a video, a label is a category.

    Labels are the categories that `meta.json` names, numbered from 1 in the order of their names. Where a folder has
    parts, `train` is read: the others show the objects of the first frames only.

    Raises
    ------
    InputError
        If `meta.json` is damaged, or does not say what an object is.
    """
    part = _part(root)
    if part is None:
        raise InputError(f"{root} holds no {_META} with {_PICTURES} and {_MASKS}")
    objects = _objects(part / _META)
    names = sorted({name for video in objects.values() for name in video.values()})
    values = {name: value for value, name in enumerate(names, start=1)}
    entries = list(_frames(part, objects, values))
    if not entries:
        raise InputError(f"{part / _MASKS} holds no masks of videos")
    cases, channels = picture_cases(entries)
    table = LabelTable(tuple(Label(value, name) for name, value in values.items()))
    return Dataset(root.resolve().name, "youtubevos", cases, channels, table)


def _part(root: Path) -> Path | None:
    for place in (root, root / "train"):
        if (place / _META).is_file() and (place / _PICTURES).is_dir() and (place / _MASKS).is_dir():
            return place
    return None


def _frames(part: Path, objects: dict[str, dict[int, str]], values: dict[str, int]) -> Iterator[Entry]:
    for folder in sorted(item for item in (part / _MASKS).iterdir() if item.is_dir()):
        masks = image_files(folder, (".png",))
        if masks and folder.name not in objects:
            raise InputError(f"{part / _META} does not say what the objects of the video {folder.name} are")
        pairs = tuple((number, values[name]) for number, name in objects.get(folder.name, {}).items())
        for mask in masks:
            name = stem_of(mask)
            picture = part / _PICTURES / folder.name / f"{name}.jpg"
            yield Entry(f"{folder.name}/{name}.jpg", picture, str(mask), folder.name, MaskMeaning(pairs))


def _objects(path: Path) -> dict[str, dict[int, str]]:
    """Video → number of an object → its category."""
    videos = read_json(path).get("videos")
    if not isinstance(videos, dict):
        raise InputError(f"{path} names no videos")
    return {str(video): _of_video(path, str(video), entry) for video, entry in videos.items()}


def _of_video(path: Path, video: str, entry: Any) -> dict[int, str]:
    objects = entry.get("objects") if isinstance(entry, dict) else None
    if not isinstance(objects, dict):
        raise InputError(f"{path}: video {video[:80]!r} names no objects")
    found: dict[int, str] = {}
    for key, item in objects.items():
        number = whole_number(key, f"{path}: an object of video {video[:80]!r}")
        category = item.get("category") if isinstance(item, dict) else None
        if not 1 <= number <= _MOST_OBJECTS or not isinstance(category, str) or not category.strip():
            raise InputError(f"{path}: object {str(key)[:20]!r} of video {video[:80]!r} has no category")
        found[number] = category.strip()
    return found
