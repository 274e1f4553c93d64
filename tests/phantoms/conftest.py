"""How the phantoms' tests ask: one number of one structure, and grids of three kinds."""

import numpy as np
import pytest

from medseg.domain import Grid, Measurement, Quantity, Segmentation
from medseg.measuring import measure
from medseg.testing import Solid, grid_around, random_turn
from medseg.testing.grids import SPACINGS

QUICK = ((1.0, 1.0, 1.0), (1.0, 1.0, 3.27), (4.0, 4.0, 2.0), (0.9, 1.3, 2.1))
#: All eight spacings; those with many voxels only in the slow run.
EVERY_SPACING = [
    pytest.param(spacing, marks=() if spacing in QUICK else pytest.mark.slow, id=str(spacing))
    for spacing in SPACINGS
]

#: Numbers of one structure by quantity; None where it was not computed.
Numbers = dict[Quantity, float | None]


def numbers(rows: tuple[Measurement, ...]) -> Numbers:
    """Without rows of one side of a pair, which have a detail."""
    return {
        row.quantity: None if row.value is None else float(row.value)
        for row in rows
        if row.target.detail is None
    }


def measured(segmentation: Segmentation) -> Numbers:
    return numbers(measure(segmentation))


def grid_of(
    kind: str, solid: Solid, spacing: tuple[float, float, float], rng: np.random.Generator, margin: int = 2
) -> Grid:
    """A `straight`, `oblique` or `sheared` grid with the solid at a random place between voxel centres."""
    return grid_around(
        solid.bounds_mm,
        spacing,
        turn=None if kind == "straight" else random_turn(rng),
        tilt_degrees=18.0 if kind == "sheared" else 0.0,
        phase=tuple(rng.uniform(-0.5, 0.5, 3)),  # type: ignore[arg-type]
        margin=margin,
    )


def diagonal_mm(grid: Grid) -> float:
    """Longest diagonal of a voxel."""
    edges = grid.affine[:3, :3]
    return float(max(np.linalg.norm(edges @ (1, b, c)) for b in (-1, 1) for c in (-1, 1)))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Randomness of a test's own: the same in every run and whatever runs beside it."""
    seed = int.from_bytes(request.node.name.encode(), "little") % 2**32
    return np.random.default_rng(seed)


def checked(found: float | None) -> float:
    """A number that was computed."""
    assert found is not None
    return found
