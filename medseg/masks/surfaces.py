"""Closed surfaces of masks, in mm: the mesh that is measured, and a smoothed or thinned one for looking."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Segmentation
from medseg.domain.values import owned
from medseg.errors import InputError
from medseg.masks.mesh import mesh_of

__all__ = ["NO_SIZE", "Surface", "smoothed", "surface_of", "surfaces_of", "thinned", "volume_change"]

#: Shrinking factor of the paper's examples, and the growing one for a pass band of 0.05: half theirs, which takes
#: away more of the steps between thick slices and keeps the volume of balls to 1 %.
_SHRINK = 0.6307
_GROW = 1 / (0.05 - 1 / _SHRINK)
#: Why a mask in pixels has none.
NO_SIZE = "a surface needs a size in mm, and this mask is measured in pixels; give --spacing if you know it"
#: Thinning gives up after so many coarser tries.
_TRIES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Triangles in the world.

    Parameters
    ----------
    vertices
        (N, 3) float64 positions, RAS+ mm.
    triangles
        (M, 3) int32 rows of `vertices`, counter-clockwise as seen from outside.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]

    def __post_init__(self) -> None:
        vertices = np.asarray(self.vertices, np.float64)
        triangles = np.asarray(self.triangles)
        if vertices.ndim != 2 or vertices.shape[1] != 3 or not np.isfinite(vertices).all():
            raise InputError(f"vertices are finite and of shape (N, 3), not {vertices.shape}")
        if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
            raise InputError(f"triangles are whole numbers of shape (M, 3), not {triangles.shape}")
        if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(vertices):
            raise InputError(f"a triangle names a vertex outside 0 to {len(vertices) - 1}")
        object.__setattr__(self, "vertices", owned(vertices))
        object.__setattr__(self, "triangles", owned(triangles.astype(np.int32, copy=False)))

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Surface, self.vertices, self.triangles), ()

    @property
    def volume_ml(self) -> float:
        """Enclosed volume by the divergence theorem; negative when the triangles face inwards, 0 if empty."""
        if not len(self.triangles):
            return 0.0
        # Around the middle, so that a distant origin costs no digits.
        corners = (self.vertices - self.vertices.mean(axis=0))[self.triangles]
        return float(np.einsum("ij,ij->", np.cross(corners[:, 0], corners[:, 1]), corners[:, 2]) / 6000)

    @property
    def area_mm2(self) -> float:
        """Sum of the triangles' areas."""
        a, b, c = np.moveaxis(self.vertices[self.triangles], 1, 0)
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    @property
    def is_closed(self) -> bool:
        """Whether every edge is run once in either direction: by two triangles with the same outside."""
        triangles = self.triangles.astype(np.int64)
        start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
        forth = np.sort(start * len(self.vertices) + end)
        back = np.sort(end * len(self.vertices) + start)
        return bool(np.array_equal(forth, back) and (np.diff(forth) > 0).all())


def surface_of(mask: NDArray[np.bool_], grid: Grid) -> Surface:
    """Surface of a mask by marching cubes at level 0.5, closed at the border of the array too.

    Every vertex lies halfway between a voxel inside and its neighbour outside. Oblique, mirrored and
    sheared grids are handled by their affine; triangles face outwards in all of them.

    Parameters
    ----------
    mask
        (I, J, K) bool.
    grid
        The mask's; in mm.

    Returns
    -------
    Surface without triangles if the mask is empty.

    Raises
    ------
    InputError
        If the grid has no physical size.

    Notes
    -----
    The mesh that is measured (`mesh_of`, Lorensen and Cline 1987 as PyRadiomics applies it). Where that
    leaves a square open, between voxels that touch along an edge alone, two triangles close it, so that
    the volume there may differ from the measured one by parts of a voxel.

    Examples
    --------
    One voxel becomes an octahedron with half its edge as semi-axis: 4/3 · 0.5³ mm³.

    >>> mask = np.ones((1, 1, 1), dtype=np.bool_)
    >>> round(surface_of(mask, Grid((1, 1, 1), np.eye(4))).volume_ml * 1000, 6)
    0.166667
    """
    if grid.unit != "mm":
        raise InputError(NO_SIZE)
    if not mask.any():
        return Surface(np.empty((0, 3)), np.empty((0, 3), np.int32))
    cut = _box(mask)
    return _of_box(mask[cut], cut, grid)


