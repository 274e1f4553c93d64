"""Splitting touching objects at their necks: a seeded watershed on the distance to the background."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid
from medseg.errors import InputError
from medseg.geometry import order_to
from medseg.masks.components import Connectivity, components
from medseg.masks.distances import depth_of

__all__ = ["flood_basins", "high_maxima", "split_touching", "without_thin"]

#: Arrays with no more voxels are reconstructed by sorting.
_SMALL = 5000
#: Depths within this relative difference of the one asked for reach it (distances are float32).
_SAME_DEPTH = 1e-5


def split_touching(
    mask: NDArray[np.bool_], grid: Grid, depth_mm: float, connectivity: Connectivity = 26
) -> NDArray[Any]:
    """Objects of a mask as ids from 1, largest first, split where a neck is thinner than both its sides.

    Parameters
    ----------
    mask
        (I, J, K) bool.
    grid
        Its grid; lengths are in its unit.
    depth_mm
        Split where the inscribed radius on both sides exceeds that of the neck by at least this much
        (mm; pixels on a `px` grid).
    connectivity
        Of the objects before splitting.

    Returns
    -------
    (I, J, K) unsigned ids; an empty mask gives zeros. Every voxel of the mask keeps an object.

    Raises
    ------
    InputError
        If the grid is sheared (distances along its axes are not those of the world) or `depth_mm` is not
        positive.

    Notes
    -----
    Distance to the nearest voxel centre outside, in mm; beyond the array is neither in nor out, so a cut
    object is not split by the cut. Seeds are the distance's maxima that rise at least `depth_mm` above the saddle
    to a higher one (h-maxima: Soille, Morphological Image Analysis, 2003), flooded from high to low (Meyer
    1991). It works in the axis order nearest to RAS, so the answer does not depend on how a file is stored.
    Memory: four copies of one object's box in float32.

    Examples
    --------
    >>> bar = np.ones((9, 3, 1), bool); bar[4, [0, 2]] = False
    >>> int(split_touching(bar, Grid((9, 3, 1), np.eye(4)), 0.4).max())
    2
    """
    if grid.is_sheared:
        raise InputError("touching lesions can't be split on a sheared grid (tilted gantry); use --resample")
    if not depth_mm > 0:
        raise InputError(f"the depth of a neck that splits is positive, not {depth_mm} mm")
    order = order_to(grid)
    spacing = order.grid(grid).spacing
    found = components(np.ascontiguousarray(order.apply(mask)), connectivity).astype(np.uint32)
    count = int(found.max())
    for number, box in enumerate(_boxes(found), start=1):
        # One voxel around shows the background, but not beyond the array's own faces.
        parts = _parts(found[box] == number, spacing, depth_mm)
        found[box][parts > 1] = parts[parts > 1] + (count - 1)
        count += max(int(parts.max()) - 1, 0)
    return np.ascontiguousarray(order.undo(_ranked(found, count)))


def _boxes(ids: NDArray[np.uint32]) -> list[tuple[slice, ...]]:
    import cc3d

    boxes = cc3d.statistics(ids)["bounding_boxes"][1:]
    return [tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box) for box in boxes]


def _parts(mask: NDArray[np.bool_], spacing: tuple[float, ...], depth: float) -> NDArray[np.uint32]:
    """Parts of one object from 1."""
    # The pass between two parts is a voxel of the object too, at least this deep.
    least = min(spacing) + depth * (1 - _SAME_DEPTH)
    if mask.all() or _deepest(mask, spacing) < least:
        return mask.astype(np.uint32)
    distance = depth_of(mask, spacing)
    return flood_basins(mask, distance, depth) if distance.max() >= least else mask.astype(np.uint32)


def _deepest(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    """No voxel lies deeper: half of the thinnest side that has an outside on both ends."""
    thickness = (
        (extent - 1) * step
        for axis, (extent, step) in enumerate(zip(mask.shape, spacing, strict=True))
        if not np.moveaxis(mask, axis, 0)[[0, -1]].any()
    )
    return min(thickness, default=np.inf) / 2


def flood_basins(mask: NDArray[np.bool_], height: NDArray[np.float32], depth: float) -> NDArray[np.uint32]:
    """Parts of a mask, from 1: one around every maximum of `height` that rises by `depth` above the pass to another.

    Parameters
    ----------
    mask
        (I, J, K) bool.
    height
        (I, J, K) float32, such as a distance to the boundary; what it is outside the mask does not count.
    depth
        In the unit of `height`.

    Returns
    -------
    (I, J, K) uint32; every voxel of the mask has a part, an empty mask gives zeros.
    """
    from skimage.segmentation import watershed

    height = np.where(mask, height, np.float32(0))
    seeds = components(high_maxima(height, depth) & mask)
    if seeds.max() <= 1:
        return mask.astype(np.uint32)
    parts: NDArray[np.uint32] = watershed(-height, seeds, mask=mask, connectivity=3).astype(np.uint32)
    # What no seed reaches (joined by nothing but the array's order) stays with the first.
    return np.where(mask & (parts == 0), np.uint32(1), parts)


def high_maxima(height: NDArray[np.float32], depth: float) -> NDArray[np.bool_]:
    """(I, J, K) bool: maxima of `height` that rise by `depth` above the pass to a higher one (corners join).

    h-maxima (Soille, Morphological Image Analysis, 2003). The reconstruction is ITK's, which needs no sorting, but
    several milliseconds to start; there are images with thousands of small objects.
    """
    import SimpleITK as sitk
    from skimage.morphology import local_maxima, reconstruction

    lowest = height - np.float32(depth * (1 - _SAME_DEPTH))
    if height.size <= _SMALL:
        lowered = reconstruction(lowest, height)
    else:
        found = sitk.ReconstructionByDilation(without_thin(lowest), without_thin(height), fullyConnected=True)
        lowered = sitk.GetArrayFromImage(found).reshape(height.shape)
    return np.asarray(local_maxima(lowered, connectivity=3), np.bool_)


def without_thin(array: NDArray[Any]) -> Any:
    """SimpleITK image of an array, bare of axes of one voxel: ITK takes several times as long with one."""
    import SimpleITK as sitk

    wide = [extent for extent in array.shape if extent > 1]
    shape = wide if len(wide) > 1 else array.shape
    return sitk.GetImageFromArray(np.ascontiguousarray(array).reshape(shape))


def _ranked(ids: NDArray[np.uint32], count: int) -> NDArray[np.uint32]:
    """Ids by size, largest first; ties keep their order."""
    sizes = np.bincount(ids.ravel(), minlength=count + 1)
    rank = np.zeros(count + 1, dtype=np.uint32)
    rank[np.argsort(-sizes[1:], kind="stable") + 1] = np.arange(1, count + 1)
    ranked: NDArray[np.uint32] = rank[ids]
    return ranked
