"""A front moved on one grid by a feature, curvature and the pull of edges; numerics by ITK."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.geometry.lps import flip_affine
from medseg.geometry.sitk import from_sitk, to_sitk

__all__ = ["Forces", "moved"]

#: Steps between two looks whether it still moves, and the share of voxels that may change when it rests.
_SPELL = 20
_RESTS = 2e-3


@dataclass(frozen=True, slots=True)
class Forces:
    """What moves a front.

    Parameters
    ----------
    kind
        `range`: forward where a feature lies in −1…1, back elsewhere, by 1 minus its size. `edges`: forward by
        a feature of 0…1 that is low at edges.
    propagation, curvature, advection
        Their weights; curvature in mm (px on px grids): the radius of a ball on which it balances a
        propagation of 1 is twice that. Advection (towards low features) works with `edges` only.
    """

    kind: Literal["edges", "range"]
    propagation: float
    curvature: float
    advection: float = 0.0


def moved(
    phi: NDArray[np.float32], values: NDArray[np.float32], grid: Grid, forces: Forces, steps: int
) -> NDArray[np.float32]:
    """Move a front until it rests; runs in a process of its own.

    Parameters
    ----------
    phi
        (I, J, K) float32 signed distance, negative inside.
    values
        (I, J, K) float32 feature.
    grid
        Of both; its edges are alike.
    forces
        What moves it.
    steps
        At most.

    Returns
    -------
    (I, J, K) float32; below 0 inside.
    """
    # ITK turns the pull of edges by the image's direction and the front's slope not; without a turn both agree.
    # Its Gaussians want four voxels along every axis: a slice is repeated.
    more = [(0, max(0, 4 - extent)) for extent in phi.shape]
    shape = tuple(slice(extent) for extent in phi.shape)
    phi, values = np.pad(phi, more, mode="edge"), np.pad(values, more, mode="edge")
    straight = replace(grid, shape=phi.shape, affine=flip_affine(np.diag([*grid.spacing, 1.0])))
    feature = to_sitk(values, straight)
    inside = phi < 0
    # In spells, since ITK's own measure of rest does not settle, and slows then.
    for done in range(0, steps, _SPELL):
        mover = _mover(forces, min(_SPELL, steps - done))
        phi = from_sitk(mover.Execute(to_sitk(phi, straight), feature)).astype(np.float32)
        before, inside = inside, phi < 0
        if int((before ^ inside).sum()) <= _RESTS * max(1, int(inside.sum())):
            break
    return phi[shape]


def _mover(forces: Forces, steps: int) -> Any:
    import SimpleITK as sitk

    mover: Any
    if forces.kind == "range":
        mover = sitk.ThresholdSegmentationLevelSetImageFilter()
        mover.SetLowerThreshold(-1.0)
        mover.SetUpperThreshold(1.0)
    else:
        mover = sitk.GeodesicActiveContourLevelSetImageFilter()
        mover.SetAdvectionScaling(forces.advection)
    mover.SetPropagationScaling(forces.propagation)
    mover.SetCurvatureScaling(forces.curvature)
    mover.SetNumberOfIterations(steps)
    mover.SetMaximumRMSError(0.0)
    mover.SetNumberOfThreads(1)
    return mover
