"""What differs between two masks of one image, as labels to look at."""

import numpy as np

from medseg.domain import Label, LabelTable, Segmentation
from medseg.errors import GridMismatchError
from medseg.geometry import same_grid

__all__ = ["difference"]

_TABLE = LabelTable((Label(1, "only before"), Label(2, "only now"), Label(3, "another label")))


def difference(before: Segmentation, now: Segmentation) -> Segmentation:
    """Voxels that only one of two masks has, or that have another label.

    Raises
    ------
    GridMismatchError
        If they lie on different grids.
    """
    if not same_grid(before.grid, now.grid):
        raise GridMismatchError("the two masks lie on different grids; segment the same image again")
    labels = np.zeros(now.labels.shape, np.uint8, order="F")
    labels[(before.labels > 0) & (now.labels == 0)] = 1
    labels[(before.labels == 0) & (now.labels > 0)] = 2
    labels[(before.labels > 0) & (now.labels > 0) & (before.labels != now.labels)] = 3
    return Segmentation(labels, now.grid, _TABLE)
