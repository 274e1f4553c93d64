"""Voxels of each tissue in each slice: one pass over the slices, from which all its numbers follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.tissue import Tissue
from medseg.domain import Image
from medseg.masks import border_mask

__all__ = ["TissueCounts", "count_tissues", "slice_of", "tissue_planes"]


@dataclass(frozen=True, slots=True, eq=False)
class TissueCounts:
    """Counts along the slicing axis.

    Parameters
    ----------
    axis
        The array axis that slices lie across.
    inside
        (slices,) voxels of the compartment, measured or not.
    voxels, sums
        (tissues, slices) measured voxels in the range, and the sum of their HU.
    cut
        (tissues, slices) whether the compartment leaves the field of view within the slice; without a
        compartment, whether the tissue does.
    cut_along
        (tissues,) whether it does anywhere, the ends of the stack included.
    """

    axis: int
    inside: NDArray[np.int64]
    voxels: NDArray[np.int64]
    sums: NDArray[np.float64]
    cut: NDArray[np.bool_]
    cut_along: NDArray[np.bool_]


def count_tissues(
    image: Image,
    compartment: NDArray[np.bool_] | None,
    tissues: tuple[Tissue, ...],
    axis: int,
    *,
    slices: range | None = None,
) -> TissueCounts:
    """Count each tissue per slice.

    Parameters
    ----------
    image
        CT in HU, (I, J, K).
    compartment
        (I, J, K) bool on the same grid; None is the whole image.
    tissues
        Ranges; a voxel may lie in several.
    axis
        Slices lie across this array axis.
    slices
        The slices to count; all by default. The others hold zeros, and the ends of the stack cut nothing.

    Notes
    -----
    Values are rounded to whole HU before they are compared, so that ranges that meet leave no gap; both
    limits belong to the range. Voxels in `Image.outside` and values that are not finite are in no tissue.
    Memory: one boolean array and a few slices.
    """
    extent = image.grid.shape[axis]
    border = border_mask(image.grid.shape, image.outside) if slices is None else None
    voxels = np.zeros((len(tissues), extent), np.int64)
    sums = np.zeros((len(tissues), extent))
    cut = np.zeros((len(tissues), extent), np.bool_)
    inside = np.zeros(extent, np.int64)
    along = np.zeros(len(tissues), np.bool_)
    for index in range(extent) if slices is None else slices:
        plane = _inside(image, compartment, (axis, index))
        inside[index] = np.count_nonzero(plane)
        if not inside[index]:
            continue
        measured, shown = _measured(image, plane, (axis, index))
        values = shown[measured]
        edge = _edge(image, axis, index)
        ends = edge if border is None else slice_of(border, axis, index)
        reach = [(plane & where).any() for where in (edge, ends)]
        for number, tissue in enumerate(tissues):
            found = tissue.holds(values)
            voxels[number, index] = np.count_nonzero(found)
            # A product is ten times quicker than picking voxels that lie here and there.
            sums[number, index] = np.multiply(values, found).sum(dtype=np.float64)
            if compartment is None:
                reach = [(found & where[measured]).any() for where in (edge, ends)]
            cut[number, index], along[number] = reach[0], along[number] | reach[1]
    return TissueCounts(axis, inside, voxels, sums, cut, along)


def tissue_planes(
    image: Image, plane: NDArray[np.bool_], tissues: tuple[Tissue, ...], place: tuple[int, int]
) -> Iterator[NDArray[np.bool_]]:
    """Per tissue its measured voxels within one slice (axis, index) of the compartment."""
    measured, values = _measured(image, plane, place)
    for tissue in tissues:
        yield measured & tissue.holds(values)


def slice_of(array: NDArray[Any], axis: int, index: int) -> NDArray[Any]:
    """View of one slice; `take` would copy the whole of an array in Fortran order for each."""
    view: NDArray[Any] = np.moveaxis(array, axis, 0)[index]
    return view


def _measured(
    image: Image, plane: NDArray[np.bool_], place: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Voxels of the plane that hold a measurement, and the slice's values as they are compared."""
    values = slice_of(image.array, *place)
    measured = plane if image.outside is None else plane & ~slice_of(image.outside, *place)
    if values.dtype.kind != "f":
        return measured, values
    return measured & np.isfinite(values), values


def _inside(image: Image, compartment: NDArray[np.bool_] | None, place: tuple[int, int]) -> NDArray[np.bool_]:
    if compartment is not None:
        return slice_of(compartment, *place)
    shape = [n for axis, n in enumerate(image.grid.shape) if axis != place[0]]
    return np.ones(shape, np.bool_)


def _edge(image: Image, axis: int, index: int) -> NDArray[Any]:
    """Border within one slice: an area does not care for the ends of the stack."""
    shape = list(image.grid.shape)
    shape[axis] = 1
    outside = None
    if image.outside is not None:
        outside = np.expand_dims(slice_of(image.outside, axis, index), axis)
    return slice_of(border_mask((shape[0], shape[1], shape[2]), outside), axis, 0)
