"""Where two masks differ, as a mask of its own."""

import numpy as np

from medseg.domain import Label, LabelTable, Segmentation
from medseg.domain.provenance import Provenance
from medseg.geometry import require_same_grid

__all__ = ["differing_voxels"]

#: Values of the labels; colours that the colour-blind tell apart.
ONLY_FIRST, ONLY_SECOND, OTHER_LABEL = 1, 2, 3
_COLORS = {ONLY_FIRST: (230, 97, 1), ONLY_SECOND: (94, 60, 153), OTHER_LABEL: (255, 255, 191)}


def differing_voxels(first: Segmentation, second: Segmentation) -> Segmentation:
    """Voxels (I, J, K) in which two masks on one grid say different things; where they agree is background.

    Labels: 1 only the first has a structure here; 2 only the second; 3 both have, and not the same one.

    Raises
    ------
    GridMismatchError
        If they lie on different grids.
    """
    require_same_grid(first.grid, second.grid, "second mask")
    one, two = first.labels, second.labels
    found = np.zeros(one.shape, np.uint8)
    found[(one > 0) & (two == 0)] = ONLY_FIRST
    found[(one == 0) & (two > 0)] = ONLY_SECOND
    found[(one > 0) & (two > 0) & (one != two)] = OTHER_LABEL
    names = {
        ONLY_FIRST: "only in the first",
        ONLY_SECOND: "only in the second",
        OTHER_LABEL: "another structure",
    }
    table = LabelTable(tuple(Label(value, name, _COLORS[value]) for value, name in names.items()))
    return Segmentation(found, first.grid, table, Provenance("difference"))
