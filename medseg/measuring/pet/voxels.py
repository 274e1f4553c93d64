"""A structure on the native voxels of a PET: which share of each it has, and their values."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.uptake import Rule, ShareOfMaximum
from medseg.domain import Grid, Image
from medseg.geometry import same_grid
from medseg.masks import border_mask, components
from medseg.masks.delineate import delineate
from medseg.masks.fractions import Box, bounds, crop, fractions, share_covered

__all__ = ["Delineation", "OnPet", "Pet", "delineation_of", "on_pet"]

#: A voxel counts whole for SUVmax and as a sphere's centre when this much of it lies in the structure.
HALF = 0.5 - 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Pet:
    """A PET with what all structures share: where it holds a measurement, and its border."""

    image: Image
    measured: NDArray[np.bool_]
    border: NDArray[np.bool_]

    @classmethod
    def of(cls, image: Image) -> "Pet":
        """Values that are not finite, padding and filled areas are no measurements."""
        known: NDArray[np.bool_] = np.isfinite(image.array)
        if image.outside is not None:
            known &= ~image.outside
        return cls(image, known, border_mask(image.grid.shape, ~known))


@dataclass(frozen=True, slots=True, eq=False)
class OnPet:
    """A structure's voxels on a PET.

    Parameters
    ----------
    shares
        (I, J, K) float, within `box`: 0 where nothing was measured.
    values
        (I, J, K) float64, same box.
    box
        Where on the PET.
    cut
        Whether the structure reaches the PET's border or leaves it.
    """

    shares: NDArray[np.float64]
    values: NDArray[np.float64]
    box: Box
    cut: bool

    @property
    def centres(self) -> NDArray[np.intp]:
        """(N, 3) indices on the PET of the voxels with at least half in the structure."""
        index: NDArray[np.intp] = np.argwhere(self.shares >= HALF)
        return index + np.array([part.start for part in self.box], dtype=np.intp)

    @property
    def maximum(self) -> float | None:
        """Largest value of a voxel with at least half in the structure; None without one."""
        half = self.shares >= HALF
        return float(self.values[half].max()) if half.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class Delineation:
    """Voxels kept of a structure: the sum of their shares, their weighted mean, and how it was done."""

    weight: float
    mean: float | None
    text: str


def on_pet(mask: NDArray[np.bool_], grid: Grid, pet: Pet) -> OnPet | None:
    """The structure on the PET's voxels; None when it has no share of a measured one."""
    whole, shape = bounds(mask), mask.shape
    if whole is None:
        return None
    if not same_grid(grid, pet.image.grid):
        mask, grid = crop(mask, grid, whole)
    shares, box = fractions(mask, grid, pet.image.grid)
    if not shares.size:
        return None
    touches = bool((pet.border[box] & (shares > 1e-3)).any())
    kept = np.where(pet.measured[box], shares, 0).astype(np.float64)
    if not kept.any():
        return None
    values = np.where(pet.measured[box], pet.image.array[box], 0).astype(np.float64)
    # A structure cut by its own grid is cut on the PET as well.
    touches = touches or _at_an_end(whole, shape)
    cut = touches or (not same_grid(grid, pet.image.grid) and share_covered(mask, grid, pet.image.grid) < 1)
    return OnPet(kept, values, box, cut)


def _at_an_end(box: Box, shape: tuple[int, ...]) -> bool:
    return any(n > 1 and (part.start == 0 or part.stop == n) for part, n in zip(box, shape, strict=True))


def delineation_of(
    found: OnPet, rule: Rule, mask: NDArray[np.bool_], grid: Grid, pet: Pet, *, whole: bool
) -> Delineation:
    """Keep what reaches the rule's threshold.

    A share of the maximum refers to each lesion's own: unless the structure is one lesion (`whole`), its
    26-connected components are taken one by one, and those too small to own half a voxel are left out.
    """
    if whole or not isinstance(rule, ShareOfMaximum):
        return _kept([found], rule)
    parts = [part for part in _components(mask, grid, pet) if part.maximum is not None]
    return _kept(parts, rule)


def _components(mask: NDArray[np.bool_], grid: Grid, pet: Pet) -> list[OnPet]:
    from scipy.ndimage import find_objects

    whole = bounds(mask)
    if whole is None:
        return []
    mask, grid = crop(mask, grid, whole)
    numbers = components(mask, 26).astype(np.int32, copy=False)
    found = []
    for number, box in enumerate(find_objects(numbers), start=1):
        part, place = crop(numbers, grid, box)
        found.append(on_pet(part == number, place, pet))
    return [part for part in found if part is not None]


def _kept(parts: list[OnPet], rule: Rule) -> Delineation:
    weight, product, thresholds = 0.0, 0.0, []
    for part in parts:
        kept = delineate(part.values, part.shares > 0, rule, maximum=part.maximum)
        weight += float(part.shares[kept.mask].sum())
        product += float((part.shares * part.values)[kept.mask].sum())
        thresholds += [] if kept.threshold is None else [kept.threshold]
    return Delineation(weight, product / weight if weight else None, _threshold_text(thresholds))


def _threshold_text(thresholds: list[Any]) -> str:
    if not thresholds:
        return "no threshold"
    low, high = min(thresholds), max(thresholds)
    if len(thresholds) == 1 or low == high:
        return f"voxels ≥ {low:.4g}"
    return f"voxels ≥ {low:.4g} to {high:.4g}, each of {len(thresholds)} 26-connected components by its own maximum"
