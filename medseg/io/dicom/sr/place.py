"""What an SR says of a structure beside its numbers: what it is, where its centre lies, and a line of words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Label, LabelTable, Quantity, Record, Region, Status, Target
from medseg.geometry import flip_positions
from medseg.io.dicom.sr.codes import concept
from medseg.io.dicom.structures.segments import SIDES

__all__ = ["centre_of", "finding_of", "words_of"]

_CENTROID = (Quantity.CENTROID_X, Quantity.CENTROID_Y, Quantity.CENTROID_Z)


def centre_of(record: Record, target: Target) -> NDArray[np.float64] | None:
    """Centroid in LPS mm; of what has none of its own (a tissue) that of the structure it lies in, else None."""
    own = _centroid(record, lambda item: item == target)
    if own is not None:
        return own
    return _centroid(record, lambda item: item.lesion is None and item.labels == target.labels)


def finding_of(table: LabelTable, target: Target) -> dict[str, Any]:
    """What was found and where, in the codes of the structure's label: arguments of a group, none if it has none."""
    from highdicom.sr import FindingSite

    parts: tuple[Label | Region, ...] = (*table.labels, *table.regions)
    part = next((item for item in parts if item.name == target.name), None)
    if part is None:
        return {}
    found: dict[str, Any] = {}
    if part.category is not None:
        found["finding_category"] = concept(part.category)
    if part.type is not None:
        found["finding_type"] = concept(part.type)
    if part.anatomic_region is not None:
        side = SIDES.get(part.side)
        laterality = None if side is None else concept(side)
        found["finding_sites"] = [FindingSite(concept(part.anatomic_region), laterality)]
    return found


def words_of(record: Record, target: Target, name: str) -> str:
    """A structure in a line for viewers that show a label beside what they draw: its name, and its volume."""
    rows = [item for item in record.measurements if item.target == target]
    volume = next((item for item in rows if item.quantity is Quantity.VOLUME), None)
    if volume is None or volume.value is None:
        return name
    bound = {
        Status.TRUNCATED_LOWER_BOUND: "at least ",
        Status.TRUNCATED_UNRELIABLE: "unreliable, ",
    }.get(volume.status, "")
    return f"{name}: {bound}{volume.value:.4g} {volume.unit}"


def _centroid(record: Record, belongs: Any) -> NDArray[np.float64] | None:
    found: dict[Quantity, float] = {}
    for item in record.measurements:
        if (
            item.quantity in _CENTROID
            and item.value is not None
            and item.unit == "mm"
            and belongs(item.target)
        ):
            found.setdefault(item.quantity, float(item.value))
    if len(found) < len(_CENTROID):
        return None
    return flip_positions(np.array([found[quantity] for quantity in _CENTROID]))
