"""A mask that holds the image's voxels in another order is placed, never resampled."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from medseg.domain import Grid, Label, LabelTable, Segmentation
from medseg.errors import GridMismatchError
from medseg.geometry import AxisOrder
from medseg.masks.onto import lies_on, onto_grid

ORDERS = [
    AxisOrder(source, flipped)
    for source in permutations(range(3))
    for flipped in product((False, True), repeat=3)
]
TURNS = [0.0, 3.5, 20.0, 45.0]


def grid(degrees: float) -> Grid:
    turn, (c, s) = np.eye(4), (np.cos(np.radians(degrees)), np.sin(np.radians(degrees)))
    turn[:2, :2] = [[c, -s], [s, c]]
    affine = turn @ np.diag([1.0, 1.5, 3.0, 1.0])
    affine[:3, 3] = (-12.3, 40.5, 7.7)
    return Grid((5, 6, 4), affine, slice_thickness=3.0)


def mask(on: Grid) -> Segmentation:
    labels = np.random.default_rng(1).integers(0, 3, on.shape).astype(np.uint8)
    table = LabelTable((Label(1, "a"), Label(2, "b")))
    instances = labels.astype(np.uint32) * 7
    probabilities = np.stack([labels == n for n in range(3)]).astype(np.float32)
    return Segmentation(labels, on, table, instances=instances, probabilities=probabilities)


@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_every_order_of_axes_comes_back_voxel_for_voxel(order: AxisOrder, degrees: float) -> None:
    native = mask(grid(degrees))
    stored = replace(
        native,
        labels=np.ascontiguousarray(order.apply(native.labels)),
        grid=replace(order.grid(native.grid), slice_thickness=None),
        instances=np.ascontiguousarray(order.apply(native.instances)),
        probabilities=np.ascontiguousarray(order.apply(native.probabilities)),
    )
    found = onto_grid(stored, native.grid)
    assert lies_on(stored.grid, native.grid)
    assert found.digest == native.digest
    assert (found.instances == native.instances).all()
    assert (found.probabilities == native.probabilities).all()
    assert found.grid.slice_thickness == 3.0
    moved = stored.grid.orientation != native.grid.orientation
    assert [item.code for item in found.findings] == ["mask.placed"] * moved


OTHER = [
    ("half a voxel off", lambda a: a + np.array([[0, 0, 0, 0.5], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])),
    ("another spacing", lambda a: a @ np.diag([1.1, 1, 1, 1])),
]


@pytest.mark.parametrize("change", [row[1] for row in OTHER], ids=[row[0] for row in OTHER])
def test_other_voxels_are_refused_and_resampled_when_asked(change) -> None:
    native = mask(grid(0.0))
    moved = replace(native, grid=replace(native.grid, affine=change(native.grid.affine)))
    assert not lies_on(moved.grid, native.grid)
    with pytest.raises(GridMismatchError, match="--resample"):
        onto_grid(moved, native.grid)
    found = onto_grid(moved, native.grid, resample=True)
    assert [item.code for item in found.findings] == ["mask.resampled"]
    assert found.instances is None


def test_another_frame_of_reference_is_another_place() -> None:
    one, two = (replace(grid(0.0), frame_of_reference=uid) for uid in ("1.2", "1.3"))
    with pytest.raises(GridMismatchError, match="frames of reference"):
        onto_grid(mask(one), two)
    assert onto_grid(mask(one), grid(0.0)).grid.frame_of_reference == "1.2"


def test_rounding_snaps_with_a_finding() -> None:
    native = mask(grid(0.0))
    shift = np.zeros((4, 4))
    shift[0, 3] = 0.02
    near = replace(native, grid=replace(native.grid, affine=native.grid.affine + shift))
    found = onto_grid(near, native.grid)
    assert [item.code for item in found.findings] == ["grid.snapped"]
    assert (found.grid.affine == native.grid.affine).all()


def test_pixels_never_become_millimetres() -> None:
    flat = mask(grid(0.0))
    pixels = replace(flat, grid=Grid(flat.grid.shape, np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px"))
    with pytest.raises(GridMismatchError, match="px"):
        onto_grid(pixels, flat.grid, resample=True)
