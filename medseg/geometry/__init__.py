"""Grids: orientation, comparison, resampling, verdicts on slice positions, and the one RAS ↔ LPS flip.

`geometry.sitk` stands apart, so that who needs no SimpleITK does not load it.
"""

from medseg.geometry.compare import Agreement, GridComparison, compare_grids, require_same_grid, same_grid
from medseg.geometry.lps import flip_affine, flip_positions
from medseg.geometry.orientation import AxisOrder, affine_orientation, order_to

__all__ = [
    "Agreement",
    "AxisOrder",
    "GridComparison",
    "affine_orientation",
    "compare_grids",
    "flip_affine",
    "flip_positions",
    "order_to",
    "require_same_grid",
    "same_grid",
]
