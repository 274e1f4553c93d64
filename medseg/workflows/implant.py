"""Known change in a patient's own scan: an object of a mask grown, shrunk, or a small one planted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Segmentation, Target
from medseg.geometry.deform import Swelling, warp
from medseg.geometry.resample import resample
from medseg.masks import components
from medseg.masks.border import border_mask

__all__ = ["Planted", "ScanObject", "planted", "scan_objects", "sizes_to_plant", "with_growth"]

#: Smaller objects are too coarse for a change of theirs to be known (a cube of three voxels).
_FEWEST_VOXELS = 27
#: Objects that are changed, spread over the sizes there are.
_MOST = 6
#: Room for the tissue around an object, as a multiple of its radius.
_ROOM = 2.0
#: Diameters of planted balls in voxels (of the geometric mean of the spacing).
_DIAMETERS = (4.0, 6.0, 9.0)
#: Voxels at an object's surface that are of both sides, how far around it the tissue is that it lies in, and how far
#: a planted one stays from any other.
_EDGE, _RING, _APART = 2, 5, 3


@dataclass(frozen=True, slots=True, eq=False)
class ScanObject:
    """One connected part (26 neighbours) of a label, away from the border: what it is, its voxels, its place."""

    target: Target
    mask: NDArray[np.bool_]
    ml: float
    centre: NDArray[np.float64]
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """Images with a ball in them, and where: voxels that belong to it if a label is found in them."""

    images: Mapping[str, Image]
    ml: float
    near: NDArray[np.bool_]


def scan_objects(found: Segmentation, targets: tuple[Target, ...]) -> list[ScanObject]:
    """At most six objects, from the largest to the smallest; none that touches the border of the image."""
    border = border_mask(found.grid.shape)
    every = [item for target in targets for item in _of_label(found, target, border)]
    every.sort(key=lambda item: -item.ml)
    if len(every) <= _MOST:
        return every
    picked = np.unique(np.linspace(0, len(every) - 1, _MOST).round().astype(int))
    return [every[number] for number in picked]


def _of_label(found: Segmentation, target: Target, border: NDArray[np.bool_]) -> Iterator[ScanObject]:
    ids = components(found.mask(*target.labels))
    counts = np.bincount(ids.ravel(order="K"))
    cut = set(np.unique(ids[border]).tolist())
    for number in range(1, len(counts)):
        if counts[number] < _FEWEST_VOXELS:
            return  # components come by size
        if number in cut:
            continue
        mask = ids == number
        positions = found.grid.to_position(np.argwhere(mask))
        centre = positions.mean(axis=0)
        half = np.linalg.norm(found.grid.spacing) / 2
        radius = float(np.linalg.norm(positions - centre, axis=1).max() + half)
        yield ScanObject(target, mask, float(counts[number]) * found.grid.voxel_volume / 1000, centre, radius)


def with_growth(
    images: Mapping[str, Image], item: ScanObject, factor: float, found: Segmentation
) -> tuple[dict[str, Image], float]:
    """Images in which an object has `factor` times its volume, and the change in ml of its label by that.

    The change is the integral of the deformation's Jacobian over the label, so that what else of the label lies in
    the tissue that makes room counts as it moves.
    """
    inner = item.radius * max(1.0, factor ** (1 / 3))
    swelling = Swelling(tuple(item.centre.tolist()), item.radius, factor, inner + (_ROOM - 1) * item.radius)
    label = np.argwhere(found.mask(*item.target.labels))
    jacobian = swelling.jacobian(found.grid.to_position(label))
    changed = {
        name: replace(
            image,
            array=warp(
                image.array, image.grid, swelling.source, box=_box(image.grid, item.centre, swelling.outer)
            ),
        )
        for name, image in images.items()
    }
    return changed, float((jacobian - 1).sum()) * found.grid.voxel_volume / 1000


def _box(grid: Grid, centre: NDArray[np.float64], reach: float) -> tuple[slice, slice, slice]:
    """Indices of a grid within `reach` of a position, also on oblique and sheared grids."""
    middle = grid.to_index(centre)
    half = reach * np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)
    low = np.clip(np.floor(middle - half).astype(int), 0, grid.shape)
    high = np.clip(np.ceil(middle + half).astype(int) + 1, 0, grid.shape)
    i, j, k = (slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
    return i, j, k


def sizes_to_plant(grid: Grid, below_ml: float) -> tuple[float, ...]:
    """Volumes in ml of balls of 4, 6 and 9 voxels across, as far as they are smaller than an object that is there."""
    step = grid.voxel_volume ** (1 / 3)
    found = (np.pi / 6 * (across * step) ** 3 / 1000 for across in _DIAMETERS)
    return tuple(float(ml) for ml in found if ml < below_ml)


def planted(
    images: Mapping[str, Image], reference: str, found: Segmentation, like: ScanObject, ml: float
) -> Planted | None:
    """Images with a ball of `ml` that is as much brighter or darker than its surroundings as `like` is than its own.

    It lies where the reference channel is most like the surroundings of `like`, away from all that was found and
    from the border; its edge has exact partial volumes within a voxel's width. None where there is no such place.
    """
    radius = (3000 * ml / (4 * np.pi)) ** (1 / 3)
    core, ring = _core(like.mask), _ring(like.mask) & (found.labels == 0)
    place = _place(images[reference].array, found, ring, radius)
    if place is None:
        return None
    centre = found.grid.to_position(np.array(place, np.float64))
    changed = {
        name: _with_ball(image, _contrast(image, found.grid, core, ring), centre, radius)
        for name, image in images.items()
    }
    away = np.linalg.norm(
        found.grid.to_position(np.moveaxis(np.indices(found.grid.shape), 0, -1)) - centre, axis=-1
    )
    return Planted(changed, ml, away <= 1.5 * radius + max(found.grid.spacing))


def _ring(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The tissue around an object, without the voxels at its surface."""
    from scipy.ndimage import binary_dilation

    around: NDArray[np.bool_] = binary_dilation(mask, iterations=_RING) & ~binary_dilation(
        mask, iterations=_EDGE
    )
    return around


