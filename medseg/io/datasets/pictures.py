"""Cases of pictures: what sets of 2D pictures with masks have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from medseg.domain import Case, ChannelFile
from medseg.domain.case import MaskMeaning
from medseg.errors import MedsegError
from medseg.io.datasets.pairs import COLOURS
from medseg.io.read import inspect

__all__ = ["Entry", "picture_cases"]

#: So many pictures are looked at to tell whether a set is in colour.
_LOOKED_AT = 12
#: Folders that part a set and name no subject.
_NO_SUBJECTS = {"train", "val", "valid", "validation", "test", "images", "imgs", "jpegimages"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture.

    Parameters
    ----------
    name
        In the set, folders allowed.
    picture, reference
        Its file, and that of its mask.
    subject
        Whom or what it shows together with others, where the layout says it; None leaves it to the folders of `name`.
    labels
        What its mask means, where its values are not those of the set's table.
    """

    name: str
    picture: Path
    reference: str | None
    subject: str | None = None
    labels: MaskMeaning | None = None


def picture_cases(entries: Iterable[Entry]) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Cases, sorted by id, and channels: R, G, B if one of the first pictures is in colour, else `image`.

    A subject is the first folder of a picture's name, without folders that all have in common or that part a
    set (train, val, …); a picture without one is a subject of its own.
    """
    kept = list(entries)
    channels = COLOURS if any(_is_colour(item.picture) for item in islice(kept, _LOOKED_AT)) else ("image",)
    folders = _folders(item.name for item in kept)
    ids = _ids(kept, folders)
    cases = []
    for item in kept:
        path = str(item.picture)
        files = tuple(ChannelFile(name, path, name if channels == COLOURS else None) for name in channels)
        named = folders[item.name]
        subject = item.subject or (named[0] if named else ids[item.name])
        cases.append(Case(ids[item.name], subject, files, item.reference, labels=item.labels))
    return tuple(sorted(cases, key=lambda case: case.id)), channels


def _folders(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/")).parts[:-1]
        found[name] = tuple(part for part in parts if part.lower() not in _NO_SUBJECTS)
    while found and len({parts[:1] for parts in found.values()}) == 1 and all(found.values()):
        found = {name: parts[1:] for name, parts in found.items()}
    return found


def _ids(entries: list[Entry], folders: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Names that can be file names; where two are equal, with a number behind."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for item in entries:
        stem = PurePosixPath(item.name.replace("\\", "/")).stem
        plain = "_".join((*folders[item.name], stem))
        name = base = (
            "".join(sign if sign.isalnum() or sign in "-_. " else "_" for sign in plain).strip(". ") or "case"
        )
        number = 2
        while name.casefold() in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name.casefold())
        found[item.name] = name
    return found


def _is_colour(picture: Path) -> bool:
    try:
        return {source.volume for source in inspect(picture)} >= set(COLOURS)
    except MedsegError:
        return False  # a picture that is not there is said by the check of its case
