"""A set of PNG masks as a dataset, by the mapping that describes it (see `io.labelset.file`)."""

from pathlib import Path

from medseg.domain import Dataset, Label, LabelTable
from medseg.errors import InputError
from medseg.io.datasets.pictures import Entry, picture_cases
from medseg.io.labelset.file import is_labelset
from medseg.io.labelset.reader import open_labelset

__all__ = ["is_labelset_file", "labelset_of", "open_labelset_cases"]


def is_labelset_file(path: Path) -> bool:
    """Whether a file is such a mapping, or a folder holds one."""
    return labelset_of(path) is not None


def labelset_of(path: Path) -> Path | None:
    """The mapping, or the only one in a folder."""
    files = [path] if path.is_file() else sorted(path.glob("*.y*ml")) + sorted(path.glob("*.json"))
    found = [file for file in files if file.is_file() and _begins(file)]
    return found[0] if len(found) == 1 else None


def open_labelset_cases(path: Path) -> Dataset:
    """Cases of a mapping; the reference of a case is `FILE#CASE`.

    Raises
    ------
    InputError
        If the mapping is damaged, or names no pictures.
    """
    mapping = labelset_of(path)
    if mapping is None:
        raise InputError(f"{path} is no mapping of masks")
    found = open_labelset(mapping)
    if not found.images:
        raise InputError(f"{mapping} names no 'images', so its masks are no dataset")
    several = len(found.cases) > 1
    entries = [
        Entry(f"{name}.png", found.images[name], f"{mapping}#{name}" if several else str(mapping))
        for name in found.cases
    ]
    cases, channels = picture_cases(entries)
    table = LabelTable(tuple(Label(rule.value, rule.name, rule.shown) for rule in found.classes))
    return Dataset(mapping.stem, "labelset", cases, channels, table)


def _begins(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_labelset(path, file.read(4096))
    except OSError:
        return False
