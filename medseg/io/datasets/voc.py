"""Pascal VOC as a dataset: `JPEGImages`, `SegmentationClass`, lists in `ImageSets/Segmentation`."""

from pathlib import Path

from medseg.domain import Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import image_files, path_inside
from medseg.io.datasets.pictures import Entry, picture_cases
from medseg.io.names import stem_of
from medseg.io.voc.names import voc_classes
from medseg.io.voc.reader import MASK_FOLDER

__all__ = ["is_voc", "open_voc", "voc_masks"]

_PICTURES = "JPEGImages"
_LISTS = Path("ImageSets") / "Segmentation"


def is_voc(root: Path) -> bool:
    """Whether a folder has the masks and the pictures, lists or classes of this layout."""
    beside = (_PICTURES, "ImageSets", "labelmap.txt")
    return (root / MASK_FOLDER).is_dir() and any((root / name).exists() for name in beside)


def open_voc(root: Path) -> Dataset:
    """Cases of the lists (all of them together), or of every mask if there are none.

    Raises
    ------
    InputError
        If there are no masks, a list names a mask that is not there, or leads out of the folder.
    """
    pictures = {stem_of(path): path for path in image_files(root / _PICTURES)}
    masks = voc_masks(root)
    entries = [
        Entry(stem, pictures.get(stem, root / _PICTURES / f"{stem}.jpg"), str(mask))
        for stem, mask in masks.items()
    ]
    cases, channels = picture_cases(entries)
    return Dataset(root.resolve().name, "voc", cases, channels, voc_classes(root).table)


def voc_masks(root: Path) -> dict[str, Path]:
    """Mask files by stem.

    Raises
    ------
    InputError
        As for `open_voc`.
    """
    found = {stem_of(path): path for path in image_files(root / MASK_FOLDER, (".png",))}
    listed = _listed(root)
    if missing := [stem for stem in listed if stem not in found]:
        raise InputError(f"a list of {root.name} names {missing[0]!r}, and {MASK_FOLDER} has no such mask")
    masks = {stem: found[stem] for stem in listed} if listed else found
    if not masks:
        raise InputError(f"{root / MASK_FOLDER} holds no masks")
    return masks


def _listed(root: Path) -> list[str]:
    names: dict[str, None] = {}
    for path in sorted((root / _LISTS).glob("*.txt")):
        for line in path.read_text("utf-8", errors="replace").splitlines():
            if words := line.split():
                path_inside(root, words[0])
                names[words[0]] = None
    return list(names)
