"""Numbers of a Record, measured again from its mask and images, and the first that differs in words."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from medseg.domain import Image, Measurement, Record, Segmentation
from medseg.errors import MedsegError
from medseg.reporting.record.older import plan_of
from medseg.workflows.measure import measure
from medseg.workflows.reopen import as_recorded

__all__ = ["first_difference"]

#: Numbers this close, relative to the larger, are the same: another processor or library rounds otherwise.
SAME_NUMBER = 1e-6

_Key: TypeAlias = tuple[Any, ...]


def first_difference(record: Record, mask: Segmentation, images: Mapping[str, Image]) -> str:
    """What the Record says and its mask and images do not, in words; empty where all numbers are theirs.

    Another version of medseg may measure more; what it measures too has to be equal.
    """
    shown = {item.channel: as_recorded(item, images[item.channel]) for item in record.images}
    try:
        again = measure(mask, shown, subject=record.subject, same_space=True, plan=plan_of(record))
    except MedsegError as error:
        return f"its numbers can't be computed again: {error}"
    same_version = dict(record.versions).get("medseg") == dict(again.versions).get("medseg")
    theirs = _by_key(again.measurements)
    ours = _by_key(record.measurements)
    for key, row in ours.items():
        if key not in theirs:
            if same_version:
                return f"{_name(row)} is not measured from this mask and these images"
        elif fault := _fault(row, theirs[key]):
            return f"{_name(row)} {fault}"
    missing = next((row for key, row in theirs.items() if key not in ours), None)
    return f"{_name(missing)} is missing" if missing is not None and same_version else ""


def _by_key(rows: tuple[Measurement, ...]) -> dict[_Key, Measurement]:
    seen: Counter[_Key] = Counter()
    return {key: row for row in rows for key in _counted(row, seen)}


def _counted(row: Measurement, seen: Counter[_Key]) -> Iterator[_Key]:
    """Target, quantity and channel; what has equal ones is told apart by its place among them."""
    key = (row.target, row.quantity, row.channel)
    seen[key] += 1
    yield (*key, seen[key])


def _fault(row: Measurement, again: Measurement) -> str:
    if (row.value is None) != (again.value is None):
        return f"is {_value(row)}, and {_value(again)} when it is measured again"
    close = row.value is None or math.isclose(row.value, again.value or 0, rel_tol=SAME_NUMBER, abs_tol=1e-12)
    if not close or row.unit != again.unit:
        return f"is {_value(row)}, and {_value(again)} when it is measured again"
    if row.status is not again.status:
        return f"has status {row.status.value}, and {again.status.value} when it is measured again"
    if _place(row) != _place(again):
        return f"{_place(row)}, and {_place(again)} when it is measured again"
    return ""


def _place(row: Measurement) -> str:
    return "has no place among reference values" if row.placement is None else f"is {row.placement.words}"


def _value(row: Measurement) -> str:
    return "not computed" if row.value is None else f"{row.value:.10g} {row.unit}".rstrip()


def _name(row: Measurement) -> str:
    parts = [row.target.name, "" if row.target.lesion is None else f"lesion {row.target.lesion}"]
    parts += [row.target.detail or "", row.channel or "", row.quantity.value]
    return " ".join(part for part in parts if part)
