"""Numbers of an SR that highdicom has no words for: none at all, and lower bounds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Code, Measurement, Status
from medseg.io.dicom.sr.codes import concept

__all__ = ["add_center", "add_comment", "add_text", "clear_missing"]

#: CID 42.
_NOT_ATTEMPTED = Code("114007", "Measurement not attempted", "DCM")
_COMMENT = Code("121106", "Comment", "DCM")
_CENTER = Code("111010", "Center", "DCM")


def add_comment(num: Any, item: Measurement) -> None:
    """Say beside a NUM item what a Measurement says beside its value: status and reason first."""
    words = []
    if item.status is not Status.OK:
        words.append(f"{item.status.value}: {item.reason}")
    if item.channel:
        words.append(f"channel: {item.channel}")
    if item.plane:
        words.append(f"plane: {item.plane}")
    if item.method:
        words.append(f"method: {item.method}")
    if words:
        add_text(num, "; ".join(words))


def add_center(group: Any, position: NDArray[np.float64], frame_of_reference: str) -> None:
    """The centre of a structure (LPS mm) in its group, and with the first number of it.

    Viewers show a group's numbers where its coordinates are: OHIF looks for them in the group, and
    Cornerstone's adapter in the first number.
    """
    from highdicom.sr import RelationshipTypeValues, Scoord3DContentItem

    def point(relationship: Any) -> Any:
        points = position.reshape(1, 3)
        return Scoord3DContentItem(
            concept(_CENTER), "POINT", points, frame_of_reference, relationship_type=relationship
        )

    first = next(item for item in group.ContentSequence if item.ValueType == "NUM")
    # A number's text stands after its place: some readers look at the first item alone.
    first.ContentSequence = [
        point(RelationshipTypeValues.HAS_PROPERTIES),
        *(first.get("ContentSequence") or ()),
    ]
    group.ContentSequence.append(point(RelationshipTypeValues.CONTAINS))


def clear_missing(items: Any) -> None:
    """Take the stand-in value out of every NUM whose comment says that it was not computed, all through a tree.

    highdicom neither builds nor copies a NUM without a value, so this is done to the finished object.
    """
    for item in items:
        children = item.get("ContentSequence") or []
        clear_missing(children)
        texts = [str(child.get("TextValue", "")) for child in children]
        if item.ValueType == "NUM" and any(text.startswith(Status.NOT_COMPUTED.value) for text in texts):
            item.MeasuredValueSequence = []
            item.NumericValueQualifierCodeSequence = [concept(_NOT_ATTEMPTED)]


def add_text(item: Any, text: str, *, contains: bool = False) -> None:
    """A comment on a number, or in a group."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    kind = RelationshipTypeValues.CONTAINS if contains else RelationshipTypeValues.HAS_PROPERTIES
    comment = TextContentItem(name=concept(_COMMENT), value=text, relationship_type=kind)
    if "ContentSequence" in item:
        item.ContentSequence.append(comment)
    else:
        item.ContentSequence = [comment]
