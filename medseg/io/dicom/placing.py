"""Placing one grid's voxels on another by whole indices, so that no rounding of positions moves them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.geometry.place import NEAR_VOXELS, place_on

__all__ = ["place_exactly"]


def place_exactly(array: NDArray[Any], source: Grid, target: Grid) -> NDArray[Any] | None:
    """As `geometry.place.place_on`, in the target's indices: flips, crops and missing slices, nothing resampled.

    Positions in mm carry rounding, and a crop that begins at index 0.9999999 begins at 1.

    Returns
    -------
    (I, J, K) of the target; None if the voxels are not the target's, or some lie outside it.
    """
    if source.unit != target.unit:
        return None
    exact = np.linalg.inv(target.affine) @ source.affine
    whole = np.rint(exact)
    ends = np.stack(np.meshgrid(*((0, n - 1) for n in source.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    corners = np.column_stack([ends, np.ones(len(ends))])
    if np.abs(corners @ (exact - whole).T).max() > NEAR_VOXELS or abs(round(np.linalg.det(whole))) != 1:
        return None
    mine = replace(source, affine=whole, frame_of_reference=None, unit="mm")
    return place_on(array, mine, Grid(target.shape, np.eye(4)))
