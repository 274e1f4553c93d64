"""What lies near seeds, and which parts of a mask hold one."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.masks.components import Connectivity, label_parts
from medseg.masks.distances import depth_of
from medseg.masks.seeds import MOST_VOXELS, Field

__all__ = ["MOST_GROWN", "distance_from", "expected_voxels", "near_seeds", "parts_with", "reach"]

#: As many voxels may a box have, before it is coarsened, in which a region grows by its values alone.
MOST_GROWN = 8 * MOST_VOXELS


def distance_from(seeds: NDArray[np.bool_], spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """(I, J, K) float32: distance of every voxel's centre from the nearest seed's, in the unit of the spacing.

    Infinite where there is no seed.
    """
    return depth_of(~seeds, spacing)


def near_seeds(field: Field, seeds: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """(I, J, K) bool: usable voxels of a box within a radius of seeds, their neighbours (see `reach`) among them."""
    spacing = field.grid.spacing
    # Distances are float32, and a neighbour just at the radius belongs.
    return (
        distance_from(seeds & field.usable, spacing) <= reach(radius, spacing) * (1 + 1e-6)
    ) & field.usable


def parts_with(
    mask: NDArray[np.bool_], seeds: NDArray[np.bool_], connectivity: Connectivity = 6
) -> NDArray[np.bool_]:
    """The parts of a mask that hold a seed; empty where none does."""
    parts, count = label_parts(mask, connectivity)
    kept = np.zeros(count + 1, np.bool_)
    kept[np.unique(parts[seeds & mask])] = True
    kept[0] = False
    found: NDArray[np.bool_] = kept[parts]
    return found


def reach(radius: float, spacing: tuple[float, float, float]) -> float:
    """Radius around a seed that takes in the neighbours along at least two axes, however large the voxels.

    >>> reach(3.0, (1.0, 1.0, 5.0)), reach(3.0, (5.0, 5.0, 3.0))
    (3.0, 6.0)
    """
    return max(radius, 1.2 * sorted(spacing)[1])


def expected_voxels(grids: Iterable[Grid], most: int = MOST_VOXELS) -> tuple[int, int]:
    """Voxels of the images, and of the box around seeds as far as that can be known without them.

    A box that is coarsened keeps between half and all of the voxels allowed.
    """
    voxels = sum(int(np.prod(grid.shape)) for grid in grids)
    return voxels, min(voxels, 3 * most // 4)
