"""A robot that clicks where a person would: in the largest error, where it is deepest, or anywhere in it."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from medseg.masks.components import label_parts
from medseg.masks.distances import depth_of

__all__ = ["Click", "next_click"]

#: Index of a voxel, and whether it lies in the object.
Click = tuple[tuple[int, int, int], bool]


def next_click(
    answer: NDArray[np.bool_], reference: NDArray[np.bool_], rng: Generator | None
) -> Click | None:
    """The next click in an answer, on a window of cubic voxels; None where nothing is wrong.

    Parameters
    ----------
    answer, reference
        (I, J, K) bool. Without an answer the whole reference is missed.
    rng
        Draws one voxel of the error; None takes the one deepest in it, of several the first.

    Examples
    --------
    >>> line = np.zeros((1, 1, 9), np.bool_)
    >>> line[..., 2:7] = True
    >>> next_click(np.zeros_like(line), line, None)
    ((0, 0, 4), True)
    """
    found: tuple[int, NDArray[np.bool_], bool] | None = None
    for wrong, positive in ((reference & ~answer, True), (answer & ~reference, False)):
        ids, count = label_parts(wrong, 6)
        if count:
            sizes = np.bincount(ids.ravel(), minlength=count + 1)[1:]
            if found is None or int(sizes.max()) > found[0]:
                found = int(sizes.max()), np.asarray(ids == 1 + int(np.argmax(sizes))), positive
    if found is None:
        return None
    _, part, positive = found
    if rng is not None:
        places = np.argwhere(part)
        index = places[int(rng.integers(len(places)))]
    else:
        depth = depth_of(part, (1.0, 1.0, 1.0))
        index = np.array(np.unravel_index(int(np.argmax(depth)), depth.shape))
    return (int(index[0]), int(index[1]), int(index[2])), positive
