"""File names: stems and suffixes of image files, `.nii.gz` being one suffix."""

from pathlib import Path

__all__ = ["stem_of", "suffix_of"]

_DOUBLE = (".nii.gz", ".seg.nrrd")


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
