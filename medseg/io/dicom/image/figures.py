"""Numbers of a header that values depend on: present and finite, absent, or refused by tag."""

from math import isfinite
from typing import Any

from medseg.errors import InputError
from medseg.io.dicom.tags import first

__all__ = ["stated", "stated_many", "tag_words"]

#: Beyond this no header's number is meant: float32 itself ends at 3.4e38, and products of two are taken.
LARGEST = 1e18
_NAMES = 60


def stated(file: str, ds: Any, item: Any, keyword: str) -> float | None:
    """A number of a functional group's item, else of the top of the dataset; None where the tag is absent or empty.

    Raises
    ------
    InputError
        If it is there and no finite number.
    """
    found = stated_many(file, ds, item, keyword, 1)
    return None if found is None else found[0]


def stated_many(file: str, ds: Any, item: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """The same for `count` numbers.

    Raises
    ------
    InputError
        If there are not just as many, or one of them is no finite number.
    """
    value = first(ds, item, keyword)
    if value is None or (hasattr(value, "__len__") and not len(value)):
        return None
    parts = [value] if isinstance(value, str | bytes) or not hasattr(value, "__len__") else list(value)
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        found = ()
    if len(found) != count or not all(isfinite(part) and abs(part) <= LARGEST for part in found):
        raise InputError(f"{file}: {tag_words(keyword)} is {_shown(value)}, which can't be")
    return found


def tag_words(keyword: str) -> str:
    """A tag's number and keyword, as users find them in a dump.

    >>> tag_words("RescaleSlope")
    '(0028,1053) RescaleSlope'
    """
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {keyword}"


def _shown(value: Any) -> str:
    words = value if isinstance(value, str) else str(value)
    return repr("".join(sign for sign in words if sign.isprintable())[:_NAMES])
