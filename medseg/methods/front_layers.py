"""The box around seeds on voxels with equal edges, where fronts move."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry.resample import grid_with_spacing, resample
from medseg.masks.seeds import Field
from medseg.methods.edges import smoothed_image

__all__ = ["Layer", "edge_of", "layer_of", "on_grid", "other_seeds"]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What one object's front moves through, on a grid with equal edges.

    Parameters
    ----------
    values, usable
        (I, J, K) float32, and bool.
    closed
        Where it may not go: what is not usable, and what is near a seed of another kind.
    inside
        Of the front, once it is near its place; None before.
    grid
        Of all these.
    """

    values: NDArray[np.float32]
    usable: NDArray[np.bool_]
    closed: NDArray[np.bool_]
    inside: NDArray[np.bool_] | None
    grid: Grid

    def places(self, seeds: NDArray[np.bool_], field: Field) -> tuple[NDArray[np.intp], ...]:
        """Indices of the voxels that hold the field's seeds."""
        index = np.rint(self.grid.to_index(field.grid.to_position(np.argwhere(seeds)))).astype(np.intp)
        return tuple(np.clip(index, 0, np.array(self.grid.shape) - 1).T)


def layer_of(field: Field, closed: NDArray[np.bool_], nodes: int) -> Layer:
    """The field on at most about so many voxels with equal edges, no finer than its own finest."""
    old = field.grid.spacing
    axes = [axis for axis in range(3) if field.grid.shape[axis] > 1] or [0]
    size = float(np.prod([old[axis] * field.grid.shape[axis] for axis in axes]))
    edge = max(min(old[axis] for axis in axes), float((size / nodes ** (len(axes) / 3)) ** (1 / len(axes))))
    first, second, third = (edge if axis in axes else old[axis] for axis in range(3))
    grid = grid_with_spacing(field.grid, (first, second, third))
    # What is left out between sparser voxels is averaged.
    sigma = 0.4 * np.sqrt(max(edge**2 - min(old[axis] for axis in axes) ** 2, 0.0))
    values = on_grid(smoothed_image(field.values, field.usable, old, float(sigma)), field.grid, grid)
    usable = resample(field.usable, field.grid, grid, interpolation="nearest")
    shut = resample(closed, field.grid, grid, interpolation="nearest")
    return Layer(values, usable, shut | ~usable, None, grid)


def on_grid(values: NDArray[np.float32], source: Grid, target: Grid) -> NDArray[np.float32]:
    """Values on another grid; beyond the source the largest, which is outside of any front."""
    return resample(values, source, target, fill=float(values.max())).astype(np.float32)


def edge_of(grid: Grid) -> float:
    """Length of an edge that is alike along all axes of more than one voxel."""
    return min(
        n for n, extent in zip(grid.spacing, grid.shape, strict=True) if extent > 1 or max(grid.shape) == 1
    )


def other_seeds(field: Field, label: int) -> NDArray[np.bool_]:
    """(I, J, K) bool: seeds of the background and of other objects."""
    others: NDArray[np.bool_] = (field.markers != 0) & (field.markers != label)
    return others
