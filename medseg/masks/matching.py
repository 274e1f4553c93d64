"""Which object of one mask is which of another: one to one, most pairs first, then the largest sum of IoU."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.masks.components import Connectivity, components
from medseg.masks.sizes import SAME_VOLUME

__all__ = ["ObjectMatches", "match_objects", "pair_one_to_one"]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMatches:
    """Objects of two masks, and every two of them that share voxels.

    Parameters
    ----------
    first_sizes, second_sizes
        (N,), (M,) voxels per object, the largest first.
    first, second
        (P,) index into either, for each two that share voxels.
    overlap, iou
        (P,) voxels shared, and shared / covered by either.
    paired
        (P,) whether the two are a pair.
    """

    first_sizes: NDArray[np.int64]
    second_sizes: NDArray[np.int64]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    overlap: NDArray[np.int64]
    iou: NDArray[np.float64]
    paired: NDArray[np.bool_]

    @property
    def partners(self) -> dict[int, tuple[int, float]]:
        """Object of the first mask → its partner in the second, and their Dice."""
        first, second = self.first[self.paired], self.second[self.paired]
        dice = 2 * self.overlap[self.paired] / (self.first_sizes[first] + self.second_sizes[second])
        return dict(zip(first.tolist(), zip(second.tolist(), dice.tolist(), strict=True), strict=True))


def match_objects(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    *,
    connectivity: Connectivity = 26,
    least_voxels: float = 0.0,
    iou: float = 0.1,
) -> ObjectMatches:
    """Pair the objects of two masks.

    Parameters
    ----------
    first, second
        (I, J, K) bool on one grid.
    connectivity
        Of the objects, in both.
    least_voxels
        Smaller objects are none, in both.
    iou
        Smallest IoU of a pair, above 0.

    Returns
    -------
    ObjectMatches
        Objects numbered by size from 0. An empty mask has none, so nothing is paired.

    Notes
    -----
    Assignment of the largest sum (Kuhn 1955) within groups of objects that compete. Memory: an array of ids per
    mask, and three boolean ones.

    Examples
    --------
    >>> one, two = np.zeros((2, 9, 1, 1), bool)
    >>> one[0:4] = one[6:8] = two[1:4] = True
    >>> match_objects(one, two).partners
    {0: (0, 0.8571428571428571)}
    """
    ones, first_sizes = _objects(first, connectivity, least_voxels)
    others, second_sizes = _objects(second, connectivity, least_voxels)
    both = (ones > 0) & (others > 0)
    step = second_sizes.size + 1
    touching, overlap = np.unique(ones[both].astype(np.int64) * step + others[both], return_counts=True)
    here, there = touching // step - 1, touching % step - 1
    shares = overlap / (first_sizes[here] + second_sizes[there] - overlap)
    paired = pair_one_to_one(here, there, np.where(shares >= iou, shares, 0))
    return ObjectMatches(first_sizes, second_sizes, here, there, overlap, shares, paired)


def _objects(
    mask: NDArray[np.bool_], connectivity: Connectivity, least: float
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Numbers by size from 1, those under the least size gone, and sizes in voxels."""
    found = components(mask, connectivity)
    sizes = np.bincount(found.ravel(order="K"))[1:]
    count = int((sizes >= least * (1 - SAME_VOLUME)).sum())
    return np.where(found <= count, found, 0), sizes[:count]


def pair_one_to_one(
    first: NDArray[np.intp], second: NDArray[np.intp], iou: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of (P,) candidates are pairs: one to one, as many as possible, then the largest sum of IoU; none at 0.

    >>> pair_one_to_one(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.2, 0.2])).tolist()
    [False, True, True]
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    chosen = np.zeros(iou.size, np.bool_)
    allowed = np.flatnonzero(iou > 0)
    if not allowed.size:
        return chosen
    # Groups of lesions that compete are solved by themselves: thousands of specks stay cheap.
    rows, columns = first[allowed], second[allowed] + first.max() + 1
    count = int(columns.max()) + 1
    group = connected_components(
        coo_array((np.ones(rows.size), (rows, columns)), shape=(count, count)), directed=False
    )[1]
    for members in np.split(allowed[np.argsort(group[rows], kind="stable")], _starts(np.sort(group[rows]))):
        into, row = np.unique(first[members], return_inverse=True)
        onto, column = np.unique(second[members], return_inverse=True)
        place = np.full((into.size, onto.size), -1)
        place[row, column] = members
        # A pair more outweighs any sum of IoU, each of which is at most 1.
        gain = np.where(place >= 0, 1 + iou[place] / (min(place.shape) + 1), 0.0)
        picked = place[linear_sum_assignment(gain, maximize=True)]
        chosen[picked[picked >= 0]] = True
    return chosen


def _starts(ordered: NDArray[Any]) -> NDArray[np.intp]:
    starts: NDArray[np.intp] = np.flatnonzero(np.diff(ordered)) + 1
    return starts
