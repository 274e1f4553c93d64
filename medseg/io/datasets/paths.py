"""Paths and JSON inside a dataset: nothing leaves its folder, nothing broken gets further than one line."""

from pathlib import Path
from typing import Any

from medseg.domain.texts import parse_json
from medseg.errors import InputError
from medseg.io.plain import read_plain
from medseg.io.suffixes import image_suffixes
from medseg.io.walk import files_below

__all__ = ["NIFTI_SUFFIXES", "image_files", "path_inside", "read_json", "whole_number"]

NIFTI_SUFFIXES = (".nii.gz", ".nii")


def image_files(folder: Path, suffixes: tuple[str, ...] | None = None, *, deep: bool = False) -> list[Path]:
    """Files with one of the suffixes, in any case of letters, sorted; hidden ones (macOS `._x`) are left out.

    Without suffixes, with any that a reader declares.
    """
    suffixes = image_suffixes() if suffixes is None else suffixes
    found = files_below(folder) if deep else folder.glob("*")
    return sorted(
        path
        for path in found
        if path.name.lower().endswith(suffixes) and not path.name.startswith(".") and path.is_file()
    )


def path_inside(root: Path, relative: str) -> str:
    """Path of an entry, refused when it leads out of the dataset's folder.

    Raises
    ------
    InputError
        If it is absolute, has a drive, or climbs out; or can be no path.
    """
    path = Path(relative)
    if "\0" in relative:
        raise InputError(f"the dataset {root.name} names {relative[:80]!r}, which can be no path")
    if path.anchor or ".." in path.parts or not relative.strip():
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
    data = read_plain(path)
    try:
        content = parse_json(data.decode("utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not an object")
    return content


def whole_number(value: Any, what: str) -> int:
    """A number as JSON may hold it: 1, 1.0 or "1".

    Raises
    ------
    InputError
        If it is no whole number.
    """
    try:
        number = int(value)
        if isinstance(value, bool) or (isinstance(value, float) and number != value):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what} is a whole number, not {str(value)[:80]!r}") from error
    return number
