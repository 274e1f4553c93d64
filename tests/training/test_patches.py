"""Patches: cut out of cases by number, padded where a case is smaller, centred on labels as often as asked."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medseg.training.patches import EpochSampler, Patches, cut

ROW = np.arange(1, 6).reshape(1, 5, 1, 1)
#: Start, size → what is cut out of 1, 2, 3, 4, 5.
CUTS = [
    (0, 5, [1, 2, 3, 4, 5]),
    (1, 3, [2, 3, 4]),
    (-1, 3, [0, 1, 2]),
    (3, 4, [4, 5, 0, 0]),
    (-2, 8, [0, 0, 1, 2, 3, 4, 5, 0]),
]


@pytest.mark.parametrize(("start", "size", "expected"), CUTS)
def test_a_box_that_leaves_the_array_is_padded_with_zeros(start: int, size: int, expected: list[int]) -> None:
    assert cut(ROW, (start, 0, 0), (size, 1, 1)).ravel().tolist() == expected
    turned = ROW.transpose(0, 2, 3, 1)
    assert cut(turned, (0, 0, start), (1, 1, size)).ravel().tolist() == expected


@dataclass
class Case:
    """Labels; an image that holds the case's number; and where the labels are."""

    number: int
    labels: np.ndarray
    set_name: str = ""
    held: tuple[int, ...] = ()

    def load(self, part: str) -> Any:
        if part == "image":
            return np.full((1, *self.labels.shape), self.number, np.float16)
        if part == "labels":
            return self.labels
        places = np.argwhere(self.labels)
        return np.column_stack([self.labels[tuple(places.T)], places]).astype(np.int32)


def patches(
    *labels: np.ndarray, patch: tuple[int, ...], foreground: float = 0.0, dimensions: int = 3
) -> Patches:
    config = SimpleNamespace(
        loop=SimpleNamespace(foreground=foreground),
        network=SimpleNamespace(dimensions=dimensions, out_channels=4),
        data=SimpleNamespace(balance="sets"),
        patch=patch,
        augmentation=None,
    )
    cases = [Case(number, item) for number, item in enumerate(labels, start=1)]
    return Patches(cases, config, 3, augment=False)  # type: ignore[arg-type]


def dots(shape: tuple[int, int, int], **places: tuple[int, int, int]) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    for value, place in enumerate(places.values(), start=1):
        labels[place] = value
    return labels


def test_every_round_takes_each_case_once_in_an_order_of_its_own() -> None:
    made = patches(*[np.zeros((4, 4, 4), np.uint8)] * 5, patch=(2, 2, 2))
    orders = [[int(made[5 * turn + place][0][0, 0, 0, 0]) for place in range(5)] for turn in range(4)]
    assert all(sorted(order) == [1, 2, 3, 4, 5] for order in orders)
    assert len(set(map(tuple, orders))) > 1


def test_the_same_number_is_the_same_patch() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (9, 9, 9)).astype(np.uint8)
    one, other = (patches(labels, patch=(3, 3, 3), foreground=0.5) for _ in range(2))
    for number in range(12):
        assert all((a == b).all() for a, b in zip(one[number], other[number], strict=True))


def test_patches_reach_both_ends_of_a_case() -> None:
    """Where one voxel is left over, half of the patches leave out the first and half the last."""
    made = patches(dots((4, 1, 1), a=(0, 0, 0), b=(3, 0, 0)), patch=(3, 1, 1))
    ends = [tuple(made[number][1].ravel().tolist()) for number in range(60)]
    assert set(ends) == {(1, 0, 0), (0, 0, 2)}
    assert 15 < ends.count((1, 0, 0)) < 45


@pytest.mark.parametrize(
    ("extent", "size", "expected"), [(3, 3, [1, 2, 3]), (3, 5, [0, 1, 2, 3, 0]), (3, 6, [0, 1, 2, 3, 0, 0])]
)
def test_a_small_case_is_padded_on_both_sides(extent: int, size: int, expected: list[int]) -> None:
    labels = np.arange(1, extent + 1, dtype=np.uint8).reshape(extent, 1, 1)
    for foreground in (0.0, 1.0):
        _, classes, _ = patches(labels, patch=(size, 1, 1), foreground=foreground)[0]
        assert classes.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("place", "expected"), [(0, [1, 0, 0]), (1, [0, 1, 0]), (7, [0, 1, 0]), (8, [0, 0, 1])]
)
def test_a_label_at_an_end_is_as_near_the_middle_as_can_be(place: int, expected: list[int]) -> None:
    made = patches(dots((9, 1, 1), a=(place, 0, 0)), patch=(3, 1, 1), foreground=1.0)
    assert made[0][1].ravel().tolist() == expected


def test_labels_are_centred_on_each_as_often_as_the_others() -> None:
    labels = np.zeros((30, 9, 9), np.uint8)
    labels[5, 4, 4] = 1
    labels[15:24, 2:7, 2:7] = 2
    made = patches(labels, patch=(5, 5, 5), foreground=1.0)
    middles = [int(made[number][1][0, 2, 2, 2]) for number in range(80)]
    assert set(middles) == {1, 2}
    assert 25 < middles.count(1) < 55


def test_a_share_of_the_patches_is_anywhere() -> None:
    labels = dots((400, 3, 3), a=(200, 1, 1))
    made = patches(labels, patch=(3, 3, 3), foreground=0.5)
    hits = sum(bool(made[number][1].any()) for number in range(80))
    assert 25 < hits < 55
    none = patches(np.zeros((6, 6, 6), np.uint8), patch=(3, 3, 3), foreground=1.0)
    assert not none[0][1].any()


def test_patches_of_slices_have_two_axes() -> None:
    image, classes, _ = patches(np.ones((4, 6, 6), np.uint8), patch=(5, 3), dimensions=2)[0]
    assert tuple(image.shape) == tuple(classes.shape) == (1, 5, 3)
    assert (str(image.dtype), str(classes.dtype)) == ("torch.float32", "torch.int64")


def test_epochs_follow_on_what_has_been_seen() -> None:
    """Also in a run that goes on: its first epoch begins where the network stopped learning."""
    seen = iter([0, 6])
    sampler = EpochSampler(3, lambda: next(seen))
    assert (len(sampler), list(sampler)) == (3, [0, 1, 2])
    assert list(sampler) == [6, 7, 8]


@pytest.mark.parametrize(("size", "share"), [(1, 4), (2, 2), (4, 1)])
def test_processes_share_the_patches_of_each_step(size: int, share: int) -> None:
    """Step by step the same patches as one process would take, each once."""
    parts = [EpochSampler(8, lambda: 12, share, rank, size) for rank in range(size)]
    taken = [list(part) for part in parts]
    assert [len(part) for part in parts] == [len(numbers) for numbers in taken] == [8 // size] * size
    for step in range(2):
        now = [numbers[step * share : (step + 1) * share] for numbers in taken]
        assert [number for numbers in now for number in numbers] == list(range(12 + 4 * step, 16 + 4 * step))
