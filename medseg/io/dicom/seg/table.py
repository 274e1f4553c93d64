"""What a SEG says of its segments: names, codes, sides, colours."""

from typing import Any

from medseg.domain import Code
from medseg.domain.labels import Color, Side, distinct_color
from medseg.io.dicom.structures.segments import ANATOMICAL_STRUCTURE, SIDES, TISSUE, Segment, stated_name

__all__ = ["described_segments"]

_SIDE_OF: dict[str, Side] = {code.value: side for side, code in SIDES.items()}


def described_segments(ds: Any) -> tuple[Segment, ...]:
    """Segments in the order of their numbers; a name that stands twice gets its number behind it."""
    found: list[Segment] = []
    names: set[str] = set()
    for item in sorted(ds.SegmentSequence, key=lambda part: int(part.get("SegmentNumber", 0))):
        number = int(item.get("SegmentNumber", 0))
        name = stated_name(item.get("SegmentLabel")) or f"segment {number}"
        if name in names:
            name = f"{name} ({number})"
        names.add(name)
        kind = (item.get("SegmentedPropertyTypeCodeSequence") or [None])[0]
        found.append(
            Segment(
                number,
                name,
                (number,),
                _code(item, "SegmentedPropertyCategoryCodeSequence") or ANATOMICAL_STRUCTURE,
                _code(item, "SegmentedPropertyTypeCodeSequence") or TISSUE,
                _code(item, "AnatomicRegionSequence"),
                _side(kind),
                _color(item, number),
            )
        )
    return tuple(found)


def _code(item: Any, keyword: str) -> Code | None:
    part = (item.get(keyword) or [None])[0]
    value = None if part is None else part.get("CodeValue") or part.get("LongCodeValue")
    if not value:
        return None
    return Code(str(value), str(part.get("CodeMeaning", "")), str(part.get("CodingSchemeDesignator", "SCT")))


def _side(kind: Any) -> Side:
    modifier = None if kind is None else (kind.get("SegmentedPropertyTypeModifierCodeSequence") or [None])[0]
    return (
        "not applicable"
        if modifier is None
        else _SIDE_OF.get(str(modifier.get("CodeValue")), "not applicable")
    )


def _color(item: Any, number: int) -> Color:
    from highdicom.color import CIELabColor

    lab = item.get("RecommendedDisplayCIELabValue")
    if lab is None or len(lab) != 3:
        return distinct_color(number or 1)
    # Stored as 0–65535 for L* 0–100 and a*, b* −128–127 (DICOM PS3.3 C.10.7.1.1).
    red, green, blue = CIELabColor(
        lab[0] / 65535 * 100, lab[1] / 65535 * 255 - 128, lab[2] / 65535 * 255 - 128
    ).to_rgb(clip=True)
    return int(red), int(green), int(blue)
