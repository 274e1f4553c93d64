"""Supervoxels, their graph, and the seeds that pick them."""

import numpy as np
import pytest

from medseg.domain import Grid, Image, Prompts, Run
from medseg.domain.prompts import Point
from medseg.errors import Cancelled, InputError
from medseg.methods.pick_supervoxels import PICK_SUPERVOXELS
from medseg.methods.region_merge import merge_alike, spread_seeds
from medseg.methods.slic import cut_into_pieces, pieces_of, spread_of
from medseg.methods.supervoxels import SUPERVOXELS
from medseg.workflows.segment import segment

MIDDLE = Prompts(points=(Point((31.5, 31.5, 31.5)), Point((5.0, 5.0, 5.0), positive=False)))


def ball(
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), noise: float = 5.0
) -> tuple[Image, np.ndarray]:
    """A ball of radius 18 mm around (31.5, 31.5, 31.5), 100 on 0; in 64 mm of noise."""
    shape = tuple(int(64 / step) for step in spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (np.array(spacing) - 1) / 2
    grid = Grid(shape, affine)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    truth = np.linalg.norm(grid.to_position(index) - 31.5, axis=-1) < 18
    values = 100.0 * truth + np.random.default_rng(0).normal(0, noise, shape)
    return Image(values.astype(np.float32), grid), truth


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def pieces(image: Image, size: float = 8.0, compactness: float = 1.0):  # type: ignore[no-untyped-def]
    considered = np.ones(image.grid.shape, np.bool_)
    return cut_into_pieces(
        np.array(image.array), considered, image.grid.spacing, size=size, compactness=compactness, run=Run()
    )


def test_pieces_keep_to_the_edge_of_an_object() -> None:
    image, truth = ball()
    found = pieces(image)
    share = np.bincount(found.ids.ravel(), truth.ravel()) / np.maximum(found.sizes, 1)
    assert dice((share > 0.5)[found.ids], truth) > 0.98


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0), (2.0, 1.0, 1.0)])
def test_pieces_of_an_even_image_are_even_in_mm(spacing: tuple[float, float, float]) -> None:
    image, _ = ball(spacing)
    even = Image(np.random.default_rng(0).normal(size=image.grid.shape).astype(np.float32), image.grid)
    found = pieces(even, size=8.0, compactness=50.0)
    place = np.indices(even.grid.shape).reshape(3, -1) * np.array(spacing)[:, None]
    ids = found.ids.ravel()
    means = [np.bincount(ids, axis)[1:] / found.sizes[1:] for axis in place]
    spreads = [
        np.sqrt(np.bincount(ids, (axis - mean[ids - 1]) ** 2)[1:] / found.sizes[1:]).mean()
        for axis, mean in zip(place, means, strict=True)
    ]
    assert max(spreads) / min(spreads) < 1.25
    assert found.sizes[1:].mean() * np.prod(spacing) == pytest.approx(512, rel=0.2)


def test_compactness_does_not_change_with_the_size_of_voxels() -> None:
    fine, coarse = (pieces(ball(spacing)[0], compactness=3.0) for spacing in ((1.0,) * 3, (2.0,) * 3))
    assert fine.means.size == pytest.approx(coarse.means.size, rel=0.1)


def test_neighbours_share_a_face() -> None:
    ids = np.array([[[1], [2]], [[3], [4]], [[0], [4]]])
    found = pieces_of(ids, np.zeros(ids.shape))
    assert found.edges.tolist() == [[1, 2], [1, 3], [2, 4], [3, 4]]
    assert found.sizes.tolist() == [0, 1, 1, 1, 2]


CHAIN = np.arange(1, 6)[:, None, None]


@pytest.mark.parametrize(
    ("values", "difference", "regions"),
    [
        ((0, 1, 10, 11, 30), 0.5, (1, 2, 3, 4, 5)),
        ((0, 1, 10, 11, 30), 2, (1, 1, 2, 2, 3)),
        ((0, 1, 10, 11, 30), 10, (1, 1, 1, 1, 2)),
        ((0, 2, 4, 6, 8), 2, (1, 1, 2, 2, 3)),  # no creeping: means are taken anew
    ],
)
def test_the_closest_neighbours_are_merged_first(values, difference, regions) -> None:  # type: ignore[no-untyped-def]
    found = merge_alike(pieces_of(CHAIN, np.array(values, float)[:, None, None]), difference, Run())
    assert found.tolist() == [0, *regions]


