"""A mask read from DICOM, put on the grid of the image that it belongs to; nothing is resampled."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Segmentation
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError
from medseg.io.dicom.placing import place_exactly

__all__ = ["placed"]


def placed(found: Segmentation, grid: Grid, name: str) -> Segmentation:
    """The same voxels on `grid`, which may be larger, have more slices, or another axis order or direction.

    How many of the grid's slices the mask's own grid spans is kept among the parameters of its history.

    Raises
    ------
    GridMismatchError
        If the voxels are not the image's, or some lie outside it; the message names the likely fault.
    """
    labels = place_exactly(found.labels, found.grid, grid)
    if labels is None:
        raise GridMismatchError(f"{name} does not lie on the voxels of the image: {_fault(found, grid)}")
    probabilities = found.probabilities
    if probabilities is not None and found.grid.shape != grid.shape:
        probabilities = _placed_probabilities(np.asarray(probabilities), found.grid, grid)
    elif probabilities is not None:
        probabilities = np.stack([_place(part, found.grid, grid) for part in probabilities])
    spans = f"{found.grid.shape[2]} of {grid.shape[2]} slices"
    history = replace(found.made_by, parameters=(*found.made_by.parameters, *as_details(spans=spans)))
    return replace(found, labels=labels, grid=grid, probabilities=probabilities, made_by=history)


def _placed_probabilities(array: NDArray[Any], source: Grid, grid: Grid) -> NDArray[Any]:
    """Background is certain where the mask has no voxels."""
    parts = [_place(part, source, grid) for part in array[1:]]
    total = np.sum(parts, axis=0) if parts else np.zeros(grid.shape, array.dtype)
    return np.stack([np.clip(1 - total, 0, 1).astype(array.dtype), *parts])


def _place(part: NDArray[Any], source: Grid, grid: Grid) -> NDArray[Any]:
    found = place_exactly(part, source, grid)
    if found is None:
        raise GridMismatchError("fractions of the mask lie outside the image")
    return found


def _fault(found: Segmentation, grid: Grid) -> str:
    mine = found.grid
    if mine.unit != grid.unit:
        return f"one is in {mine.unit}, the other in {grid.unit}"
    if not np.allclose(sorted(mine.spacing), sorted(grid.spacing), rtol=1e-2):
        return f"its voxels are {_numbers(mine.spacing)} {mine.unit} and the image's {_numbers(grid.spacing)}"
    turn = np.linalg.inv(grid.affine) @ mine.affine
    if np.abs(turn[:3, :3] - np.rint(turn[:3, :3])).max() > 0.01:
        return "its axes are turned against the image's, so it belongs to another series"
    shift = turn[:3, 3] - np.rint(turn[:3, 3])
    if np.abs(shift).max() > 0.05:
        return f"its voxels are shifted by {_numbers(shift)} of a voxel against the image's"
    index = grid.to_index(mine.to_position(np.argwhere(found.labels > 0).astype(np.float64)))
    size = np.array(grid.shape)
    outside = int(((index < -0.5) | (index > size - 0.5)).any(axis=1).sum())
    return (
        f"{outside} of its {len(index)} voxels lie outside the image: another case, or the image was cropped"
    )


def _numbers(values: Any) -> str:
    return " × ".join(f"{float(value):.4g}" for value in values)
