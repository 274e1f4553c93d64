"""The grid: where the voxels of an image lie in the world."""

from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from medseg.domain.values import STRICT, Affine
from medseg.errors import InputError

__all__ = ["Grid", "Unit"]

Unit: TypeAlias = Literal["mm", "px"]

#: Columns of a direction matrix whose dot product exceeds this are sheared (0.06°); below, it is noise.
SHEAR_TOLERANCE = 1e-3
#: Direction cosines further than this from 0 or ±1 are oblique (0.06°).
OBLIQUE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Shape and placement of voxels; knows nothing of their values.

    Parameters
    ----------
    shape
        Three extents along array axes `[i, j, k]`; a 2D image has one slice.
    affine
        4×4 float64, index of a voxel's **centre** → position: RAS+ mm (x to the patient's right, y to the
        front, z to the head), or pixels when `unit` is `px`.
    unit
        `mm`, or `px` for an image without a trustworthy physical size.
    frame_of_reference
        DICOM Frame of Reference UID, where there is one.
    slice_thickness
        Thickness of one slice in mm as stated by the source; spacing never comes from it.
    orientation_known
        False where the file does not say how its axes lie in the patient: sizes hold, letters do not.
    """

    shape: tuple[int, int, int]
    affine: Affine
    unit: Unit = "mm"
    frame_of_reference: str | None = None
    slice_thickness: float | None = None
    orientation_known: bool = True
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(f"a grid has three positive extents, not {self.shape}")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InputError(f"an affine is 4×4 and finite, not {affine.tolist()}")
        if not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise InputError(f"the last row of an affine is 0 0 0 1, not {affine[3].tolist()}")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if lengths.min() <= 0 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
            raise InputError(f"the affine is singular: axis lengths {lengths.tolist()}")
        if self.unit not in ("mm", "px"):
            raise InputError(f"a grid's unit is mm or px, not {self.unit!r}")
        if self.slice_thickness is not None and not self.slice_thickness > 0:
            raise InputError(f"slice thickness must be positive, not {self.slice_thickness}")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays come back writeable from pickle and deepcopy; building anew freezes them.
        names = ("shape", "affine", "unit", "frame_of_reference", "slice_thickness", "orientation_known")
        return partial(Grid, **{name: getattr(self, name) for name in names}), ()

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Length of one index step along each array axis, in `unit`."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(lengths[0]), float(lengths[1]), float(lengths[2])

    @property
    def direction(self) -> NDArray[np.float64]:
        """3×3, unit columns: the world direction of each array axis."""
        matrix: NDArray[np.float64] = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return matrix

    @property
    def voxel_volume(self) -> float:
        """|det| of the 3×3 part, in mm³ (or px³): right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def orientation(self) -> str:
        """Letters that the array axes grow towards, such as `RAS`; the nearest world axis, each used once."""
        return orientation_letters(self.affine)

    @property
    def is_oblique(self) -> bool:
        """Whether some array axis lies along no world axis."""
        size = np.abs(self.direction)
        return bool((np.minimum(size, 1 - size) > OBLIQUE_TOLERANCE).any())

    @property
    def is_sheared(self) -> bool:
        """Whether the array axes are not at right angles (a tilted gantry)."""
        gram = self.direction.T @ self.direction
        return bool(np.abs(gram - np.eye(3)).max() > SHEAR_TOLERANCE)

    @property
    def corners(self) -> NDArray[np.float64]:
        """(8, 3) positions of the centres of the corner voxels."""
        last = np.array(self.shape) - 1
        index = np.array([[(n >> axis) & 1 for axis in range(3)] for n in range(8)]) * last
        return self.to_position(index)

    def to_position(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """Positions (…, 3) of voxel indices (…, 3); fractional indices are allowed.

        >>> Grid((4, 4, 4), np.diag([2.0, 2.0, 2.0, 1.0])).to_position(np.array([1, 0, 3])).tolist()
        [2.0, 0.0, 6.0]
        """
        position: NDArray[np.float64] = (
            np.asarray(index, np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]
        )
        return position

    def to_index(self, position: NDArray[Any]) -> NDArray[np.float64]:
        """Fractional indices (…, 3) of positions (…, 3); the inverse of `to_position`."""
        inverse = np.linalg.inv(self.affine)
        index: NDArray[np.float64] = np.asarray(position, np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
        return index


def orientation_letters(affine: NDArray[np.float64]) -> str:
    """Letters each column of `affine` grows towards; ties go to the best assignment of axes as a whole.

    >>> orientation_letters(np.diag([-1.0, -1.0, 1.0, 1.0]))
    'LPS'
    """
    matrix = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    best = max(
        permutations(range(3)), key=lambda order: sum(abs(matrix[order[axis], axis]) for axis in range(3))
    )
    return "".join("LPI RAS"[best[axis] + (4 if matrix[best[axis], axis] > 0 else 0)] for axis in range(3))
