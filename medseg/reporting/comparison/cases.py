"""One compared pair, its structures, and which of many differ most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from medseg.domain import Grid, Measurement, Quantity

__all__ = [
    "WORST",
    "Compared",
    "ComparedCase",
    "Failure",
    "compared_structures",
    "is_both_empty",
    "worst_pairs",
]

#: What a case lacks: its prediction, its reference, or both could not be read or compared.
Failure: TypeAlias = Literal["", "no prediction", "no reference", "not compared"]
#: Cases that are shown as pictures by each of the two measures.
WORST = 3


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """One pair; `error` says what failed, without Measurements where it could not be compared at all."""

    case: str
    measurements: tuple[Measurement, ...] = ()
    grid: Grid | None = None
    error: str | None = None
    failure: Failure = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One structure of one pair. The error of the volume and the volumes are in ml, None where they have no size."""

    case: str
    name: str
    labels: tuple[int, ...]
    dice: float
    error_ml: float | None = None
    relative: float | None = None
    prediction_ml: float | None = None
    reference_ml: float | None = None
    why: tuple[str, ...] = ()


def compared_structures(cases: Sequence[ComparedCase]) -> Iterator[Compared]:
    """Labels and regions of every pair that has a Dice, in order."""
    for case in cases:
        found = {
            (item.target.name, item.quantity, item.target.detail): item.value
            for item in case.measurements
            if item.target.lesion is None
        }
        for item in case.measurements:
            name, value = item.target.name, item.value
            if item.quantity is Quantity.DICE and item.target.lesion is None and value is not None:
                yield Compared(
                    case.case,
                    name,
                    item.target.labels,
                    float(value),
                    found.get((name, Quantity.VOLUME_ERROR, None)),
                    found.get((name, Quantity.RELATIVE_VOLUME_ERROR, None)),
                    found.get((name, Quantity.VOLUME, "prediction")),
                    found.get((name, Quantity.VOLUME, "reference")),
                )


def is_both_empty(item: Compared) -> bool:
    """Whether Dice is 1 because there is nothing in either mask."""
    return item.dice == 1 and item.relative is None


def worst_pairs(cases: Sequence[ComparedCase], count: int = WORST) -> tuple[Compared, ...]:
    """The cases with the lowest Dice, then those with the largest volume error, each by its worst structure.

    A case without a prediction or reference has no picture and is named elsewhere; where masks agree there is nothing
    to show. A structure that is among the worst by both stands once, and `why` says both.
    """
    both = {case.case for case in cases if not case.failure}
    items = [item for item in compared_structures(cases) if item.case in both]
    by_dice = sorted(
        (item for item in items if item.dice < 1),
        key=lambda item: (item.dice, -abs(item.error_ml or 0), item.case),
    )
    by_error = sorted(
        (item for item in items if item.error_ml), key=lambda item: (-abs(item.error_ml or 0), item.case)
    )
    found: dict[tuple[str, str], list[str]] = {}
    for ranked, words in ((by_dice, "lowest Dice"), (by_error, "largest volume error")):
        first: dict[str, Compared] = {}
        for item in ranked:
            first.setdefault(item.case, item)
        for number, item in enumerate(list(first.values())[:count], start=1):
            found.setdefault((item.case, item.name), []).append(f"{words}, {number} of {len(first)}")
    known = {(item.case, item.name): item for item in items}
    return tuple(replace(known[key], why=tuple(why)) for key, why in found.items())
