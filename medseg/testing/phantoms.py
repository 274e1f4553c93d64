"""Phantoms: a solid as a perfect annotator would draw it, and as a perfect model would see it.

`rasterise_solid` gives the mask (voxel centres inside), `partial_volumes` the probabilities (share of each voxel
inside, exact).
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Label, LabelTable, Segmentation
from medseg.errors import InputError
from medseg.testing.overlap import ball_overlaps, box_overlaps
from medseg.testing.solids import Box, Ellipsoid, Shell, Solid, Triple, ball

__all__ = ["partial_volumes", "phantom", "rasterise_solid"]

_Floats = NDArray[np.float64]


def rasterise_solid(solid: Solid, grid: Grid) -> NDArray[np.bool_]:
    """(I, J, K) bool: voxels whose centre lies inside.

    Its volume differs from the solid's by at most the volume within half a voxel diagonal on one side of the
    surface, about area × half diagonal: a point counted wrongly and its voxel's centre lie on two sides of it.
    """
    inside = np.empty(grid.shape, dtype=np.bool_)
    plane = np.moveaxis(np.indices((1, *grid.shape[1:])), 0, -1)
    for i in range(grid.shape[0]):
        inside[i] = solid.contains(grid.to_position(plane + np.array((i, 0, 0))))[0]
    return inside


def partial_volumes(solid: Solid, grid: Grid) -> _Floats:
    """(I, J, K) float64 in 0…1: the exact share of every voxel that lies inside.

    In closed form (`ball_overlaps`, `box_overlaps`), so that the sum × |det| is the solid's volume up to
    rounding (1e-12 relative) wherever the grid holds all of it, straight, oblique or sheared.

    Raises
    ------
    InputError
        For a torus, which has no closed form.
    """
    if isinstance(solid, Shell):
        outer, inner = (ball(radius, solid.centre) for radius in (solid.outer, solid.inner))
        return partial_volumes(outer, grid) - partial_volumes(inner, grid)
    if isinstance(solid, Ellipsoid):
        return _shares(grid, solid.turn * solid.semi_axes, solid.centre, is_ball=True)
    if isinstance(solid, Box):
        return _shares(grid, solid.turn * solid.half_sizes, solid.centre, is_ball=False)
    raise InputError(f"the share of a voxel inside a {type(solid).__name__} has no closed form")


def _shares(grid: Grid, frame: _Floats, centre: Triple, *, is_ball: bool) -> _Floats:
    """Shares after the affine map that makes the solid the unit ball or the cube [−1, 1]³."""
    inverse = np.linalg.inv(frame)
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    middles = (grid.to_position(index) - centre) @ inverse.T
    edges = (inverse @ grid.affine[:3, :3]).T
    halves = np.array(list(product((-0.5, 0.5), repeat=3))) @ edges
    if is_ball:
        away, reach = np.linalg.norm(middles, axis=1), float(np.linalg.norm(halves, axis=1).max())
        overlaps = ball_overlaps
    else:
        # The distance of a box in the largest norm: 1 on its surface.
        away, reach = np.abs(middles).max(axis=1), float(np.abs(halves).max())
        overlaps = box_overlaps
    shares = (away < 1).astype(np.float64)
    cut = np.abs(away - 1) < reach
    shares[cut] = overlaps(middles[cut] + halves[0], edges) / abs(np.linalg.det(edges))
    clipped: _Floats = np.clip(shares, 0, 1).reshape(grid.shape)
    return clipped


def phantom(solid: Solid, grid: Grid, *, probabilities: bool = False) -> Segmentation:
    """The rasterised solid as label 1, with its partial volumes as probabilities where asked for."""
    kept = None
    if probabilities:
        inside = partial_volumes(solid, grid)
        kept = np.stack([1 - inside, inside])
    labels = rasterise_solid(solid, grid).astype(np.uint8)
    return Segmentation(labels, grid, LabelTable((Label(1, "phantom"),)), probabilities=kept)
