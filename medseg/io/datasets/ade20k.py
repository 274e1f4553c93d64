"""ADE20K as the scene parsing benchmark has it: `images` and `annotations`, both with `training` and `validation`.

Source of the format: Zhou et al. 2017 (CVPR), and the benchmark of 2016 with its 150 classes.
"""

from pathlib import Path

from medseg.domain import Dataset
from medseg.domain.case import MaskMeaning
from medseg.errors import InputError
from medseg.io.datasets.paths import image_files
from medseg.io.datasets.pictures import Entry, picture_cases
from medseg.io.datasets.publictables import public_table
from medseg.io.names import stem_of

__all__ = ["is_ade20k", "open_ade20k"]

_PARTS = ("training", "validation")


def is_ade20k(root: Path) -> bool:
    """Whether a folder has pictures and masks of this layout."""
    return any(
        (root / "images" / part).is_dir() and (root / "annotations" / part).is_dir() for part in _PARTS
    )


def open_ade20k(root: Path) -> Dataset:
    """Pictures of both parts; each is a subject. Pixels of number 0 are of no class of the 150 and left out.

    Raises
    ------
    InputError
        If there are no pictures.
    """
    meaning = MaskMeaning(ignore=(0,))
    entries = []
    for part in _PARTS:
        masks = {stem_of(path): path for path in image_files(root / "annotations" / part, (".png",))}
        for picture in image_files(root / "images" / part, (".jpg", ".jpeg", ".png")):
            name = stem_of(picture)
            mask = masks.get(name)
            entries.append(Entry(f"{name}.png", picture, None if mask is None else str(mask), None, meaning))
    if not entries:
        raise InputError(f"{root / 'images'} holds no pictures")
    cases, channels = picture_cases(entries)
    return Dataset(root.resolve().name, "ade20k", cases, channels, public_table("ade20k").table)
