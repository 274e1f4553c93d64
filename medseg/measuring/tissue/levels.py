"""Where tissue is measured: the slice through the middle of a label, a slice the user names, or all."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import LabelTable, Segmentation
from medseg.domain.plan import TissuePlan
from medseg.errors import ConfigError, LabelError

__all__ = ["Level", "find_levels", "labels_named", "level_slices"]

_POSITION = re.compile(r"([ijk])=(\d+)")


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its name, its slice or None with the reason, and how the slice was had."""

    name: str
    index: int | None
    rule: str = ""
    reason: str = ""


def labels_named(table: LabelTable, name: str) -> tuple[int, ...]:
    """Values of a label or region.

    Raises
    ------
    LabelError
        If the table has none of that name.
    """
    for label in table.labels:
        if label.name == name:
            return (label.value,)
    for region in table.regions:
        if region.name == name:
            return region.labels
    known = [label.name for label in table.labels] + [region.name for region in table.regions]
    raise LabelError(f"the mask has no label or region {name!r}; it has {', '.join(known)}")


def find_levels(segmentation: Segmentation, plan: TissuePlan, axis: int) -> tuple[Level, ...]:
    """The plan's levels as slices across `axis`; never guessed.

    A label's level is the middle of its first and last slice; of two middle slices the one further to the
    head (or front, or right). A label that is not there, or that reaches the first or last slice of the
    stack, has no known middle.

    Raises
    ------
    ConfigError
        If there are more than two levels, or a position lies outside the stack.
    LabelError
        If a level names no label.
    """
    if len(plan.levels) > 2:
        raise ConfigError(f"tissue is measured at one level or between two, not {len(plan.levels)}")
    if len(set(plan.levels)) != len(plan.levels):
        raise ConfigError(f"the two levels are one: {plan.levels[0]!r}")
    return tuple(_find(segmentation, name, axis) for name in plan.levels)


def level_slices(levels: tuple[Level, ...]) -> range | None:
    """The slices that levels need, from the first to the last; None means all."""
    if not levels:
        return None
    known = [level.index for level in levels if level.index is not None]
    return range(min(known), max(known) + 1) if known else range(0)


def _find(segmentation: Segmentation, name: str, axis: int) -> Level:
    position = _POSITION.fullmatch(name.replace(" ", ""))
    if position is not None:
        return _given(position[1], int(position[2]), axis, segmentation.grid.shape[axis])
    values = labels_named(segmentation.table, name)
    others = tuple(other for other in range(3) if other != axis)
    used = np.flatnonzero(segmentation.mask(*values).any(axis=others))
    if not used.size:
        return Level(name, None, reason=f"{name} was looked for and not found, so its level is not known")
    extent = segmentation.grid.shape[axis]
    if extent > 1 and (used[0] == 0 or used[-1] == extent - 1):
        return Level(
            name,
            None,
            reason=f"{name} reaches the end of the stack, so its middle is not known; "
            f"if the slice is known, give it as {'ijk'[axis]}=N",
        )
    rising = segmentation.grid.orientation[axis] in "RAS"
    return Level(name, _middle(used, up=rising), f"slice through the middle of {name}")


def _given(letter: str, index: int, axis: int, extent: int) -> Level:
    if letter != "ijk"[axis]:
        raise ConfigError(
            f"slices lie across {'ijk'[axis]}, so a level is {'ijk'[axis]}=N, not {letter}={index}"
        )
    if index >= extent:
        raise ConfigError(f"there is no slice {letter}={index}; the last is {letter}={extent - 1}")
    return Level(f"{letter}={index}", index, "slice named by the user")


def _middle(used: NDArray[np.int64], *, up: bool) -> int:
    total = int(used[0]) + int(used[-1])
    return (total + 1) // 2 if up else total // 2
