"""Slices of a mask are looked at where they lie."""

import numpy as np
import pytest

from medseg.domain import Grid
from medseg.domain.segmentation import voxels_with
from medseg.masks.sections import CutPlane, slices_of


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_slice_is_a_view_of_its_mask(axis: int, order: str) -> None:
    whole = np.zeros((9, 8, 7), np.bool_, order)
    whole[2:6, 1:7, 3:6] = True
    mask = whole[1:8, 1:7, 1:6]
    found = slices_of(mask, CutPlane(Grid(mask.shape, np.eye(4)), axis))
    assert [index for index, _, _ in found] == np.flatnonzero(
        mask.any(axis=(0, 1, 2)[:axis] + (0, 1, 2)[axis + 1 :])
    ).tolist()
    for index, pixels, corner in found:
        assert np.shares_memory(pixels, whole)
        row, column = corner.astype(int)
        box = np.take(mask, index, axis)[row : row + pixels.shape[0], column : column + pixels.shape[1]]
        assert np.array_equal(pixels, box)
        assert pixels.sum() == np.take(mask, index, axis).sum()


@pytest.mark.parametrize("values", [(), (2,), (1, 3), (0, 900)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_voxels_with_values_are_those_of_isin_in_the_same_order(values: tuple[int, ...], order: str) -> None:
    labels = np.asarray(np.random.default_rng(0).integers(0, 5, (6, 5, 4), np.uint8), order=order)
    found = voxels_with(labels, values)
    assert np.array_equal(found, np.isin(labels, values))
    assert found.flags.f_contiguous == labels.flags.f_contiguous