@pytest.mark.parametrize(
    ("seeds", "limit", "labels"),
    [
        ({1: 1}, 0, (1, 0, 0, 0, 0)),
        ({1: 1}, 1, (1, 1, 0, 0, 0)),
        ({1: 1, 5: -1}, 100, (1, 1, 1, 1, -1)),
        ({1: 1, 3: 2}, 100, (1, 1, 2, 2, 2)),
        ({1: 2, 5: 1}, 15.0, (2, 2, 2, 2, 1)),
    ],
)
def test_seeds_spread_along_the_likest_way(seeds, limit, labels) -> None:  # type: ignore[no-untyped-def]
    graph = pieces_of(CHAIN, np.array((0, 1, 10, 11, 30), float)[:, None, None])
    assert spread_seeds(graph, seeds, limit, Run()).tolist() == [0, *labels]


def test_the_unit_of_differences_is_not_moved_by_a_bright_spot() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    values[0] = 1e9
    assert spread_of(values) == pytest.approx(1, abs=0.05)
    assert spread_of(np.zeros(5)) == 1


def test_supervoxels_merge_into_the_object_and_the_rest() -> None:
    image, truth = ball()
    answer = segment(SUPERVOXELS, image, params={"size_mm": 8, "merge_sd": 1.0})
    assert answer.instances is not None
    assert answer.present == (1,)
    ids = np.asarray(answer.instances)
    assert dice(ids == ids[31, 31, 31], truth) > 0.97


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0)])
def test_one_click_in_and_one_out_pick_a_ball(spacing: tuple[float, float, float]) -> None:
    image, truth = ball(spacing)
    assert dice(segment(PICK_SUPERVOXELS, image, prompts=MIDDLE).labels > 0, truth) > 0.95


def test_without_reach_a_seed_takes_its_piece_only() -> None:
    image, _ = ball()
    labels = segment(PICK_SUPERVOXELS, image, params={"reach_sd": 0}, prompts=MIDDLE).labels
    assert labels[31, 31, 31] == 1 or labels[32, 32, 32] == 1
    assert 100 < labels.sum() < 3000


def test_within_and_what_holds_no_measurement_stay_background() -> None:
    image, _ = ball()
    within = np.zeros(image.grid.shape, np.bool_)
    within[:34] = True
    for method, prompts in ((SUPERVOXELS, None), (PICK_SUPERVOXELS, MIDDLE)):
        labels = segment(method, image, within=within, prompts=prompts).labels
        assert labels[:34].any()
        assert not labels[34:].any()


def test_a_picture_in_pixels_works() -> None:
    image, truth = ball()
    flat = Image(image.array[..., 31:32].copy(), Grid((64, 64, 1), np.eye(4), unit="px"))
    clicks = Prompts(points=(Point((31.0, 31.0, 0.0)), Point((2.0, 2.0, 0.0), positive=False)))
    assert dice(segment(PICK_SUPERVOXELS, flat, prompts=clicks).labels > 0, truth[..., 31:32]) > 0.95
    assert segment(SUPERVOXELS, flat).instances is not None


def test_no_seeds_and_constant_images_are_refused_in_one_line() -> None:
    image, _ = ball()
    with pytest.raises(InputError, match="needs seeds"):
        segment(PICK_SUPERVOXELS, image)
    flat = Image(np.ones((64, 64, 64), np.float32), image.grid)
    with pytest.raises(InputError, match="constant"):
        segment(SUPERVOXELS, flat)
    with pytest.raises(InputError, match="constant"):
        segment(PICK_SUPERVOXELS, flat, prompts=MIDDLE)
    with pytest.raises(Cancelled):
        segment(SUPERVOXELS, image, run=Run(cancel=lambda: True))
