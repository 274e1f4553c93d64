"""COCO as a dataset: a JSON, or a folder with one in `annotations`; every picture is a case."""

from pathlib import Path

from medseg.domain import Dataset
from medseg.errors import InputError
from medseg.io.coco.file import CocoFile
from medseg.io.coco.reader import READER, open_coco_file
from medseg.io.datasets.paths import path_inside
from medseg.io.datasets.pictures import Entry, picture_cases

__all__ = ["coco_files", "is_coco", "open_coco"]


def is_coco(path: Path) -> bool:
    """Whether a file begins as COCO does, or a folder has such files in `annotations` (or itself)."""
    return bool(coco_files(path))


def coco_files(path: Path) -> list[Path]:
    """The COCO files of a folder, or the file itself."""
    if path.is_file():
        return [path] if _begins(path) else []
    found: list[Path] = []
    for folder in (path / "annotations", path):
        if folder.is_dir() and not found:
            found = [file for file in sorted(folder.glob("*.json")) if file.is_file() and _begins(file)]
    return found


def open_coco(path: Path) -> Dataset:
    """Cases of one file.

    Pictures are looked for beside the file, in folders `images`, the file's own name (`train2017` for
    `instances_train2017.json`), and the same of the folder above. The reference of a case is `FILE#PICTURE`.

    Raises
    ------
    InputError
        If a folder has several files, or a file is damaged or names pictures outside its folder.
    """
    files = coco_files(path)
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:8])
        raise InputError(f"{path} holds {len(files)} COCO files; name one: {names}")
    file = open_coco_file(files[0])
    root = _root(file)
    several = len(file.pictures) > 1
    entries = [
        Entry(
            picture.file_name if name == picture.file_name else f"{name}/{picture.file_name}",
            Path(path_inside(root, picture.file_name)),
            f"{file.path}#{name}" if several else str(file.path),
        )
        for name, picture in file.pictures.items()
    ]
    cases, channels = picture_cases(entries)
    return Dataset(file.path.stem, "coco", cases, channels, file.table, file.licence)


def _begins(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return READER.sniff(path, file.read(4096))
    except OSError:
        return False


def _root(file: CocoFile) -> Path:
    """The folder in which the first picture is; the file's own if none has it."""
    first = next(iter(file.pictures.values())).file_name
    own = file.path.stem.rpartition("_")[2]
    above = (file.path.parent, file.path.parent.parent)
    places = [
        folder / name for folder in above for name in ("", "images", own, f"images/{own}", "JPEGImages")
    ]
    for place in places:
        if Path(path_inside(place, first)).is_file():
            return place
    return file.path.parent
