"""Difference: where two masks of one scan say different things."""

from medseg.domain import Segmentation
from medseg.masks.difference import differing_voxels
from medseg.workflows.evaluate import on_reference

__all__ = ["difference"]


def difference(first: Segmentation, second: Segmentation) -> Segmentation:
    """Voxels in which two masks differ, on the grid of the second; see `medseg.masks.difference.differing_voxels`.

    A first one that is stored in another order of axes is placed on the second's grid.
    """
    return differing_voxels(on_reference(first, second), second)
