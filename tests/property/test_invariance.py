"""Properties: what may not depend on how a file stores its axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medseg.domain import Grid, Image, Label, LabelTable, Quantity, Segmentation
from medseg.geometry import AxisOrder, affine_orientation
from medseg.measuring import measure
from tests.geometry.test_orientation import ALL_48

INVARIANT = {
    Quantity.VOXEL_COUNT,
    Quantity.VOLUME,
    Quantity.CENTROID_X,
    Quantity.CENTROID_Y,
    Quantity.CENTROID_Z,
    Quantity.BORDER_VOXELS,
    Quantity.MEAN,
    Quantity.SD,
    Quantity.MEDIAN,
    Quantity.MAXIMUM,
    Quantity.LONGEST_DIAMETER,
}


def _placed(
    letters: str, spacing: tuple[float, float, float], origin: tuple[float, float, float]
) -> np.ndarray:
    affine = affine_orientation(spacing, letters)
    affine[:3, 3] = origin
    return affine


affines = st.builds(
    _placed,
    st.sampled_from(ALL_48),
    st.tuples(*[st.floats(0.3, 5)] * 3),
    st.tuples(*[st.floats(-100, 100)] * 3),
)


@given(affines, hnp.arrays(np.float64, (5, 3), elements=st.floats(-50, 50)))
def test_index_to_position_and_back(affine: np.ndarray, index: np.ndarray) -> None:
    grid = Grid((10, 10, 10), affine)
    assert np.allclose(grid.to_index(grid.to_position(index)), index, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.uint8, (6, 7, 5), elements=st.integers(0, 2)),
    st.permutations(range(3)),
    st.tuples(*[st.booleans()] * 3),
)
def test_measures_do_not_depend_on_axis_order(
    labels: np.ndarray, axes: list[int], flips: tuple[bool, bool, bool]
) -> None:
    grid = Grid((6, 7, 5), np.diag([1.0, 1.5, 4.0, 1.0]))
    table = LabelTable((Label(1, "a"), Label(2, "b")))
    values = np.random.default_rng(0).normal(size=labels.shape)
    order = AxisOrder((axes[0], axes[1], axes[2]), flips)
    one = measure(Segmentation(labels, grid, table), {"mr": Image(values, grid)})
    stored = order.grid(grid)
    two = measure(
        Segmentation(order.apply(labels), stored, table), {"mr": Image(order.apply(values), stored)}
    )
    for first, second in zip(one, two, strict=True):
        if first.quantity in INVARIANT:
            assert first.status is second.status
            assert first.value == (None if second.value is None else pytest.approx(second.value, abs=1e-9))
