"""Two masks as sets."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SetOperation", "combine"]

SetOperation: TypeAlias = Literal["union", "intersect", "subtract", "xor"]


def combine(mask: NDArray[np.bool_], other: NDArray[np.bool_], how: SetOperation) -> NDArray[np.bool_]:
    """Union, intersection, difference (`mask` without `other`) or symmetric difference of two masks of one shape.

    Examples
    --------
    >>> combine(np.array([True, True, False]), np.array([False, True, True]), "subtract").tolist()
    [True, False, False]
    """
    if how == "union":
        return mask | other
    if how == "intersect":
        return mask & other
    return mask & ~other if how == "subtract" else mask ^ other
