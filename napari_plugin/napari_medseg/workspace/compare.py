"""Two masks beside each other: how well they agree, and where they do not."""

from dataclasses import dataclass
from math import log10

from medseg.domain import Measurement, Quantity, Run, Segmentation
from medseg.workflows.difference import difference
from medseg.workflows.evaluate import evaluate

__all__ = ["HEADLINE", "Agreement", "Comparison", "compare", "shown_value"]

#: What a reader looks at first, in this order; all others are in `Comparison.measurements`.
HEADLINE = (
    Quantity.DICE,
    Quantity.ASSD,
    Quantity.HD95,
    Quantity.VOLUME_ERROR,
)


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """One structure: its rows by quantity, in the order of `HEADLINE`; None where there is none."""

    name: str
    rows: tuple[Measurement | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The first mask against the second, which is the reference: a volume error above 0 says that the first is larger.

    Parameters
    ----------
    measurements
        All rows, as `medseg evaluate` gives them for the two masks in files.
    difference
        Where they differ.
    """

    measurements: tuple[Measurement, ...]
    difference: Segmentation

    @property
    def structures(self) -> tuple[Agreement, ...]:
        """Structures in the order of the labels."""
        names = dict.fromkeys(item.target.name for item in self.measurements)
        return tuple(Agreement(name, tuple(self._row(name, wanted) for wanted in HEADLINE)) for name in names)

    def _row(self, name: str, quantity: Quantity) -> Measurement | None:
        rows = (item for item in self.measurements if item.target.name == name and item.quantity is quantity)
        return next(rows, None)


def compare(first: Segmentation, second: Segmentation, run: Run | None = None) -> Comparison:
    """Compare two masks on the same voxels; for a thread of its own.

    Raises
    ------
    GridMismatchError
        If they lie on other voxels; the message names the likely fault.
    """
    run = run or Run()
    run.progress(0, 2, "where they differ")
    found = difference(first, second)
    run.check()
    run.progress(1, 2, "distances between surfaces")
    rows = evaluate(first, second)
    run.check()
    return Comparison(rows, found)


def shown_value(item: Measurement | None) -> str:
    """A number as a table shows it: no finer than its quantity is told on a page, with its unit."""
    if item is None:
        return ""
    if item.value is None:
        return "not computed"
    step = item.quantity.info.step
    text = f"{item.value:.6g}" if not step else f"{item.value:.{max(0, round(-log10(step)))}f}"
    return f"{text} {'' if item.unit == '1' else item.unit}".rstrip()
