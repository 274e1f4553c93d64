"""What 3D Slicer says of a segment in one line of text: its codes (`TerminologyEntry`) and its colour."""

from typing import TypedDict

from medseg.domain import Code
from medseg.domain.labels import Color, Side

__all__ = ["Terms", "color_of", "color_text", "tags_text", "terms_of"]

_KEY = "TerminologyEntry:"
#: Names of Slicer's own lists, in which it looks the codes up to show them.
_TYPES, _ANATOMY = (
    "Segmentation category and type - 3D Slicer General Anatomy list",
    "Anatomic codes - DICOM master list",
)
#: Slicer's own default for a structure whose table names no code.
_CATEGORY, _TYPE = Code("85756007", "Tissue"), Code("85756007", "Tissue")
_SIDES: dict[Side, Code] = {
    "left": Code("7771000", "Left"),
    "right": Code("24028007", "Right"),
    "both": Code("51440002", "Right and left"),
}
_SIDE_OF: dict[str, Side] = {code.value: side for side, code in _SIDES.items()}


class Terms(TypedDict):
    """The parts of a Label that codes fill."""

    category: Code | None
    type: Code | None
    anatomic_region: Code | None
    side: Side


def terms_of(tags: str) -> Terms:
    """Codes in `key:value|key:value|`: list~category~type~modifier~list~region~modifier; what is not there is None."""
    entry = next((tag for tag in tags.split("|") if tag.startswith(_KEY)), "")
    fields = [*entry.removeprefix(_KEY).split("~"), *[""] * 7]
    modifiers = [_code(fields[3]), _code(fields[6])]
    sides = [_SIDE_OF[code.value] for code in modifiers if code is not None and code.value in _SIDE_OF]
    return Terms(
        category=_code(fields[1]),
        type=_code(fields[2]),
        anatomic_region=_code(fields[5]),
        side=sides[0] if sides else "not applicable",
    )


def tags_text(category: Code | None, kind: Code | None, region: Code | None, side: Side) -> str:
    """The text that `terms_of` reads; a side without codes gets Slicer's default, tissue; nothing gives nothing."""
    if (category, kind, region) == (None, None, None) and side not in _SIDES:
        return ""
    if category is None and kind is None:
        category, kind = _CATEGORY, _TYPE
    parts = [_TYPES, _text(category), _text(kind), _text(_SIDES.get(side)), _ANATOMY, _text(region), "^^"]
    return f"{_KEY}{'~'.join(parts)}|"


def color_of(text: str) -> Color | None:
    """RGB, 0 to 255, of three shares of one; None if they are none."""
    try:
        shares = [float(part) for part in text.split()]
    except ValueError:
        return None
    if len(shares) != 3 or not all(0 <= share <= 1 for share in shares):
        return None
    red, green, blue = (round(255 * share) for share in shares)
    return red, green, blue


def color_text(color: Color) -> str:
    """Three shares of one, as exact as 8 bits."""
    return " ".join(f"{part / 255:.6g}" for part in color)


def _code(text: str) -> Code | None:
    scheme, _, rest = text.partition("^")
    value, _, meaning = rest.partition("^")
    return Code(value, meaning, scheme) if scheme and value else None


def _text(code: Code | None) -> str:
    if code is None:
        return "^^"
    return "^".join(_plain(part) for part in (code.scheme, code.value, code.meaning))


def _plain(text: str) -> str:
    """Without the signs that part the fields."""
    return " ".join("".join(" " if sign in "^~|" else sign for sign in text).split())
