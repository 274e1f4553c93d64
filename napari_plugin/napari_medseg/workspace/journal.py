"""The journal of a mask: every change in order, taken back and made again across tools, operations and runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import LabelTable
from medseg.domain.provenance import Edit, Provenance
from medseg.workflows.edit import Request, Strokes, joined
from napari_medseg.workspace.patch import Patch

__all__ = ["BUDGET_BYTES", "Entry", "Journal", "Kind", "Names"]

Kind: TypeAlias = Literal["stroke", "operation", "run", "names", "outside"]

#: Packed voxels that are kept in memory for undoing. A brush stroke takes about 200 bytes, a whole organ 100 kB.
BUDGET_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Names:
    """What labels were called, and what made the mask, before and after a change of these."""

    before: LabelTable
    after: LabelTable
    made_by_before: Provenance | None = None
    made_by_after: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, whole: it is taken back as one.

    Parameters
    ----------
    kind
        By hand, by operations, by a new run of a segmenter, of names alone, or by somebody who did not say.
    tool
        What it was made with, in words; empty where nobody knows.
    at
        ISO 8601 with the offset from UTC.
    patch
        Changed voxels; None where none did, or where they were forgotten to keep within the budget.
    label
        What was painted; None where that is not one label.
    requests, edits
        Of operations: what was asked, and what the mask's history says of it.
    names
        Table and maker, where they changed.
    added, removed, slices
        What the patch did: voxels by label, indices k.
    """

    kind: Kind
    tool: str
    at: str
    patch: Patch | None = None
    label: int | None = None
    requests: tuple[Request, ...] = ()
    edits: tuple[Edit, ...] = ()
    names: Names | None = None
    added: tuple[tuple[int, int], ...] = ()
    removed: tuple[tuple[int, int], ...] = ()
    slices: tuple[int, ...] = ()

    @property
    def voxels(self) -> int:
        """How many voxels got another value."""
        return sum(count for _, count in self.added)

    @property
    def strokes(self) -> Strokes:
        """It as changes by hand are told."""
        gained, lost = ({value: n for value, n in counts if value} for counts in (self.added, self.removed))
        return Strokes(self.tool, 1, self.voxels, gained, lost, self.slices, self.at, self.at)


def counted(entry: Entry) -> Entry:
    """An entry with what its patch did, counted."""
    if entry.patch is None:
        return entry
    slices = np.flatnonzero(entry.patch.mask.any(axis=(0, 1))) + entry.patch.corner[2]
    return replace(
        entry,
        added=_counts(entry.patch.after),
        removed=_counts(entry.patch.before),
        slices=tuple(slices.tolist()),
    )


@dataclass(slots=True)
class Journal:
    """Changes that were made, and those of them that were taken back.

    Parameters
    ----------
    budget_bytes
        Packed voxels to keep; the oldest are forgotten first, so that they can't be taken back any more.
    done, undone
        In the order in which they were made; the last undone is made again first.
    """

    budget_bytes: int = BUDGET_BYTES
    done: list[Entry] = field(default_factory=list)
    undone: list[Entry] = field(default_factory=list)
    _kept_bytes: int = 0

    def add(self, entry: Entry) -> Entry:
        """Take in a change that was made; what was undone is gone."""
        entry = counted(entry)
        for item in self.undone:
            self._kept_bytes -= _size(item)
        self.undone.clear()
        self.done.append(entry)
        self._kept_bytes += _size(entry)
        self._forget()
        return entry

    def undo(self) -> Entry | None:
        """The last change, now undone; None where none is left or it was forgotten."""
        if not self.done or _is_forgotten(self.done[-1]):
            return None
        self.undone.append(self.done.pop())
        return self.undone[-1]

    def redo(self) -> Entry | None:
        """The change undone last, now done; None where there is none."""
        if not self.undone:
            return None
        self.done.append(self.undone.pop())
        return self.done[-1]

    @property
    def is_whole(self) -> bool:
        """Whether no change that is done was forgotten."""
        return not any(_is_forgotten(item) for item in self.done)

    def net(self) -> dict[int, int]:
        """Voxels by label that all changes together gave (or took)."""
        found: dict[int, int] = {}
        for item in self.done:
            for value, count in item.added:
                found[value] = found.get(value, 0) + count
            for value, count in item.removed:
                found[value] = found.get(value, 0) - count
        return {value: count for value, count in found.items() if value and count}

    def since_run(self) -> list[Entry]:
        """What was done since the mask was last made anew."""
        runs = [number for number, item in enumerate(self.done) if item.kind == "run"]
        return self.done[runs[-1] + 1 if runs else 0 :]

    def history(self) -> Iterator[Edit | Strokes]:
        """What the mask's history says: edits of operations, strokes joined where one tool follows itself."""
        group: list[Strokes] = []
        for item in self.since_run():
            strokes = item.strokes if item.kind in ("stroke", "outside") and item.voxels else None
            if group and (item.edits or (strokes and strokes.tool != group[-1].tool)):
                yield joined(group)
                group = []
            if strokes is not None:
                group.append(strokes)
            yield from item.edits
        if group:
            yield joined(group)

    def _forget(self) -> None:
        for number, item in enumerate(self.done[:-1]):
            if self._kept_bytes <= self.budget_bytes:
                return
            self._kept_bytes -= _size(item)
            if item.patch is not None:
                self.done[number] = replace(item, patch=None)


def _is_forgotten(item: Entry) -> bool:
    return item.patch is None and item.voxels > 0


def _size(item: Entry) -> int:
    return 0 if item.patch is None else item.patch.nbytes


def _counts(values: NDArray[np.uint16]) -> tuple[tuple[int, int], ...]:
    found, counts = np.unique(values, return_counts=True)
    return tuple(zip(found.tolist(), counts.tolist(), strict=True))
