"""Prompts: what a user points at, as data in world coordinates, so that an edit can be replayed."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import InputError

__all__ = ["Box", "Point", "Prompts", "Stroke"]

#: More than hands draw: a stroke has one for each movement of the pointer.
MOST_POSITIONS = 100_000

Position: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """A point in or (`positive=False`) outside an object."""

    position: Position
    positive: bool = True
    label: int = 1
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Box:
    """A box around an object, two opposite corners; world axes."""

    low: Position
    high: Position
    label: int = 1
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Stroke:
    """A scribble (open) or lasso (closed) with a radius in mm."""

    positions: tuple[Position, ...]
    radius_mm: float
    positive: bool = True
    closed: bool = False
    label: int = 1
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Prompts:
    """Everything the user gave, in order of kind and time; RAS+ mm (pixels on `px` grids)."""

    points: tuple[Point, ...] = ()
    boxes: tuple[Box, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        given = len(self.points) + len(self.boxes) + sum(len(item.positions) for item in self.strokes)
        if given > MOST_POSITIONS:
            raise InputError(
                f"{given} positions are given, and {MOST_POSITIONS} are the most; thin out strokes"
            )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was given."""
        return not (self.points or self.boxes or self.strokes)
