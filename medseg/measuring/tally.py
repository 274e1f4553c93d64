"""Counts per label and axis position in one pass per axis: what most quantities follow from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tally", "tally"]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Voxel counts of a label array.

    Parameters
    ----------
    profiles
        Per axis an (extent, top + 1) array: voxels of each label in each slice.
    border
        (top + 1,) voxels of each label on the border.
    """

    profiles: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    border: NDArray[np.int64]

    def profile(self, axis: int, values: tuple[int, ...]) -> NDArray[np.int64]:
        """Voxels of a union of labels per slice along an axis."""
        table = self.profiles[axis]
        known = [value for value in values if value < table.shape[1]]
        total: NDArray[np.int64] = table[:, known].sum(axis=1)
        return total

    def count(self, values: tuple[int, ...]) -> int:
        """Voxels of a union of labels."""
        return int(self.profile(0, values).sum())

    def on_border(self, values: tuple[int, ...]) -> int:
        """Voxels of a union of labels that lie on the border."""
        return int(sum(self.border[value] for value in values if value < self.border.size))


def tally(labels: NDArray[Any], border: NDArray[np.bool_]) -> Tally:
    """Count labels (I, J, K) along every axis; memory: one slice, and extent × labels counts."""
    top = int(labels.max())
    profiles = tuple(
        np.stack(
            [
                np.bincount(np.take(labels, index, axis=axis).ravel(), minlength=top + 1)
                for index in range(extent)
            ]
        )
        for axis, extent in enumerate(labels.shape)
    )
    return Tally(profiles, np.bincount(labels[border], minlength=top + 1))  # type: ignore[arg-type]
