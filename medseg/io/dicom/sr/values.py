"""Numbers of an SR that highdicom has no words for: none at all, and lower bounds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Code, Measurement, Status
from medseg.domain.measurement import Earlier, Placement
from medseg.io.dicom.sr.codes import concept

__all__ = ["UNCERTAINTY", "add_center", "add_comment", "add_interval", "add_text", "clear_missing"]

#: CID 42.
_NOT_ATTEMPTED = Code("114007", "Measurement not attempted", "DCM")
#: CID 225, as distances from the value.
UNCERTAINTY = (
    Code("371885007", "-, range of lower measurement uncertainty"),
    Code("371886008", "+, range of upper measurement uncertainty"),
)
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
    if item.interval is not None:
        words.append(f"interval: level {item.interval.level:g}, {item.interval.method}")
    if item.placement is not None:
        words.append(_place(item.placement))
    if item.earlier is not None:
        words.append(_earlier(item, item.earlier))
    if item.method:
        words.append(f"method: {item.method}")
    if words:
        add_text(num, "; ".join(words))


def add_interval(num: Any, item: Measurement, factor: float, unit: Code) -> None:
    """How far the ends of an interval lie from its value, as numbers of the NUM, in its unit, by `factor`."""
    from highdicom.sr import NumContentItem, RelationshipTypeValues

    if item.interval is None or item.value is None:
        return
    distances = (item.value - item.interval.low, item.interval.high - item.value)
    made = [
        NumContentItem(
            concept(name),
            distance * factor,
            concept(unit),
            relationship_type=RelationshipTypeValues.HAS_PROPERTIES,
        )
        for name, distance in zip(UNCERTAINTY, distances, strict=True)
    ]
    num.ContentSequence = [*(num.get("ContentSequence") or ()), *made]


def _place(place: Placement) -> str:
    if place.outcome == "refused":
        return f"not placed among reference values: {place.words} ({place.source})"
    return f"reference values: {place.words} ({place.group}; {place.source})"


def _earlier(item: Measurement, then: Earlier) -> str:
    words = f"earlier: {then.value:.10g} {item.unit}, {then.days} days before, {then.status.value}"
    if then.fault:
        return f"{words}, not comparable: {then.fault}"
    if item.change is None:
        return words
    error = "error unknown"
    if then.error is not None:
        ends = f"{then.error.low:.10g} to {then.error.high:.10g}"
        error = f"interval {ends}, level {then.error.level:g}, {then.error.method}"
    return f"{words}, change {item.change:+.10g} {item.unit}, {error}"


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
