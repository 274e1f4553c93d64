"""Numbers of an SR that highdicom has no words for: none at all, and lower bounds."""

from typing import Any

from medseg.domain import Code, Measurement, Status
from medseg.io.dicom.sr.codes import concept

__all__ = ["add_comment", "clear_missing"]

#: CID 42.
_NOT_ATTEMPTED = Code("114007", "Measurement not attempted", "DCM")
_COMMENT = Code("121106", "Comment", "DCM")


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
        _add_text(num, "; ".join(words))


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


def _add_text(num: Any, text: str) -> None:
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    comment = TextContentItem(
        name=concept(_COMMENT), value=text, relationship_type=RelationshipTypeValues.HAS_PROPERTIES
    )
    if "ContentSequence" in num:
        num.ContentSequence.append(comment)
    else:
        num.ContentSequence = [comment]
