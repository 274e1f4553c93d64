"""What was measured, as BodyStructures: each structure and each lesion once, with its place, side and tracking UID."""

from collections.abc import Iterator
from typing import Any

from medseg.domain import Code, Label, Record, Region, Target
from medseg.reporting.fhir.codes import code_of, dicom_uid
from medseg.reporting.fhir.resources import Resources
from medseg.reporting.fhir.subject import PATIENT

__all__ = ["body_site", "has_structure", "structure_role", "structures"]

_KINDS = ("label", "region", "lesion")
_SIDES = {
    "left": Code("7771000", "Left"),
    "right": Code("24028007", "Right"),
    "both": Code("51440002", "Right and left"),
}
#: Category of what is no organ: its type is a morphology, and its place is the anatomic region.
_ABNORMAL = "49755003"


def has_structure(target: Target) -> bool:
    """Whether it has a BodyStructure: a tissue is a range of values, and no structure with an outline of its own."""
    return target.kind in _KINDS


def structure_role(target: Target) -> str:
    """Role of a structure; all delineations of one are one."""
    return f"structure {target.structure}"


def structures(make: Resources) -> Iterator[dict[str, Any]]:
    """A BodyStructure for each label, region and lesion that was measured."""
    tracking = dict(make.context.tracking)
    measured = [item.target for item in make.measurements if has_structure(item.target)]
    for name, target in {target.structure: target for target in measured}.items():
        part = _part(make.record, target)
        place, kind = _place(part), _morphology(part)
        side = _SIDES.get(part.side) if part else None
        unknown = " Its side is not known." if part and part.side == "unknown" else ""
        elements = {
            "identifier": [dicom_uid(tracking[name])] if name in tracking else [],
            "morphology": {"coding": [code_of(kind)]} if kind else {},
            "location": {"coding": [code_of(place)], "text": place.meaning} if place else {},
            "locationQualifier": [{"coding": [code_of(side)]}] if side else [],
            "description": f"{name}.{unknown}" if unknown else name,
            "patient": make.reference(PATIENT),
        }
        yield make.make("BodyStructure", structure_role(target), f"{name}.{unknown}", elements)


def body_site(record: Record, target: Target) -> dict[str, Any]:
    """Where it was measured: the code of its place where the table has one, its name, and its side."""
    part = _part(record, target)
    place = _place(part)
    words = [target.structure]
    if part and part.side not in ("not applicable", "unknown") and part.side not in target.name.lower():
        words.append(part.side)
    if target.detail:
        words.append(target.detail)
    return {**({"coding": [code_of(place)]} if place else {}), "text": ", ".join(words)}


def _part(record: Record, target: Target) -> Label | Region | None:
    if not has_structure(target):
        return None
    parts: tuple[Label | Region, ...] = (*record.table.labels, *record.table.regions)
    return next((part for part in parts if part.name == target.name), None)


def _place(part: Label | Region | None) -> Code | None:
    if part is None:
        return None
    return part.anatomic_region or (None if _is_abnormal(part) else part.type)


def _morphology(part: Label | Region | None) -> Code | None:
    return part.type if part is not None and _is_abnormal(part) else None


def _is_abnormal(part: Label | Region) -> bool:
    return part.category is not None and part.category.value == _ABNORMAL
