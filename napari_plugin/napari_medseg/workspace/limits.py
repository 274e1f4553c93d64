"""Where painting may change a mask: locked labels, inside one label, inside a range of the image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Image
from napari_medseg.workspace.patch import Box

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What holds for every stroke; operations have their own rules.

    Parameters
    ----------
    locked
        Labels that neither lose nor gain a voxel.
    inside
        The only label whose voxels may change (0: only what has no label); None allows all.
    low, high
        Only voxels whose value in `image` lies in this range change; None leaves an end open.
    image
        On the mask's grid.
    """

    locked: frozenset[int] = frozenset()
    inside: int | None = None
    low: float | None = None
    high: float | None = None
    image: Image | None = None

    def hold_back(self, before: NDArray[Any], after: NDArray[Any], box: Box) -> NDArray[Any]:
        """What a stroke may make of a box of values."""
        barred = np.zeros(before.shape, np.bool_)
        if self.locked:
            locked = sorted(self.locked)
            barred |= np.isin(before, locked) | np.isin(after, locked)
        if self.inside is not None:
            barred |= before != self.inside
        if self.image is not None and not (self.low is None and self.high is None):
            values = self.image.array[box]
            low = -np.inf if self.low is None else self.low
            high = np.inf if self.high is None else self.high
            barred |= ~((values >= low) & (values <= high))
        return np.where(barred, before, after) if barred.any() else after
