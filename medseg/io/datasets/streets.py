"""Cityscapes and KITTI: streets from a car, in the labels of Cityscapes.

Source of the formats: Cordts et al. 2016 (CVPR) and its scripts; of KITTI's semantics Alhaija et al. 2018 (IJCV).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from medseg.domain import Dataset
from medseg.domain.case import MaskMeaning
from medseg.errors import InputError
from medseg.io.datasets.paths import image_files
from medseg.io.datasets.pictures import Entry, picture_cases
from medseg.io.datasets.publictables import public_table
from medseg.io.names import stem_of
from medseg.io.plain import read_plain

__all__ = ["is_cityscapes", "is_kitti", "open_cityscapes", "open_kitti"]

_PICTURES = "leftImg8bit"
#: Folders of masks, the better first, and what their files end in.
_MASKS = ("gtFine", "gtCoarse")
_BY_LABEL, _BY_TRAINING = "labelIds", "labelTrainIds"
#: What nobody judged has this number where training counts.
_VOID = 255
#: Its masks are empty: the publisher keeps them.
_WITHHELD = "test"
#: city_sequence_frame.
_NAME = re.compile(r"(?P<sequence>.+_\d+)_\d+")
#: Where KITTI's list of drives lies, below the set's folder or beside it.
_DRIVES = "train_mapping.txt"
_MOST_BYTES = 1 << 20


def is_cityscapes(root: Path) -> bool:
    """Whether a folder has the pictures of this layout."""
    return (root / _PICTURES).is_dir()


def open_cityscapes(root: Path) -> Dataset:
    """Every picture of every city; a subject is a city's sequence. Fine masks go before coarse ones.

    Masks by `labelIds` and by `labelTrainIds` give the same labels; what the evaluation of Cityscapes leaves out is
    left out. Pictures of `test` have no reference: what the set holds for them is empty.

    Raises
    ------
    InputError
        If there are no pictures.
    """
    entries = list(_street_entries(root))
    if not entries:
        raise InputError(f"{root / _PICTURES} holds no pictures named CITY_SEQUENCE_FRAME_{_PICTURES}.png")
    cases, channels = picture_cases(entries)
    return Dataset(root.resolve().name, "cityscapes", cases, channels, public_table("cityscapes").table)


def _street_entries(root: Path) -> Iterator[Entry]:
    for picture in image_files(root / _PICTURES, (".png",), deep=True):
        name = stem_of(picture).removesuffix(f"_{_PICTURES}")
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        folder = picture.relative_to(root / _PICTURES).parent
        mask, meaning = (None, None) if folder.parts[:1] == (_WITHHELD,) else _street_mask(root, folder, name)
        yield Entry(f"{name}.png", picture, mask, found["sequence"], meaning)


def _street_mask(root: Path, folder: Path, name: str) -> tuple[str | None, MaskMeaning | None]:
    for kind in _MASKS:
        for numbers in (_BY_LABEL, _BY_TRAINING):
            path = root / kind / folder / f"{name}_{kind}_{numbers}.png"
            if path.is_file():
                return str(path), _meaning(by_training=numbers == _BY_TRAINING)
    return None, None


def _meaning(*, by_training: bool) -> MaskMeaning:
    known = public_table("cityscapes")
    if by_training:
        return MaskMeaning(known.train, (_VOID,))
    return MaskMeaning(tuple((value, value) for value in known.table.values), (*known.ignored, _VOID))


def is_kitti(root: Path) -> bool:
    """Whether a folder has pictures and semantic masks of this layout."""
    return (root / "training" / "image_2").is_dir() and (root / "training" / "semantic").is_dir()


def open_kitti(root: Path) -> Dataset:
    """Pictures of `training` with their masks in the labels of Cityscapes.

    A subject is a drive where a list of them (`train_mapping.txt` of the development kits) lies in the folder, in its
    `mapping` or `devkit/mapping`; else each picture is one, and nobody knows which show the same street.

    Raises
    ------
    InputError
        If there are no pictures.
    """
    masks = {stem_of(path): path for path in image_files(root / "training" / "semantic", (".png",))}
    drives = _drives(root)
    entries = []
    for picture in image_files(root / "training" / "image_2", (".png", ".jpg")):
        name = stem_of(picture)
        mask = masks.get(name)
        number = name.partition("_")[0]
        drive = (
            drives.get(int(number)) if number.isascii() and number.isdecimal() and len(number) < 9 else None
        )
        reference = None if mask is None else str(mask)
        entries.append(Entry(f"{name}.png", picture, reference, drive, _meaning(by_training=False)))
    if not entries:
        raise InputError(f"{root / 'training' / 'image_2'} holds no pictures")
    cases, channels = picture_cases(entries)
    return Dataset(root.resolve().name, "kitti", cases, channels, public_table("cityscapes").table)


def _drives(root: Path) -> dict[int, str]:
    """Number of a picture → its drive; lines of other pictures are empty."""
    places = (root, root / "mapping", root / "devkit" / "mapping")
    path = next((place / _DRIVES for place in places if (place / _DRIVES).is_file()), None)
    if path is None:
        return {}
    lines = read_plain(path, most=_MOST_BYTES).decode("utf-8", "replace").splitlines()
    words = {number: line.split() for number, line in enumerate(lines)}
    return {number: found[1] for number, found in words.items() if len(found) > 1}
