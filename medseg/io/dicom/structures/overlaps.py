"""Overlapping structures as disjoint labels: each combination of structures is a part, each structure a region."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Label, LabelTable, Region
from medseg.domain.labels import LONGEST_NAME
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.io.dicom.structures.segments import Segment

__all__ = ["Atoms"]

_MOST_LABELS = 65535
#: Letters kept of a part's name that is longer than any may be.
_CUT = 200


class Atoms:
    """Takes structures one slice at a time; keeps which combinations occur.

    Numbers in the label array are combinations until `finished` gives the structures their own numbers back.
    """

    def __init__(self, structures: tuple[Segment, ...]) -> None:
        self._structures = structures
        self._sets: list[frozenset[int]] = [frozenset()]
        self._numbers: dict[frozenset[int], int] = {frozenset(): 0}

    def add(self, labels: NDArray[Any], mask: NDArray[np.bool_], structure: int) -> None:
        """Add one structure's mask (rows, columns) to a slice of combination numbers, in place."""
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            return
        box = slice(int(rows[0]), int(rows[-1]) + 1)
        part, inside = labels[box], mask[box]
        before = part[inside]
        if not before.any():
            part[inside] = self._number(frozenset({structure}))
            return
        known = np.unique(before)
        after = [self._number(self._sets[int(number)] | {structure}) for number in known]
        part[inside] = np.array(after, dtype=labels.dtype)[np.searchsorted(known, before)]

    def finished(self, labels: NDArray[Any]) -> tuple[NDArray[Any], LabelTable, tuple[Finding, ...]]:
        """Labels by the structures' own numbers where nothing overlaps, parts beyond them, and the table."""
        used = [self._sets[int(number)] for number in np.flatnonzero(np.bincount(labels.ravel(order="K")))]
        shared = set().union(*(item for item in used if len(item) > 1))
        if not shared:
            lookup = np.array([next(iter(item), 0) for item in self._sets], dtype=np.uint16)
            return lookup[labels], self.plain_table(set()), ()
        values = self._values(used, shared)
        lookup = np.array([values.get(item, 0) for item in self._sets], dtype=np.uint16)
        table = LabelTable(
            (
                *(label_of(item) for item in self._structures if item.number not in shared),
                *(
                    Label(value, self._name(item, value), is_part=True)
                    for item, value in values.items()
                    if item & shared
                ),
            ),
            tuple(self._region(item, values) for item in self._structures if item.number in shared),
        )
        names = ", ".join(item.name for item in self._structures if item.number in shared)
        text = f"These structures overlap and are kept as regions over disjoint parts: {names}."
        return (
            lookup[labels],
            table,
            (Finding("seg.overlap", "info", text, as_details(structures=len(shared))),),
        )

    def plain_table(self, present: set[int]) -> LabelTable:
        """The table of structures that do not overlap; numbers that nobody describes are named by number."""
        known = [label_of(item) for item in self._structures]
        missing = sorted(present - {label.value for label in known})
        return LabelTable((*known, *LabelTable.from_values(tuple(missing)).labels))

    def _number(self, structures: frozenset[int]) -> int:
        number = self._numbers.get(structures)
        if number is None:
            number = len(self._sets)
            if number > _MOST_LABELS:
                raise InputError(f"the structures overlap in more than {_MOST_LABELS} ways")
            self._sets.append(structures)
            self._numbers[structures] = number
        return number

    def _values(self, used: list[frozenset[int]], shared: set[int]) -> dict[frozenset[int], int]:
        """Value of each combination: a structure that overlaps nothing keeps its number."""
        free = max(item.number for item in self._structures) + 1
        values: dict[frozenset[int], int] = {}
        for item in sorted(used, key=sorted):
            if not item:
                continue
            if not item & shared:
                (values[item],) = item
            else:
                values[item] = free
                free += 1
        return values

    def _name(self, structures: frozenset[int], value: int) -> str:
        names = [item.name for item in self._structures if item.number in structures]
        whole = f"{names[0]} alone" if len(names) == 1 else " & ".join(names)
        return whole if len(whole) <= LONGEST_NAME else f"{whole[:_CUT].rstrip()} … (part {value})"

    def _region(self, item: Segment, values: dict[frozenset[int], int]) -> Region:
        parts = tuple(sorted(value for structures, value in values.items() if item.number in structures))
        return Region(item.name, parts, item.color, item.category, item.type, item.anatomic_region, item.side)


def label_of(item: Segment) -> Label:
    """A structure as a label of its own number."""
    return Label(
        item.number, item.name, item.color, item.category, item.type, item.anatomic_region, item.side
    )
