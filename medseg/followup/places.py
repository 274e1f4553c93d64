"""Where the lesions of one scan lie in the common space, which is the baseline's: by position, never resampled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Target

__all__ = ["LesionPlaces"]

Positions = NDArray[np.float64]
Cut = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class LesionPlaces:
    """Numbered lesions of one scan, and how its positions become those of the baseline.

    Parameters
    ----------
    ids
        (I, J, K) unsigned: `n` is the lesion `targets[n - 1]`, 0 is none.
    targets, boxes
        One per lesion: what it is, and the part of the array that holds it.
    grid
        Of `ids`; oblique and sheared ones too.
    matrix
        (4, 4) position of this scan in mm → position of the baseline.
    outside
        (I, J, K) bool: voxels without a measurement; None where all hold one.
    """

    ids: NDArray[Any]
    targets: tuple[Target, ...]
    boxes: tuple[Cut, ...]
    grid: Grid
    matrix: NDArray[np.float64]
    outside: NDArray[np.bool_] | None = None

    @property
    def half_diagonal_mm(self) -> float:
        """Half the diagonal of a voxel: as far as the place of a boundary is unknown."""
        return float(np.linalg.norm(self.grid.spacing)) / 2

    def index_of(self, name: str, lesion: int) -> int | None:
        """Index of the target with a structure's name and a lesion's number; None if there is none."""
        found = (n for n, item in enumerate(self.targets) if (item.name, item.lesion) == (name, lesion))
        return next(found, None)

    def positions(self, index: int) -> Positions:
        """(N, 3) common positions of a lesion's voxel centres."""
        return self._world(self._inside(index))

    def boundary(self, index: int) -> Positions:
        """(N, 3) common positions of those voxels that have a neighbour by a face outside the lesion."""
        from scipy.ndimage import binary_erosion

        mask = np.pad(self.ids[self.boxes[index]] == index + 1, 1)
        edge = (mask & ~binary_erosion(mask))[1:-1, 1:-1, 1:-1]
        return self._world(np.argwhere(edge) + self._start(index))

    def volume_mm3(self, index: int) -> float:
        """Voxels times the volume of one, on the scan's own grid."""
        return float((self.ids[self.boxes[index]] == index + 1).sum()) * self.grid.voxel_volume

    def numbers_at(self, positions: Positions) -> NDArray[np.int64]:
        """(N,) number (from 1) of the lesion whose voxel holds each common position; 0 for none, or beyond the grid."""
        index, inside = self._nearest(positions)
        found = np.zeros(len(positions), np.int64)
        found[inside] = self.ids[tuple(index[inside].T)]
        return found

    def covered(self, positions: Positions) -> NDArray[np.bool_]:
        """(N,) whether this scan measured each common position."""
        index, inside = self._nearest(positions)
        if self.outside is not None:
            inside[inside] = ~self.outside[tuple(index[inside].T)]
        return inside

    def _nearest(self, positions: Positions) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        back = np.linalg.inv(self.matrix)
        index = np.rint(self.grid.to_index(positions @ back[:3, :3].T + back[:3, 3])).astype(np.intp)
        inside = np.asarray(((index >= 0) & (index < np.array(self.grid.shape))).all(axis=1), np.bool_)
        return index, inside

    def _inside(self, index: int) -> NDArray[np.intp]:
        found: NDArray[np.intp] = np.argwhere(self.ids[self.boxes[index]] == index + 1) + self._start(index)
        return found

    def _start(self, index: int) -> NDArray[np.intp]:
        return np.array([side.start for side in self.boxes[index]])

    def _world(self, index: NDArray[np.intp]) -> Positions:
        there: Positions = self.grid.to_position(index) @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return there
