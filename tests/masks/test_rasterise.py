"""Polygons to pixels, against what can be counted by hand and against the outlines of masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medseg.masks import outlines
from medseg.masks.rasterise import rasterise

SQUARE = np.array([[0.5, 0.5], [4.5, 0.5], [4.5, 4.5], [0.5, 4.5]])
HOLE = np.array([[1.5, 1.5], [3.5, 1.5], [3.5, 3.5], [1.5, 3.5]])

CASES = [
    ("a square", SQUARE, 16),
    ("clockwise", SQUARE[::-1], 16),
    ("a keyhole", np.concatenate([SQUARE, SQUARE[:1], HOLE, HOLE[:1]]), 12),
    ("a triangle", np.array([[0.0, 0.0], [0.0, 4.1], [4.1, 0.0]]), 15),
    ("beyond the image", np.array([[-5.0, -5], [-5, 9], [9, 9], [9, -5]]), 36),
    ("two points", SQUARE[:2], 0),
    ("nothing", np.empty((0, 2)), 0),
    ("flat", np.array([[1.0, 1], [1, 4], [1, 2]]), 0),
]


@pytest.mark.parametrize(("name", "polygon", "pixels"), CASES, ids=[name for name, _, _ in CASES])
def test_counted_by_hand(name: str, polygon: np.ndarray, pixels: int) -> None:
    assert rasterise(polygon, (6, 6)).sum() == pixels


def test_neighbours_share_no_pixel() -> None:
    left = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]])
    right = left + np.array([0.0, 2.0])
    one, two = rasterise(left, (6, 6)), rasterise(right, (6, 6))
    assert not (one & two).any()
    assert np.array_equal(one | two, rasterise(np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]]), (6, 6)))


@given(arrays(np.bool_, (7, 8), elements=st.booleans()))
def test_outlines_give_their_mask_back(mask: np.ndarray) -> None:
    again = np.zeros_like(mask)
    for outline in outlines(mask[..., None], 2):
        again ^= rasterise(outline.points[:, :2], mask.shape)
    assert np.array_equal(again, mask)
