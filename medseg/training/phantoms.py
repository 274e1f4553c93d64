"""Phantoms of touching objects, for networks that tell them apart."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["InstanceTraining", "Phantom", "draw_phantom"]

_Ellipsoid: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

#: Share of their radii by which neighbours' centres are apart; below 1 they touch.
_NEAR = (0.72, 1.0)
#: Closer than this, one would swallow the other.
_APART = 0.65
#: Centres lie at most so far from the middle, as a share of the extents; and so often another place is tried.
_WITHIN, _TRIES = 0.38, 6
#: Share by which an object may be brighter or darker than the others.
_UNEVEN = 0.15
#: Blur along each axis, and how much more of it along one of them, as slices that are thick have it (voxels).
_BLUR, _THICK = (0.0, 0.9), (1.0, 2.0)
#: Noise as a share of an object's brightness (below 0: none, as of a mask), and how far it may be smooth (voxels).
_NOISE, _GRAIN = (-0.1, 0.35), 0.8
#: Size of lumps on a surface (voxels).
_LUMP = 3.0


@dataclass(frozen=True, slots=True)
class InstanceTraining:
    """All that decides what a network that tells touching objects apart will be.

    Parameters
    ----------
    steps, batch, lr, seed
        Of the optimiser; phantoms follow from the seed alone.
    patch
        Extents of a phantom on the model grid, and of an inference window.
    spacing_mm
        Of the model grid.
    objects
        Fewest and most in a phantom.
    radius_mm
        Smallest and largest mean radius; small ones are as frequent as large ones on a logarithmic scale.
    stretch
        Semi-axes are the mean radius times or over as much as this.
    lumps
        How far surfaces leave the ellipsoid: standard deviation of the logarithm of the squared radius.
    scale_mm, depth_mm, minimum_mm3
        Of the card's step: see `medseg.domain.card.Instances`.
    unseen
        Phantoms that the network is judged on afterwards.
    """

    steps: int = 500
    batch: int = 2
    lr: float = 4e-3
    seed: int = 0
    patch: tuple[int, int, int] = (24, 24, 24)
    spacing_mm: float = 2.0
    objects: tuple[int, int] = (2, 4)
    radius_mm: tuple[float, float] = (7.0, 13.0)
    stretch: float = 1.3
    lumps: float = 0.0
    scale_mm: float = 16.0
    depth_mm: float = 1.5
    minimum_mm3: float = 200.0
    unseen: int = 20
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.unseen) < 1:
            raise ConfigError("steps, batch and unseen start at 1")
        if not 0 <= self.objects[0] <= self.objects[1] or self.objects[1] < 1:
            raise ConfigError("objects go from fewest, at least 0, to most, at least 1")
        if not 0 < self.radius_mm[0] <= self.radius_mm[1] or not self.spacing_mm > 0:
            raise ConfigError("radius_mm goes from smallest to largest, and both and spacing_mm are positive")
        if not self.stretch >= 1 or not self.lumps >= 0:
            raise ConfigError("stretch starts at 1 and lumps at 0")
        if any(extent % 8 for extent in self.patch):
            raise ConfigError(f"patch extents are multiples of 8, not {self.patch}")


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """An image of touching objects, (I, J, K) float32, and ids from 1 of the one that each voxel lies in."""

    image: NDArray[np.float32]
    ids: NDArray[np.uint32]


def draw_phantom(number: int, settings: InstanceTraining) -> Phantom:
    """Phantom of this number: lumpy ellipsoids that touch, about equally bright, blurred, with noise.

    Each but the first is put beside an earlier one, so that foreground alone does not tell them apart. A voxel in
    several lies in the one whose surface is deeper, relative to its size. What is left of an object counts from
    `minimum_mm3` on.
    """
    rng = np.random.default_rng([settings.seed, number])
    extent = np.array(settings.patch) * settings.spacing_mm
    place = (np.moveaxis(np.indices(settings.patch), 0, -1) + 0.5) * settings.spacing_mm
    lumps = np.exp(settings.lumps * _grain(rng, settings.patch, _LUMP))
    best = np.ones(settings.patch)
    ids = np.zeros(settings.patch, np.uint32)
    for one, (centre, axes, turn) in enumerate(_ellipsoids(rng, extent, settings), start=1):
        away = (((place - centre) @ turn / axes) ** 2).sum(axis=-1) * lumps
        ids[away < best] = one
        best = np.minimum(best, away)
    sizes = np.bincount(ids.ravel()) * settings.spacing_mm**3
    ids[(sizes < settings.minimum_mm3)[ids]] = 0
    return Phantom(_scan(rng, ids), ids)


def _scan(rng: np.random.Generator, ids: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Image of objects: each of its brightness on a dark ground, through a scanner's blur and noise."""
    from scipy.ndimage import gaussian_filter

    brightness = 1 + rng.uniform(-_UNEVEN, _UNEVEN, int(ids.max()) + 1)
    brightness[0] = 0
    blur = rng.uniform(*_BLUR, size=3)
    blur[rng.integers(3)] *= rng.uniform(*_THICK)
    noise = max(0.0, rng.uniform(*_NOISE)) * _grain(rng, ids.shape, rng.uniform(0, _GRAIN))
    image: NDArray[np.float32] = (gaussian_filter(brightness[ids], blur) + noise).astype(np.float32)
    return image


def _grain(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> NDArray[np.float64]:
    """Noise of mean 0 and SD 1, smooth over `size` voxels."""
    from scipy.ndimage import gaussian_filter

    smooth: NDArray[np.float64] = gaussian_filter(rng.normal(size=shape), size)
    smooth -= smooth.mean()
    return smooth / float(smooth.std())


def _ellipsoids(
    rng: np.random.Generator, extent: NDArray[np.float64], settings: InstanceTraining
) -> list[_Ellipsoid]:
    """(centre, semi-axes, directions as columns) of each."""
    found: list[_Ellipsoid] = []
    wanted = int(rng.integers(settings.objects[0], settings.objects[1] + 1))
    for _ in range(_TRIES * wanted):
        radius = np.exp(rng.uniform(*np.log(settings.radius_mm)))
        axes = radius * settings.stretch ** rng.uniform(-1, 1, size=3)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        centre = rng.uniform(0.25, 0.75, size=3) * extent
        if found:
            other, sizes, _ = found[int(rng.integers(len(found)))]
            step = rng.normal(size=3)
            reach = (sizes.mean() + axes.mean()) * rng.uniform(*_NEAR)
            centre = other + step / np.linalg.norm(step) * reach
        apart = all(
            np.linalg.norm(centre - other) > _APART * (sizes.mean() + axes.mean())
            for other, sizes, _ in found
        )
        # Of one beyond the faces only a sliver would be seen.
        if apart and (np.abs(centre / extent - 0.5) < _WITHIN).all():
            found.append((centre, axes, turn))
        if len(found) == wanted:
            break
    return found
