"""Frames of a SEG: which segment each belongs to, where it lies, and its pixels, decoded one at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError
from medseg.io.dicom.decode import decoder_of
from medseg.io.dicom.image.figures import stated_many
from medseg.io.dicom.image.places import require_directions
from medseg.io.dicom.tags import group_item

__all__ = ["SegFrame", "frame_pixels", "placed_frames", "read_seg_frames", "require_honest"]


@dataclass(frozen=True, slots=True)
class SegFrame:
    """One frame: its segment (0 in a label map), and the LPS position and orientation of its first pixel.

    Both are empty in a mask of a projection, which has no place in the patient.
    """

    segment: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]

    @property
    def is_placed(self) -> bool:
        """Whether it says where in the patient it lies; masks of projections do not."""
        return bool(self.position)


def require_honest(ds: Any, name: str) -> None:
    """Refuse an object that claims more than it holds, before anything is allocated for it.

    Raises
    ------
    InputError
        If frames, size or pixel bytes do not fit each other.
    """
    count, rows, columns = (int(ds.get(key, 0) or 0) for key in ("NumberOfFrames", "Rows", "Columns"))
    if min(count, rows, columns) < 1:
        raise InputError(f"{name} is a SEG without frames ({count} of {rows} × {columns} pixels)")
    stated = len(ds.get("PerFrameFunctionalGroupsSequence") or ())
    if stated != count:
        raise InputError(f"{name} claims {count} frames and describes {stated}: it is damaged")
    if "PixelData" not in ds:
        raise InputError(f"{name} is a SEG without pixels")
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        return
    wanted = -(-count * rows * columns * int(ds.BitsAllocated) // 8)
    held = len(ds.PixelData)
    if not wanted <= held <= wanted + 1:
        raise InputError(
            f"{name} claims {count} frames of {rows} × {columns} and holds {held} bytes: damaged"
        )


def read_seg_frames(ds: Any, name: str) -> tuple[SegFrame, ...]:
    """Every frame's segment and place, in the order of the pixels.

    Raises
    ------
    InputError
        If a frame does not say where it lies or which segment it shows.
    """
    common = _orientation((ds.get("SharedFunctionalGroupsSequence") or [None])[0], name)
    is_map = str(ds.get("SegmentationType", "")) == "LABELMAP"
    found = []
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        # A SEG may have ten thousand frames, and each look-up takes its time: no more than needed.
        place = (group.get("PlanePositionSequence") or [None])[0]
        position = None if place is None else stated_many(name, place, None, "ImagePositionPatient", 3)
        orientation = common or _orientation(group, name)
        if (position is None) != (orientation is None):
            raise InputError(f"frame {number + 1} of {name} does not say where in the patient it lies")
        segment = 0 if is_map else _segment(ds, group, name)
        found.append(SegFrame(segment, position or (), orientation or ()))
    if len({frame.is_placed for frame in found}) > 1:
        raise InputError(f"some frames of {name} say where in the patient they lie, and some do not")
    return tuple(found)


def frame_pixels(ds: Any) -> Iterator[NDArray[Any]]:
    """(rows, columns) values of each frame; bits are unpacked frame by frame, so memory stays at one frame."""
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        from pydicom.pixels.utils import iter_pixels

        yield from iter_pixels(ds, raw=True, decoding_plugin=decoder_of(ds))
        return
    rows, columns, bits = int(ds.Rows), int(ds.Columns), int(ds.BitsAllocated)
    data = np.frombuffer(ds.PixelData, np.uint8)
    size = rows * columns
    for number in range(int(ds.NumberOfFrames)):
        if bits == 1:
            yield _unpacked(data, number * size, size).reshape(rows, columns)
        else:
            step = size * bits // 8
            kind = np.dtype(f"<u{bits // 8}")
            yield data[number * step : (number + 1) * step].view(kind).reshape(rows, columns)


def placed_frames(
    ds: Any, frames: tuple[SegFrame, ...], places: NDArray[np.intp]
) -> Iterator[tuple[int, SegFrame, NDArray[Any]]]:
    """(slice k, frame, its pixels); a frame that stands twice comes once.

    Raises
    ------
    InputError
        If two frames show one segment on one slice and differ: the object holds times, or is damaged.
    """
    keys = [(int(place), frame.segment) for frame, place in zip(frames, places, strict=True)]
    repeated = {key for key, count in Counter(keys).items() if count > 1}
    seen: dict[tuple[int, int], bytes] = {}
    for key, frame, pixels in zip(keys, frames, frame_pixels(ds), strict=True):
        if key in repeated:
            first, content = key not in seen, pixels.tobytes()
            if seen.setdefault(key, content) != content:
                of = f"segment {key[1]} on slice" if key[1] else "slice"
                raise InputError(
                    f"two of its frames show {of} {key[0] + 1} and differ: it holds several masks; "
                    "save each as an object of its own"
                )
            if not first:
                continue
        yield key[0], frame, pixels


def _unpacked(data: NDArray[np.uint8], start: int, size: int) -> NDArray[np.uint8]:
    """Bits of one frame; frames follow each other without padding, so one may begin within a byte."""
    first, last = start // 8, -(-(start + size) // 8)
    bits = np.unpackbits(data[first:last], bitorder="little")
    return bits[start - 8 * first :][:size]


def _orientation(group: Any, name: str) -> tuple[float, ...] | None:
    plane = None if group is None else (group.get("PlaneOrientationSequence") or [None])[0]
    found = None if plane is None else stated_many(name, plane, None, "ImageOrientationPatient", 6)
    require_directions(name, found)
    return found


def _segment(ds: Any, group: Any, name: str) -> int:
    items = group.get("SegmentIdentificationSequence")
    item = items[0] if items else group_item(ds, group, "SegmentIdentificationSequence")
    number = None if item is None else item.get("ReferencedSegmentNumber")
    if number is None:
        raise InputError(f"a frame of {name} does not say which segment it shows")
    return int(number)
