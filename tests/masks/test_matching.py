"""Objects of two masks: which is which."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medseg.masks.matching import match_objects, pair_one_to_one


def line(*spans: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((30, 1, 1), np.bool_)
    for low, high in spans:
        mask[low:high] = True
    return mask


#: Objects of either mask → partners by index, the largest object first.
CASES = [
    (line((0, 6), (10, 14)), line((1, 6), (11, 15)), {0: 0, 1: 1}),
    (line((0, 4), (10, 16)), line((10, 16)), {0: 0}),
    (line((0, 6), (10, 14)), line((20, 24)), {}),
    (line(), line((0, 4)), {}),
    (line(), line(), {}),
    # One long object shares voxels with both: the larger IoU has it, and nothing is left for the other.
    (line((0, 8), (9, 12)), line((0, 12)), {0: 0}),
]


@pytest.mark.parametrize(("first", "second", "partners"), CASES)
def test_partners(first: NDArray[np.bool_], second: NDArray[np.bool_], partners: dict[int, int]) -> None:
    found = match_objects(first, second)
    assert {one: other for one, (other, _) in found.partners.items()} == partners
    again = match_objects(second, first)
    assert {other: one for one, (other, _) in again.partners.items()} == partners


def test_least_size_and_least_iou() -> None:
    first, second = line((0, 10), (20, 22)), line((8, 18), (20, 22))
    assert match_objects(first, second, iou=0.2).partners == {1: (1, 1.0)}
    assert set(match_objects(first, second, iou=0.1).partners) == {0, 1}
    assert set(match_objects(first, second, iou=0.1, least_voxels=3).partners) == {0}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.9]), min_size=9, max_size=9))
def test_no_other_choice_has_more_pairs_or_more_iou(shares: list[float]) -> None:
    first, second = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
    iou = np.array(shares)
    chosen = pair_one_to_one(first, second, iou)
    assert len(set(first[chosen])) == len(set(second[chosen])) == chosen.sum()
    table = iou.reshape(3, 3)
    best = max(
        (sum(table[i, j] > 0 for i, j in enumerate(order)), sum(table[i, j] for i, j in enumerate(order)))
        for order in permutations(range(3))
    )
    assert (chosen.sum(), iou[chosen].sum()) == pytest.approx(best)
