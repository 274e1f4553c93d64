"""Pairs of a header and its voxels: `scan.hdr` with `scan.img`, packed or not, in any case of letters."""

from pathlib import Path

from medseg.errors import InputError
from medseg.io.names import stem_of, suffix_of

__all__ = ["VOXELS", "header_of", "voxels_of"]

_HEADERS = (".hdr", ".hdr.gz")
#: Suffixes of files that hold the voxels of a pair.
VOXELS = (".img", ".img.gz")


def header_of(path: Path) -> Path:
    """The header of a pair whose voxels are named; any other path as it is."""
    if suffix_of(path) not in VOXELS:
        return path
    return _beside(path, _HEADERS) or path


def voxels_of(header: Path) -> Path:
    """The file with the voxels that a pair's header describes.

    Raises
    ------
    InputError
        If it is not there.
    """
    found = _beside(header, VOXELS)
    if found is None:
        raise InputError(f"{header} needs the file {stem_of(header)}.img beside it, which is not there")
    return found


def _beside(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    stem = stem_of(path)
    fits = (item for item in sorted(path.parent.iterdir()) if suffix_of(item) in suffixes)
    return next((item for item in fits if stem_of(item) == stem and item.is_file()), None)
