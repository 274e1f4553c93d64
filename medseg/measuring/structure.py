"""One structure in its box: what every quantity of its mask starts from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.measuring.tally import Box, Part

__all__ = ["NOT_PHYSICAL", "SHEARED", "Structure", "mask_in_box", "plane_name"]

NOT_PHYSICAL = "the image has no physical size (px); give --spacing if it is known"
SHEARED = "the grid is sheared (tilted gantry), so only volumes can be had; use --resample"


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A union of values of a label array that occurs in it.

    Parameters
    ----------
    grid
        The whole grid.
    part
        Its counts and moments.
    mask
        Its voxels in its box.
    outside
        Voxels without a measurement in the box and one voxel around it (or the grid's edge), or None.
    """

    grid: Grid
    part: Part
    mask: NDArray[np.bool_]
    outside: NDArray[np.bool_] | None = None

    @property
    def box(self) -> Box:
        """Slices of the box."""
        return self.part.bounds

    @property
    def affine(self) -> NDArray[np.float64]:
        """Index in the box → position."""
        affine = np.array(self.grid.affine)
        affine[:3, 3] = self.grid.to_position(np.array([side.start for side in self.box]))
        return affine

    @property
    def box_grid(self) -> Grid:
        """The box as a grid of its own."""
        grid = self.grid
        return Grid(
            (self.mask.shape[0], self.mask.shape[1], self.mask.shape[2]),
            self.affine,
            grid.unit,
            slice_thickness=grid.slice_thickness,
            orientation_known=grid.orientation_known,
        )


def mask_in_box(labels: NDArray[Any], box: Box | tuple[int], values: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a box, or a plane, of a label array holds one of the values; memory order is kept."""
    inside = labels[box]
    mask = inside == values[0]
    for value in values[1:]:
        mask |= inside == value
    return np.asarray(mask)


def plane_name(grid: Grid, axis: int) -> str:
    """`axial`, `coronal` or `sagittal` by the letter of the slicing axis; `slice` where that is not known."""
    if grid.unit == "px" or not grid.orientation_known:
        return "slice"
    name = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal"}.get(
        grid.orientation[axis], "sagittal"
    )
    return f"oblique {name}" if grid.is_oblique else name
