"""Connected components of a mask; numerics by connected-components-3d."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Connectivity", "components", "keep_largest", "label_parts", "remove_small"]

Connectivity: TypeAlias = Literal[6, 18, 26]


def label_parts(mask: NDArray[np.bool_], connectivity: Connectivity = 26) -> tuple[NDArray[Any], int]:
    """(ids from 1 in no particular order, their count) of a mask (A, B) or (I, J, K); on a slice 26 means 8.

    The only door to connected-components-3d (4.1.1), and to its general code alone: that for binary images has too
    little room for the parts of some masks (a row `1 0 1`, a lattice), says so on stderr and stops, and is no
    faster. The two-dimensional code with 8 neighbours joins separate parts of some masks with odd sides, so a slice
    goes through the three-dimensional one.
    """
    import cc3d

    solid = mask if mask.ndim == 3 else mask[..., None]
    if not (solid.flags.forc and solid.flags.writeable):
        # The library asks for a buffer that it could write to, and misreads a part of an array.
        solid = solid.copy(order="K")
    values = solid.view(np.uint8)  # of bool it would take the binary code by itself
    ids, count = cc3d.connected_components(values, connectivity=connectivity, return_N=True)
    return (ids if mask.ndim == 3 else ids[..., 0]), int(count)


def components(mask: NDArray[np.bool_], connectivity: Connectivity = 26) -> NDArray[Any]:
    """Instances of a mask as (I, J, K) unsigned ids from 1, largest first; ties keep their order in memory.

    Neighbours share a face (6), an edge (18) or a corner (26); on one slice 26 means 8 neighbours. An empty
    mask gives zeros. Memory: two label arrays.
    """
    found, count = label_parts(mask, connectivity)
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
