"""COCO panoptic: a PNG per picture whose colours number its segments, and a category for each number.

Source of the format: "COCO Data Format", panoptic segmentation (cocodataset.org): id = R + 256·G + 256²·B, 0 is void.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError
from medseg.io.raster.pages import read_page

__all__ = ["PanopticPicture", "is_panoptic", "panoptic_labels", "panoptic_pictures"]

#: Weights of red, green and blue in a segment's number.
_WEIGHTS = np.array([1, 256, 65536], np.uint32)


@dataclass(frozen=True, slots=True)
class PanopticPicture:
    """The PNG of one picture, and number of a segment → label value and whether it is a crowd."""

    file_name: str
    segments: Mapping[int, tuple[int, bool]]


def is_panoptic(items: list[dict[str, Any]]) -> bool:
    """Whether annotations are of this kind."""
    return bool(items) and "segments_info" in items[0]


def panoptic_pictures(
    items: Iterable[dict[str, Any]], pictures: set[int], numbers: Mapping[int, int]
) -> dict[int, PanopticPicture]:
    """Checked entries by the id of their picture; `numbers` are label values by category.

    Raises
    ------
    InputError
        If an entry names a picture or a category that is not there, or a file outside the folder.
    """
    found: dict[int, PanopticPicture] = {}
    for item in items:
        picture, name, segments = item.get("image_id"), item.get("file_name"), item.get("segments_info")
        if picture not in pictures:
            raise InputError(f"an annotation names image {str(picture)[:40]}, which is not there")
        if not isinstance(name, str) or "\0" in name or Path(name).name != name or name in ("", ".", ".."):
            raise InputError(
                f"the annotation of image {picture} names {str(name)[:80]!r}, which is no file beside it"
            )
        if not isinstance(segments, list):
            raise InputError(f"the annotation of image {picture} lists no segments")
        found[picture] = PanopticPicture(name, dict(_segment(entry, picture, numbers) for entry in segments))
    return found


def _segment(entry: Any, picture: int, numbers: Mapping[int, int]) -> tuple[int, tuple[int, bool]]:
    number, category = (entry.get(key) if isinstance(entry, dict) else None for key in ("id", "category_id"))
    if type(number) is not int or not 0 < number < 1 << 24:
        raise InputError(
            f"a segment of image {picture} has an id from 1 to {(1 << 24) - 1}, not {str(number)[:40]!r}"
        )
    if type(category) is not int or category not in numbers:
        raise InputError(
            f"a segment of image {picture} names category {str(category)[:40]}, which is not there"
        )
    return number, (numbers[category], entry.get("iscrowd", 0) in (1, True))


def panoptic_labels(
    folder: Path, found: PanopticPicture, shape: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """(width, height, 1) label values, and which pixels are void or of a crowd, and so of no object that is known.

    Raises
    ------
    InputError
        If the PNG is damaged, of another size, or numbers a segment that the file does not name.
    """
    path = folder / found.file_name
    values = read_page(path, 0).values
    if values.ndim != 3 or values.shape[:2] != (shape[1], shape[0]):
        raise InputError(
            f"{path} is no picture of segments in colours of {shape[0]} × {shape[1]}: it holds {values.shape}"
        )
    ids, place = np.unique(values.astype(np.uint32) @ _WEIGHTS, return_inverse=True)
    if unknown := [int(number) for number in ids if number and int(number) not in found.segments]:
        raise InputError(f"{path} holds segment {unknown[0]}, which its file does not name")
    known = [found.segments.get(int(number), (0, True)) for number in ids]
    place = place.reshape(values.shape[:2]).T[..., None]
    labels = np.array([value for value, _ in known], np.uint16)[place]
    return labels, np.array([is_crowd for _, is_crowd in known], np.bool_)[place]
