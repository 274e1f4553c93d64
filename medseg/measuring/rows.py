"""Making Measurements: unit, status and reason decided in one place."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from medseg.domain import Grid, Measurement, Quantity, Status, Target

__all__ = ["Rows", "not_found"]

_CUT = "the structure touches the border of the field of view or an area without measurement"


@dataclass(slots=True)
class Rows:
    """Collects the Measurements of one target.

    Parameters
    ----------
    target, grid
        Of what, and where.
    cut
        Whether it leaves the field of view.
    items
        What has been collected.
    only
        Quantities to keep; the others are dropped. None keeps all.
    cut_reason
        Why it is cut, in words.
    """

    target: Target
    grid: Grid
    cut: bool
    items: list[Measurement] = field(default_factory=list)
    only: frozenset[Quantity] | None = None
    cut_reason: str = _CUT

    def wants(self, quantities: Iterable[Quantity]) -> bool:
        """Whether any of these is to be kept, so that it must be worked out."""
        return self.only is None or not self.only.isdisjoint(quantities)

    def add(
        self,
        quantity: Quantity,
        value: float,
        *,
        method: str,
        channel: str | None = None,
        unit: str | None = None,
        plane: str | None = None,
        points_mm: tuple[tuple[float, float, float], ...] = (),
    ) -> None:
        """A number, with the status that a cut structure gives it."""
        if not self.wants((quantity,)):
            return
        status, reason = Status.OK, None
        if self.cut:
            bound = quantity.info.lower_bound
            status = Status.TRUNCATED_LOWER_BOUND if bound else Status.TRUNCATED_UNRELIABLE
            reason = self.cut_reason
        self.items.append(
            Measurement(
                self.target,
                quantity,
                value,
                unit or self.unit_of(quantity),
                status,
                reason,
                method,
                channel=channel,
                plane=plane,
                points_mm=points_mm,
            )
        )

    def refuse(
        self, quantity: Quantity, reason: str, *, channel: str | None = None, unit: str | None = None
    ) -> None:
        """Null, with its reason."""
        if not self.wants((quantity,)):
            return
        self.items.append(
            Measurement(
                self.target,
                quantity,
                None,
                unit or self.unit_of(quantity),
                Status.NOT_COMPUTED,
                reason,
                channel=channel,
            )
        )

    def unit_of(self, quantity: Quantity) -> str:
        """The quantity's unit on this grid; where it has none on `px`, the one it would have in mm."""
        info = quantity.info
        return info.unit if self.grid.unit == "mm" else info.px_unit or info.unit


def not_found(target: Target) -> str:
    """Reason for everything but the counts of a structure that was looked for and is not there."""
    return f"{target.name} was looked for and not found"
