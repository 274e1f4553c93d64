"""A mask that is worked on: the voxels as they are now, what they came from, and the journal between the two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from medseg.domain import Label, LabelTable, Run, Segmentation
from medseg.domain.labels import Color
from medseg.domain.plan import MeasurePlan
from medseg.domain.provenance import Provenance
from medseg.domain.segmentation import count_labels
from medseg.domain.values import same_values
from medseg.errors import InputError
from medseg.settings import local_now
from medseg.workflows.edit import Request, Step, edit_steps, parse_request, recorded
from napari_medseg.workspace.autosave import Autosave, Kept
from napari_medseg.workspace.journal import Entry, Journal, Names
from napari_medseg.workspace.limits import Limits
from napari_medseg.workspace.patch import Box, Patch, box_of, patch_between
from napari_medseg.workspace.voxels import as_unsigned, copy_of_labels, present_values, require_labels

__all__ = ["Change", "Edited", "EditedMask"]

Way: TypeAlias = Literal["stroke", "done", "undone", "seen"]

#: What the history says of painting that came without the name of a tool.
_PAINTED = "brush"


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What happened to a mask.

    Parameters
    ----------
    way
        `stroke`: a layer was painted on and shows it, but for what limits held back; `done` or `undone` here; `seen`:
        found to have happened before.
    box, before
        Where, and the values there of before; None where no voxel changed.
    held_back
        Whether limits took back a part of a stroke, so that a layer must be drawn anew.
    has_names
        Whether labels are called otherwise now.
    """

    way: Way
    box: Box | None
    before: NDArray[Any] | None
    held_back: bool = False
    has_names: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """Operations that were worked out beside the mask, to be taken in if it is still as it was."""

    version: int
    steps: tuple[Step, ...]
    requests: tuple[Request, ...]


