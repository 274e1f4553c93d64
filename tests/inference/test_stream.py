"""Slab by slab gives what all at once gives: MONAI's inferer, all probabilities resampled, a decision."""

from typing import Any

import numpy as np
import pytest

from medseg.domain import Grid, Run
from medseg.geometry.resample import grid_with_spacing, resample
from medseg.inference.ensemble import Ensemble
from medseg.inference.reducers import LabelsOnNative
from medseg.inference.stream import SlabStream
from medseg.inference.windows import Tiling

#: The two most probable classes differ by more than this wherever labels must be equal.
APART = 1e-4
CLASSES = 5


@pytest.fixture(scope="module")
def network() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv3d(2, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.Conv3d(8, CLASSES, 3, padding=1)
    ).eval()


def all_at_once(
    network: Any, array: np.ndarray, window: tuple[int, ...], overlap: float, source: Grid, native: Grid
) -> np.ndarray:
    """(L, I, J, K) probabilities on the native grid, by MONAI's inferer and SimpleITK."""
    import torch
    from monai.inferers.utils import sliding_window_inference

    def predict(windows: torch.Tensor) -> torch.Tensor:
        return torch.softmax(network(windows), dim=1)

    with torch.inference_mode():
        shares = sliding_window_inference(
            torch.from_numpy(array)[None], window, 1, predict, overlap, mode="gaussian"
        )
    return np.stack(
        [resample(one, source, native, fill=float(n == 0)) for n, one in enumerate(shares[0].numpy())]
    )


#: Native shape, its spacing, model spacing, window, overlap.
CASES = {
    "its own grid": ((20, 16, 18), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (8, 8, 8), 0.5),
    "finer": ((14, 18, 16), (1.0, 1.0, 1.0), (0.8, 0.7, 0.9), (8, 12, 10), 0.5),
    "coarser": ((40, 36, 50), (0.7, 0.9, 0.5), (1.5, 1.5, 1.5), (8, 8, 8), 0.25),
    "thick slices": ((30, 28, 5), (0.8, 0.8, 5.0), (1.0, 1.0, 2.0), (16, 16, 8), 0.6),
    "smaller than a window": ((6, 30, 5), (1.0, 1.0, 1.0), (1.1, 1.0, 1.0), (9, 10, 8), 0.5),
    "one window": ((8, 8, 8), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (8, 8, 8), 0.5),
    "windows side by side": ((24, 20, 16), (1.0, 1.0, 1.0), (1.2, 1.0, 1.0), (4, 4, 4), 0.0),
}


@pytest.mark.parametrize("lean", [0.0, 0.3], ids=["straight", "oblique"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_labels_equal_the_full_computation_but_for_ties(network: Any, case: Any, lean: float) -> None:
    import torch

    from medseg.inference.backends.torch import TorchBackend

    shape, steps, spacing, window, overlap = case
    affine = np.eye(4)
    turn = np.array([[np.cos(lean), -np.sin(lean), 0], [np.sin(lean), np.cos(lean), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ np.diag(steps)
    native = Grid(shape, affine)
    source = native if spacing == steps else grid_with_spacing(native, spacing)
    array = np.random.default_rng(1).normal(size=(2, *source.shape)).astype(np.float32)

    predictor = Ensemble([TorchBackend(network, torch.device("cpu"))])
    stream = SlabStream(predictor, Tiling(window, overlap))
    reducer = LabelsOnNative.between(source, native, stream.axis(source.shape), tuple(range(1, CLASSES)))
    for slab in stream.run(array, Run()):
        reducer.eat(slab)

    shares = all_at_once(network, array, window, overlap, source, native)
    second, first = np.sort(shares, axis=0)[-2:]
    differ = reducer.labels != shares.argmax(axis=0)
    assert len(np.unique(reducer.labels)) == CLASSES
    assert not (differ & (first - second > APART)).any()
    assert differ.mean() < 1e-3


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("slabs", [1, 2, 5, 9])
@pytest.mark.parametrize("spacing", [1.0, 0.6, 2.3])
def test_labels_do_not_depend_on_how_slabs_are_cut(axis: int, slabs: int, spacing: float) -> None:
    from medseg.inference.stream import Slab

    native = Grid((11, 12, 13), np.eye(4))
    source = native if spacing == 1.0 else grid_with_spacing(native, (spacing,) * 3)
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(4), size=source.shape).astype(np.float32)
    shares = np.moveaxis(np.moveaxis(shares, -1, 0), axis + 1, 1)
    whole, parts = (LabelsOnNative.between(source, native, axis, (1, 2, 3)) for _ in range(2))
    whole.eat(Slab(axis, 0, shares))
    start = 0
    for part in np.array_split(shares, slabs, axis=1):
        parts.eat(Slab(axis, start, part))
        start += part.shape[1]
    assert np.array_equal(whole.labels, parts.labels)
