"""Structures of a structure set: number, name, colour, and which of their contours enclose an area."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from medseg.domain.labels import Color, distinct_color
from medseg.errors import InputError
from medseg.io.dicom.rtstruct.points import count_points, points_of, stored_text, whole
from medseg.io.dicom.structures.segments import stated_name

__all__ = ["XOR", "NoArea", "Roi", "areas_of", "chosen", "read_rois"]

#: More points than this in one object, and it is refused unread: no person draws as many.
MOST_POINTS = 5_000_000
_MOST_LABELS = 65535
#: Contours of a plane that enclose an area; interpolated ones are drawn by a program between those of a person.
_PLAIN = ("CLOSED_PLANAR", "INTERPOLATED_PLANAR")
XOR = "CLOSEDPLANAR_XOR"
_FEWEST = 3
_NUMBER, _COLOR, _DRAWN_NUMBER = 0x30060022, 0x3006002A, 0x30060084


class NoArea(InputError):
    """A structure that is drawn as it should be and has no area."""


@dataclass(frozen=True, slots=True)
class Roi:
    """One structure, with the items that draw it; `fault` says why they can't be told apart from another's.

    `frame_of_reference` is the one that it says it was drawn in, empty where it does not say.
    """

    number: int
    name: str
    color: Color
    items: tuple[Any, ...] = ()
    fault: str = ""
    frame_of_reference: str = ""


def read_rois(ds: Any, name: str) -> tuple[Roi, ...]:
    """Structures in the order of the set. A number that no label can have, or that two have, gives way to a free one.

    Raises
    ------
    InputError
        If there are none, or they hold more points than any person draws.
    """
    _require_drawable(ds, name)
    stated = list(ds.get("StructureSetROISequence") or ())
    if not stated:
        raise InputError(f"{name} holds no structures")
    drawn: dict[int | None, list[Any]] = {}
    for item in ds.get("ROIContourSequence") or ():
        drawn.setdefault(whole(stored_text(item, _DRAWN_NUMBER)), []).append(item)
    numbers = [whole(stored_text(item, _NUMBER)) for item in stated]
    count = Counter(numbers)
    taken = {number for number in numbers if number is not None}
    found: list[Roi] = []
    for item, number in zip(stated, numbers, strict=True):
        keeps = number is not None and 1 <= number <= _MOST_LABELS and count[number] == 1
        free = number if number is not None and keeps else _next(taken)
        plain = stated_name(item.get("ROIName")) or f"structure {free if number is None else number}"
        fault = f"another structure has its number {number} too" if count[number] > 1 else ""
        items = tuple(drawn.get(number, ()))
        names = {roi.name for roi in found}
        title = plain if plain not in names else f"{plain} ({free})"
        found.append(Roi(free, title, _color(items, free), items, fault, _frame(item)))
    unnamed = [number for number in drawn if number not in count]
    return (*found, *(_unnamed(number, drawn[number], _next(taken)) for number in unnamed))


def chosen(rois: tuple[Roi, ...], label: str | None, name: str) -> tuple[Roi, ...]:
    """The structures that are asked for.

    Raises
    ------
    InputError
        If none has this name.
    """
    if label is None:
        return rois
    found = tuple(roi for roi in rois if roi.name == label)
    if not found:
        raise InputError(f"{name} holds no structure {label!r}; it has {', '.join(roi.name for roi in rois)}")
    return found


def areas_of(roi: Roi) -> tuple[str, tuple[Any, ...]]:
    """(type, contours) of what encloses an area; points beside it have none and are left out.

    Raises
    ------
    InputError
        If nothing does, or the types say different things of one area.
    """
    if roi.fault:
        raise InputError(f"structure {roi.name!r} can't be told apart: {roi.fault}")
    contours = [contour for item in roi.items for contour in item.get("ContourSequence") or ()]
    if not contours:
        raise NoArea(f"structure {roi.name!r} has no contours")
    lines = [contour for contour in contours if _type(contour) != "POINT"]
    kinds = {_type(contour) for contour in lines}
    if not kinds or not kinds & {*_PLAIN, XOR}:
        what = ", ".join(sorted({_type(contour) or "no type" for contour in contours}))
        raise NoArea(f"structure {roi.name!r} holds points or open lines ({what}), which have no area")
    if not kinds <= set(_PLAIN) and kinds != {XOR}:
        raise InputError(
            f"structure {roi.name!r} mixes contour types ({', '.join(sorted(kinds))}), which has no meaning"
        )
    few = [contour for contour in lines if count_points(contour) < _FEWEST]
    for contour in few:
        points_of(contour, roi.name)  # one that is damaged is not one of few points
    areas = tuple(contour for contour in lines if count_points(contour) >= _FEWEST)
    if not areas:
        raise NoArea(f"the contours of {roi.name!r} have one or two points each, which enclose no area")
    return (XOR if kinds == {XOR} else _PLAIN[0]), areas


def _type(contour: Any) -> str:
    return str(contour.get("ContourGeometricType", "") or "")


def _require_drawable(ds: Any, name: str) -> None:
    points = 0
    for item in ds.get("ROIContourSequence") or ():
        points += sum(count_points(contour) for contour in item.get("ContourSequence") or ())
        if points > MOST_POINTS:
            raise InputError(f"{name} holds more than {MOST_POINTS} points; it is not read")


def _frame(item: Any) -> str:
    return str(item.get("ReferencedFrameOfReferenceUID", "") or "")


def _next(taken: set[int]) -> int:
    """A label number that no structure has; it is taken then."""
    for number in range(1, _MOST_LABELS + 1):
        if number not in taken:
            taken.add(number)
            return number
    raise InputError(f"there are more than {_MOST_LABELS} structures")


def _unnamed(number: int | None, items: list[Any], free: int) -> Roi:
    name = f"structure {number} without a name"
    return Roi(free, name, distinct_color(free), tuple(items), "the set draws it and does not name it")


def _color(items: tuple[Any, ...], number: int) -> Color:
    """The colour that is stated; one of its own where none is, or one that is damaged: it changes no number."""
    parts = [whole(part) for part in stored_text(items[0], _COLOR).split("\\")] if items else []
    if len(parts) != 3 or not all(part is not None and 0 <= part <= 255 for part in parts):
        return distinct_color(number)
    red, green, blue = (int(part or 0) for part in parts)
    return red, green, blue
