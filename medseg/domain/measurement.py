"""One number with everything that is needed to trust it."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.quantity import Quantity
from medseg.domain.values import STRICT
from medseg.errors import InputError

__all__ = ["Earlier", "Interval", "Measurement", "Placement", "Status", "Target", "TargetKind"]

TargetKind: TypeAlias = Literal["label", "region", "lesion", "tissue", "pair"]


class Status(Enum):
    """Whether a number may be taken at its word."""

    OK = "ok"
    TRUNCATED_LOWER_BOUND = "truncated_lower_bound"  # cut by the field of view: can only be larger
    TRUNCATED_UNRELIABLE = "truncated_unreliable"  # cut, and the error has no known direction
    NOT_COMPUTED = "not_computed"  # value is null; `reason` says why


@dataclass(frozen=True, slots=True)
class Target:
    """What was measured: a label, a region, a lesion or a tissue inside one, or a pair (prediction, reference).

    Parameters
    ----------
    kind, name
        Name of the label or region; of a tissue, its own.
    labels
        Values of the label, or of the region's union; of a tissue, those of the compartment.
    lesion
        Number of the lesion, by size from 1.
    detail
        What else tells two targets apart: a PET delineation, a size bin, a slice level.
    """

    kind: TargetKind
    name: str
    labels: tuple[int, ...]
    lesion: int | None = None
    detail: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def structure(self) -> str:
        """Name of what has an outline of its own: of a lesion with its number, without what was done inside it."""
        return self.name if self.lesion is None else f"{self.name} lesion {self.lesion}"


@dataclass(frozen=True, slots=True)
class Interval:
    """Interval around a value, with its level and how it was had."""

    low: float
    high: float
    level: float
    method: str
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a value lies among reference values that a user gave; never beyond what they say.

    Parameters
    ----------
    outcome
        At a percentile, below or above the outermost reference value, within a range, or refused.
    words
        The outcome for people, such as `37th percentile` or `below the 2.5th percentile`; of a refusal the reason.
    source
        Citation of the reference values, and the table that held them.
    group
        Whom they are about; empty where refused.
    percentile, interval
        The percentile, and those at the ends of the value's own interval where it has one and both lie inside.
    low, high
        The outermost reference values, in the Measurement's unit.
    method
        How the percentile follows from the table.
    """

    outcome: Literal["percentile", "below", "above", "within", "refused"]
    words: str
    source: str
    group: str = ""
    percentile: float | None = None
    interval: tuple[float, float] | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Earlier:
    """The same quantity of the same structure on an earlier scan of the same patient.

    Parameters
    ----------
    value, status
        As they were measured then, in the Measurement's unit.
    days
        From that scan to this one.
    error
        Interval of the change with its level and how it was had; None where the error is unknown, so that nothing is
        called growth or shrinkage. An interval of one of the two values is none of their difference.
    fault
        Why the two can't be compared; then both stand, and no change is stated.
    """

    value: int | float
    days: int
    status: Status = Status.OK
    error: Interval | None = None
    fault: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InputError(f"an earlier value of {self.value} is not a number to report")
        if self.days <= 0:
            raise InputError(f"an earlier scan lies before this one, not {self.days} days")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number, or null with a reason.

    Parameters
    ----------
    target, quantity
        Of what, and what.
    value
        Finite number, or None exactly when the status is `not_computed`.
    unit
        UCUM.
    status, reason
        `reason` is a sentence; needed unless the status is `ok`.
    method
        How it was computed, with parameters and the source of the rule.
    channel
        Image channel of an intensity statistic.
    interval
        None where uncertainty was not estimated.
    plane
        For diameters: name of the plane and slice, such as `axial k=12`.
    points_mm
        World positions that show the number (end points of a diameter); pixels on `px` grids.
    placement
        None where no reference values were given for it.
    earlier
        The value of an earlier scan; None where none was compared with.
    """

    target: Target
    quantity: Quantity
    value: int | float | None
    unit: str
    status: Status = Status.OK
    reason: str | None = None
    method: str = ""
    channel: str | None = None
    interval: Interval | None = None
    plane: str | None = None
    points_mm: tuple[tuple[float, float, float], ...] = ()
    placement: Placement | None = None
    earlier: Earlier | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if (self.value is None) != (self.status is Status.NOT_COMPUTED):
            raise InputError(
                f"{self.quantity.value}: value {self.value} does not fit status {self.status.value}"
            )
        if self.value is not None and not math.isfinite(self.value):
            raise InputError(f"{self.quantity.value}: {self.value} is not a number to report")
        if self.status is not Status.OK and not self.reason:
            raise InputError(f"{self.quantity.value}: status {self.status.value} needs a reason")

    @property
    def change(self) -> float | None:
        """The value minus the earlier one; None without one, where a value is cut, or where they can't be compared.

        >>> liver = Target("label", "liver", (1,))
        >>> Measurement(liver, Quantity.VOLUME, 3.5, "ml", earlier=Earlier(3.0, 90)).change
        0.5
        """
        then = self.earlier
        if then is None or self.value is None or then.fault:
            return None
        return self.value - then.value if self.status is then.status is Status.OK else None
