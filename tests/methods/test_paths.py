"""The seed at the end of the cheapest path."""

import numpy as np
import pytest

from medseg.domain import Run
from medseg.errors import Cancelled
from medseg.methods.paths import CLOSED, Edges, cheapest_seed


def costs(shape: tuple[int, int, int], each: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Edges:
    made = []
    for axis in range(3):
        size = list(shape)
        size[axis] -= 1
        made.append(np.full(size, each[axis], np.float32))
    return made[0], made[1], made[2]


def marked(shape: tuple[int, int, int], *seeds: tuple[tuple[int, int, int], int]) -> np.ndarray:
    markers = np.zeros(shape, np.int32)
    for place, value in seeds:
        markers[place] = value
    return markers


def test_each_voxel_goes_to_the_nearer_seed_and_a_tie_to_the_lower_marker() -> None:
    found = cheapest_seed(marked((7, 1, 1), ((0, 0, 0), 5), ((6, 0, 0), 2)), costs((7, 1, 1)), Run())
    assert found[:, 0, 0].tolist() == [5, 5, 5, 2, 2, 2, 2]


def test_a_dear_axis_is_a_long_one() -> None:
    found = cheapest_seed(
        marked((9, 1, 9), ((4, 0, 0), 1), ((0, 0, 4), 2)), costs((9, 1, 9), (1, 1, 5)), Run()
    )
    # From (4, 4): 4 steps along the first axis from seed 2, 4 dear ones from seed 1.
    assert found[4, 0, 4] == 2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_nothing_passes_a_closed_wall(axis: int) -> None:
    shape = (5, 5, 5)
    edges = costs(shape)
    np.moveaxis(edges[axis], axis, 0)[2] = CLOSED
    found = np.moveaxis(cheapest_seed(marked(shape, ((0, 0, 0), 3)), edges, Run()), axis, 0)
    assert (found[:3] == 3).all()
    assert (found[3:] == 0).all()


def test_the_way_leads_round_a_wall() -> None:
    shape = (5, 5, 1)
    edges = costs(shape)
    edges[0][1, :4] = CLOSED
    assert (cheapest_seed(marked(shape, ((0, 0, 0), 1)), edges, Run()) == 1).all()


def test_no_marker_no_label() -> None:
    assert not cheapest_seed(np.zeros((3, 3, 3), np.int32), costs((3, 3, 3)), Run()).any()


def test_a_random_field_agrees_with_dijkstra() -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    shape = (7, 6, 5)
    generator = np.random.default_rng(3)
    edges = costs(shape)
    edges = tuple(np.round(generator.random(edge.shape) * 1024).astype(np.float32) / 1024 for edge in edges)  # type: ignore[assignment]
    numbers = np.arange(np.prod(shape)).reshape(shape)
    rows, columns, weights = [], [], []
    for axis, edge in enumerate(edges):
        rows.append(np.delete(numbers, -1, axis).ravel())
        columns.append(np.delete(numbers, 0, axis).ravel())
        weights.append(edge.ravel() + 1e-12)
    graph = coo_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), (numbers.size,) * 2
    )
    starts = [3, 77, 150]
    nearest = np.array(starts)[dijkstra(graph, directed=False, indices=starts).argmin(axis=0)].reshape(shape)
    markers = np.zeros(shape, np.int32)
    markers.ravel()[starts] = starts
    np.testing.assert_array_equal(cheapest_seed(markers, edges, Run()), nearest)


def test_cancel_is_heard() -> None:
    with pytest.raises(Cancelled):
        cheapest_seed(marked((40, 4, 4), ((0, 0, 0), 1)), costs((40, 4, 4)), Run(cancel=lambda: True))
