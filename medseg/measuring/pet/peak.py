"""Means in a sphere around voxels: what an intensity peak is the highest of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid

__all__ = ["PEAK_RADIUS_MM", "Sphere", "SphereMeans", "sphere_by_centres", "sphere_by_shares", "sphere_means"]

#: Radius of a sphere of 1 ml.
PEAK_RADIUS_MM = float((3000 / (4 * np.pi)) ** (1 / 3))
#: Partial voxels are probed at points this close.
PROBE_MM = 0.25
#: A voxel whose centre is this little outside (mm) is inside: rounding of headers.
ROUNDING_MM = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Sphere:
    """Index offsets (N, 3) from a sphere's centre voxel, and the weight of each."""

    offsets: NDArray[np.intp]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SphereMeans:
    """Mean around each centre over the voxels that were measured, and whether all of them were."""

    means: NDArray[np.float64]
    complete: NDArray[np.bool_]


def sphere_by_centres(grid: Grid, radius_mm: float = PEAK_RADIUS_MM) -> Sphere:
    """Voxels whose centre lies within the radius of another voxel's centre, each with weight 1 (IBSI)."""
    offsets, positions = _around(grid, radius_mm)
    inside = np.linalg.norm(positions, axis=1) <= radius_mm + ROUNDING_MM
    return Sphere(offsets[inside], np.ones(int(inside.sum())))


def sphere_by_shares(grid: Grid, radius_mm: float = PEAK_RADIUS_MM) -> Sphere:
    """Voxels that a sphere around a voxel's centre reaches, weighted by the share of them inside it.

    Shares are counted on points at most 0.25 mm apart, so that they add up to the sphere's volume to 1 %.
    """
    offsets, positions = _around(grid, radius_mm + float(np.linalg.norm(grid.spacing)) / 2)
    counts = [max(2, int(np.ceil(step / PROBE_MM))) for step in grid.spacing]
    axes = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) @ grid.affine[:3, :3].T
    shares = np.array(
        [float((np.linalg.norm(points + place, axis=1) <= radius_mm).mean()) for place in positions]
    )
    used = shares > 0
    return Sphere(offsets[used], shares[used])


def sphere_means(
    values: NDArray[Any], measured: NDArray[np.bool_], centres: NDArray[np.intp], sphere: Sphere
) -> SphereMeans:
    """Weighted mean around each centre.

    Parameters
    ----------
    values
        (I, J, K), any unit.
    measured
        (I, J, K) bool: voxels that hold a value.
    centres
        (M, 3) voxel indices.
    sphere
        Offsets and weights on the same grid.

    Returns
    -------
    SphereMeans
        (M,) means over the measured part of each sphere (NaN where there is none), and whether the whole
        sphere lies in the image and was measured.

    Notes
    -----
    Sources: IBSI reference manual, local intensity peak (VJGA) and global intensity peak (0F91). Memory: a
    float64 copy of the box around the centres.
    """
    reach = np.abs(sphere.offsets).max(axis=0)
    low, high = centres.min(axis=0) - reach, centres.max(axis=0) + reach + 1
    part = tuple(
        slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, values.shape, strict=True)
    )
    around = [(max(0, -int(a)), max(0, int(b) - n)) for a, b, n in zip(low, high, values.shape, strict=True)]
    known = np.pad(measured[part], around)
    held = np.where(known, np.pad(values[part].astype(np.float64), around), 0.0)
    starts = np.ravel_multi_index(tuple((centres - low).T), held.shape)
    strides = np.array([held.shape[1] * held.shape[2], held.shape[2], 1])
    flat, flags = held.ravel(), known.ravel()
    total, weight = np.zeros(len(centres)), np.zeros(len(centres))
    complete = np.ones(len(centres), np.bool_)
    for step, share in zip(sphere.offsets @ strides, sphere.weights, strict=True):
        there = flags[starts + step]
        total += share * flat[starts + step]
        weight += share * there
        complete &= there
    means = np.divide(total, weight, out=np.full(len(centres), np.nan), where=weight > 0)
    return SphereMeans(means, complete)


def _around(grid: Grid, radius_mm: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index offsets within a radius, and their positions."""
    inverse = np.linalg.inv(grid.affine[:3, :3])
    # A sphere reaches as many steps along an index axis as that row of the inverse is long.
    reach = np.floor(np.linalg.norm(inverse, axis=1) * radius_mm + 1e-9).astype(int)
    steps = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    offsets = np.stack(steps, axis=-1).reshape(-1, 3)
    positions = offsets @ grid.affine[:3, :3].T
    near = np.linalg.norm(positions, axis=1) <= radius_mm + ROUNDING_MM
    return offsets[near], positions[near]
