"""Paths and JSON inside a dataset: nothing leaves its folder, nothing broken gets further than one line."""

import json
from pathlib import Path
from typing import Any

from medseg.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "inside", "read_json"]

IMAGE_SUFFIXES = (
    ".nii.gz",
    ".nii",
    ".nrrd",
    ".mha",
    ".mhd",
    ".png",
    ".tif",
    ".tiff",
    ".jpg",
    ".jpeg",
    ".bmp",
)


def inside(root: Path, relative: str) -> str:
    """Path of an entry, refused when it leads out of the dataset's folder.

    Raises
    ------
    InputError
        If it is absolute or climbs out.
    """
    path = Path(relative)
    if path.is_absolute() or ".." in path.parts or not relative.strip():
        raise InputError(
            f"the dataset names {relative!r}, which leads out of its folder {root.name}; use relative paths"
        )
    return str(root / path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    InputError
        If it can't be read or is no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not an object")
    return content
