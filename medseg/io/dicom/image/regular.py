"""Irregular stacks on a regular grid: only when the user asks, and never without a Finding."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.domain.source import Verdict
from medseg.geometry.resample import covered_by, resample
from medseg.geometry.slices import StackVerdict

__all__ = ["Stack", "even_steps", "resampled_finding", "upright", "upright_grid"]

#: A place this near (share of a step) to a slice is that slice.
ON_SLICE = 1e-3
#: A place is filled, not measured, when no slice lies within one step of it, less this share.
NEAR_STEP = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Values (I, J, K), the grid they lie on, and where they hold no measurement (None: nowhere)."""

    array: NDArray[Any]
    grid: Grid
    outside: NDArray[np.bool_] | None


def even_steps(stack: Stack, found: StackVerdict) -> Stack:
    """Slices with gaps or variable steps, interpolated linearly along their line onto even steps.

    `stack.grid` has the slices' own first position and the smallest step; its last extent is replaced, and its step
    where that does not divide the stack: the first and the last slice lie on the grid.
    Places with no slice within one step of them are `outside`. Returns float32; a tilted stack comes
    back upright. Memory: three copies.
    """
    places_mm, left, right, share = _places(found)
    low, high = stack.array[..., left].astype(np.float32), stack.array[..., right].astype(np.float32)
    low += (high - low) * share.astype(np.float32)
    gone = np.broadcast_to(_unmeasured(found, places_mm), low.shape).copy()
    if stack.outside is not None:
        gone |= stack.outside[..., left] & (share < 1) | stack.outside[..., right] & (share > 0)
    shape = (*stack.grid.shape[:2], len(places_mm))
    affine = stack.grid.affine.copy()
    affine[:3, 2] *= _even_mm(found) / _step_mm(found)
    even = Stack(np.asfortranarray(low), replace(stack.grid, shape=shape, affine=affine), gone)
    return upright(even) if found.tilt_degrees else even


def upright(stack: Stack) -> Stack:
    """A sheared stack on a grid with right angles that covers all of it; what it did not cover is `outside`."""
    target = upright_grid(stack.grid)
    values = resample(stack.array, stack.grid, target, fill=float(stack.array.min()))
    gone = ~covered_by(stack.grid, target)
    if stack.outside is not None:
        mask = stack.outside.astype(np.uint8)
        gone |= resample(mask, stack.grid, target, interpolation="nearest") > 0
    return Stack(values, target, gone)


def upright_grid(grid: Grid) -> Grid:
    """Grid with the in-plane axes of a sheared one, slices along their normal, over its whole field of view."""
    direction = grid.direction
    normal = np.cross(direction[:, 0], direction[:, 1])
    normal /= np.linalg.norm(normal)
    normal *= np.sign(normal @ direction[:, 2])
    axes = np.stack([direction[:, 0], direction[:, 1], normal], axis=1)
    step = float(grid.affine[:3, 2] @ normal)
    spacing = np.array([grid.spacing[0], grid.spacing[1], step])
    reach = np.linalg.solve(axes, (grid.corners - grid.affine[:3, 3]).T).T / spacing
    low, high = np.floor(reach.min(axis=0) + 1e-6), np.ceil(reach.max(axis=0) - 1e-6)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = grid.affine[:3, 3] + affine[:3, :3] @ low
    return replace(grid, shape=tuple(int(n) for n in high - low + 1), affine=affine)  # type: ignore[arg-type]


def resampled_finding(found: StackVerdict) -> Finding:
    """What a report must say of a stack that was put on a regular grid."""
    text = (
        f"The stack ({found.verdict.value}) was resampled onto a regular grid; its values are interpolated."
    )
    return Finding("dicom.resampled", "warning", text)


def _step_mm(found: StackVerdict) -> float:
    return float(np.linalg.norm(found.step)) * float(np.cos(np.radians(found.tilt_degrees)))


def _even_mm(found: StackVerdict) -> float:
    """The largest step, up to the smallest between slices, that ends on the last slice; a gap's steps are whole."""
    length, step = float(found.offsets[-1]), _step_mm(found)
    steps = length / step
    count = np.rint(steps) if found.verdict is Verdict.GAP else np.ceil(steps - ON_SLICE)
    return length / max(1.0, float(count))


def _places(
    found: StackVerdict,
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Even places along the normal, the slices left and right of each, and the right one's share."""
    offsets, step = found.offsets, _even_mm(found)
    count = int(np.rint(offsets[-1] / step)) + 1
    places = np.arange(count, dtype=np.float64) * step
    right = np.clip(np.searchsorted(offsets, places - 1e-6 * step), 1, len(offsets) - 1)
    left = right - 1
    width = offsets[right] - offsets[left]
    share = np.clip((places - offsets[left]) / width, 0, 1).astype(np.float64)
    share[share < ON_SLICE] = 0
    share[share > 1 - ON_SLICE] = 1
    return places, left, right, share


def _unmeasured(found: StackVerdict, places: NDArray[np.float64]) -> NDArray[np.bool_]:
    nearest: NDArray[np.float64] = np.abs(places[:, None] - found.offsets).min(axis=1)
    return nearest > _step_mm(found) * (1 - NEAR_STEP)
