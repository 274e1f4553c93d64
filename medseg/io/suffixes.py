"""Suffixes of files that are images or masks by themselves, as the readers declare them; nobody else lists any."""

from functools import cache

from medseg import plugins
from medseg.io.names import suffix_of

__all__ = ["WRITTEN_SUFFIXES", "image_suffixes", "is_picture_name"]

#: Formats in which a mask or a copy of an image is written where nobody chose one: the first that holds its grid.
WRITTEN_SUFFIXES = (".nii.gz", ".png", ".tif", ".nrrd")


@cache
def image_suffixes() -> tuple[str, ...]:
    """Every declared suffix, the longest first, so that the first that fits is the file's."""
    found = {
        suffix.lower()
        for _, reader in plugins.load_all(plugins.READERS)
        for suffix in getattr(reader, "suffixes", ())
    }
    return tuple(sorted(found, key=lambda suffix: (-len(suffix), suffix)))


def is_picture_name(name: str) -> bool:
    """Whether a name is that of a picture, whose pixels have no physical size.

    >>> is_picture_name("a.PNG"), is_picture_name("a.nii.gz")
    (True, False)
    """
    return suffix_of(name) in plugins.load(plugins.READERS, "raster").suffixes
