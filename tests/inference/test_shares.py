"""A voxel of another grid belongs to the label with the largest share of it, background among them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medseg.domain import Case, Grid, Run
from medseg.inference import labels_on_grid
from medseg.inference.reducers import labels_on_native
from tests.inference.conftest import make_card, make_image

OWN = Grid((7, 7, 7), np.eye(4))
#: Share of a voxel that a label covers → whether the voxel is the label's. Eighths, so that nothing is rounded.
HALVES = [
    (0.0, False),
    (0.375, False),
    (0.4375, False),
    (0.5, False),  # of equals the first, background, wins
    (0.5625, True),
    (0.625, True),
    (1.0, True),
]


def moved(*by: float) -> Grid:
    """The own grid, moved along its axes: linear shares of a voxel are products of these."""
    affine = np.eye(4)
    affine[:3, 3] = by
    return Grid((6, 6, 6), affine)


def half_space(axis: int) -> np.ndarray:
    """Label 7 from index 4 on."""
    labels = np.zeros(OWN.shape, np.uint16)
    np.moveaxis(labels, axis, 0)[4:] = 7
    return labels


def reference_one(labels: np.ndarray, target: Grid) -> np.ndarray:
    return np.where(labels_on_grid(labels, OWN, target, (7,)) == 1, 7, 0)


def reference_among_others(labels: np.ndarray, target: Grid) -> np.ndarray:
    return np.where(labels_on_grid(labels, OWN, target, (9, 7)) == 2, 7, 0)


def answer_of_one(labels: np.ndarray, target: Grid) -> np.ndarray:
    share = (labels == 7).astype(np.float32)
    return labels_on_native(np.stack([1 - share, share]), OWN, target, (7,))


def answer_among_others(labels: np.ndarray, target: Grid) -> np.ndarray:
    share = (labels == 7).astype(np.float32)
    return labels_on_native(np.stack([1 - share, 0 * share, share]), OWN, target, (9, 7))


WAYS = [reference_one, reference_among_others, answer_of_one, answer_among_others]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("share", "is_label"), HALVES)
def test_a_voxel_is_a_labels_from_more_than_half_on(
    way: Any, axis: int, share: float, is_label: bool
) -> None:
    found = way(half_space(axis), moved(*np.eye(3)[axis] * share))
    line = np.moveaxis(found, axis, 0)
    assert (line == line[:, :1, :1]).all()
    assert line[:, 0, 0].tolist() == [0, 0, 0, 7 if is_label else 0, 7, 7]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_outside_of_the_image_is_background(way: Any) -> None:
    found = way(np.full(OWN.shape, 7, np.uint16), moved(-2, 0, 0))
    assert found[:, 0, 0].tolist() == [0, 0, 7, 7, 7, 7]


#: Position along two axes → shares of background, 7 and 9, and whose the voxel is.
CORNERS = [
    (0.625, 0.375, (0.234, 0.391, 0.375), 7),
    (0.625, 0.4375, (0.211, 0.352, 0.4375), 9),  # less than half, and the most
    (0.25, 0.375, (0.469, 0.156, 0.375), 0),
    (0.5, 0.25, (0.375, 0.375, 0.25), 0),  # of equals the first
    (0.75, 0.4375, (0.141, 0.422, 0.4375), 9),
    (1.0, 0.5, (0.0, 0.5, 0.5), 7),
]


@pytest.mark.parametrize(("first", "second", "shares", "winner"), CORNERS)
def test_of_several_the_largest_share_wins_even_below_half(
    first: float, second: float, shares: tuple[float, ...], winner: int
) -> None:
    labels = half_space(0)
    labels[:, 4:] = 9
    each = (1 - first) * (1 - second), first * (1 - second), second
    assert each == pytest.approx(shares, abs=1e-3)
    target = moved(first, second, 0)
    found = labels_on_grid(labels, OWN, target, (7, 9))
    assert (0, 7, 9)[found[3, 3, 3]] == winner
    stack = np.stack([labels == value for value in (0, 7, 9)]).astype(np.float32)
    assert labels_on_native(stack, OWN, target, (7, 9))[3, 3, 3] == winner


def test_cached_labels_are_those_by_share(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from medseg.training import cache
    from medseg.training.cases import LoadedCase

    labels = np.zeros((8, 4, 3), np.uint16)
    labels[2:5], labels[6:] = 1, 1
    image = make_image(np.broadcast_to(np.arange(8.0)[:, None, None], labels.shape))
    case = Case("c", "s", ())
    monkeypatch.setattr(cache, "load_case", lambda *_: LoadedCase({"image": image}, labels))
    config = SimpleNamespace(data=SimpleNamespace(ignore=None), labels=SimpleNamespace(values=(1,)))
    plan: Any = SimpleNamespace(folder=tmp_path, cases=[case], config=config, names={})
    (made,) = cache.build_cache(plan, make_card(spacing=(1.9375, 1.0, 1.0)), Run()).values()
    # Centres at −0.375, 1.5625, 3.5, 5.4375 and 7.375: 0.5625 of the second is the label's, 0.4375 of the fourth.
    assert made.load("labels")[:, 0, 0].tolist() == [0, 1, 1, 0, 1]
    assert made.load("image")[0, :, 0, 0].tolist() == pytest.approx([0, 1.5625, 3.5, 5.4375, 7], abs=2e-3)
    assert np.array_equal(made.load("positions")[:, 1:], np.argwhere(made.load("labels")))
