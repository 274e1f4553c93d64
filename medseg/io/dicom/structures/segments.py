"""Segments of a DICOM SEG ↔ labels and regions of a table."""

from dataclasses import dataclass
from typing import Any

from medseg.domain import Code, Label, LabelTable, Region
from medseg.domain.labels import LONGEST_NAME, Color, Side, distinct_color, plain_name

__all__ = ["ANATOMICAL_STRUCTURE", "SIDES", "TISSUE", "Segment", "dicom_name", "segments_of", "stated_name"]

#: Category and type of a structure whose table names none (CID 7150, CID 7151).
ANATOMICAL_STRUCTURE = Code("91723000", "Anatomical Structure")
TISSUE = Code("85756007", "Tissue")
#: Letters kept of a name that an object states; a number may come behind one that stands twice.
_CUT = 900
#: Side of a structure → laterality modifier (CID 244).
SIDES: dict[Side, Code] = {
    "left": Code("7771000", "Left"),
    "right": Code("24028007", "Right"),
    "both": Code("51440002", "Bilateral"),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its number from 1, what it is, and the label values that it is made of."""

    number: int
    name: str
    values: tuple[int, ...]
    category: Code = ANATOMICAL_STRUCTURE
    type: Code = TISSUE
    anatomic_region: Code | None = None
    side: Side = "not applicable"
    color: Color = (255, 255, 255)


def segments_of(table: LabelTable) -> tuple[Segment, ...]:
    """A segment for every structure: each label that is no mere part, and each region made of parts.

    Regions over labels that stand for themselves follow from those and are left out.
    """
    parts = {label.value for label in table.labels if label.is_part}
    whole = [label for label in table.labels if not label.is_part]
    regions = [region for region in table.regions if parts & set(region.labels)]
    structures: list[Label | Region] = [*whole, *regions]
    found = [
        Segment(
            number,
            item.name,
            (item.value,) if isinstance(item, Label) else item.labels,
            item.category or ANATOMICAL_STRUCTURE,
            item.type or TISSUE,
            item.anatomic_region,
            item.side,
            item.color or distinct_color(item.value if isinstance(item, Label) else item.labels[0]),
        )
        for number, item in enumerate(structures, start=1)
    ]
    return tuple(found)


def stated_name(value: Any) -> str:
    r"""A structure's name as an object states it, empty for none; longer ones than any may have are cut.

    >>> stated_name("left\nlung "), stated_name(None), len(stated_name("x" * 100_000))
    ('left lung', '', 900)
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    plain = plain_name(text[:LONGEST_NAME]).strip()
    return plain if len(text) <= _CUT else f"{plain[: _CUT - 1].rstrip()}…"


def dicom_name(name: str) -> str:
    r"""A name as DICOM's LO holds it: 64 characters, no backslash, single spaces.

    >>> dicom_name("GTV\\1  boost")
    'GTV/1 boost'
    """
    return " ".join(name.replace("\\", "/").split())[:64].strip()