def surfaces_of(segmentation: Segmentation) -> Iterator[tuple[int, Surface]]:
    """Value and surface of every label that occurs; see `surface_of`.

    Labels are looked for once, so that many small ones in a large array cost what they hold.

    Raises
    ------
    InputError
        If the grid has no physical size.
    """
    from scipy.ndimage import find_objects

    if segmentation.grid.unit != "mm":
        raise InputError(NO_SIZE)
    for value, cut in enumerate(find_objects(segmentation.labels), start=1):
        if cut is not None:
            yield value, _of_box(segmentation.labels[cut] == value, cut, segmentation.grid)


def smoothed(surface: Surface, *, iterations: int = 20, most_change: float = 0.05) -> Surface:
    """The surface without the steps of voxels, for looking only: its volume is not the structure's.

    Vertices move in mm towards the mean of their neighbours and back again, which keeps the shape where a
    plain mean would shrink it. Thin structures still lose volume: they get fewer steps, at worst none.
    Report `volume_change` with it.

    Parameters
    ----------
    surface
        Any; the triangles stay.
    iterations
        Pairs of one shrinking and one growing step, at most.
    most_change
        Share of the volume that may change; iterations are halved until it holds.

    Notes
    -----
    Taubin 1995, A signal processing approach to fair surface design (SIGGRAPH), λ = 0.6307, pass
    band 0.05 (μ = −0.6512), equal weights. The limit is our own.
    """
    while iterations > 0 and len(surface.triangles):
        result = _taubin(surface, iterations)
        change = volume_change(surface, result)
        if change is not None and abs(change) <= most_change:
            return result
        iterations //= 2
    return surface


def thinned(surface: Surface, most: int) -> Surface:
    """At most `most` triangles, by merging the vertices of each cell of a cubic lattice; for looking only.

    Thin walls may touch afterwards, so the result need not be closed. A surface that has no more is
    returned as it is.

    Raises
    ------
    InputError
        If `most` is below 4.

    Notes
    -----
    Rossignac and Borrel 1993, Multi-resolution 3D approximations for rendering; each cell keeps the mean
    of its vertices.
    """
    if most < 4:
        raise InputError(f"a closed surface has at least 4 triangles, not {most}")
    cell_mm = float(np.sqrt(2.5 * surface.area_mm2 / most))
    result = surface
    for _ in range(_TRIES):
        if len(result.triangles) <= most:
            break
        result = _clustered(surface, cell_mm)
        cell_mm *= 1.2
    return result


def volume_change(before: Surface, after: Surface) -> float | None:
    """Change of the enclosed volume as a share of the first: 0.01 is 1 % more; None without a volume."""
    first = before.volume_ml
    return None if first <= 0 else after.volume_ml / first - 1


