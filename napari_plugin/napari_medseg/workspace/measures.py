"""Numbers of a mask that is worked on: some follow each change at once, the others are measured when there is quiet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from psygnal import Signal

from medseg.domain import Image, Record, Run, Segmentation
from medseg.domain.plan import LesionPlan, MeasurePlan
from medseg.workflows.live import LiveNumbers, LiveRow, measure_again, start_measuring, take_change
from napari_medseg.workspace.mask import Change, EditedMask
from napari_medseg.workspace.patch import Box

__all__ = ["LESION_RULES", "QUIET_S", "Measured", "Measures"]

#: Seconds without a change after which all is measured again.
QUIET_S = 0.5
#: Words for a reader → how lesions are found and judged by size.
LESION_RULES = {
    "lesions": LesionPlan(),
    "lesions, RECIST 1.1": LesionPlan(rule="recist-1.1"),
    "lymph nodes, RECIST 1.1": LesionPlan(rule="recist-1.1-node"),
    "lesions, RANO 2010": LesionPlan(rule="rano-2010"),
    "lesions, RANO-BM": LesionPlan(rule="rano-bm"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a measurement beside the window found, and of which voxels."""

    numbers: LiveNumbers
    mask: Segmentation
    asked: int
    version: int
    missed: bool


class Measures:
    """Numbers of one mask on its images, kept up.

    Parameters
    ----------
    mask
        Whose changes are followed.
    images
        By channel, in the mask's space.
    plan
        What is measured beside every label; None is what was asked of this mask before. A report of it asks the same.
    same_space
        Declares that images on other grids share the mask's space.
    """

    changed = Signal()

    def __init__(
        self,
        mask: EditedMask,
        images: Mapping[str, Image],
        *,
        plan: MeasurePlan | None = None,
        same_space: bool = False,
    ) -> None:
        self.mask, self.images, self.same_space = mask, dict(images), same_space
        self.plan = mask.plan = plan or mask.plan
        self.numbers: LiveNumbers | None = None
        self._asked = 0
        self._version = -1
        self._taking = False
        self._since: Box | None = None
        mask.changed.connect(self._follow)

    @property
    def rows(self) -> tuple[LiveRow, ...]:
        """All numbers, each with whether it is stale; none before the first measurement."""
        return () if self.numbers is None else self.numbers.rows

    @property
    def is_fresh(self) -> bool:
        """Whether every number is that of the mask as it is now, and of what is asked."""
        if self.numbers is None or self._version != self.mask.version:
            return False
        return self.numbers.is_fresh and self.numbers.record.plan == self.plan

    @property
    def record(self) -> Record | None:
        """The Record with its numbers as they are now; for views, of which none may keep a stale one."""
        if self.numbers is None:
            return None
        return replace(self.numbers.record, measurements=tuple(row.item for row in self.numbers.rows))

    @property
    def words(self) -> str:
        """How far the numbers are those of the mask as it is now."""
        if self.numbers is None:
            return "Measuring …"
        waiting = sum(row.is_stale for row in self.rows)
        if waiting:
            return f"{waiting} numbers are being measured again."
        return f"{len(self.rows)} numbers, {'up to date' if self.is_fresh else 'being looked over'}."

    def ask(self, plan: MeasurePlan) -> None:
        """Measure something else from now on."""
        self.plan = self.mask.plan = plan
        self.changed.emit()

    def work(self) -> Callable[[Run], Measured]:
        """All that is to be measured, for another thread; `take` takes its result in."""
        self._asked += 1
        asked, before, plan = self._asked, self.numbers, self.plan
        self._since = None

        def measure(run: Run) -> Measured:
            version, now = self.mask.version, self.mask.snapshot()
            missed = before is not None and not before.agrees_with(now.labels)
            run.check()
            if before is None or missed:
                found = start_measuring(now, self.images, plan=plan, same_space=self.same_space, run=run)
            else:
                found = measure_again(before, now, plan=plan, run=run)
            return Measured(found, now, asked, version, missed)

        return measure

    def take(self, measured: Measured) -> None:
        """Take a measurement in; what was changed meanwhile makes its rows stale again."""
        if measured.asked != self._asked:
            return
        self.numbers, self._version = measured.numbers, measured.version
        since, self._since = self._since, None
        if since is not None:
            self._bring_up(since, measured.mask.labels[since])
        if measured.missed:
            self._taking = True  # the numbers have it already; the history has not
            try:
                self.mask.notice()
            finally:
                self._taking = False
        self.changed.emit()

    def close(self) -> None:
        """Follow no more."""
        self.mask.changed.disconnect(self._follow)

    def _follow(self, change: Change) -> None:
        if change.box is None or change.before is None:
            if self.numbers is not None and change.has_names:
                self._rename()
            return
        if not self._taking:
            self._since = change.box if self._since is None else _around(self._since, change.box)
            self._bring_up(change.box, change.before)
        self.changed.emit()

    def _bring_up(self, box: Box, before: Any) -> None:
        if self.numbers is not None:
            self.numbers = take_change(self.numbers, self.mask.labels, box, before, self.mask.table)

    def _rename(self) -> None:
        """Other names: every row of a label whose name is another one is stale."""
        if self.numbers is None:
            return
        old = {label.value: label.name for label in self.numbers.table.labels}
        new = {label.value: label.name for label in self.mask.table.labels}
        values = {value for value in old.keys() | new.keys() if old.get(value) != new.get(value)}
        rows = tuple(
            replace(row, is_stale=row.is_stale or not values.isdisjoint(row.item.target.labels))
            for row in self.numbers.rows
        )
        touched = self.numbers.touched | frozenset(values)
        self.numbers = replace(self.numbers, rows=rows, touched=touched)
        self.changed.emit()


def _around(one: Box, two: Box) -> Box:
    i, j, k = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, two, strict=True))
    return i, j, k
