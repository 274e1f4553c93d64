"""Points of a contour ↔ DICOM's decimal strings, past the library's objects: it spends 50 µs on each number."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError

__all__ = ["count_points", "points_of", "set_points", "stored_text", "whole"]

_TAG, _COUNT = 0x30060050, 0x30060046
#: Decimals of a contour's numbers in mm: a tenth of a micron, and short enough for a decimal string.
_DECIMALS = 4
#: No scanner's coordinates reach further (mm): a point beyond is a damaged number.
MOST_MM = 1e5


def set_points(contour: Any, points: NDArray[np.float64]) -> None:
    """Give a contour (pydicom dataset) its points (N, 3) in LPS mm, as text that is written as it stands."""
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    text = "\\".join(map("%.4f".__mod__, (points.round(_DECIMALS) + 0.0).ravel().tolist())).encode()
    text += b" " * (len(text) % 2)
    contour.NumberOfContourPoints = len(points)
    contour[_TAG] = RawDataElement(
        Tag(_TAG), "DS", len(text), text, 0, is_implicit_VR=True, is_little_endian=True
    )


def count_points(contour: Any) -> int:
    """How many points a contour holds, without reading them."""
    value = _value(contour)
    return (value.count(b"\\") + 1 if value else 0) // 3 if isinstance(value, bytes) else len(value) // 3


def points_of(contour: Any, name: str) -> NDArray[np.float64]:
    """Points (N, 3) of a contour in LPS mm; `name` is what messages call its structure.

    Raises
    ------
    InputError
        If its numbers are no points in a patient, or not as many as the contour says: then it was cut or changed.
    """
    value = _value(contour)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns, and stops, at what is no number
            if isinstance(value, bytes):
                text = value.replace(b"\0", b" ").decode("ascii").replace("\\", " ")
                numbers = np.fromstring(text, dtype=np.float64, sep=" ")
            else:
                numbers = np.array([float(part) for part in value])
    except (TypeError, ValueError, DeprecationWarning) as error:
        raise InputError(f"a contour of {name!r} holds something that is no number") from error
    if numbers.size == 0 or numbers.size % 3 or not np.isfinite(numbers).all():
        raise InputError(f"a contour of {name!r} holds {numbers.size} numbers, which are no points in space")
    points = numbers.reshape(-1, 3)
    stated = stored_text(contour, _COUNT)
    if stated and whole(stated) != len(points):
        raise InputError(
            f"a contour of {name!r} says that it has {stated[:20]} points (NumberOfContourPoints) and holds "
            f"{len(points)}: it was cut or changed"
        )
    if np.abs(points).max() > MOST_MM:
        raise InputError(
            f"a contour of {name!r} has a point {np.abs(points).max():g} mm away, which is no place in a patient"
        )
    return points


def stored_text(item: Any, tag: int) -> str:
    """What an element holds as text: the library refuses a number that is none, and all that is read beside it."""
    element = item.get_item(tag) if tag in item else None
    value = None if element is None else element.value
    if isinstance(value, bytes):
        return value.replace(b"\0", b" ").decode("latin-1").strip()
    if value is None:
        return ""
    parts = value if hasattr(value, "__len__") and not isinstance(value, str) else [value]
    return "\\".join(str(part) for part in parts).strip()


def whole(text: str) -> int | None:
    """The whole number that a text is, or None.

    >>> whole("04"), whole("4.0"), whole("4.5"), whole("nan")
    (4, 4, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _value(contour: Any) -> Any:
    """The stored bytes, or the numbers of a dataset that was never a file."""
    element = contour.get_item(_TAG) if _TAG in contour else None
    if element is None or element.value is None:
        return b""
    return element.value if isinstance(element.value, bytes) else list(np.atleast_1d(element.value))
