"""Images with a `_mask` file beside them, in one folder or a folder per subject."""

from pathlib import Path

from medseg.domain import Case, ChannelFile, Dataset
from medseg.errors import InputError
from medseg.io.datasets.paths import IMAGE_SUFFIXES
from medseg.io.names import stem_of

__all__ = ["is_pairs", "open_pairs"]

MASK = "_mask"
#: Volumes of a colour picture, in order, as the reader of pictures names them.
COLOURS = ("R", "G", "B")


def is_pairs(root: Path) -> bool:
    """Whether the folder, or one of its first folders, holds an image with its `_mask`."""
    folders = [root, *[item for item in sorted(root.iterdir()) if item.is_dir()][:3]]
    return any(_has_mask(folder) for folder in folders)


def open_pairs(root: Path) -> Dataset:
    """One case per image with a mask; a subject is the image's folder, or the image itself in a flat folder.

    Colour pictures give three channels R, G, B; what they are in truth a configuration says.

    Raises
    ------
    InputError
        If no image has a mask.
    """
    cases = []
    for path in sorted(root.rglob(f"*{MASK}.*")):
        if path.name.startswith(".") or not path.name.lower().endswith(IMAGE_SUFFIXES):
            continue
        name = stem_of(path).removesuffix(MASK)
        image = next(
            (found for suffix in IMAGE_SUFFIXES if (found := path.with_name(name + suffix)).is_file()), None
        )
        if image is None:
            continue
        subject = path.parent.name if path.parent != root else name
        case_id = name if name.startswith(subject) else f"{subject}_{name}"
        cases.append((case_id, subject, image, path))
    if not cases:
        raise InputError(f"{root} holds no image with a {MASK} file beside it")
    colours = _is_colour(cases[0][2])
    made = [
        Case(name, subject, _files(image, colours=colours), str(mask)) for name, subject, image, mask in cases
    ]
    channels = COLOURS if colours else ("image",)
    return Dataset(root.name, "pairs", tuple(sorted(made, key=lambda case: case.id)), channels)


def _files(image: Path, *, colours: bool) -> tuple[ChannelFile, ...]:
    if not colours:
        return (ChannelFile("image", str(image)),)
    return tuple(ChannelFile(name, str(image), name) for name in COLOURS)


def _is_colour(image: Path) -> bool:
    from medseg.io.read import inspect

    return {source.volume for source in inspect(image)} >= set(COLOURS)


def _has_mask(folder: Path) -> bool:
    names = {item.name for item in folder.iterdir() if item.is_file()}
    stems = {stem_of(Path(name)) for name in names if name.lower().endswith(IMAGE_SUFFIXES)}
    return any(name.endswith(MASK) and name.removesuffix(MASK) in stems for name in stems)
