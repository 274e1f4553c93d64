"""File names: stems and suffixes of image files, `.nii.gz` being one suffix."""

from pathlib import Path

__all__ = ["split_part", "stem_of", "suffix_of"]

_DOUBLE = (".nii.gz", ".seg.nrrd", ".hdr.gz", ".img.gz")


def suffix_of(path: str | Path) -> str:
    """Suffix in lower case.

    >>> suffix_of("A.B.NII.GZ"), suffix_of("mask.seg.nrrd"), suffix_of("x.Png")
    ('.nii.gz', '.seg.nrrd', '.png')
    """
    name = Path(path).name.lower()
    return next((double for double in _DOUBLE if name.endswith(double)), Path(name).suffix)


def stem_of(path: str | Path) -> str:
    """Name without its suffix.

    >>> stem_of("a/scan.1.nii.gz"), stem_of("mask.seg.nrrd")
    ('scan.1', 'mask')
    """
    name = Path(path).name
    return name[: len(name) - len(suffix_of(name))]


def split_part(path: str | Path) -> tuple[Path, str | None]:
    """File and volume of `FILE#VOLUME`, where a file holds several masks (COCO); a file with that name goes first.

    >>> split_part("no such file#1")[1] is None
    True
    """
    path = Path(path)
    text = str(path)
    places = [place for place, sign in enumerate(text) if sign == "#"]
    if not places or path.exists():
        return path, None
    for place in places:
        if Path(text[:place]).is_file():
            return Path(text[:place]), text[place + 1 :]
    return path, None