def _core(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The object without the voxels at its surface; of a thin one all of it."""
    from scipy.ndimage import binary_erosion

    inside: NDArray[np.bool_] = binary_erosion(mask, iterations=_EDGE)
    return inside if inside.any() else mask


def _place(
    array: NDArray[Any], found: Segmentation, ring: NDArray[np.bool_], radius: float
) -> tuple[int, int, int] | None:
    from scipy.ndimage import distance_transform_edt, uniform_filter

    spacing = found.grid.spacing
    free = (found.labels == 0) & ~border_mask(found.grid.shape)
    clear = distance_transform_edt(free, sampling=spacing) > radius + _APART * max(spacing)
    if not clear.any() or not ring.any():
        return None
    size = [max(1, round(2 * radius / step)) for step in spacing]
    values = array.astype(np.float32)
    unlike = np.abs(uniform_filter(values, size) - float(values[ring].mean()))
    unlike[~clear] = np.inf
    i, j, k = (int(index) for index in np.unravel_index(int(np.argmin(unlike)), unlike.shape))
    return i, j, k


def _contrast(image: Image, grid: Grid, mask: NDArray[np.bool_], ring: NDArray[np.bool_]) -> float:
    """Mean inside less mean around, in a channel on any grid of the same space; 0 where it shows neither."""
    inside, around = (
        resample(part.astype(np.uint8), grid, image.grid, interpolation="nearest") > 0
        for part in (mask, ring)
    )
    if not (inside.any() and around.any()):
        return 0.0
    return float(image.array[inside].mean(dtype=np.float64) - image.array[around].mean(dtype=np.float64))


def _with_ball(image: Image, contrast: float, centre: NDArray[np.float64], radius: float) -> Image:
    grid = image.grid
    width = max(grid.spacing)
    box = _box(grid, centre, radius + width)
    index = np.stack(np.meshgrid(*(np.arange(side.start, side.stop) for side in box), indexing="ij"), axis=-1)
    away = np.linalg.norm(grid.to_position(index) - centre, axis=-1)
    share = np.clip((radius - away) / width + 0.5, 0, 1)
    array = image.array.astype(np.float32)
    array[box] += contrast * share
    return replace(image, array=array)
