"""How a 2D network runs through a volume."""

import numpy as np

from medseg.domain import Image

__all__ = ["network_slice_axis"]

#: An axis counts as coarser than another only beyond this factor; equal axes leave the last one.
COARSER = 1.001


def network_slice_axis(image: Image) -> int:
    """Array axis that a 2D network steps along.

    The only single-slice axis if there is one; for DICOM the axis along which the slices were acquired, found
    again by its direction although flips and permutation moved it; else the coarsest, the last of equal ones.
    """
    single = [axis for axis in range(3) if image.grid.shape[axis] == 1]
    if single:
        return single[-1]
    source = image.source
    if source is not None and source.format == "dicom" and source.grid is not None:
        along = source.grid.direction[:, 2]
        return int(np.argmax(np.abs(image.grid.direction.T @ along)))
    spacing = image.grid.spacing
    coarsest = max(spacing)
    return max(axis for axis in range(3) if spacing[axis] * COARSER >= coarsest)
