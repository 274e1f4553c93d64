"""The only RAS ↔ LPS flip: DICOM, ITK, NRRD and MHA speak LPS, medseg speaks RAS."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["flip_affine", "flip_positions"]

_FLIP = np.array([-1.0, -1.0, 1.0])


def flip_affine(affine: NDArray[Any]) -> NDArray[np.float64]:
    """RAS+ affine of an LPS+ affine and back: the world's first two axes change sign. (4, 4) float64.

    >>> flip_affine(np.eye(4)).diagonal().tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """
    flipped = np.array(affine, dtype=np.float64)
    flipped[:3] *= _FLIP[:, None]
    return flipped


def flip_positions(positions: NDArray[Any]) -> NDArray[np.float64]:
    """RAS+ positions (…, 3) of LPS+ positions and back."""
    flipped: NDArray[np.float64] = np.asarray(positions, np.float64) * _FLIP
    return flipped
