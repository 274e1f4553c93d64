"""The rules of a plan, as tables: what is measured goes in, what a person would choose comes out."""

from math import prod

import pytest

from medseg.training.planning.budget import BUDGETS
from medseg.training.planning.probe import cut_patch
from medseg.training.planning.shape import choose_network

LAPTOP = BUDGETS["laptop"]


@pytest.mark.parametrize(
    ("what", "spacing", "shape", "budget", "patch", "poolings", "first_kernel"),
    [
        ("small volume, whole", (1.0, 1.0, 1.0), (35, 51, 35), "laptop", (40, 56, 40), (3, 3, 3), (3, 3, 3)),
        ("isotropic, large", (1.0, 1.0, 1.0), (200, 200, 200), "laptop", (48, 56, 56), (3, 3, 3), (3, 3, 3)),
        ("thick slices", (0.8, 0.8, 3.0), (256, 256, 40), "laptop", (80, 80, 24), (4, 4, 2), (3, 3, 1)),
        ("a few thick slices", (0.5, 0.5, 6.0), (400, 400, 12), "8GB", (256, 256, 12), (6, 6, 1), (3, 3, 1)),
        ("picture", (1.0, 1.0), (256, 256), "laptop", (256, 256), (6, 6), (3, 3)),
        ("large picture", (1.0, 1.0), (1200, 900), "laptop", (256, 256), (6, 6), (3, 3)),
        (
            "a strip that can be pooled once, else its rows would be twice as coarse",
            (1.0, 1.0),
            (1200, 6),
            "laptop",
            (1200, 6),
            (1, 0),
            (3, 3),
        ),
    ],
)
def test_patch_and_network_follow_spacing_and_shape(
    what: str,
    spacing: tuple[float, ...],
    shape: tuple[int, ...],
    budget: str,
    patch: tuple[int, ...],
    poolings: tuple[int, ...],
    first_kernel: tuple[int, ...],
) -> None:
    found = choose_network(spacing, shape, 50, BUDGETS[budget])
    pooled = tuple(sum(level[axis] == 2 for level in found.strides) for axis in range(len(spacing)))
    assert (found.patch, pooled, found.kernels[0]) == (patch, poolings, first_kernel), what


@pytest.mark.parametrize("budget", BUDGETS.values(), ids=lambda item: item.name)
@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        ((1.0, 1.0, 1.0), (35, 51, 35)),
        ((0.7, 0.7, 5.0), (512, 512, 30)),
        ((0.8, 0.8, 0.8), (512, 512, 600)),
        ((3.0, 3.0, 3.0), (7, 7, 7)),
        ((1.0, 1.0), (64, 3000)),
    ],
)
def test_every_plan_can_be_built(budget: object, spacing: tuple[float, ...], shape: tuple[int, ...]) -> None:
    chosen = BUDGETS[budget.name]  # type: ignore[attr-defined]
    found = choose_network(spacing, shape, 50, chosen)
    divisor = [prod(level[axis] for level in found.strides) for axis in range(len(spacing))]
    assert all(size % part == 0 for size, part in zip(found.patch, divisor, strict=True))
    assert len(found.filters) == len(found.strides) == len(found.kernels)
    assert max(found.filters) <= chosen.filters[1]
    assert 0 < found.covered <= 1
    assert prod(found.patch) <= chosen.patch_voxels[len(spacing)] or prod(found.patch) <= 2 * prod(shape)


@pytest.mark.parametrize(
    ("cases", "shape", "batch"),
    [(1000, (35, 51, 35), 3), (40, (35, 51, 35), 2), (1, (200, 200, 200), 2)],
)
def test_a_batch_sees_at_most_a_twentieth_of_the_set(cases: int, shape: tuple[int, ...], batch: int) -> None:
    assert choose_network((1.0, 1.0, 1.0), shape, cases, LAPTOP).batch == batch


@pytest.mark.parametrize(
    ("patch", "divisor", "voxels", "cut"),
    [
        ((32, 32), (8, 8), 300, (16, 16)),
        ((40, 56, 40), (8, 8, 8), 30_000, (16, 24, 40)),
        ((8, 8), (8, 8), 1, (8, 8)),
    ],
)
def test_a_small_patch_stays_a_multiple(
    patch: tuple[int, ...], divisor: tuple[int, ...], voxels: int, cut: tuple[int, ...]
) -> None:
    assert cut_patch(patch, divisor, voxels) == cut
