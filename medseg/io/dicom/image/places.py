"""Where the frames of one file lie: each by its own group; in older objects by the first one's place and a step."""

from typing import Any

import numpy as np

from medseg.errors import InputError
from medseg.geometry.slices import slice_normal
from medseg.io.dicom.image.figures import stated, stated_many
from medseg.io.dicom.tags import group_item

__all__ = ["Place", "frame_place", "is_stacked", "require_directions"]

Place = tuple[tuple[float, ...] | None, tuple[float, ...] | None]
#: Frames that follow each other in time are no stack, whatever step is stated.
_TIMES = (0x00181063, 0x00181065)
_STACKED = ("CT", "MR", "PT")


def frame_place(file: str, ds: Any, group: Any, index: int) -> Place:
    """ImagePositionPatient and ImageOrientationPatient of a frame; None where nothing states them.

    Raises
    ------
    InputError
        If a number of them is none, or the frames of an older object share one place without a step.
    """
    place = group_item(ds, group, "PlanePositionSequence")
    plane = group_item(ds, group, "PlaneOrientationSequence")
    detector = _detector(ds)
    position = stated_many(file, ds, place if place is not None else detector, "ImagePositionPatient", 3)
    orientation = stated_many(
        file, ds, plane if plane is not None else detector, "ImageOrientationPatient", 6
    )
    require_directions(file, orientation)
    if group is not None or _frame_count(ds) == 1 or position is None or orientation is None:
        return position, orientation
    number = _slice_number(ds, index)
    if number is None:
        return position, orientation
    step = stated(file, ds, None, "SpacingBetweenSlices")
    if not step:
        raise InputError(
            f"{file}: its {_frame_count(ds)} frames share one position, and no SpacingBetweenSlices says how far "
            "apart they lie; export it as single slices or as an enhanced object"
        )
    # PS3.3 C.8.4.15: a positive step stacks along the normal, a negative one against it.
    along = slice_normal(np.array(orientation)) * step * number
    return tuple(float(part) for part in np.array(position) + along), orientation


def is_stacked(ds: Any) -> bool:
    """Whether the frames are an older object's, placed by the first one and the step between them."""
    return (
        _frame_count(ds) > 1
        and not ds.get("PerFrameFunctionalGroupsSequence")
        and _slice_number(ds, 0) is not None
    )


def _frame_count(ds: Any) -> int:
    return int(ds.get("NumberOfFrames", 1) or 1)


def _slice_number(ds: Any, index: int) -> int | None:
    """Which slice a frame is, counted from 0; None where frames are no slices."""
    modality = str(ds.get("Modality", ""))
    if modality == "NM":
        vector = ds.get("SliceVector")
        words = [str(part).upper() for part in ds.get("ImageType", None) or ()]
        recon = any("RECON" in word for word in words)
        if not recon or vector is None:
            return None
        numbers = [vector] if isinstance(vector, int) else list(vector)
        return int(numbers[index]) - 1 if index < len(numbers) else None
    pointers = ds.get("FrameIncrementPointer") or ()
    pointers = pointers if hasattr(pointers, "__iter__") else [pointers]
    if modality not in _STACKED or any(int(tag) in _TIMES for tag in pointers):
        return None
    return index


def _detector(ds: Any) -> Any:
    """First detector of nuclear medicine, which places the slices that were reconstructed."""
    items = ds.get("DetectorInformationSequence")
    return items[0] if items else None


def require_directions(file: str, orientation: tuple[float, ...] | None) -> None:
    """Refuse an orientation whose two directions have another length than 1, or no right angle.

    Raises
    ------
    InputError
        If so: sizes would be wrong with it.
    """
    if orientation is None:
        return
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > 0.05 or abs(float(row @ column)) > 0.05:
        raise InputError(
            f"{file}: its ImageOrientationPatient {orientation} are no two directions at right angles"
        )