def _taubin(surface: Surface, iterations: int) -> Surface:
    from scipy.sparse import coo_array

    count = len(surface.vertices)
    start, end = surface.triangles.ravel(), np.roll(surface.triangles, -1, axis=1).ravel()
    rows, columns = np.concatenate([start, end]), np.concatenate([end, start])
    neighbours = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count)).tocsr()
    share = 1 / np.maximum(neighbours.sum(axis=1), 1)[:, None]
    middle = surface.vertices.mean(axis=0)
    vertices = surface.vertices - middle
    for factor in (_SHRINK, _GROW) * iterations:
        vertices = vertices + factor * ((neighbours @ vertices) * share - vertices)
    return replace(surface, vertices=vertices + middle)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The part of the array that holds the mask."""
    cut = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        cut.append(slice(int(used[0]), int(used[-1]) + 1))
    return tuple(cut)


def _of_box(box: NDArray[np.bool_], cut: tuple[slice, ...], grid: Grid) -> Surface:
    indices, triangles = mesh_of(box)
    triangles = np.concatenate([triangles, _closing(indices, triangles)])
    if np.linalg.det(grid.affine[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    low = [part.start for part in cut]
    return Surface(grid.to_position(indices + low), np.ascontiguousarray(triangles))


def _closing(indices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Two triangles for every open square of the mesh; each lies in one face of a cube of voxels' centres."""
    start, end = triangles.astype(np.int64).ravel(), np.roll(triangles, -1, axis=1).astype(np.int64).ravel()
    count = len(indices)
    forth, back = start * count + end, end * count + start
    if np.array_equal(np.sort(forth), np.sort(back)):
        return np.empty((0, 3), np.int32)
    open_edge = ~np.isin(forth, back)
    start, end = start[open_edge], end[open_edge]
    # Of an edge's two ends one is halfway along the one axis of the face, the other along the other.
    first, second = (np.rint(2 * indices[rows]) for rows in (start, end))
    middles = np.where(first % 2 == 1, first, second)
    order = np.lexsort(middles.T)
    starts, ends = start[order].reshape(-1, 4), end[order].reshape(-1, 4)
    loop = [starts[:, 0]]
    for _ in range(3):
        here = (starts == loop[-1][:, None]).argmax(axis=1)
        loop.append(ends[np.arange(len(ends)), here])
    a, b, c, d = loop
    return np.concatenate([np.stack([c, b, a], axis=1), np.stack([d, c, a], axis=1)]).astype(np.int32)


def _clustered(surface: Surface, cell_mm: float) -> Surface:
    cells = np.floor((surface.vertices - surface.vertices.min(axis=0)) / cell_mm).astype(np.int64)
    extent = cells.max(axis=0) + 1
    keys = (cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2]
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    sums = [np.bincount(place, surface.vertices[:, axis]) for axis in range(3)]
    means: NDArray[np.float64] = np.stack(sums, axis=1) / counts[:, None].astype(np.float64)
    vertices = _nearest_to_planes(surface, place, means, cell_mm)
    triangles = place[surface.triangles].astype(np.int32)
    differ = (triangles != np.roll(triangles, -1, axis=1)).all(axis=1)
    return Surface(vertices, triangles[differ])


def _nearest_to_planes(
    surface: Surface, place: NDArray[np.intp], means: NDArray[np.float64], cell_mm: float
) -> NDArray[np.float64]:
    """Per cell the point with the least squared distance to the planes of the triangles that touch it."""
    a, b, c = np.moveaxis(surface.vertices[surface.triangles], 1, 0)
    normals = np.cross(b - a, c - a)  # twice the area long, so that large triangles count more
    cells = place[surface.triangles]
    systems, sides = np.zeros((len(means), 3, 3)), np.zeros((len(means), 3))
    for corner in range(3):
        offsets = np.einsum("ij,ij->i", normals, a - means[cells[:, corner]])
        for row in range(3):
            sides[:, row] += np.bincount(cells[:, corner], normals[:, row] * offsets, len(means))
            for column in range(3):
                products = normals[:, row] * normals[:, column]
                systems[:, row, column] += np.bincount(cells[:, corner], products, len(means))
    # Directions that no plane holds (flat or straight cells) stay at the mean.
    shifts = np.einsum("nij,nj->ni", np.linalg.pinv(systems, rcond=1e-2, hermitian=True), sides)
    lengths = np.linalg.norm(shifts, axis=1)
    shifts *= np.minimum(1, cell_mm / np.maximum(lengths, 1e-12))[:, None]
    shifted: NDArray[np.float64] = means + shifts
    return shifted
