"""Judges for people who measure: solids with known answers, and grids of every kind to put them on.

Nothing in medseg imports this room; tests, benchmarks and authors of plugins do.
"""

from medseg.testing.grids import grid_around, random_turn
from medseg.testing.phantoms import partial_volumes, phantom, rasterise_solid
from medseg.testing.solids import Box, Ellipsoid, Shell, Solid, Torus, ball, slab

__all__ = [
    "Box",
    "Ellipsoid",
    "Shell",
    "Solid",
    "Torus",
    "ball",
    "grid_around",
    "partial_volumes",
    "phantom",
    "random_turn",
    "rasterise_solid",
    "slab",
]
