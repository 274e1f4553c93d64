"""Header values as plain Python values; the top of the dataset and functional groups read alike."""

import struct
from math import isfinite
from typing import Any

__all__ = ["first", "group_item", "integer", "number", "numbers", "plain", "private", "text", "vector"]


def group_item(ds: Any, group: Any, name: str) -> Any:
    """First item of a functional group: the frame's own, else the shared one; else of a plain sequence."""
    shared = ds.get("SharedFunctionalGroupsSequence")
    for place in (group, shared[0] if shared else None, ds):
        items = place.get(name) if place is not None else None
        if items:
            return items[0]
    return None


def first(ds: Any, item: Any, keyword: str) -> Any:
    """Value of a tag in a functional group's item, else at the top of the dataset, else None."""
    value = item.get(keyword) if item is not None else None
    return ds.get(keyword) if value is None else value


def number(value: Any, default: Any = None) -> Any:
    """The value as a finite float, else the default."""
    try:
        found = default if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return default
    return default if found is not None and not isfinite(found) else found


def integer(value: Any) -> int | None:
    """The value as an int, or None."""
    found = number(value)
    return None if found is None else int(found)


def numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite floats, or None when there are not just as many."""
    if (
        value is None
        or isinstance(value, str | bytes)
        or not hasattr(value, "__len__")
        or len(value) != count
    ):
        return None
    found = tuple(number(part) for part in value)
    return None if None in found else found


def text(value: Any) -> str | None:
    """The value as a string; None for an empty one."""
    return str(value) if value not in (None, "") else None


def private(ds: Any, group: int, creator: str, element: int) -> Any:
    """Value of a vendor's private tag, or None; bytes of an unknown type stay bytes."""
    try:
        return ds.private_block(group, creator)[element].value
    except KeyError:
        return None


def plain(value: Any, code: str) -> Any:
    """The first of several values; bytes of an unknown type as the text or the binary number they are."""
    if isinstance(value, bytes):
        found = vector(value, code)
        words = value.decode("ascii", "ignore").strip("\0 ").split("\\")[0]
        return words if number(words) is not None else found[0] if found else None
    if value is not None and not isinstance(value, str) and hasattr(value, "__len__"):
        return value[0] if len(value) else None
    return value.split("\\")[0] if isinstance(value, str) else value


def vector(value: Any, code: str) -> tuple[float, ...] | None:
    """Three numbers, or as many as bytes of an unknown type hold; little-endian, by `struct`'s code."""
    if isinstance(value, bytes):
        size = struct.calcsize(code)
        if not value or len(value) % size:
            return None
        return struct.unpack(f"<{len(value) // size}{code}", value)
    return numbers(value, 3)
