"""Connected components of a mask; numerics by connected-components-3d."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Connectivity", "components", "keep_largest", "remove_small"]

Connectivity: TypeAlias = Literal[6, 18, 26]


def components(mask: NDArray[np.bool_], connectivity: Connectivity = 26) -> NDArray[Any]:
    """Instances of a mask as (I, J, K) unsigned ids from 1, largest first; ties keep their order in memory.

    Neighbours share a face (6), an edge (18) or a corner (26); on one slice 26 means 8 neighbours. An empty
    mask gives zeros. Memory: two label arrays.
    """
    import cc3d

    found, count = cc3d.connected_components(mask, connectivity=connectivity, return_N=True)
    sizes = np.bincount(found.ravel(order="K"), minlength=count + 1)
    order = np.argsort(-sizes[1:], kind="stable") + 1
    rank = np.zeros(count + 1, dtype=found.dtype)
    rank[order] = np.arange(1, count + 1)
    ranked: NDArray[Any] = rank[found]
    return ranked


def keep_largest(mask: NDArray[np.bool_], connectivity: Connectivity = 26) -> NDArray[np.bool_]:
    """The largest component of a mask; an empty mask stays empty."""
    largest: NDArray[np.bool_] = components(mask, connectivity) == 1
    return largest


def remove_small(
    mask: NDArray[np.bool_], minimum_voxels: float, connectivity: Connectivity = 26
) -> NDArray[np.bool_]:
    """The mask without components of fewer than `minimum_voxels` voxels."""
    found = components(mask, connectivity)
    sizes = np.bincount(found.ravel(order="K"))
    keep = sizes >= minimum_voxels
    keep[0] = False
    kept: NDArray[np.bool_] = keep[found]
    return kept
