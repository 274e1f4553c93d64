"""Axis order: flips and permutations that bring an array to another orientation, and back, exactly."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.errors import InputError

__all__ = ["AxisOrder", "affine_orientation", "order_to"]

_AXIS = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}


@dataclass(frozen=True, slots=True)
class AxisOrder:
    """A permutation followed by flips; invertible without loss.

    Parameters
    ----------
    source
        `source[a]` is the old axis that becomes new axis `a`.
    flipped
        Whether new axis `a` runs backwards along its old axis.
    """

    source: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """View of the last three axes in the new order; no copy."""
        lead = tuple(range(array.ndim - 3))
        moved = array.transpose(*lead, *(axis + len(lead) for axis in self.source))
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)
        index: Any = (Ellipsis, *steps)
        view: NDArray[Any] = moved[index]
        return view

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """View in the old order; `undo(apply(x))` is `x`."""
        return self.inverse.apply(array)

    @property
    def inverse(self) -> "AxisOrder":
        """The order that leads back."""
        source = tuple(self.source.index(axis) for axis in range(3))
        return AxisOrder(source, tuple(self.flipped[axis] for axis in source))  # type: ignore[arg-type]

    def grid(self, grid: Grid) -> Grid:
        """The grid that `apply`'s result lies on: the same voxels at the same positions."""
        affine = np.array(grid.affine)
        new = np.eye(4)
        new[:3, 3] = affine[:3, 3]
        for axis, (old, flip) in enumerate(zip(self.source, self.flipped, strict=True)):
            new[:3, axis] = -affine[:3, old] if flip else affine[:3, old]
            if flip:
                new[:3, 3] += affine[:3, old] * (grid.shape[old] - 1)
        return replace(grid, shape=tuple(grid.shape[old] for old in self.source), affine=new)  # type: ignore[arg-type]


def order_to(grid: Grid, orientation: str = "RAS") -> AxisOrder:
    """Order that brings an array on `grid` nearest to `orientation`, by flips and permutation only.

    Raises
    ------
    InputError
        If `orientation` does not name each of right–left, front–back and head–foot once.
    """
    if sorted(_AXIS.get(letter, -1) for letter in orientation) != [0, 1, 2]:
        raise InputError(
            f"an orientation is three letters such as RAS or LPI, each direction once, not {orientation!r}"
        )
    have = grid.orientation
    old_axes = {_AXIS[letter]: axis for axis, letter in enumerate(have)}
    source = tuple(old_axes[_AXIS[letter]] for letter in orientation)
    flipped = tuple(have[old] != letter for old, letter in zip(source, orientation, strict=True))
    return AxisOrder(source, flipped)  # type: ignore[arg-type]


def affine_orientation(spacing: tuple[float, float, float], orientation: str) -> NDArray[np.float64]:
    """Axis-aligned affine with the given spacing whose array axes grow towards `orientation`; origin 0.

    >>> affine_orientation((1.0, 1.0, 2.0), "LPS").diagonal().tolist()
    [-1.0, -1.0, 2.0, 1.0]
    """
    if sorted(_AXIS.get(letter, -1) for letter in orientation) != [0, 1, 2]:
        raise InputError(
            f"an orientation is three letters such as RAS or LPI, each direction once, not {orientation!r}"
        )
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, (letter, step) in enumerate(zip(orientation, spacing, strict=True)):
        affine[_AXIS[letter], axis] = step if letter in "RAS" else -step
    return affine
