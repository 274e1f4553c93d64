"""Grids of files that leave a voxel size open: measured in pixels, until the user states it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.domain.values import as_details

__all__ = ["is_size", "unsized_finding", "unsized_grid"]


def is_size(step: float) -> bool:
    """Whether a number can be a voxel size: finite and above 0."""
    return bool(np.isfinite(step) and step > 0)


def unsized_grid(
    shape: tuple[int, int, int],
    direction: NDArray[np.float64] | None = None,
    *,
    orientation_known: bool = False,
) -> Grid:
    """A grid in pixels; `direction` has the unit columns of its axes in RAS, where the file states them."""
    affine = np.eye(4)
    if direction is not None:
        affine[:3, :3] = direction
    return Grid(shape, affine, unit="px", orientation_known=orientation_known)


def unsized_finding(steps: Sequence[float | None]) -> Finding:
    """What is known of the voxels' size, and how to state it.

    >>> "0.5 × 0.5 × ?" in unsized_finding((0.5, 0.5, None)).message
    True
    """
    shown = [
        f"{step:g}" if step is not None and is_size(step) else "?" for step in (*steps, None, None, None)[:3]
    ]
    known = "no voxel size" if shown == ["?"] * 3 else f"voxels of {' × '.join(shown)} mm"
    text = f"The file states {known}, so it is measured in voxels and no volume is computed; --spacing states the size."
    return Finding("spacing.unknown", "warning", text, as_details(stated=" × ".join(shown)))
