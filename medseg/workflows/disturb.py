"""One scan disturbed without changing the patient: shifted by half a voxel, mirrored, with more of its own noise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg import measuring
from medseg.domain import Grid, Image, Segmentation
from medseg.geometry.deform import warp

__all__ = ["Disturbance", "disturbances"]

#: Of a voxel of the reference channel: the farthest that a patient may lie between two samplings.
_SHIFT = 0.5
#: Scans with noise drawn anew.
_NOISES = 3
_MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Disturbance:
    """The images, and what was done to them in words."""

    how: str
    images: Mapping[str, Image]


def disturbances(
    images: Mapping[str, Image], found: Segmentation, *, mirror: bool, seed: int
) -> Iterator[Disturbance]:
    """Every disturbance of a scan: six shifts, its mirror image where that is allowed, three draws of noise.

    All channels are disturbed alike, in the world. Shifts interpolate by cubic splines, which smooth a little; noise
    is added with the SD that the scan itself shows near the structures, so that it has √2 of it. A channel whose
    noise can't be measured gets none.

    Parameters
    ----------
    found
        The mask of the scan as it is, on the reference channel's grid.
    mirror
        Whether left and right may be changed: not where a label has a side.
    """
    yield from _shifts(images, found.grid)
    if mirror and found.grid.orientation_known:
        yield Disturbance(
            "mirrored left to right", {name: _mirrored(image) for name, image in images.items()}
        )
    sizes = {name: _noise(image, found) for name, image in images.items()}
    for number in range(_NOISES if any(sizes.values()) else 0):
        rng = np.random.default_rng([seed, number])
        noisy = {name: _with_noise(image, sizes[name], rng) for name, image in images.items()}
        yield Disturbance(f"noise {number + 1}", noisy)


def _shifts(images: Mapping[str, Image], grid: Grid) -> Iterator[Disturbance]:
    for axis in range(3):
        if grid.shape[axis] == 1:
            continue
        for sign in (-1, 1):
            offset = sign * _SHIFT * grid.affine[:3, axis]

            def source(
                positions: NDArray[np.float64], offset: NDArray[np.float64] = offset
            ) -> NDArray[np.float64]:
                return positions - offset

            moved = {
                name: replace(image, array=warp(image.array, image.grid, source))
                for name, image in images.items()
            }
            yield Disturbance(
                f"shifted by {sign * _SHIFT:+g} voxel along {'ijk'[axis]}".replace("-", "−"), moved
            )


def _mirrored(image: Image) -> Image:
    """The patient's mirror image: the same voxels, and a world whose right is left."""
    return replace(image, grid=replace(image.grid, affine=_MIRROR @ image.grid.affine))


def _noise(image: Image, found: Segmentation) -> float | None:
    return measuring.noise_near(_near(found, image.grid), image)


def _near(found: Segmentation, grid: Grid) -> NDArray[np.bool_]:
    """Voxels of a channel within the box, in the world, of all that was found."""
    index = np.argwhere(found.labels)
    near = np.zeros(grid.shape, np.bool_)
    if len(index):
        ends = np.array(np.meshgrid(*zip(index.min(axis=0), index.max(axis=0), strict=True))).reshape(3, -1).T
        places = grid.to_index(found.grid.to_position(ends))
        low, high = np.floor(places.min(axis=0)).astype(int), np.ceil(places.max(axis=0)).astype(int) + 1
        near[tuple(slice(max(0, first), max(0, last)) for first, last in zip(low, high, strict=True))] = True
    return near


def _with_noise(image: Image, sd: float | None, rng: np.random.Generator) -> Image:
    if not sd:
        return image
    noise = rng.normal(0, sd, image.array.shape).astype(np.float32)
    return replace(image, array=image.array.astype(np.float32) + noise)
