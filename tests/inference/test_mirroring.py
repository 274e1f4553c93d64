"""Mirrored copies: the mean over every subset of the allowed axes, each turned back, for a network that sees sides."""

from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import Run
from medseg.inference import ModelSegmenter
from medseg.inference.ensemble import Ensemble
from tests.inference.conftest import OneHot, StandIn, make_card, make_image

#: Dimensions of a network, and axes that may be mirrored.
ALLOWED = [
    (dimensions, axes)
    for dimensions in (2, 3)
    for count in range(dimensions + 1)
    for axes in combinations(range(dimensions), count)
]


@dataclass
class Shifted(StandIn):
    """Share of a voxel: the value of its neighbour towards the first voxel, along every axis, on a ring.

    A mirrored copy that is turned back has the neighbour on the other side.
    """

    step: int = 1
    distance: bool = False
    calls: int = 0

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.calls += 1
        axes = tuple(range(2, windows.ndim))
        share = np.roll(windows, (self.step,) * len(axes), axes)
        outputs = [np.log(1 - share), np.log(share)]  # softmax gives the share back
        if self.distance:
            outputs.append(np.log(share / (1 - share)))  # and so does a sigmoid
        return np.concatenate(outputs, axis=1)


def windows_of(dimensions: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0.05, 0.95, (2, 1, 3, 4, 5)[: 2 + dimensions]).astype(np.float32)


def mean_of_sides(windows: np.ndarray, axes: tuple[int, ...], step: int = 1) -> np.ndarray:
    """The neighbour towards the first voxel, and along mirrored axes the mean of those on both sides."""
    dimensions = windows.ndim - 2
    sides = [(step, -step) if axis in axes else (step,) for axis in range(dimensions)]
    every = [np.roll(windows, shifts, tuple(range(2, windows.ndim))) for shifts in product(*sides)]
    return np.mean(every, axis=0)


@pytest.mark.parametrize(("dimensions", "axes"), ALLOWED)
def test_every_copy_is_turned_turned_back_and_counted_once(dimensions: int, axes: tuple[int, ...]) -> None:
    windows, network = windows_of(dimensions), Shifted()
    shares = Ensemble([network], mirror_axes=axes)(windows)
    assert network.calls == 2 ** len(axes)
    assert np.allclose(shares[:, 1:], mean_of_sides(windows, axes), atol=1e-6)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("dimensions", "axes"), ALLOWED)
def test_a_network_that_sees_no_sides_answers_as_without_mirroring(
    dimensions: int, axes: tuple[int, ...]
) -> None:
    windows = windows_of(dimensions)
    plain = Ensemble([Shifted(step=0)])(windows)
    mirrored = Ensemble([Shifted(step=0)], mirror_axes=axes)(windows)
    assert np.allclose(plain, mirrored, atol=1e-6)
    assert np.allclose(plain[:, 1:], windows, atol=1e-6)


@pytest.mark.parametrize("axes", [(), (1,), (0, 2), (0, 1, 2)])
def test_distances_and_folds_are_mirrored_alike(axes: tuple[int, ...]) -> None:
    windows = windows_of(3)
    networks = [Shifted(1, distance=True), Shifted(2, distance=True)]
    shares = Ensemble(networks, axes, classes=2)(windows)
    expected = (mean_of_sides(windows, axes, 1) + mean_of_sides(windows, axes, 2)) / 2
    assert np.allclose(shares[:, 1:2], expected, atol=1e-6)
    assert np.allclose(shares[:, 2:], expected, atol=1e-6)


@pytest.mark.parametrize(("mirror", "expected"), [(True, (0, 2)), (False, ())])
def test_the_axes_are_the_cards_and_can_be_left_out(
    mirror: bool, expected: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []

    def load(card: object, folder: object, axes: tuple[int, ...], run: Run, **more: object) -> OneHot:
        asked.append(axes)
        return OneHot(2)

    monkeypatch.setattr("medseg.inference.segmenter.load_predictor", load)
    model = ModelSegmenter(make_card(mirror_axes=(0, 2)), Path())
    assert model.Params().mirror
    model.segment({"image": make_image(np.ones((8, 8, 8)))}, model.Params(mirror=mirror), run=Run())
    assert asked == [expected]