@dataclass(eq=False)
class EditedMask:
    """Working labels over a segmentation that stays as it came.

    Parameters
    ----------
    uid
        Names it within the session, whatever its layer is called.
    before
        As segmented or read.
    image
        Uid of the image that it was made on, in the session; None where that is not open.
    labels
        (I, J, K) whole numbers on the native grid, writeable: the very memory that a layer shows (`show_in`).
    journal
        What was done since.
    keep_at
        File of the journal, written from the first change on; None keeps it in memory alone.
    limits
        What holds for strokes.
    file
        Where it was read or saved; empty for one that is in no file yet.
    link
        Where the journal is looked for by the next window, if it lies elsewhere.
    """

    uid: str
    before: Segmentation
    image: str | None = None
    labels: NDArray[Any] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint16))
    journal: Journal = field(default_factory=Journal)
    keep_at: Path | None = None
    limits: Limits = field(default_factory=Limits)
    file: str = ""
    link: Path | None = None

    changed = Signal(object)

    def __post_init__(self) -> None:
        if self.labels.shape != self.before.labels.shape:
            self.labels = np.array(self.before.labels, np.uint16)
        self.table: LabelTable = self.before.table
        self.version = 0
        self.plan = MeasurePlan()
        self._maker: Provenance | None = None
        self._autosave: Autosave | None = None
        self._unsaved = 0 if self.file else 1

    @cached_property
    def _counts_before(self) -> NDArray[np.intp]:
        return count_labels(self.before.labels)

    @property
    def name(self) -> str:
        """What made it."""
        return f"{self.made_by.segmenter} mask"

    @property
    def made_by(self) -> Provenance:
        """What made it: the last run, or what made the mask as it came; without what was changed since."""
        return self._maker or self.before.made_by

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of labels and regions as they are now."""
        return (*(item.name for item in self.table.labels), *(item.name for item in self.table.regions))

    @property
    def is_saved(self) -> bool:
        """Whether nothing was changed since it came or was saved last."""
        return self._unsaved == 0

    @property
    def fault(self) -> str:
        """Why changes are not kept on disk; empty where they are."""
        return "" if self._autosave is None else self._autosave.fault

    def show_in(self, labels: NDArray[Any]) -> None:
        """Work in this memory from now on, which a layer shows and holds the same labels."""
        self.labels = labels

    def stroke(self, box: Box, before: NDArray[Any], after: NDArray[Any], *, tool: str = _PAINTED) -> bool:
        """Take in that a layer was painted on; whether limits held a part back.

        Parameters
        ----------
        box
            Where.
        before, after
            Values there: as they were, and as painted.
        tool
            With what.
        """
        allowed = self.limits.hold_back(before, after, box)
        held = allowed is not after
        self.labels[box] = allowed
        patch = patch_between(before, allowed, _corner(box))
        if patch is None:
            return held
        painted = np.unique(patch.after)
        label = int(painted[0]) if painted.size == 1 else None
        self._take(Entry("stroke", tool, _now(), patch, label))
        self._tell("stroke", patch, held_back=held)
        return held

    def paint_region(self, region: NDArray[np.bool_], value: int, *, tool: str) -> bool:
        """Give voxels a label, where limits allow it: one change; whether any was.

        Parameters
        ----------
        region
            (I, J, K) on the mask's grid.
        value
            Label; 0 takes voxels away.
        tool
            With what they were chosen.

        Raises
        ------
        InputError
            If the region has another shape.
        """
        if region.shape != self.labels.shape:
            raise InputError(
                f"a region of shape {region.shape} can't be painted in a mask of {self.labels.shape}"
            )
        box = box_of(region)
        if box is None:
            return False
        self.make_room(value)
        before = self.labels[box].copy()
        after = np.where(region[box], self.labels.dtype.type(value), before)
        patch = patch_between(before, self.limits.hold_back(before, after, box), _corner(box))
        if patch is None:
            return False
        patch.put(self.labels)
        self._take(Entry("stroke", tool, _now(), patch, value))
        self._tell("done", patch)
        return True

    def edited(
        self,
        requests: Sequence[str | Request],
        *,
        labels: Sequence[str] = (),
        others: Mapping[str, Segmentation] | None = None,
    ) -> Callable[[Run], Edited]:
        """Work for another thread: operations on the mask as it is now; `take` takes its result in."""
        version = self.version
        asked = tuple(item if isinstance(item, Request) else parse_request(item) for item in requests)

        def work(run: Run) -> Edited:
            run.progress(0, None, ", ".join(item.name for item in asked))
            now = self.snapshot()
            self._require(version)
            steps = []
            for step in edit_steps(now, asked, labels=labels, others=others):
                run.check()
                steps.append(step)
            return Edited(version, tuple(steps), asked)

        return work

    def take(self, edited: Edited) -> None:
        """Take in operations that were worked out: one entry of the journal.

        Raises
        ------
        InputError
            If the mask has changed meanwhile.
        """
        self._require(edited.version)
        if not edited.steps:
            return
        after = edited.steps[-1].segmentation
        tool = ", ".join(dict.fromkeys(step.edit.operation for step in edited.steps))
        edits = tuple(step.edit for step in edited.steps)
        names = Names(self.table, after.table) if after.table != self.table else None
        self._replace(
            after.labels, Entry("operation", tool, _now(), None, None, edited.requests, edits, names)
        )

    def operate(self, *requests: str | Request, labels: Sequence[str] = ()) -> None:
        """Operations on the mask, at once."""
        self.take(self.edited(requests, labels=labels)(Run()))

    def made_anew(self, found: Segmentation, *, tool: str) -> None:
        """Take in what a segmenter made of it: its labels, names and history.

        Raises
        ------
        InputError
            If it has another shape.
        """
        if found.labels.shape != self.labels.shape:
            raise InputError(f"a mask of shape {found.labels.shape} can't replace one of {self.labels.shape}")
        names = Names(self.table, found.table, self._maker, found.made_by)
        self._replace(found.labels, Entry("run", tool, _now(), names=names))

    def name_label(self, value: int, name: str, color: Color | None = None) -> None:
        """Call a label so, and give it a colour; one that there is not is made."""
        old = next((item for item in self.table.labels if item.value == value), None)
        new = Label(value, name) if old is None else replace(old, name=name)
        others = tuple(item for item in self.table.labels if item.value != value)
        table = replace(self.table, labels=(*others, replace(new, color=color or new.color)))
        if table != self.table:
            self._take(Entry("names", "names", _now(), names=Names(self.table, table)))
            self.table = table
            self._tell("done", None, has_names=True)

    def new_value(self) -> int:
        """The first label value that neither the table nor a voxel has."""
        taken = {*self.table.values, *present_values(count_labels(self.labels))}
        return next(value for value in range(1, len(taken) + 2) if value not in taken)

    def undo(self) -> bool:
        """Take the last change back; False where none is left."""
        entry = self.journal.undo()
        return entry is not None and self._turn(entry, back=True)

    def redo(self) -> bool:
        """Make the change undone last again; False where none is left."""
        entry = self.journal.redo()
        return entry is not None and self._turn(entry, back=False)

    def replaced(self, labels: NDArray[Any]) -> None:
        """Work in another memory from now on, whose labels came by no stroke: what differs was changed outside.

        Raises
        ------
        InputError
            If it has another shape, or holds what is no label.
        """
        if labels.shape != self.labels.shape:
            raise InputError(f"it has the shape {labels.shape}, and the mask {self.labels.shape}")
        require_labels(labels)
        patch = patch_between(self.labels, labels, (0, 0, 0))
        self.labels = labels
        if patch is not None:
            self._take(Entry("outside", "", _now(), patch))
            self._tell("seen", patch)

    def make_room(self, value: int) -> None:
        """Work in memory that holds this label: a type that is too small would turn it into another one."""
        if value > np.iinfo(self.labels.dtype).max:
            self.labels = self.labels.astype(np.uint16, order="K")

    def notice(self) -> bool:
        """Look for changes that nobody told of, and take them in as made outside; whether there were any.

        Raises
        ------
        InputError
            If the labels hold what is no label.
        """
        require_labels(self.labels)
        patch = patch_between(self._expected(), self.labels, (0, 0, 0))
        if patch is None:
            return False
        self._take(Entry("outside", "", _now(), patch))
        self._tell("seen", patch)
        return True

    def now(self) -> Segmentation:
        """The mask as it is now; its history says what was changed. Cost: passes over the voxels."""
        labels = copy_of_labels(self.labels)
        counts = count_labels(labels)
        if self._has_missed(counts):
            self.notice()
        return self._as_recorded(labels, counts)

    def snapshot(self) -> Segmentation:
        """`now`, for another thread.

        Raises
        ------
        InputError
            If the mask changed while it was copied.
        """
        version, table, history = self.version, self.table, tuple(self.journal.history())
        labels = copy_of_labels(self.labels)
        self._require(version)
        return self._as_recorded(labels, count_labels(labels), table, history)

    def saved(self, path: Path | None = None) -> None:
        """Take in that the mask as it is now is in a file."""
        self.file = str(path or self.file)
        self._unsaved = 0
        if self._autosave is not None:
            self._autosave.add("saved")

    def close(self) -> None:
        """Let go of the journal's file; it stays where changes are not saved."""
        if self._autosave is not None:
            self._autosave.close(forget=self.is_saved)
            self._autosave = None

    def keep(self) -> None:
        """Have the mask on disk, with all that is done from now on."""
        if self._autosave is None and self.keep_at is not None:
            self._autosave = Autosave(
                self.keep_at, self.before, name=self.name, mask=self.file, link=self.link
            )

    def settle(self) -> None:
        """Wait until the journal is on disk."""
        if self._autosave is not None:
            self._autosave.settle()

    def continue_from(self, path: Path, kept: Kept) -> None:
        """Do again what a journal's file holds, and write on in it."""
        for event in kept.events:
            self._do_again(event)
        self._unsaved = kept.unsaved
        self.keep_at, self.link = path.resolve(), path if path.is_symlink() else None
        self.file = kept.mask
        self._autosave = Autosave(self.keep_at, self.before, link=self.link, go_on_at=kept.whole_bytes)
        self.version += 1

    def _do_again(self, event: Entry | str) -> None:
        entry = event if isinstance(event, Entry) else None
        if entry is not None:
            self.journal.add(entry)
        elif event == "undo":
            entry = self.journal.undo()
        elif event == "redo":
            entry = self.journal.redo()
        if entry is not None:
            self._apply(entry, back=event == "undo")

    def _replace(self, labels: NDArray[Any], entry: Entry) -> None:
        patch = patch_between(self.labels, labels, (0, 0, 0))
        entry = replace(entry, patch=patch)
        self._take(entry)
        self._apply(entry, back=False)
        self._tell("done", patch, has_names=_renames(entry))

    def _turn(self, entry: Entry, *, back: bool) -> bool:
        self._apply(entry, back=back)
        self.version += 1
        self._keep("undo" if back else "redo")
        self._tell("undone" if back else "done", entry.patch, back=back, has_names=_renames(entry))
        return True

    def _apply(self, entry: Entry, *, back: bool) -> None:
        if entry.patch is not None:
            self.make_room(int((entry.patch.before if back else entry.patch.after).max(initial=0)))
            entry.patch.put(self.labels, back=back)
        if entry.names is not None:
            self.table = entry.names.before if back else entry.names.after
            if entry.kind == "run":
                self._maker = entry.names.made_by_before if back else entry.names.made_by_after

    def _take(self, entry: Entry) -> None:
        self._keep(self.journal.add(entry))
        self.version += 1

    def _keep(self, event: Any) -> None:
        self._unsaved += 1
        self.keep()
        if self._autosave is not None:
            self._autosave.add(event)

    def _tell(
        self,
        way: Way,
        patch: Patch | None,
        *,
        back: bool = False,
        held_back: bool = False,
        has_names: bool = False,
    ) -> None:
        if patch is None:
            self.changed.emit(Change(way, None, None, held_back, has_names))
            return
        before = self.labels[patch.box].copy()
        before[patch.mask] = patch.after if back else patch.before
        self.changed.emit(Change(way, patch.box, before, held_back, has_names))

    def _has_missed(self, counts: NDArray[np.intp]) -> bool:
        """Whether voxels were changed that the journal does not know of; told by their number per label."""
        start = self._counts_before
        size = max(counts.size, start.size, *(value + 1 for value in self.journal.net()), 1)
        expected = np.pad(start, (0, size - start.size))
        for value, voxels in self.journal.net().items():
            expected[value] += voxels
        return not np.array_equal(expected[1:], np.pad(counts, (0, size - counts.size))[1:])

    def _expected(self) -> NDArray[Any]:
        """Labels that the journal leads to."""
        labels = self.before.labels.astype(np.uint16)
        entries = self.journal.done
        if not self.journal.is_whole:
            raise InputError(
                "the first changes are no longer in memory, so what changed outside can't be told"
            )
        for entry in entries:
            if entry.patch is not None:
                entry.patch.put(labels)
        return labels

    def _as_recorded(
        self,
        labels: NDArray[Any],
        counts: NDArray[np.intp],
        table: LabelTable | None = None,
        history: Sequence[Any] | None = None,
    ) -> Segmentation:
        table = (table or self.table).completed(present_values(counts))
        history = tuple(self.journal.history()) if history is None else history
        as_it_came = not history and table == self.before.table and self._maker is None
        if as_it_came and same_values(labels, self.before.labels):
            return self.before
        return recorded(self.before, as_unsigned(labels), history, table=table, made_by=self._maker)

    def _require(self, version: int) -> None:
        if version != self.version:
            raise InputError("the mask was changed meanwhile, so the result was dropped; do it again")


def _renames(entry: Entry) -> bool:
    """Whether labels are called otherwise after it; a new run most often calls them the same."""
    return entry.names is not None and entry.names.before != entry.names.after


def _corner(box: Box) -> tuple[int, int, int]:
    return box[0].start, box[1].start, box[2].start


def _now() -> str:
    return local_now().isoformat(timespec="seconds")
