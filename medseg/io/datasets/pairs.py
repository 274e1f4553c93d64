"""Images with a `_mask` file beside them, in one folder or a folder per subject."""

from pathlib import Path

from medseg.domain import Case, ChannelFile, Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import image_files
from medseg.io.names import stem_of
from medseg.io.read import inspect

__all__ = ["is_pairs", "open_pairs"]

MASK = "_mask"
#: Volumes of a colour picture, in order, as the reader of pictures names them.
COLOURS = ("R", "G", "B")


def is_pairs(root: Path) -> bool:
    """Whether the folder, or one of its first folders, holds an image with its `_mask`."""
    below = sorted(item for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))
    return any(_pairs_in(folder) for folder in (root, *below[:3]))


def open_pairs(root: Path) -> Dataset:
    """One case per image with a mask.

    A subject is the folder in `root` that holds the image, however deep, so that no split parts what lies
    in one folder; in a flat folder each image is one. Colour pictures give three channels R, G, B; what they
    are in truth a configuration says.

    Raises
    ------
    InputError
        If no image has a mask.
    """
    folders = [root, *sorted(item for item in root.rglob("*") if item.is_dir())]
    pairs = [pair for folder in folders for pair in _pairs_in(folder)]
    if not pairs:
        raise InputError(f"{root} holds no image with a {MASK} file beside it")
    colours = any(_is_colour(image) for image, _ in pairs)
    cases = (_case(root, image, mask, colours=colours) for image, mask in pairs)
    channels = COLOURS if colours else ("image",)
    return Dataset(root.name, "pairs", tuple(sorted(cases, key=lambda case: case.id)), channels)


def _pairs_in(folder: Path) -> list[tuple[Path, Path]]:
    files = {stem_of(path): path for path in image_files(folder)}
    return [
        (files[name], mask)
        for stem, mask in files.items()
        if stem.endswith(MASK) and (name := stem.removesuffix(MASK)) in files
    ]


def _case(root: Path, image: Path, mask: Path, *, colours: bool) -> Case:
    name = stem_of(image)
    folders = image.parent.relative_to(root).parts
    subject = folders[0] if folders else name
    lead = [part for part in folders if not name.startswith(part)]
    files = tuple(ChannelFile(plane, str(image), plane) for plane in COLOURS) if colours else ()
    return Case("_".join([*lead, name]), subject, files or (ChannelFile("image", str(image)),), str(mask))


def _is_colour(image: Path) -> bool:
    return {source.volume for source in inspect(image)} >= set(COLOURS)
